-- Cygni: projects.

local calendar = require "moonrest.sandbox.calendar"
local support = require "moonrest.sandbox.support"
local cygni = require "moonrest.sandbox.cygni_support"
local webhooks = require "moonrest.sandbox.cygni_webhooks"

local project_limits = { free = 50, pro = 500 }
local statuses = support.set { "active", "paused", "deleted" }
local build_fields = { "description", "framework", "repository", "buildCommand", "outputDirectory", "installCommand",
  "devCommand" }
local changeable = { "name", "status", "description", "buildCommand", "outputDirectory", "installCommand",
  "devCommand" }

local projects = {}

function projects.view(row, reply)
  local view = support.assign({}, row, { "name", "slug", "status", "organizationId" })
  support.assign(view, row, build_fields)
  view.id = cygni.id(reply, row)
  view.createdAt, view.updatedAt = calendar.iso(row.created), calendar.iso(row.updated)
  return view
end

local function slug_of(name)
  return (name:lower():gsub("[^%w]+", "-"))
end

function projects.new(world, fields)
  local row = support.assign({ status = "active", organizationId = "org_1", environment = {} }, fields, build_fields)
  row.name, row.slug, row.created = fields.name, slug_of(fields.name), fields.created
  for name, value in pairs(fields.environmentVariables or {}) do row.environment[name] = value end
  cygni.identify(world, row, "proj")
  return world.store.projects:add(row.id, row)
end

-- Not the ones that were deleted: deleting only marks.
function projects.find(world, id)
  local row = id and cygni.find(world.store.projects, id)
  return row and row.status ~= "deleted" and row or nil
end

local function project_of(world, request, reply)
  local row = projects.find(world, request.params.projectId)
  if not row then cygni.refuse_missing(reply, "Project") end
  return row
end

local sorts = {
  name = function(row) return row.name end, createdAt = function(row) return row.created end,
  updatedAt = function(row) return row.updated end, status = function(row) return row.status end,
}

local function list(world, request, reply)
  local query = request.query
  local status, search = query.status, query.search
  local rows = world.store.projects:list(function(row)
    if status and row.status ~= status or not status and row.status == "deleted" then return false end
    return not search or row.name:lower():find(search:lower(), 1, true) ~= nil
  end)
  return cygni.list(request, reply, rows, {
    name = "projects", limits = { page = 20, server = 10 }, sorts = sorts,
    view = function(row) return projects.view(row, reply) end,
  })
end

local function check(body, reply)
  if body.repository ~= nil and not support.is_text(body.repository) then
    cygni.refuse_field(reply, "repository", "Invalid url")
  end
  local variables = body.environmentVariables
  if variables ~= nil and (type(variables) ~= "table" or support.is_array(variables)) then
    cygni.refuse_field(reply, "environmentVariables", "Expected object")
  end
end

local function create(world, request, reply)
  local body = cygni.body(request, reply)
  if not support.is_text(body.name, 1, 100) then cygni.refuse_field(reply, "name", "Must have 1 to 100 characters") end
  check(body, reply)
  local most = project_limits[world.plan or "free"]
  if most and world.store.projects.count >= most then
    reply:refuse {
      status = 403, code = "project_limit_reached", text = "Project limit reached",
      message = "Your plan allows " .. most .. " projects",
    }
  end
  local row = projects.new(world, body)
  cygni.audit(world, "project.create", "project", row.id)
  webhooks.announce(world, "project.created", row.id, projects.view(row, reply))
  return reply:one(201, projects.view(row, reply))
end

local function names_of(map)
  local names = {}
  for name in pairs(map) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- With the last five deployments, the domains, and the names of the variables.
local function get(world, request, reply, deployment_view)
  local row = project_of(world, request, reply)
  local view = projects.view(row, reply)
  local own = world.store.deployments:list(function(one) return one.project == row end, true)
  view.deployments = support.array(support.map(support.slice(own, 0, 5), function(one)
    return deployment_view(one, reply)
  end))
  view.domains = support.array { row.slug .. ".cygni.app" }
  view.environmentVariables = support.array(names_of(row.environment))
  return reply:one(200, view)
end

local function update(world, request, reply)
  local row, body = project_of(world, request, reply), cygni.body(request, reply)
  if body.status ~= nil and not statuses[body.status] then cygni.refuse_field(reply, "status", "Invalid enum value") end
  if body.name ~= nil and not support.is_text(body.name, 1, 100) then
    cygni.refuse_field(reply, "name", "Must have 1 to 100 characters")
  end
  support.assign(row, body, changeable)
  row.updated = world.now()
  cygni.audit(world, "project.update", "project", row.id)
  webhooks.announce(world, "project.updated", row.id, projects.view(row, reply))
  return reply:one(200, projects.view(row, reply))
end

-- Soft: the row stays and is found by status=deleted. A repeat succeeds too.
local function delete(world, request, reply)
  local row = cygni.find(world.store.projects, request.params.projectId)
  if not row then cygni.refuse_missing(reply, "Project") end
  if row.status ~= "deleted" then
    row.status, row.updated = "deleted", world.now()
    cygni.audit(world, "project.delete", "project", row.id)
    webhooks.announce(world, "project.deleted", row.id, projects.view(row, reply))
  end
  return reply:one(200, { message = "Project deleted successfully" })
end

function projects.routes(world, mount, deployment_view)
  local function serve(method, path, shape, handler)
    cygni.route(world, mount, method, "/projects" .. path, { shape = shape }, function(request, reply)
      return handler(world, request, reply, deployment_view)
    end)
  end
  serve("GET", "", "page", list)
  serve("POST", "", "server", create)
  serve("GET", "/{projectId}", "server", get)
  serve("PATCH", "/{projectId}", "server", update)
  serve("DELETE", "/{projectId}", "server", delete)
end

return projects
