-- The generic "yourcompany" API in its three environments (production, staging, sandbox), below /v1 and /v2,
-- which share their data. Only resources are documented; projects, users, jobs, tasks, logs, api_keys,
-- webhooks and settings have the conventional five routes.
--
-- A job is queued, running after 1 s, and completed after 5 s, or failed when its type is "fail".
-- The sandbox environment has no limits, and forgets its data at midnight UTC.
-- sizes: resources (3), projects, users, jobs, tasks, logs.

local calendar = require "moonrest.sandbox.calendar"
local check = require "moonrest.sandbox.check"
local digest = require "moonrest.digest"
local json = require "moonrest.sandbox.json"
local pages = require "moonrest.sandbox.pages"
local support = require "moonrest.sandbox.support"
local refuse_with = require "moonrest.sandbox.world".refuse

local DEFAULT_SIZE, MAX_SIZE = 20, 100
local DAY = 86400

-- {======================================================
-- Envelopes
-- ======================================================

local function failure(code, message, details, retry_after)
  return { status = "error", error = { code = code, message = message, details = details, retry_after = retry_after } }
end

local function refuse(status, code, message, details) refuse_with(status, failure(code, message, details)) end

local function success(world, status, data)
  return status, { status = "success", data = data, meta = { timestamp = calendar.iso(world.now()) } }
end

local REASONS = { required = "required_field_missing", type = "invalid_type", value = "invalid_value" }

local function invalid(field, reason, message)
  refuse(400, "INVALID_REQUEST", "Invalid parameter: " .. message, { field = field, reason = reason })
end

local function checked(request, rules)
  local problem = check.body(request.body, rules)
  if problem then invalid(problem.field, REASONS[problem.reason], problem.message) end
  return request.body
end

-- }======================================================

-- {======================================================
-- Collections
-- ======================================================

local any = {}

-- name -> rules of the fields that are looked at; others are kept as they come. `once` is a field of the server's own
-- that only the answer to the making shows.
local COLLECTIONS = {
  resources = { event = "resource", rules = { name = "string!", type = "string", status = "string",
    config = { type = "object", fields = { timeout = { type = "integer", min = 0 } } } } },
  projects = { event = "project", rules = { name = "string!", status = "string" } },
  users = { event = "user", rules = { name = "string", email = "string" } },
  jobs = { event = "job", rules = { name = "string", type = "string" } },
  tasks = { event = "task", rules = { name = "string" } },
  logs = { event = "log", rules = any },
  api_keys = { event = "api_key", once = "key", rules = { name = "string" } },
  webhooks = { event = "webhook", once = "secret", rules = { url = "string!",
    events = { type = "array", items = "string" } } },
  settings = { event = "setting", rules = any },
}

local function new_store(world)
  local store = { next_id = 0, started = {} }
  for name in pairs(COLLECTIONS) do store[name] = support.shelf() end
  world.store.data = store
  return store
end

local function insert(world, name, fields)
  local data = world.store.data
  data.next_id = data.next_id + 1
  local row = {}
  for key, value in pairs(fields) do row[key] = value end
  row.id = tostring(data.next_id)
  row.created_at = calendar.iso(world.now())
  row.updated_at = row.created_at
  if name == "jobs" then data.started[row.id] = world.now() end
  return data[name]:add(row.id, row)
end

local TYPES = { "processor", "storage", "gateway" }

local function seed_rows(world, name, count, make)
  for i = 1, world:size(name, count) do insert(world, name, make(i)) end
end

local function populate(world)
  new_store(world)
  seed_rows(world, "resources", 3, function(i)
    return { name = ("resource-%04d"):format(i), type = TYPES[(i - 1) % 3 + 1],
             status = i % 5 == 0 and "paused" or "active", config = { timeout = 30 } }
  end)
  for _, name in ipairs { "projects", "users", "tasks", "jobs" } do
    seed_rows(world, name, 0, function(i)
      return { name = ("%s-%d"):format(COLLECTIONS[name].event, i) }
    end)
  end
  seed_rows(world, "logs", 25, function(i)
    return { level = i % 7 == 0 and "error" or "info", message = "event " .. i }
  end)
  for _, pair in ipairs { { "timezone", "UTC" }, { "locale", "en" } } do
    insert(world, "settings", { name = pair[1], value = pair[2] })
  end
end

-- What a row shows: no secret, and a job's state at this time.
local function show(world, name, row)
  local shown = {}
  for key, value in pairs(row) do shown[key] = value end
  if COLLECTIONS[name].once then shown[COLLECTIONS[name].once] = nil end
  if name == "jobs" then
    local age = world.now() - world.store.data.started[row.id]
    local ended = row.type == "fail" and "failed" or "completed"
    shown.status = age < 1 and "queued" or age < 5 and "running" or ended
  end
  return shown
end

-- }======================================================

-- {======================================================
-- Webhooks
-- ======================================================

local function wants(hook, event)
  if not hook.events or #hook.events == 0 then return true end
  for _, one in ipairs(hook.events) do
    if one == event or one == "*" then return true end
  end
  return false
end

local function announce(world, name, verb, row)
  local event = COLLECTIONS[name].event .. "." .. verb
  for _, hook in ipairs(world.store.data.webhooks:list()) do
    if name ~= "webhooks" and wants(hook, event) then
      local body = json.encode { event = event, timestamp = calendar.iso(world.now()),
                                 data = { id = row.id, type = row.type, name = row.name } }
      local signature = digest.hex(digest.hmac_sha256(hook.secret, body))
      world:post(hook.url, { ["Content-Type"] = "application/json", ["X-Signature"] = signature }, body,
        function(status, message)
          hook.last_delivery = { event = event, status = status, error = not status and message or nil }
        end)
    end
  end
end

-- }======================================================

-- {======================================================
-- Lists
-- ======================================================

local PAGING = support.set { "page", "per_page", "sort", "order" }

local function number_of(request, name, otherwise)
  local text = request.query[name]
  if text == nil then return otherwise end
  local value = support.integer(text, 1)
  if not value then invalid(name, "invalid_value", name .. " must be a positive integer") end
  return value
end

local function as_text(value)
  if value == nil or type(value) == "table" then return nil end
  return tostring(value)
end

local function fits(request, row)
  for name, value in pairs(request.query) do
    if not PAGING[name] and as_text(row[name]) ~= value then return false end
  end
  return true
end

local function sort_key(row, field)
  local value = row[field]
  if field == "id" then return tonumber(value) end
  return type(value) ~= "table" and type(value) ~= "boolean" and value or nil
end

local function list(world, name, request)
  local page, size = number_of(request, "page", 1), number_of(request, "per_page", world.page_size or DEFAULT_SIZE)
  local sort, order = request.query.sort, request.query.order or "asc"
  if order ~= "asc" and order ~= "desc" then invalid("order", "invalid_value", "order must be asc or desc") end
  local rows = {}
  for _, row in ipairs(world.store.data[name]:list()) do
    local shown = show(world, name, row)
    if fits(request, shown) then rows[#rows + 1] = shown end
  end
  if sort then support.sort(rows, function(row) return sort_key(row, sort) end, order == "desc") end
  if not sort and order == "desc" then support.sort(rows, function(row) return tonumber(row.id) end, true) end
  local items, known = pages.cut(rows, page, math.min(size, MAX_SIZE))
  return 200, { status = "success", data = items, meta = {
    page = page, per_page = known.size, total_items = known.total, total_pages = known.pages,
    has_next = known.has_next, has_previous = known.has_previous,
  } }
end

-- }======================================================

-- {======================================================
-- Routes
-- ======================================================

local function row_of(world, name, request)
  local row = world.store.data[name]:get(request.params.id)
  if not row then refuse(404, "NOT_FOUND", "Resource not found: " .. request.params.id) end
  return row
end

local function create(world, name, request)
  local row = insert(world, name, checked(request, COLLECTIONS[name].rules))
  if name == "resources" then row.status, row.type = row.status or "active", row.type or "generic" end
  if name == "webhooks" then row.secret = "whsec_" .. world.hex(32) end
  if name == "api_keys" then
    row.key = "yc_" .. world.hex(32)
    row.prefix = row.key:sub(1, 8)
  end
  local shown, once = show(world, name, row), COLLECTIONS[name].once
  if once then shown[once] = row[once] end
  announce(world, name, "created", row)
  return success(world, 201, shown)
end

local function without_marks(rules)
  local changes = {}
  for field, rule in pairs(rules) do changes[field] = type(rule) == "string" and rule:gsub("!", "") or rule end
  return changes
end

local function update(world, name, request)
  local row = row_of(world, name, request)
  local body = checked(request, without_marks(COLLECTIONS[name].rules))
  for field, value in pairs(body) do
    if field ~= "id" and field ~= "created_at" and field ~= COLLECTIONS[name].once then row[field] = value end
  end
  row.updated_at = calendar.iso(world.now())
  announce(world, name, "updated", row)
  return success(world, 200, show(world, name, row))
end

local function delete(world, name, request)
  local row = row_of(world, name, request)
  world.store.data[name]:remove(row.id)
  announce(world, name, "deleted", row)
  return 204
end

local function add_routes(world, version, name, segment)
  local base = "/" .. version .. "/" .. segment
  world:route("GET", base, function(request) return list(world, name, request) end)
  world:route("POST", base, function(request) return create(world, name, request) end)
  world:route("GET", base .. "/{id}", function(request)
    return success(world, 200, show(world, name, row_of(world, name, request)))
  end)
  world:route("PUT", base .. "/{id}", function(request) return update(world, name, request) end)
  world:route("DELETE", base .. "/{id}", function(request) return delete(world, name, request) end)
end

-- }======================================================

-- {======================================================
-- Who and how often
-- ======================================================

local function authenticate(world, request)
  local identity, why = world:credential(request, "Authorization", "Bearer ")
  if not identity then
    local text = why == "missing" and "Missing API key" or "Invalid API key"
    return 401, failure("UNAUTHORIZED", text)
  end
  if identity.kind == "forbidden" or identity.kind == "read_only" and request.method ~= "GET" then
    return 403, failure("FORBIDDEN", "Insufficient permissions")
  end
  request.identity = identity
end

local function set_limits(world)
  world:limits {
    default = "account", style = "fixed",
    buckets = { account = {
      free = { "100/h" }, pro = { "1000/h" }, enterprise = { "10000/h" }, default = { "100/h" },
    } },
    headers = function(states)
      return { ["X-RateLimit-Limit"] = states[1].limit, ["X-RateLimit-Remaining"] = states[1].remaining,
               ["X-RateLimit-Reset"] = math.ceil(states[1].reset) }
    end,
    refuse = function(state)
      local seconds = math.ceil(state.retry_after)
      local message = ("Rate limit exceeded. Try again in %d seconds."):format(seconds)
      return 429, failure("RATE_LIMIT_EXCEEDED", message, nil, seconds), { ["Retry-After"] = seconds }
    end,
  }
end

local function forget_daily(world)
  local midnight = (math.floor(world.now()) // DAY + 1) * DAY
  world.at(midnight, function()
    populate(world)
    forget_daily(world)
  end)
end

-- }======================================================

return function(world)
  populate(world)
  if world.environment == "sandbox" then forget_daily(world) else set_limits(world) end
  world:authenticate(function(request) return authenticate(world, request) end)
  world:bad_json(function() return 400, failure("INVALID_REQUEST", "The request body is not valid JSON") end)
  world:unknown(function(_, methods)
    if methods[1] then
      return 405, failure("METHOD_NOT_ALLOWED", "Method not allowed"), { Allow = table.concat(methods, ", ") }
    end
    return 404, failure("NOT_FOUND", "No such endpoint")
  end)
  for name in pairs(COLLECTIONS) do
    for _, version in ipairs { "v1", "v2" } do
      add_routes(world, version, name, name)
      if name:find "_" then add_routes(world, version, name, (name:gsub("_", "-"))) end
    end
  end
end
