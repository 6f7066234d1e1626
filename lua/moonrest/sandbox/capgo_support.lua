-- What all parts of the Capgo sandbox share: who may call with which header,
-- errors, parameters out of a body or the query, and the record of changes.
--
-- Two gates stand before the routes, and they know different headers. Gate K
-- takes capgkey, or the raw key in authorization, and overlooks x-api-key. Gate
-- A takes capgkey, x-api-key, and authorization if it holds a UUID; everything
-- else there it takes for a session's token (JWT). Twenty failures from one
-- address close all routes to it for a quarter of an hour.

local support = require "moonrest.sandbox.support"

local capgo = {}

capgo.PAGE = 50
capgo.ROWS_MAX = 1000 -- the database's own cap

local MAX_FAILURES = 20
local BLOCK_SECONDS = 900

-- Errors ------------------------------------------------------------------

function capgo.problem(code, message, more)
  return { error = code, message = message, moreInfo = more or {} }
end

function capgo.refuse(status, code, message, more, headers)
  support.refuse(status, capgo.problem(code, message, more), headers)
end

-- The headers and details of a refusal that ends at a known time.
function capgo.wait_hints(now, reset, more)
  local seconds = math.max(math.ceil(reset - now), 1)
  more.rateLimitResetAt, more.retryAfterSeconds = math.floor(reset * 1000), seconds
  return more, { ["Retry-After"] = seconds, ["X-RateLimit-Reset"] = math.ceil(reset) }
end

-- Gates -------------------------------------------------------------------

-- What the gate takes for the caller's proof, and the code when it is refused.
local gates = {}

function gates.K(headers)
  return headers.capgkey or headers.authorization, "invalid_apikey"
end

function gates.A(headers)
  if headers.capgkey then return headers.capgkey, "invalid_apikey" end
  local authorization = headers.authorization
  if authorization and not support.is_uuid(authorization) then
    local jwt = authorization:gsub("^[Bb]earer ", "")
    return jwt:find "^[%w_-]+%.[%w_-]+%.[%w_-]+$" and jwt or "", "invalid_jwt"
  end
  return headers["x-api-key"] or authorization, "invalid_apikey"
end

local messages = {
  no_key_provided = "No key provided", invalid_apikey = "Invalid apikey", invalid_jwt = "Invalid JWT",
  invalid_subkey = "Invalid subkey",
}

local function failed(world, code)
  local guard = world.store.guard
  guard.failures[#guard.failures + 1] = world.now()
  if #guard.failures >= MAX_FAILURES then
    guard.blocked_until, guard.failures = world.now() + BLOCK_SECONDS, {}
  end
  capgo.refuse(401, code, messages[code])
end

local function forget_old_failures(world)
  local failures = world.store.guard.failures
  while failures[1] and failures[1] <= world.now() - BLOCK_SECONDS do table.remove(failures, 1) end
end

local function refuse_blocked(world)
  local guard = world.store.guard
  if not guard.blocked_until or world.now() >= guard.blocked_until then return end
  local more, headers = capgo.wait_hints(world.now(), guard.blocked_until, {})
  capgo.refuse(429, "too_many_failed_auth_attempts", "Too many failed authentication attempts", more, headers)
end

-- A sub-key narrows what the key may do; here it must only be one that exists.
local function check_subkey(world, request)
  local text = request.headers["x-limited-key-id"]
  if not text then return end
  local id = support.integer(text, 1)
  if not id or not world.store.apikeys:get(id) then failed(world, "invalid_subkey") end
end

local function authenticate(world, request)
  local options = request.route.options
  forget_old_failures(world)
  local proof, code = gates[options.gate](request.headers)
  if not proof then failed(world, "no_key_provided") end
  local kind = world:kind_of(proof)
  if not kind or (kind == "session") ~= (code == "invalid_jwt") then failed(world, code) end
  check_subkey(world, request)
  local reads = request.method == "GET" or request.method == "HEAD"
  if kind == "forbidden" or kind == "read_only" and not reads then
    local status, denied, message = table.unpack(options.denied)
    capgo.refuse(status, denied, message or "You do not have access to this resource")
  end
  request.identity = { kind = kind, account = proof }
end

function capgo.guard(world)
  world.store.guard = { failures = {} }
  world:before(function() refuse_blocked(world) end)
  world:authenticate(function(request) authenticate(world, request) end)
  world:unknown(function() return 404, { error = "not_found", message = "Not found" } end)
  world:decorate(function(_, _, headers)
    headers["X-Worker-Source"] = "sandbox"
    headers["cf-ray"] = world.hex(16) .. "-SBX"
  end)
end

-- gate: "K", "A" or nil (anyone). denied: { status, code, message } for keys without the permission.
-- bucket: of limits, where it is not the key's own.
function capgo.route(world, method, path, gate, denied, handler, bucket)
  world:route(method, path, function(request) return handler(request, capgo.input(request)) end,
    { auth = gate ~= nil, limit = gate ~= nil, gate = gate, denied = denied, bucket = bucket })
end

-- Parameters --------------------------------------------------------------

-- The body where it is a JSON object, else the query: for every method.
function capgo.input(request)
  return support.is_object(request.body) and request.body or request.query
end

-- The submitted body comes back in the details, as the real server does it.
function capgo.need(input, ...)
  for _, name in ipairs { ... } do
    local value = input[name]
    if value == nil or value == support.null or value == "" then
      capgo.refuse(400, "missing_" .. name, "Missing " .. name, { body = input })
    end
  end
end

function capgo.need_integer(input, name)
  capgo.need(input, name)
  local value = support.integer(input[name])
  if not value then capgo.refuse(400, "invalid_" .. name, name .. " must be an integer", { body = input }) end
  return value
end

-- A page number (0-based) as text or number; absent: 0.
function capgo.page(input)
  if input.page == nil then return 0 end
  local page = support.integer(input.page, 0)
  if not page then capgo.refuse(400, "invalid_body", "page must be a number", { body = input }) end
  return page
end

-- The rows of a page of fifty. The server adds 1 to a page that is a text, so
-- that "1" + 1 is "11": pages after the first are far too long and overlap. With
-- the switch page_bug = false they are right.
function capgo.fifty(world, rows, input)
  local page = capgo.page(input)
  local next_page = page + 1
  if type(input.page) == "string" and world.switches.page_bug ~= false then
    next_page = math.tointeger(tonumber(input.page .. "1"))
  end
  local first = page * capgo.PAGE
  return support.array(support.slice(rows, first, math.min(next_page * capgo.PAGE - first, capgo.ROWS_MAX)))
end

-- Things ------------------------------------------------------------------

-- An app by its public id. The server checks the permission first, so that an app
-- that is not there is one that may not be touched.
function capgo.app(world, input, status, code)
  capgo.need(input, "app_id")
  local app = world.store.apps:get(input.app_id)
  if app then return app end
  capgo.refuse(status or 400, code or "cannot_access_app", "You can't access this app", { app_id = input.app_id })
end

function capgo.organization(world, id, status, code)
  local org = type(id) == "string" and world.store.organizations:get(id)
  if org then return org end
  capgo.refuse(status or 400, code or "cannot_access_organization", "You can't access this organization",
    { orgId = id })
end

-- Numbers that databases give: 1, 2, 3 ... for each table.
function capgo.next_id(world, name)
  local numbers = world.store.numbers
  numbers[name] = (numbers[name] or 0) + 1
  return numbers[name]
end

function capgo.copy(row)
  local copied = {}
  for name, value in pairs(row) do copied[name] = value end
  return copied
end

-- Every change of a watched table is kept for the audit list and told to webhooks.
-- change: { org, table, operation, id, old, new }.
function capgo.changed(world, change)
  for _, listener in ipairs(world.store.listeners) do listener(change) end
end

return capgo
