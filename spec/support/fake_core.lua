-- A core without network and without time, for fast specs of the Lua half: it answers from a script and keeps what
-- was sent. Text functions (JSON, URLs, secrets) are the real core's.
--
--   local core = fake_core.install()              -- before the first require of moonrest
--   core.answer { status = 200, body = '{"a":1}', headers = { ["x-request-id"] = "r1" } }
--   core.answer { kind = "network", message = "connection refused" }
--   core.handle(function(sent) return { status = 200, json = { ... } } end)   -- when the script is used up
--   core.sent[1].target, .method, .options, .body (decoded), .headers

local fake_core = {}

local Request = { __name = "moonrest.request" }
Request.__index = Request

local function lower_keys(headers)
  local lowered = {}
  for name, value in pairs(headers or {}) do lowered[name:lower()] = value end
  return lowered
end

-- {========================================================================
-- Requests
-- =========================================================================

function Request:wait()
  self.waits = self.waits + 1
  return self.waits > (self.reply.slices or 0)
end

function Request.hold() end
function Request:finished() return self.waits >= (self.reply.slices or 0) end
function Request:state() return self:finished() and "done" or "receiving" end
function Request:status() return self.reply.status end
function Request:body() return self.text end
function Request:url() return self.endpoint.base .. self.shown end
function Request.timings() return { total = 0.01 } end
function Request:progress() return #self.text, #self.text, 0, 0 end
function Request:cancel() self.cancelled = true end
function Request:header(name) return self.reply.headers[name:lower()] end
function Request.tag() return false end

function Request:close()
  if not self.is_closed then self.core.closed = self.core.closed + 1 end
  self.is_closed = true
end

function Request:__close(problem)
  if problem ~= nil then self:close() end
end

function Request:failure()
  if self.reply.kind then return self.reply.kind, self.reply.message, self.reply.retry_after end
  return nil
end

-- No short way here: the real core's is in quick_spec.
function Request.plain() end

function Request:recall() return self end

function Request:deprecates()
  local function says(name)
    local value = self.reply.headers[name:lower()]
    return value ~= nil and value ~= "false"
  end
  for _, name in ipairs(self.endpoint.deprecation or {}) do
    if says(name) then return true end
  end
  return says "Deprecation" or says "Sunset"
end

function Request:outcome() return self.reply.status, self:failure() end

function Request.lasting() return false end

function Request:headers()
  local copy = {}
  for name, value in pairs(self.reply.headers) do copy[name] = value end
  return copy
end

function Request:attempts()
  return self.reply.attempts or { { number = 1, status = self.reply.status, kind = self.reply.kind } }
end

function Request:limits()
  local after = tonumber(self.reply.headers["retry-after"])
  return after and { retry_after = after } or nil
end

function Request:decode(keep_null)
  if self.text == "" then return nil, nil end
  return self.core.json.decode(self.text, { null = keep_null and "keep" or nil })
end

function Request:read()
  local chunk = table.remove(self.reply.chunks or {}, 1)
  if chunk == nil then return nil, self.reply.stream_kind, self.reply.stream_message end
  return chunk
end

function Request:event()
  local event = table.remove(self.reply.events or {}, 1)
  if event == nil then return nil, self.reply.stream_kind, self.reply.stream_message end
  return event
end

-- }========================================================================

-- {========================================================================
-- Endpoints and the engine
-- =========================================================================

local Endpoint = { __name = "moonrest.endpoint" }
Endpoint.__index = Endpoint

local function shown_target(target)
  if type(target) == "string" then return target end
  local parts = {}
  for index, piece in ipairs(target) do parts[index] = type(piece) == "string" and piece or "***" end
  return table.concat(parts)
end

local function header_map(lines)
  local map = {}
  for _, line in ipairs(lines or {}) do
    local text = type(line) == "table" and line[1] .. "***" or line
    local name, value = text:match "^([^:]+): ?(.*)$"
    map[name:lower()] = value
  end
  return map
end

function Endpoint:start(target, options)
  local core = self.core
  local sent = {
    target = shown_target(target), method = self.method, options = options or {}, endpoint = self,
    json = options and options.json, body = options and options.body,
    headers = header_map(options and options.headers),
  }
  core.sent[#core.sent + 1] = sent
  local reply = table.remove(core.script, 1) or (core.handler and core.handler(sent)) or { status = 200, body = "{}" }
  if reply.refuse then return nil, reply.refuse, reply.message end
  reply.headers = lower_keys(reply.headers)
  local text = reply.json ~= nil and core.json.encode(reply.json) or reply.body or ""
  return setmetatable({ core = core, endpoint = self, reply = reply, text = text, shown = sent.target, waits = 0 },
    Request)
end

function Endpoint.start_single() end
function Endpoint.await_single() end

local Engine = { __name = "moonrest.engine" }
Engine.__index = Engine

function Engine:step(seconds)
  self.core.time = self.core.time + (seconds or 0)
  return 0
end

function Engine.pending() return 0 end
function Engine.cancel_route() end
function Engine.listen() end
function Engine:on_event(handler) self.core.emit = handler end

function Engine:random()
  self.core.randoms = self.core.randoms + 1
  return (self.core.randoms * 0.6180339887498949) % 1
end

function Engine:waits() return table.unpack(self.core.waits or { 0 }) end

function Engine:bucket(key, limits)
  local bucket = { key = key, limits = limits, used = 0 } -- 'used' is the test's to set
  function bucket.look()
    local windows = {}
    for index, window in ipairs(limits.windows) do
      windows[index] = { limit = window[1], period = window[2], remaining = window[1] - bucket.used, reset = 0 }
    end
    return { windows = windows, paused = 0, running = 0, queued = 0, granted = 0, refused = 0, waited = 0 }
  end
  self.core.buckets[#self.core.buckets + 1] = bucket
  return bucket
end

-- }========================================================================

local function real_core()
  local path = assert(package.searchpath("moonrest.core", package.cpath),
    "build the library first: cmake --build build")
  return assert(package.loadlib(path, "luaopen_moonrest_core"))()
end

local function make()
  local real = real_core()
  local core = {
    version = real.version, json = real.json, null = real.null, url = real.url, date = real.date, header = real.header,
    secret = real.secret, env = real.env, file = real.file, command = real.command, mask = real.mask,
    fingerprint = real.fingerprint,
    sent = {}, script = {}, buckets = {}, endpoints = {}, time = 1000, randoms = 0, closed = 0,
  }
  core.clock = { now = function() return core.time end, wall = function() return 1700000000 + core.time end }
  local engine = setmetatable({ core = core }, Engine)
  function core.engine() return engine end
  function core.terminal() return core.columns end
  function core.route(options) return options end
  function core.endpoint(fields)
    fields.core = core
    core.endpoints[#core.endpoints + 1] = fields
    return setmetatable(fields, Endpoint)
  end
  function core.answer(reply) core.script[#core.script + 1] = reply end
  function core.handle(handler) core.handler = handler end
  return core
end

-- Puts a fresh fake core where moonrest looks for its core, and forgets every loaded part of moonrest.
function fake_core.install()
  for name in pairs(package.loaded) do
    if name == "moonrest" or name:find "^moonrest%." then package.loaded[name] = nil end
  end
  local core = make()
  package.loaded["moonrest.core"] = core
  return core
end

return fake_core
