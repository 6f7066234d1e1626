-- Cygni: domains, environment variables, metrics, tokens and permissions. The
-- overview page only names them; what is served here is what its conventions
-- make likely: the envelope, pages, 201 for what is made, 204 for what is gone.

local calendar = require "moonrest.sandbox.calendar"
local support = require "moonrest.sandbox.support"
local cygni = require "moonrest.sandbox.cygni_support"

-- The fields that the server alone writes.
local own_fields = support.set { "id", "createdAt", "updatedAt", "token" }

local kinds = {
  domains = {
    prefix = "dom", title = "Domain",
    seeds = { { name = "moon.example.com", status = "active" }, { name = "play.example.com", status = "pending" } },
  },
  env = {
    prefix = "env", title = "Environment variable",
    seeds = { { key = "NODE_ENV", value = "production" }, { key = "API_URL", value = "https://api.example.com" } },
  },
  metrics = {
    prefix = "metric", title = "Metric",
    seeds = { { name = "requests", unit = "count", value = 1200 }, { name = "latency", unit = "ms", value = 42.5 } },
  },
  tokens = {
    prefix = "tok", title = "Token",
    seeds = { { name = "ci" }, { name = "laptop" } },
  },
  permissions = {
    prefix = "perm", title = "Permission",
    seeds = { { name = "deploy", role = "member" }, { name = "admin", role = "admin" } },
  },
}

local function view(row)
  local shown = support.assign({ id = row.id }, row.fields, row.names)
  shown.createdAt, shown.updatedAt = calendar.iso(row.created), calendar.iso(row.updated)
  return shown
end

-- Copies what the caller may write.
local function write(row, body)
  for name, value in pairs(body) do
    if not own_fields[name] then
      if row.fields[name] == nil then row.names[#row.names + 1] = name end
      row.fields[name] = value
    end
  end
  return row
end

local function new_row(world, kind, fields, created)
  local row = write({ fields = {}, names = {}, created = created }, fields)
  return cygni.identify(world, row, kind.prefix)
end

local function row_of(shelf, kind, request, reply)
  local row = cygni.find(shelf, request.params.id)
  if not row then cygni.refuse_missing(reply, kind.title) end
  return row
end

local function list(shelf, name, request, reply)
  local query = request.query
  local rows = shelf:list(function(row)
    return (not query.projectId or row.fields.projectId == query.projectId)
      and (not query.status or row.fields.status == query.status)
  end)
  return cygni.list(request, reply, rows, {
    name = name, limits = { page = 20, server = 20 }, view = view,
    sorts = { name = function(row) return row.fields.name or row.fields.key end,
      createdAt = function(row) return row.created end },
  })
end

local function create(world, shelf, kind, request, reply)
  local body = cygni.body(request, reply)
  local row = new_row(world, kind, body)
  shelf:add(row.id, row)
  cygni.audit(world, kind.prefix .. ".create", kind.prefix, row.id)
  local shown = view(row)
  if kind == kinds.tokens then shown.token = "cyg_" .. world.hex(40) end
  return reply:one(201, shown)
end

local function update(world, shelf, kind, request, reply)
  local row = row_of(shelf, kind, request, reply)
  write(row, cygni.body(request, reply)).updated = world.now()
  return reply:one(200, view(row))
end

local function delete(world, shelf, kind, request, reply)
  local row = row_of(shelf, kind, request, reply)
  shelf:remove(row.id)
  cygni.audit(world, kind.prefix .. ".delete", kind.prefix, row.id)
  return 204
end

local function resource_routes(world, mount, name, kind)
  local shelf = world.store[name]
  local function serve(method, path, handler)
    cygni.route(world, mount, method, "/" .. name .. path, { shape = "page" }, function(request, reply)
      return handler(world, shelf, kind, request, reply)
    end)
  end
  serve("GET", "", function(_, _, _, request, reply) return list(shelf, name, request, reply) end)
  serve("POST", "", create)
  serve("GET", "/{id}", function(_, _, _, request, reply)
    return reply:one(200, view(row_of(shelf, kind, request, reply)))
  end)
  serve("PATCH", "/{id}", update)
  serve("PUT", "/{id}", update)
  serve("DELETE", "/{id}", delete)
end

local assumed = {}

-- In the order of their names, so that a seed always gives the same ids.
local names = { "domains", "env", "metrics", "permissions", "tokens" }

function assumed.seed(world, project)
  for _, name in ipairs(names) do
    local shelf = support.shelf()
    for number, fields in ipairs(kinds[name].seeds) do
      local row = new_row(world, kinds[name], fields, world.now() - (10 - number) * 86400)
      if project and name ~= "tokens" and name ~= "permissions" then write(row, { projectId = project.id }) end
      shelf:add(row.id, row)
    end
    world.store[name] = shelf
  end
end

function assumed.routes(world, mount)
  for _, name in ipairs(names) do resource_routes(world, mount, name, kinds[name]) end
end

return assumed
