-- What all parts of the Cygni sandbox share.
--
-- Two sources disagree about this API, and both are played. Below /v1, what the
-- overview page shows (the lists, creating, and the resources it only names)
-- answers with data and meta, and errors are objects. What only the server's
-- code has answers as that code does, also below /v1: bare objects, and an
-- "error" that is a text or an array of issues. Below /api/v2 everything is as
-- the server's code has it, ids included.
--
-- A mount is one prefix: { prefix, version, uuids = ids are UUIDs, page = the
-- overview page's contract holds here, headers = of every answer }. A reply makes
-- answers of one shape, and is what handlers get beside the request.

local calendar = require "moonrest.sandbox.calendar"
local support = require "moonrest.sandbox.support"

local cygni = {}

cygni.CURRENT_VERSION = "v2"

-- Replies -----------------------------------------------------------------

local function meta(world)
  return { requestId = world.id "req", timestamp = calendar.iso(world.now()) }
end

-- The overview page's shape.
local Page = { __name = "moonrest.sandbox.cygni.page" }
Page.__index = Page

function Page:one(status, data)
  return status, { data = data, meta = meta(self.world) }
end

-- list: { name, items, page, limit, total }
function Page:list(list)
  local reply_meta = meta(self.world)
  reply_meta.pagination = {
    page = list.page, limit = list.limit, total = list.total, pages = -(-list.total // list.limit),
  }
  return 200, { data = support.array(list.items), meta = reply_meta }
end

-- problem: { status, code, text, message, details, issues }; the page shows code, message and details.
function Page:refuse(problem)
  support.refuse(problem.status, self:problem(problem))
end

function Page:problem(problem)
  return {
    error = { code = problem.code, message = problem.message or problem.text, details = problem.details },
    meta = meta(self.world),
  }
end

-- The server's shape.
local Server = { __name = "moonrest.sandbox.cygni.server" }
Server.__index = Server

function Server.one(_, status, data)
  return status, data
end

function Server.list(_, list)
  return 200, {
    [list.name] = support.array(list.items),
    pagination = {
      page = list.page, limit = list.limit, total = list.total, totalPages = -(-list.total // list.limit),
    },
  }
end

-- The server shows an array of issues, or a text and perhaps a message.
function Server:refuse(problem)
  support.refuse(problem.status, self:problem(problem))
end

function Server.problem(_, problem)
  if problem.issues then return { error = support.array(problem.issues) } end
  return { error = problem.text, message = problem.message }
end

local shapes = { page = Page, server = Server }

function cygni.reply(world, mount, shape)
  return setmetatable({ world = world, mount = mount, shape = shape }, shapes[shape])
end

-- One issue as the server's validator writes it.
function cygni.issue(name, message, code)
  return { code = code or "invalid_type", path = support.array { name }, message = message }
end

-- Complains about one field in whichever shape the route has.
function cygni.refuse_field(reply, name, reason)
  reply:refuse {
    status = 400, code = "validation_error", message = "Invalid " .. name, details = { field = name, reason = reason },
    issues = { cygni.issue(name, reason) },
  }
end

function cygni.refuse_missing(reply, what)
  reply:refuse { status = 404, code = "not_found", text = what .. " not found" }
end

-- Access ------------------------------------------------------------------

local messages = { missing = "No authorization header" }

-- The server strips "Bearer " where it stands, so a bare token works too.
local function authenticate(world, request)
  local options = request.route.options
  local reply = cygni.reply(world, options.mount, options.shape)
  local identity, why = world:credential(request, "authorization", "Bearer ", true)
  if not identity then
    return 401, reply:problem { code = "unauthorized", text = messages[why] or "Invalid token" }
  end
  if identity.kind == "forbidden" or identity.kind == "read_only" and request.method ~= "GET" then
    return 403, reply:problem { code = "forbidden", text = "Insufficient permissions" }
  end
  request.identity = identity
end

-- What no route answers. 'mount' tells the shape.
function cygni.guard(world, mount)
  local shape = mount.page and "page" or "server"
  world:authenticate(function(request) return authenticate(world, request) end)
  world:unknown(function()
    local reply = cygni.reply(world, mount, shape)
    return 404, reply:problem { code = "not_found", text = "Endpoint not found" }
  end)
  world:decorate(function(request, _, headers)
    local used = request.route and request.route.options.mount or mount
    headers["X-API-Version"], headers["X-API-Current-Version"] = used.version, cygni.CURRENT_VERSION
    for name, value in pairs(used.headers or {}) do headers[name] = value end
  end)
  world:bad_json(function(request)
    local options = request.route.options
    local reply = cygni.reply(world, options.mount, options.shape)
    return 400, reply:problem { code = "invalid_json", text = "The body is not JSON" }
  end)
end

-- Serves one route of a mount. options: shape = "page" (only where the mount
-- keeps the page's contract) or "server"; auth, bucket as for world:route.
-- handler(request, reply) -> status, body, headers.
function cygni.route(world, mount, method, path, options, handler)
  local shape = options.shape == "page" and mount.page and "page" or "server"
  world:route(method, mount.prefix .. path, function(request)
    return handler(request, cygni.reply(world, mount, shape))
  end, { shape = shape, mount = mount, auth = options.auth, bucket = options.bucket })
end

-- Bodies and ids ----------------------------------------------------------

function cygni.body(request, reply)
  if support.is_object(request.body) then return request.body end
  cygni.refuse_field(reply, "body", "Expected object")
end

-- Rows are kept under their short id and found by either.
function cygni.find(shelf, id)
  return shelf:get(id) or shelf:find(function(row) return row.uuid == id end)
end

function cygni.id(reply, row)
  return reply.mount.uuids and row.uuid or row.id
end

-- Gives a new row its two ids.
function cygni.identify(world, row, prefix)
  row.id = world.id(prefix)
  row.uuid = support.uuid(world.seed, row.id)
  row.created = row.created or world.now()
  row.updated = row.updated or row.created
  return row
end

-- Lists -------------------------------------------------------------------

local function page_of_page_contract(query, reply, default_limit)
  local page, limit = 1, default_limit
  if query.page ~= nil then page = support.integer(query.page, 1) end
  if query.limit ~= nil then limit = support.integer(query.limit, 1) end
  if not page then cygni.refuse_field(reply, "page", "Must be a positive integer") end
  if not limit then cygni.refuse_field(reply, "limit", "Must be a positive integer") end
  return page, limit
end

-- The server hands what it gets to its database: a page that is no number breaks there.
local function page_of_server(query, reply, default_limit, name)
  local page = support.integer(query.page or "1", 1)
  local limit = support.integer(query.limit or tostring(default_limit), 1)
  if not page or not limit then
    reply:refuse { status = 500, code = "server_error", text = "Failed to fetch " .. name }
  end
  return page, limit
end

local function sort_order(query, reply)
  if reply.shape == "page" then
    local sort = query.sort
    if not sort then return "createdAt", true end
    return (sort:gsub("^%-", "")), sort:sub(1, 1) == "-"
  end
  return query.sortBy or "createdAt", (query.sortOrder or "desc") == "desc"
end

-- options: name, limits = { page contract, server }, sorts = { field = function(row) }, view.
function cygni.list(request, reply, rows, options)
  local query = request.query
  local read = reply.shape == "page" and page_of_page_contract or page_of_server
  local page, limit = read(query, reply, reply.world.page_size or options.limits[reply.shape], options.name)
  local field, descending = sort_order(query, reply)
  local value_of = options.sorts[field]
  if not value_of and reply.shape == "page" then cygni.refuse_field(reply, "sort", "Unknown field " .. field) end
  if not value_of then
    reply:refuse { status = 500, code = "server_error", text = "Failed to fetch " .. options.name }
  end
  support.sort(rows, value_of, descending)
  local items = support.map(support.slice(rows, (page - 1) * limit, limit), options.view)
  return reply:list { name = options.name, items = items, page = page, limit = limit, total = #rows }
end

-- Seconds of a date or time in the query; nil when absent.
function cygni.time(query, name, reply)
  local text = query[name]
  if text == nil then return nil end
  local seconds = calendar.parse(text)
  if not seconds then cygni.refuse_field(reply, name, "Invalid date") end
  return seconds
end

-- Writes what was done into the audit log.
function cygni.audit(world, action, kind, id)
  local entry = {
    id = world.id "audit", timestamp = calendar.iso(world.now()), actorId = "user_0001",
    actorEmail = "owner@example.com", action = action, resourceType = kind, resourceId = id,
    riskLevel = action:find "delete" and "high" or "low",
  }
  table.insert(world.store.audit, 1, entry)
end

return cygni
