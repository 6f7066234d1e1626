-- The older Edgee routes for projects: their settings, domains, revisions of
-- proxy settings, components, counters and debug events.

local calendar = require "moonrest.sandbox.calendar"
local support = require "moonrest.sandbox.support"
local edgee = require "moonrest.sandbox.edgee_support"
local components = require "moonrest.sandbox.edgee_components"
local settings = require "moonrest.sandbox.edgee_settings"

local project_types = { "proxy", "ai_analytics", "mcp" }
local base_fields = { "organization_id", "slug", "description", "type", "external_project_url" }
local component_rules = {
  component_id = "string", component_slug = "string", component_version = "string", active = "boolean",
  settings = "object?",
}
local component_fields = { "component_id", "component_slug", "component_version", "active", "settings" }

local text = { type = "string!", min_length = 1 }
local project_rules = {
  organization_id = text, slug = text, type = { type = "string!", enum = project_types }, description = "string",
  external_project_url = "string",
}
local domain_changes = { dns_status = "boolean", ssl_status = "boolean" }
local revision_rules = {
  description = text, backends = { type = "array!", items = { type = "object", fields = {
    name = "string", address = "string", enable_ssl = "boolean", check_certificate = "string",
    ca_certificate = "string", sni_hostname = "string", default = "boolean", override_host = "string" } } },
  routes = { type = "array", items = { type = "object", fields = {
    path = "string", regex = "boolean", backend_name = "string", rank = "string", continent = "array",
    region = "array", country = "array" } } },
}

local function not_found(what)
  edgee.refuse_typed("not_found_error", what .. " not found")
end

local function touch(world, row)
  row.updated_at = calendar.iso(world.now())
  return row
end

-- Projects ----------------------------------------------------------------

local function new_project(world, id, fields)
  local now = calendar.iso(world.now())
  return {
    id = id, domains = support.shelf(), components = support.shelf(), revisions = {}, revision = 0,
    row = support.assign({ object = "project", id = id, created_at = now, updated_at = now }, fields, base_fields),
  }
end

local function seed(world)
  world.store.projects = support.shelf()
  for number, slug in ipairs { "website", "shop", "docs" } do
    local id = support.uuid(world.seed, "project", number)
    world.store.projects:add(id, new_project(world, id, {
      organization_id = "org_1", slug = slug, type = project_types[1], description = "The " .. slug,
    }))
  end
end

local function project_of(world, request)
  local project = world.store.projects:get(request.params.id)
  if not project then not_found "Project" end
  return project
end

local function create_project(world, request)
  local body = edgee.typed_body(request, project_rules)
  if not world.store.organizations:get(body.organization_id) then not_found "Organization" end
  if world.store.projects:find(function(one) return one.row.slug == body.slug end) then
    edgee.refuse_typed("conflict_error", "This slug is taken", { slug = "Must be unique" })
  end
  local id = support.uuid(world.seed, "project", world.id "project")
  return 200, world.store.projects:add(id, new_project(world, id, body)).row
end

local function update_project(world, project, request)
  local body = edgee.typed_body(request, settings.rules)
  support.assign(project.row, body, settings.names)
  return 200, touch(world, project.row)
end

local function purge_cache(_, project, request)
  local body = edgee.typed_body(request, { id = text, path = "string", override_cache = "boolean" })
  if body.id ~= project.id then
    edgee.refuse_typed("invalid_request_error", "Some parameters are not valid",
      { id = "Must be the id of the address" })
  end
  return 200, { message = "Cache purge requested" }
end

-- The month and the day that counters are asked for.
local function time_of(request)
  edgee.check_date(request, "month")
  edgee.check_date(request, "day")
  return request.query.month, request.query.day
end

local function counters(world, project, request)
  local month, day = time_of(request)
  local requests = support.mix(world.seed, "requests", project.id, month or "", day or "") % 1000000
  return 200, {
    object = "project_counters", project_id = project.id, month = month or calendar.day(world.now()):sub(1, 7) .. "-01",
    day = day, request_count = requests, event_count = requests // 3,
  }
end

-- Domains -----------------------------------------------------------------

local function domain_of(project, request)
  local domain = project.domains:get(request.params.name)
  if not domain then not_found "Domain" end
  return domain
end

local function create_domain(world, project, request)
  local body = edgee.typed_body(request, { name = text })
  if project.domains:get(body.name) then
    edgee.refuse_typed("conflict_error", "This domain exists", { name = "Must be unique" })
  end
  local now = calendar.iso(world.now())
  return 200, project.domains:add(body.name, {
    object = "domain", name = body.name, project_id = project.id, dns_status = false, ssl_status = false,
    created_at = now, updated_at = now,
  })
end

local function domain_routes(serve)
  serve("GET", "/domains", function(_, project, request)
    return 200, edgee.whole_list(request, project.domains:list(nil, true))
  end)
  serve("POST", "/domains", create_domain)
  serve("GET", "/domains/{name}", function(_, project, request) return 200, domain_of(project, request) end)
  serve("POST", "/domains/{name}", function(world, project, request)
    local domain, body = domain_of(project, request), edgee.typed_body(request, domain_changes)
    return 200, touch(world, support.assign(domain, body, { "dns_status", "ssl_status" }))
  end)
  serve("DELETE", "/domains/{name}", function(_, project, request)
    local name = domain_of(project, request).name
    project.domains:remove(name)
    return 200, { object = "domain", id = name, deleted = true }
  end)
end

-- Proxy settings ----------------------------------------------------------

local function activate(project, active)
  for _, revision in ipairs(project.revisions) do revision.is_active = revision == active end
end

local function create_revision(_, project, request)
  local body = edgee.typed_body(request, revision_rules)
  project.revision = project.revision + 1
  local revision = support.assign({ object = "proxy_settings", revision = project.revision, is_active = false }, body,
    { "description", "backends", "routes" })
  table.insert(project.revisions, 1, revision)
  return 200, revision
end

local function update_revision(_, project, request)
  local body = edgee.typed_body(request, { description = "string", is_active = "boolean" })
  for _, revision in ipairs(project.revisions) do
    if tostring(revision.revision) == request.params.revision then
      support.assign(revision, body, { "description" })
      if body.is_active == true then activate(project, revision) end
      return 200, revision
    end
  end
  not_found "Revision"
end

-- Components of a project -------------------------------------------------

local function component_of(project, request)
  local component = project.components:get(request.params.project_component_id or request.params.componentId)
  if not component then not_found "Component" end
  return component
end

-- Category and subcategory come from the component that is used.
local function attach(world, project, request)
  local body = edgee.typed_body(request, component_rules)
  local used = body.component_id and world.store.components:get(body.component_id)
  if body.component_id and not used then not_found "Component" end
  local row = support.assign({ object = "project_component", id = world.id "pc", active = true }, body,
    component_fields)
  if used then
    support.assign(row, used.row, { "category", "subcategory" })
    row.component_slug = row.component_slug or used.row.slug
    row.component_version = row.component_version or used.row.latest_version
  end
  return 200, project.components:add(row.id, row)
end

local function component_counters(world, project, request)
  local component = component_of(project, request)
  local month, day = time_of(request)
  local events = support.mix(world.seed, "events", project.id, component.id) % 90000
  return 200, {
    object = "project_component_counters", project_id = project.id, component_id = component.id,
    month = month, day = day,
    user_count = events // 9, track_count = events // 3, page_count = events,
  }
end

local function component_routes(serve)
  serve("GET", "/components", function(_, project, request)
    local fits = components.filter(request)
    return 200, edgee.whole_list(request, project.components:list(fits, true))
  end)
  serve("POST", "/components", attach)
  serve("GET", "/components/{project_component_id}", function(_, project, request)
    return 200, component_of(project, request)
  end)
  serve("POST", "/components/{project_component_id}", function(_, project, request)
    local component = component_of(project, request)
    return 200, support.assign(component, edgee.typed_body(request, component_rules), component_fields)
  end)
  serve("DELETE", "/components/{project_component_id}", function(_, project, request)
    local id = component_of(project, request).id
    project.components:remove(id)
    return 200, { object = "project_component", id = id, deleted = true }
  end)
  serve("GET", "/components/{componentId}/counters", component_counters)
end

-- Debug events ------------------------------------------------------------

local EVENTS = 30

local function event_shelf(world, project, kind, make)
  local shelf = support.shelf()
  for number = 1, EVENTS do
    local id = support.uuid(world.seed, kind, project.id, number)
    shelf:add(id, make(id, number))
    shelf:get(id).id = id
  end
  return shelf
end

local function event_view(event)
  local view = support.assign({}, event, { "object", "uuid", "timestamp", "type", "from", "data", "context",
    "component_id", "component_slug", "component_request", "component_response" })
  return view
end

local function incoming(world, project, request)
  local events = event_shelf(world, project, "incoming", function(id, number)
    return {
      object = "incoming_event", uuid = id, timestamp = calendar.iso(world.now() - (EVENTS - number) * 60),
      type = support.pick({ "page", "track", "user" }, id), from = support.pick({ "edge", "client", "third" }, id, 2),
      data = { number = number }, context = { locale = "en" },
    }
  end)
  return 200, edgee.cursor_list(world, request, events, nil, event_view)
end

local function outgoing(world, project, request)
  local event_id = request.params.event_id
  local events = event_shelf(world, project, "outgoing" .. event_id, function(_, number)
    return {
      object = "outgoing_event", uuid = event_id, component_id = "component_" .. number, component_slug = "amplitude",
      component_request = { method = "POST" }, component_response = { status = 200 },
    }
  end)
  return 200, edgee.cursor_list(world, request, events, nil, event_view)
end

local function project_routes(serve)
  serve("GET", "", function(_, project) return 200, project.row end)
  serve("POST", "", update_project)
  serve("DELETE", "", function(world, project)
    world.store.projects:remove(project.id)
    return 200, { object = "project", id = project.id, deleted = true }
  end)
  serve("GET", "/counters", counters)
  serve("POST", "/purge-cache", purge_cache)
  serve("GET", "/proxy-settings", function(_, project, request)
    return 200, edgee.whole_list(request, table.move(project.revisions, 1, #project.revisions, 1, {}))
  end)
  serve("POST", "/proxy-settings", create_revision)
  serve("POST", "/proxy-settings/{revision}", update_revision)
  serve("GET", "/debug/data-collection/incoming", incoming)
  serve("GET", "/debug/data-collection/outgoing/{event_id}", outgoing)
end

return function(world)
  seed(world)
  world:route("GET", "/v1/projects", function(request)
    local fits = edgee.filter(request, { "organization_id" })
    return 200, edgee.cursor_list(world, request, world.store.projects,
      function(project) return fits(project.row) end, function(project) return project.row end)
  end)
  world:route("POST", "/v1/projects", function(request) return create_project(world, request) end)
  local function serve(method, path, handler)
    world:route(method, "/v1/projects/{id}" .. path, function(request)
      return handler(world, project_of(world, request), request)
    end)
  end
  project_routes(serve)
  domain_routes(serve)
  component_routes(serve)
end
