-- The program that runs in the server's lua_State: it finds the system, adds latency and faults, keeps the
-- log, and carries out the commands of the script that started the sandbox. Called with the options as JSON
-- and the server's native functions; returns the functions that the server calls.

local calendar = require "moonrest.sandbox.calendar"
local clock = require "moonrest.sandbox.clock"
local fault = require "moonrest.sandbox.fault"
local json = require "moonrest.sandbox.json"
local new_request = require "moonrest.sandbox.request".new
local stream = require "moonrest.sandbox.stream"
local systems = require "moonrest.sandbox.systems"
local webhook = require "moonrest.sandbox.webhook"
local world = require "moonrest.sandbox.world"

-- Requests that the log remembers; older ones are forgotten.
local LOG_SIZE = 10000

local application = {}
application.__index = application
application.__name = "moonrest.sandbox.application"

-- {======================================================
-- Worlds
-- ======================================================

local function make_worlds(self)
  self.worlds, self.by_system = {}, {}
  for _, name in ipairs(self.options.systems) do
    local populate = require(systems[name].module)
    self.by_system[name] = {}
    for environment, mount in pairs(systems[name].mounts) do
      local made = world.new(name, environment, mount, self.options, self)
      made.plan = self.plans[name] or made.plan
      populate(made)
      self.worlds[mount], self.by_system[name][environment] = made, made
    end
  end
end

-- Everything as after the start, but for answers that are under way.
local function reset(self)
  self.clock:reset()
  self.plans, self.faults, self.log = {}, {}, {}
  make_worlds(self)
end

local function new(options, native)
  local self = setmetatable({
    options = options, native = native, clock = clock.new(native, options.clock),
    streams = {}, waiting_posts = {}, deliveries = 0,
  }, application)
  reset(self)
  return self
end

-- }======================================================

-- {======================================================
-- The log
-- ======================================================

local SECRET_HEADERS = { authorization = true, ["x-api-key"] = true, capgkey = true,
                         ["x-limited-key-id"] = true, cookie = true }

local function redact(value)
  local word = value:match "^(%a+) "
  return word and word .. " ***" or "***"
end

local function remember(self, request, status)
  local names = json.array {}
  for name in pairs(request.headers) do names[#names + 1] = name end
  table.sort(names)
  local entry = {
    system = request.system or "", method = request.method, path = request.path, query = request.query_text,
    uri = request.uri, status = status or 0, time = request.time or self.clock:now(), headers = names,
    body_size = #request.raw, route = request.route and request.route.template or "", -- "": no route knows it
  }
  for name in pairs(SECRET_HEADERS) do
    if request.headers[name] then entry[name] = redact(request.headers[name]) end
  end
  self.log[#self.log + 1] = entry
  if #self.log > 2 * LOG_SIZE then self.log = table.move(self.log, LOG_SIZE + 1, #self.log, 1, {}) end
end

-- }======================================================

-- {======================================================
-- Answers
-- ======================================================

local function index_page(self)
  local mounts = json.array {}
  for mount in pairs(self.worlds) do mounts[#mounts + 1] = "/" .. mount end
  table.sort(mounts)
  return 200, { name = "moonrest sandbox", systems = mounts }
end

local function serve(self, request)
  local found = self.worlds[request.mount]
  if found then return found:serve(request) end
  if request.mount == "" then return index_page(self) end
  return 404, { message = "No system of the sandbox is mounted at /" .. request.mount }
end

local function faulty(self, one, request)
  if one.status then return one.status, one.body, one.headers or {} end
  return serve(self, request)
end

local function flat_headers(self, headers)
  local flat, names = { "Date", calendar.http(self.clock:now()) }, {}
  for name in pairs(headers) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = headers[name]
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      flat[#flat + 1], flat[#flat + 2] = name, math.type(one) == "float" and json.encode(one) or tostring(one)
    end
  end
  return flat
end

local function has(headers, wanted)
  for name in pairs(headers) do
    if name:lower() == wanted then return true end
  end
  return false
end

--- Body as text or true for a stream, and the length that a stream announces.
local function render(self, id, body, headers)
  local content_type, text = "text/plain; charset=utf-8", body
  if stream.accepts(body) then
    self.streams[id] = stream.new(body)
    text = true
  elseif type(body) == "table" then
    content_type, text = "application/json", json.encode(body)
  end
  if body ~= nil and not has(headers, "content-type") then headers["Content-Type"] = content_type end
  local size = text == true and headers["Content-Length"] or nil
  headers["Content-Length"] = nil
  return text, size and math.tointeger(size)
end

local function schedule_answer(self, id, one)
  local seconds = (self.options.latency or 0) + (one.delay or 0)
  if seconds <= 0 then return false end
  self.clock:after_real(seconds, function() self.native.resume(id) end)
  return true
end

function application:dispatch(id, method, uri, headers, raw)
  local request = new_request(method, uri, headers, raw)
  local found = self.worlds[request.mount]
  request.system = found and found.name
  local one = fault.take(self.faults, request) or {}
  if one.drop then
    remember(self, request, 0)
    return nil
  end
  local status, body, answer_headers = faulty(self, one, request)
  remember(self, request, status)
  answer_headers = answer_headers or {}
  local text, size = render(self, id, body, answer_headers)
  return status, flat_headers(self, answer_headers), text, one.cut, size, schedule_answer(self, id, one)
end

-- True when the stream must sleep; a resume that comes at once is no sleep at all.
local function sleep(self, id, register)
  local sleeping, resumed = false, false
  register(function()
    resumed = true
    if sleeping then self.native.resume(id) end
  end)
  sleeping = not resumed
  return sleeping
end

function application:pull(id)
  local part = self.streams[id]:next()
  while type(part) == "function" do
    if sleep(self, id, part) then return false end
    part = self.streams[id]:next()
  end
  if type(part) ~= "number" then return part end
  self.clock:at(self.clock:now() + part, function() self.native.resume(id) end)
  return false
end

function application:closed(id)
  if self.streams[id] then self.streams[id]:close() end
  self.streams[id] = nil
end

-- }======================================================

-- {======================================================
-- Webhooks and time
-- ======================================================

function application:deliver(address, port, bytes, done)
  self.deliveries = self.deliveries + 1
  local queued, message = self.native.post(self.deliveries, address, port, bytes)
  if queued then self.waiting_posts[self.deliveries] = done end
  return queued, message
end

function application:delivered(id, answer, message)
  local done = self.waiting_posts[id]
  self.waiting_posts[id] = nil
  if not done then return end
  if not answer then return done(nil, message) end
  done(webhook.answer(answer))
end

function application:tick() return self.clock:tick() end

-- }======================================================

-- {======================================================
-- Commands
-- ======================================================

local commands = {}

function commands.advance(self, arguments)
  self.clock:advance(arguments.seconds)
  return { now = self.clock:now() }
end

function commands.now(self) return { now = self.clock:now() } end

function commands.log(self)
  local entries = json.array {}
  for i = math.max(#self.log - LOG_SIZE + 1, 1), #self.log do entries[#entries + 1] = self.log[i] end
  return entries
end

function commands.reset(self)
  for id, one in pairs(self.streams) do
    one:close()
    self.native.resume(id)
  end
  reset(self)
  return {}
end

function commands.fail(self, one)
  one.count = one.count or 1
  self.faults[#self.faults + 1] = one
  return {}
end

function commands.plan(self, arguments)
  for _, one in pairs(self.by_system[arguments.system]) do one.plan = arguments.plan end
  self.plans[arguments.system] = arguments.plan
  return {}
end

function commands.tokens(self)
  local all = {}
  for name, environments in pairs(self.by_system) do
    local _, one = next(environments)
    all[name] = one.named_tokens
  end
  return all
end

function application:call(name, text)
  local arguments = text ~= "" and assert(json.decode(text)) or {}
  return json.encode(commands[name](self, arguments))
end

-- }======================================================

return function(options_text, native)
  local self = new(assert(json.decode(options_text)), native)
  local functions = {}
  for _, name in ipairs { "dispatch", "pull", "closed", "delivered", "tick", "call" } do
    functions[name] = function(...) return self[name](self, ...) end
  end
  return functions
end
