-- One system in one environment: its routes, tokens, limits and state. A system's module is
-- `return function(world) ... end` and is run again, on a new world, when the sandbox is reset.

local calendar = require "moonrest.sandbox.calendar"
local check = require "moonrest.sandbox.check"
local json = require "moonrest.sandbox.json"
local limits = require "moonrest.sandbox.limits"
local pages = require "moonrest.sandbox.pages"
local random = require "moonrest.sandbox.random"
local router = require "moonrest.sandbox.router"
local webhook = require "moonrest.sandbox.webhook"

local world = {}
world.__index = world
world.__name = "moonrest.sandbox.world"

-- What system modules use, so that they need not require it.
world.calendar, world.check, world.json, world.pages = calendar, check, json, pages

local refusal = { __name = "moonrest.sandbox.refusal" }

local function keep_refusal(failure)
  if getmetatable(failure) == refusal then return failure end
  return debug.traceback(tostring(failure), 2)
end

local function unpack_answer(fine, first, ...)
  if fine then return first, ... end
  if getmetatable(first) == refusal then return first.status, first.body, first.headers end
  error(first, 0)
end

-- A function whose refusals are its answers; other errors stay errors.
local function guard(action)
  return function(...) return unpack_answer(xpcall(action, keep_refusal, ...)) end
end

local function of_system(option, name)
  if type(option) == "table" then return option[name] end
  return option
end

local function default_tokens(name)
  return {
    valid = "sandbox-token-" .. name, invalid = "sandbox-invalid-" .. name,
    forbidden = "sandbox-forbidden-" .. name, read_only = "sandbox-read-only-" .. name,
  }
end

local function add_functions(self, clock)
  function self.now() return clock:now() end
  function self.hex(count) return random.text(self.random, "0123456789abcdef", count) end
  function self.uuid() return random.uuid(self.random) end
  function self.id(prefix, count)
    local text = random.text(self.random, "0123456789abcdefghijklmnopqrstuvwxyz", count or 12)
    return prefix and prefix .. "_" .. text or text
  end
  function self.at(time, action) return clock:at(time, action) end
  function self.after(seconds, action) return clock:at(clock:now() + seconds, action) end
  function self.cancel(timer) clock:cancel(timer) end
end

--- `switches`: the system's own options, start{ capgo = { ... } }.
--- `host` is the application: { clock, deliver(job) }; `options` those of sandbox.start.
function world.new(name, environment, mount, options, host)
  local self = setmetatable({
    name = name, environment = environment, mount = mount, options = options, host = host,
    seed = options.seed or 1, random = random.new(options.seed or 1, mount),
    store = {}, router = router.new(), token_kinds = {}, early = {}, late = {},
    plan = of_system(options.plan, name),
    page_size = of_system(options.page_size, name), switches = options[name] or {},
  }, world)
  add_functions(self, host.clock)
  self:tokens(default_tokens(name))
  return self
end

--- How many of something the world begins with: start{ sizes = { edgegap = { apps = 250 } } }.
function world:size(what, otherwise)
  local sizes = (self.options.sizes or {})[self.name] or {}
  return sizes[what] or otherwise
end

-- {======================================================
-- What a system declares
-- ======================================================

--- Adds a route. options: auth = false (no token needed), bucket = name or list of names, limit = false.
function world:route(method, template, handler, options)
  self.router:add(method, template, guard(handler), options)
end

--- A trailing slash in a path or a template makes no difference. Before the first route.
function world:loose_slashes() self.router.loose = true end

--- function(request) -> nothing, or status, body, headers: before every request, also of unknown routes.
function world:before(action) self.early[#self.early + 1] = guard(action) end

--- function(request, status, headers): may add to `headers` of every answer.
function world:decorate(action) self.late[#self.late + 1] = action end

--- kind -> token, in place of the default ones: valid, invalid, forbidden, read_only and others.
function world:tokens(tokens)
  self.named_tokens, self.token_kinds = tokens, {}
  for kind, token in pairs(tokens) do
    if kind ~= "invalid" then self.token_kinds[token] = kind end
  end
end

--- { default = bucket, buckets = { name = { "40/s" } or { free = {...}, pro = {...} } }, style = "sliding",
--- key = function(request, bucket) -> text, headers = function(states, request) -> headers of every answer,
--- refuse = function(state, request) -> status, body, headers }
function world:limits(spec)
  self.limit_spec = spec
  self.limiter = limits.new(spec.style or "sliding")
end

--- function(request) -> nothing, or status, body, headers; for routes without auth = false. It may set
--- request.identity (identity.account is the default key of limits).
function world:authenticate(action) self.authentication = guard(action) end

--- function(request, methods) -> status, body, headers; `methods` has those the path knows (none: 404).
function world:unknown(action) self.unknown_route = guard(action) end

--- function(request, message) -> status, body, headers, for a body that is not JSON.
function world:bad_json(action) self.bad_body = guard(action) end

-- }======================================================

--- Ends the handler (or hook) with this answer, from however deep.
function world.refuse(status, body, headers)
  error(setmetatable({ status = status, body = body, headers = headers }, refusal), 0)
end

--- The kind of a token ("valid", "forbidden", "read_only", ...); nil for one that is not known or is invalid.
function world:kind_of(token) return self.token_kinds[token] end

--- Who asks: { kind, token, account }, or nil and "missing", "malformed" (no such prefix) or "invalid".
--- With `bare` the token may come without the prefix.
function world:credential(request, header, prefix, bare)
  local value = request.headers[header:lower()]
  if not value or value == "" then return nil, "missing" end
  local token = value
  if value:sub(1, #prefix):lower() == prefix:lower() then
    token = value:sub(#prefix + 1)
  elseif not bare then
    return nil, "malformed"
  end
  local kind = self:kind_of(token)
  if not kind then return nil, "invalid" end
  return { kind = kind, token = token, account = "account" }
end

--- Sends a webhook from a thread of its own. Only http to loopback; all else is refused. `done`, which may
--- be absent, is called later with status and body, or nil and a message.
function world:post(url, headers, body, done)
  webhook.post(self.host, url, headers, body, done)
end

-- {======================================================
-- Serving
-- ======================================================

local function words_of(self, name)
  local bucket = self.limit_spec.buckets[name]
  if not bucket or bucket[1] then return bucket end
  return bucket[self.plan] or bucket.default
end

local function buckets_of(self, route)
  local named = route.options.bucket or self.limit_spec.default
  if type(named) == "table" then return named end
  return { named }
end

local function append(list, more)
  for _, item in ipairs(more) do list[#list + 1] = item end
end

local function take_limits(self, request, route)
  local spec, all_states = self.limit_spec, {}
  if not spec or route.options.limit == false or self.options.limits == false then return nil end
  for _, name in ipairs(buckets_of(self, route)) do
    local words = words_of(self, name)
    if words and words[1] then
      local key = spec.key and spec.key(request, name) or request.identity and request.identity.account or ""
      local allowed, states, refusing = self.limiter:take(name .. "\0" .. key, words, self.now())
      append(all_states, states)
      if not allowed then return all_states, refusing end
    end
  end
  return all_states[1] and all_states
end

local function with_headers(headers, more)
  local all = {}
  for name, value in pairs(more or {}) do all[name] = value end
  for name, value in pairs(headers or {}) do all[name] = value end
  return all
end

local function limited(self, route, request)
  local states, refusing = take_limits(self, request, route)
  local spec = self.limit_spec
  local limit_headers = states and spec.headers and spec.headers(states, request)
  local status, body, headers
  if refusing then
    status, body, headers = spec.refuse(refusing, request)
  elseif request.body_error and self.bad_body then
    status, body, headers = self.bad_body(request, request.body_error)
  else
    status, body, headers = route.handler(request)
  end
  return status, body, with_headers(headers, limit_headers)
end

local function unknown(self, request, methods)
  if self.unknown_route then return self.unknown_route(request, methods) end
  return methods[1] and 405 or 404, { message = methods[1] and "Method not allowed" or "Not found" }
end

local function first_answer(actions, request)
  for _, action in ipairs(actions) do
    local status, body, headers = action(request)
    if status then return status, body, headers end
  end
end

local function answer(self, request)
  local status, body, headers = first_answer(self.early, request)
  if status then return status, body, headers end
  local method = request.method
  local route, found = self.router:find(method, request.path)
  if not route and method == "HEAD" then route, found = self.router:find("GET", request.path) end
  if not route then return unknown(self, request, found) end
  request.params, request.route = found, route
  if route.options.auth ~= false and self.authentication then
    status, body, headers = self.authentication(request)
    if status then return status, body, headers end
  end
  return limited(self, route, request)
end

--- The answer to a request: status, body (table, text, nil, function or stream), headers.
function world:serve(request)
  request.time = self.now()
  local status, body, headers = answer(self, request)
  headers = headers or {}
  for _, action in ipairs(self.late) do action(request, status, headers) end
  return status, body, headers
end

-- }======================================================

return world
