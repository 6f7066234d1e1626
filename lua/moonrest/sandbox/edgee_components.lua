-- The older Edgee routes for components: found by id or by the slugs of their
-- organization and their own, with versions that are made and annotated.

local calendar = require "moonrest.sandbox.calendar"
local support = require "moonrest.sandbox.support"
local edgee = require "moonrest.sandbox.edgee_support"

local categories = { "data_collection", "edge_function", "js_gateway", "security", "consent_management", "identity",
  "stitching" }
local subcategories = { "analytics", "warehouse", "attribution", "conversion_api", "wasm_function",
  "server_side_tagging", "microservice", "kv_store", "bot_protection", "rate_limiting", "anti_fraud",
  "consent_mapping", "cmp", "native_cookies", "unique_id", "ab_testing", "web_performance" }

local text = { type = "string!", min_length = 1 }
local component_rules = {
  name = text, organization_id = text, category = { type = "string!", enum = categories },
  subcategory = { type = "string!", enum = subcategories }, slug = "string", documentation_link = "string",
  repo_link = "string", description = "string", avatar_url = "string", public = "boolean",
}
local component_changes = {
  name = "string", documentation_link = "string", repo_link = "string", description = "string",
  avatar_url = "string", public = "boolean", is_archived = "boolean",
}
local version_rules = {
  version = text, wasm_url = text, wit_version = text, changelog = "string",
  dynamic_fields = { type = "array", items = { type = "object", fields = {
    name = "string!", title = "string!", type = { type = "string!", enum = { "string", "bool", "number" } },
    options = { type = "array?", items = "string!" }, required = "boolean!", description = "string",
    secret = "boolean" } } },
}

local changeable = { "documentation_link", "repo_link", "name", "description", "is_archived", "avatar_url" }

local seeds = {
  { "Amplitude", "data_collection", "analytics" }, { "Segment", "data_collection", "warehouse" },
  { "Meta CAPI", "data_collection", "conversion_api" }, { "Hello Edge", "edge_function", "wasm_function" },
  { "Bot Shield", "security", "bot_protection" }, { "Consent Map", "consent_management", "consent_mapping" },
}

local function slug_of(name)
  return (name:lower():gsub("[^%w]+", "-"))
end

local function new_version(world, version, fields)
  return support.assign({ object = "component_version", version = version, created_at = calendar.iso(world.now()),
    wit_world_version = fields.wit_version }, fields, { "wasm_url", "dynamic_fields", "changelog" })
end

local function new_component(world, org_id, fields)
  local now, id = calendar.iso(world.now()), support.uuid(world.seed, "component", org_id, fields.name)
  local row = support.assign({
    object = "component", id = id, slug = slug_of(fields.name), versions = {}, is_archived = false,
    is_public = fields.public ~= false, created_at = now, updated_at = now,
  }, fields, { "name", "slug", "category", "subcategory", "documentation_link", "repo_link", "description",
    "avatar_url" })
  return { id = id, org_id = org_id, row = row }
end

local function seed(world)
  world.store.components = support.shelf()
  for _, parts in ipairs(seeds) do
    local entry = new_component(world, "org_2", { name = parts[1], category = parts[2], subcategory = parts[3] })
    entry.row.versions["1.0.0"] = new_version(world, "1.0.0", { wit_version = "1.0.0", changelog = "First release" })
    entry.row.latest_version = "1.0.0"
    world.store.components:add(entry.id, entry)
  end
end

local function by_id(world, request)
  local entry = world.store.components:get(request.params.id)
  if not entry then edgee.refuse_typed("not_found_error", "Component not found") end
  return entry
end

local function by_slug(world, request)
  local org = world.store.organizations:find(function(one) return one.row.slug == request.params.orgSlug end)
  local entry = org and world.store.components:find(function(one)
    return one.org_id == org.id and one.row.slug == request.params.componentSlug
  end)
  if not entry then edgee.refuse_typed("not_found_error", "Component not found") end
  return entry
end

local function create(world, request)
  local body = edgee.typed_body(request, component_rules)
  if not world.store.organizations:get(body.organization_id) then
    edgee.refuse_typed("not_found_error", "Organization not found")
  end
  local entry = new_component(world, body.organization_id, body)
  if world.store.components:get(entry.id) then
    edgee.refuse_typed("conflict_error", "A component with this name exists", { name = "Must be unique" })
  end
  return 200, world.store.components:add(entry.id, entry).row
end

local function update(world, entry, request)
  local body = edgee.typed_body(request, component_changes)
  support.assign(entry.row, body, changeable)
  if body.public ~= nil then entry.row.is_public = body.public end
  entry.row.updated_at = calendar.iso(world.now())
  return 200, entry.row
end

local function delete(world, entry)
  world.store.components:remove(entry.id)
  return 200, { object = "component", id = entry.id, deleted = true }
end

local function create_version(world, entry, request)
  local body = edgee.typed_body(request, version_rules)
  if entry.row.versions[body.version] then
    edgee.refuse_typed("conflict_error", "This version exists", { version = "Must be new" })
  end
  local version = new_version(world, body.version, body)
  entry.row.versions[body.version], entry.row.latest_version = version, body.version
  return 200, version
end

local function update_version(entry, request)
  local version = entry.row.versions[request.params.versionId]
  if not version then edgee.refuse_typed("not_found_error", "Version not found") end
  return 200, support.assign(version, edgee.typed_body(request, { changelog = "string" }), { "changelog" })
end

local components = {}

-- What the query wants of a component: fits(row).
function components.filter(request)
  edgee.check_query(request, { category = categories, subcategory = subcategories })
  return edgee.filter(request, { "category", "subcategory" })
end

local function rows_that_fit(world, request, fits)
  local wanted = components.filter(request)
  local rows = {}
  for _, entry in ipairs(world.store.components:list(fits, true)) do
    if wanted(entry.row) then rows[#rows + 1] = entry.row end
  end
  return 200, edgee.whole_list(request, rows)
end

-- The same three calls on both kinds of address.
local function item_routes(world, path, find)
  world:route("GET", path, function(request) return 200, find(world, request).row end)
  world:route("PUT", path, function(request) return update(world, find(world, request), request) end)
  world:route("DELETE", path, function(request) return delete(world, find(world, request)) end)
  world:route("POST", path .. "/versions", function(request)
    return create_version(world, find(world, request), request)
  end)
end

function components.routes(world)
  seed(world)
  world:route("GET", "/v1/components", function(request)
    return rows_that_fit(world, request, function(entry) return entry.row.is_public end)
  end)
  world:route("POST", "/v1/components", function(request) return create(world, request) end)
  world:route("GET", "/v1/organizations/{id}/components", function(request)
    if not world.store.organizations:get(request.params.id) then
      edgee.refuse_typed("not_found_error", "Organization not found")
    end
    return rows_that_fit(world, request, function(entry) return entry.org_id == request.params.id end)
  end)
  item_routes(world, "/v1/components/{id}", by_id)
  item_routes(world, "/v1/components/{orgSlug}/{componentSlug}", by_slug)
  world:route("PUT", "/v1/components/{orgSlug}/{componentSlug}/versions/{versionId}", function(request)
    return update_version(by_slug(world, request), request)
  end)
end

return components
