--- moonrest.sandbox: a local server that plays the five systems, for trying things out and for tests.
--
--   local sandbox = require "moonrest.sandbox"
--   local server = assert(sandbox.start { seed = 1, clock = "virtual" })
--   local client = server:open "edgegap"            -- a moonrest client with base URL and token
--   server:advance(30)                              -- sandbox seconds
--   server:stop()
--
-- The server runs in a thread and lua_State of its own, so a script can start it and then block on its own
-- calls. It listens on 127.0.0.1 only.

local json = require "moonrest.sandbox.json"
local server_module = require "moonrest.sandbox_server"
local systems = require "moonrest.sandbox.systems"

local sandbox = {}

local LONGEST_LIMIT = 31 * 86400 -- seconds: no window of the five systems is longer

local A_MOMENT = 0.001 -- real seconds: the other tasks have their turn

local server = {}
server.__index = server
server.__name = "moonrest.sandbox"

-- {======================================================
-- Options
-- ======================================================

local function is_count(value) return math.type(value) == "integer" and value >= 0 end

local function is_seconds(value) return type(value) == "number" and value >= 0 and value < math.huge end

local function by_system(accept)
  return function(value)
    if type(value) ~= "table" then return accept(value) end
    for name, one in pairs(value) do
      if not systems[name] or not accept(one) then return false end
    end
    return true
  end
end

local function is_list_of_systems(value)
  if type(value) ~= "table" then return false end
  for _, name in ipairs(value) do
    if not systems[name] then return false end
  end
  return #value > 0
end

local function is_text(value) return type(value) == "string" end

local function is_table(value) return type(value) == "table" end

-- name -> test, what the error says
local OPTIONS = {
  port = { function(v) return is_count(v) and v < 65536 end, "an integer of 0 to 65535" },
  seed = { function(v) return math.type(v) == "integer" end, "an integer" },
  latency = { is_seconds, "a number of seconds" },
  plan = { by_system(is_text), "a text, or a table of system = text" },
  page_size = { by_system(function(v) return is_count(v) and v > 0 end),
                "a positive integer, or a table of system = integer" },
  limits = { function(v) return type(v) == "boolean" end, "a boolean" },
  clock = { function(v) return v == "real" or v == "virtual" end, '"real" or "virtual"' },
  systems = { is_list_of_systems, "a list of names out of edgegap, edgee, cygni, template, capgo" },
  sizes = { by_system(is_table), "a table of system = { what = number }" },
  max_body = { function(v) return is_count(v) and v <= 0x7FFFFFFF end, "a number of bytes below 2 GiB" },
}

-- A system's own options: their names are the system's.
local SWITCHES = { is_table, "a table" }

-- A word that no system knows would change nothing, without a word.

local function list_of(set)
  local known = {}
  for word in pairs(set) do known[#known + 1] = word end
  table.sort(known)
  return #known > 0 and table.concat(known, ", ") or "none"
end

local function check_sizes(sizes)
  for name, counts in pairs(sizes or {}) do
    for what, count in pairs(counts) do
      if not systems[name].sizes[what] or not is_count(count) then
        error(("sandbox.start: sizes.%s.%s: there are %s, each an integer from 0"):format(name, tostring(what),
          list_of(systems[name].sizes)), 4)
      end
    end
  end
end

-- Level 4: who called the function that checks.
local function check_plan(where, name, plan)
  if systems[name].plans[plan] then return end
  error(("%s: %s has no plan '%s' (it has: %s)"):format(where, name, tostring(plan), list_of(systems[name].plans)), 4)
end

-- One for all systems need not be known to each of them.
local function check_plans(plan)
  if type(plan) == "table" then
    for name, one in pairs(plan) do check_plan("sandbox.start: plan", name, one) end
    return
  end
  local known = {}
  for _, system in pairs(systems) do
    for one in pairs(system.plans) do known[one] = true end
  end
  if plan and not known[plan] then
    error(("sandbox.start: no system has a plan '%s' (there are: %s)"):format(plan, list_of(known)), 4)
  end
end

local function check_options(options)
  for name, value in pairs(options) do
    local rule = OPTIONS[name] or systems[name] and SWITCHES
    if not rule then error("sandbox.start: unknown option '" .. tostring(name) .. "'", 3) end
    if not rule[1](value) then error("sandbox.start: option '" .. name .. "' must be " .. rule[2], 3) end
  end
  check_sizes(options.sizes)
  check_plans(options.plan)
end

local function all_systems()
  local names = {}
  for name in pairs(systems) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- }======================================================

--- Starts a server. Options, all of them optional:
--   port       0 (any free one)        seed     1: the same seed and requests give the same ids and data
--   latency    0: real seconds that every answer is kept back
--   clock      "real", or "virtual": time stands still but for advance()
--   plan       rate limits of this plan, for all systems or { cygni = "pro" }; default: each one's lowest
--   limits     true; false: no rate limits
--   page_size  the size of pages that ask for none, for all systems or { edgegap = 5 }
--   sizes      how much there is at the start, e.g. { edgee = { rows = 100000 } }; each system's words are in
--              moonrest.sandbox.systems
--   systems    list of those to play; default: all five
--   max_body   bytes of a request's body
--   edgegap, edgee, cygni, template, capgo   tables of switches that the system's module documents
-- Returns the server, or nil and a message.
function sandbox.start(options)
  options = options or {}
  if type(options) ~= "table" then error("sandbox.start: a table of options is expected", 2) end
  check_options(options)
  local sent = { systems = options.systems or all_systems() }
  for name, value in pairs(options) do sent[name] = value end
  local native, message = server_module.start {
    module = "moonrest.sandbox.application", options = json.encode(sent),
    port = options.port, max_body = options.max_body,
  }
  if not native then return nil, message end
  local url = ("http://127.0.0.1:%d"):format(native:port())
  local self = setmetatable({
    native = native, url = url, port = native:port(), is_virtual = options.clock == "virtual",
    sites = setmetatable({}, { __mode = "k" }),
  }, server)
  self.tokens = self:command("tokens")
  return self
end

--- Sends a command to the server's state; an internal door for the methods below.
function server:command(name, arguments)
  return (assert(json.decode(self.native:call(name, arguments and json.encode(arguments)))))
end

local function check_system(name, what)
  if not systems[name] then
    error(what .. ": no system '" .. tostring(name) .. "' (edgegap, edgee, cygni, template or capgo)", 3)
  end
  return systems[name]
end

--- The base URL of a system, in place of the vendor's. `environment` is one of those that the system has:
--- template: production, staging, sandbox; cygni: production (as documented), server (as it behaves).
function server:base(name, environment)
  environment = environment or "production"
  local mount = check_system(name, "base").mounts[environment]
  if not mount then error("base: " .. name .. " has no environment '" .. tostring(environment) .. "'", 2) end
  return self.url .. "/" .. mount .. (systems[name].base[environment] or "")
end

--- A token: of kind "valid" (the default), "invalid" (401), "forbidden" (403), "read_only" and what else the
--- system knows.
function server:token(name, kind)
  check_system(name, "token")
  local token = self.tokens[name] and self.tokens[name][kind or "valid"]
  if not token then error("token: " .. name .. " has no token of kind '" .. tostring(kind) .. "'", 2) end
  return token
end

-- The tokens of all sandboxes are the same, but their counters are not: without an account of its own a new
-- sandbox would find the limits used up by those before it.
local function account_of(self)
  self.account = self.account or ("%s since %.6f"):format(self.url, require "moonrest".time.now())
  return self.account
end

-- What :wait of a client goes by where the clock is virtual: instead of sleeping it moves the sandbox's clock. Another
-- task's wait may have moved it meanwhile.
local function clock_of(self)
  local clock = {}
  function clock.now() return self:now() end
  function clock.sleep(seconds)
    local due = self:now() + seconds
    require "moonrest.wait".sleep(A_MOMENT)
    local left = due - self:now()
    if left > 0 then self:advance(left) end
  end
  return clock
end

--- A moonrest client of a system; `options` as for moonrest.open. Its own throttle follows the sandbox's clock when
--- that is advanced; where the clock is virtual, :wait advances it by itself and takes no time.
function server:open(name, options)
  check_system(name, "open")
  local given = { base_url = self:base(name), token = self:token(name), account = account_of(self) }
  for key, value in pairs(options or {}) do given[key] = value end
  local client = require "moonrest".open(name, given)
  local site = require "moonrest.client".site(client)
  self.sites[site] = true
  if self.is_virtual then site.clock = clock_of(self) end
  return client
end

-- The clients' own limits see this time go by.
local function pass(self, seconds)
  for site in pairs(self.sites) do require "moonrest.limits".pass(site, seconds) end
end

local LONGEST_ADVANCE = 10 * 366 * 86400 -- seconds: every hour of it is played

--- Moves the sandbox's clock; states, webhooks and limit windows follow, the clients' own too. Returns the new time.
function server:advance(seconds)
  if not is_seconds(seconds) then error("advance: a number of seconds is expected", 2) end
  if seconds > LONGEST_ADVANCE then error("advance: ten years are the most at once; are those seconds?", 2) end
  pass(self, seconds)
  return self:command("advance", { seconds = seconds }).now
end

--- The sandbox's time, in seconds since the epoch.
function server:now() return self:command("now").now end

--- Requests served, oldest first (the last 10,000): { system, method, path (below the system), uri, query,
--- status, time, headers (list of lower-case names), body_size }; a credential header's own field shows its
--- scheme only, e.g. authorization = "token ***". A request whose connection was dropped has status 0.
function server:log() return self:command("log") end

--- Everything as after the start: data, clock, limits, plans, faults and log.
function server:reset()
  pass(self, LONGEST_LIMIT)
  self:command("reset")
end

local function is_positive(value) return is_count(value) and value > 0 end

local function is_status(value) return is_count(value) and value >= 200 and value <= 599 end

-- name -> test, what the error says
local FAULT_FIELDS = {
  system = { function(v) return systems[v] ~= nil end, "the name of a system" }, method = { is_text, "a text" },
  path = { is_text, "a text" }, status = { is_status, "an integer of 200 to 599" },
  count = { is_positive, "a positive integer" }, headers = { is_table, "a table of name = value" },
  body = { function(v) return type(v) == "string" or type(v) == "table" end, "a text or a table" },
  delay = { is_seconds, "a number of seconds" }, cut = { is_count, "a number of bytes" },
  drop = { function(v) return type(v) == "boolean" end, "a boolean" },
}

--- Makes the next requests that match fail: { system, method, path (exact, or with a final "*"), count = 1,
--- status with headers and body (a table is sent as JSON), delay = real seconds, cut = bytes of the body after
--- which the connection breaks, drop = true to break it before any answer }. Without status the real answer
--- is delayed or cut.
function server:fail(fault)
  if type(fault) ~= "table" then error("fail: a table is expected", 2) end
  for name, value in pairs(fault) do
    local wanted = FAULT_FIELDS[name]
    if not wanted then error("fail: unknown field '" .. tostring(name) .. "'", 2) end
    if not wanted[1](value) then error("fail: " .. name .. " must be " .. wanted[2], 2) end
  end
  self:command("fail", fault)
end

--- Another plan for a system's rate limits.
function server:plan(name, plan)
  check_system(name, "plan")
  check_plan("plan", name, plan)
  self:command("plan", { system = name, plan = plan })
end

--- Blocks until the process is sent SIGINT or SIGTERM, and returns which: "SIGINT" or "SIGTERM". 'announce', which may
-- be absent, is called first: a signal that somebody sends because of what it says is not missed.
function server:wait(announce) return self.native:wait(announce) end

--- Breaks what is under way, and joins the server's threads. Idempotent.
function server:stop() self.native:stop() end

server.__gc, server.__close = server.stop, server.stop

function server:__tostring() return "sandbox at " .. self.url end

return sandbox
