-- What the examples share: options of the command line, and a client of the real system or of the sandbox.
--
-- With --sandbox a client talks to a local server in this process, whose clock only moves when it is told to. Scripts
-- therefore ask clock for the time, and let it pass by clock:sleep and clock:skip: that way the same script takes an
-- hour on the real system and no time at all in the sandbox.

-- Where moonrest is not installed, the source tree around this file and its build do.
local root = arg[0]:gsub("[^/]*$", "") .. "../"
package.path = ("%s;%slua/?.lua;%slua/?/init.lua"):format(package.path, root, root)
package.cpath = ("%s;%sbuild/lua/?.so"):format(package.cpath, root)

local moonrest = require "moonrest"

local support = {}

-- {======================================================
-- The command line
-- ======================================================

local function refuse(usage, message)
  io.stderr:write(message, "\n\n", usage)
  os.exit(2)
end

-- The value for an option that is like 'default'; nil when it does not fit.
local function convert(text, default)
  if default == false then return text == nil or nil end
  if type(default) == "number" then return tonumber(text) end
  return text
end

--- Options as --name value or --name=value; those that are false by default are switches. 'defaults' names the
--- options, their types and values; --help and --sandbox are always there. Ends the program on a wrong one.
function support.options(usage, defaults)
  defaults.sandbox = false
  local given, position = setmetatable({}, { __index = defaults }), 1
  while arg[position] do
    local name, value = arg[position]:match "^%-%-([%a-]+)=?(.*)$"
    if name == "help" then
      io.write(usage)
      os.exit(0)
    end
    local default = defaults[name]
    if default == nil then refuse(usage, ("unknown option '%s'"):format(arg[position])) end
    if value == "" then value = nil end
    if default ~= false and not value then
      position = position + 1
      value = arg[position]
    end
    given[name] = convert(value, default)
    if rawget(given, name) == nil then
      refuse(usage, default == false and ("option --%s takes no value"):format(name)
        or ("option --%s needs a %s"):format(name, type(default)))
    end
    position = position + 1
  end
  return given
end

-- }======================================================

-- {======================================================
-- Time
-- ======================================================

local real = {}
real.__index = real

function real.now() return moonrest.time.now() end

function real.sleep(_, seconds) moonrest.sleep(seconds) end

function real.skip() end

local virtual = {}
virtual.__index = virtual

function virtual:now() return self.server:now() end

function virtual:sleep(seconds) self.server:advance(seconds) end

virtual.skip = virtual.sleep

-- }======================================================

-- {======================================================
-- Clients
-- ======================================================

-- The sandbox is started without an Edgegap application: a game with a version, and deployments of ten days ago.
local function furnish_edgegap(edgegap, server)
  local apps, versions, deployments = edgegap.apps, edgegap.versions, edgegap.deployments
  assert(apps:create { name = "my-game", is_active = true, image = "iVBORw0KGgo=" })
  assert(versions:create {
    app_name = "my-game", name = "v1.0", req_cpu = 256, req_memory = 512, max_duration = -1,
    docker_repository = "registry.example.com", docker_image = "my-org/my-game", docker_tag = "1.0.0",
    ports = { { port = 7777, protocol = "UDP", name = "gameport" } },
  })
  local somewhere = { { user_type = "geo_coordinates", user_data = { latitude = 50.85, longitude = 4.35 } } }
  for _, tags in ipairs { { "nightly" }, { "nightly", "europe" }, { "tournament" } } do
    assert(deployments:create { application = "my-game", version = "v1.0", users = somewhere, tags = tags })
  end
  server:advance(10 * moonrest.time.day)
  assert(deployments:create { application = "my-game", version = "v1.0", users = somewhere, tags = { "nightly" } })
  server:advance(600)
end

-- A bundle whose rollout fails.
local function furnish_capgo(capgo)
  assert(capgo.bundles:create {
    app_id = "com.example.moon", version = "1.4.0-broken", external_url = "https://cdn.example.com/broken.zip",
    checksum = ("0"):rep(64),
  })
end

local furnish = { edgegap = furnish_edgegap, capgo = furnish_capgo }

local sizes = {
  capgo = { bundles = 30 }, edgee = { rows = 2000 }, edgegap = { apps = 0 }, template = { resources = 4 },
}

local sandbox_options = { edgee = { org_id = "org_1" } }

local function start_sandbox(name)
  local server = assert(require "moonrest.sandbox".start { clock = "virtual", systems = { name }, sizes = sizes })
  local client = server:open(name, sandbox_options[name])
  if furnish[name] then furnish[name](client, server) end
  return server
end

--- A client and its clock: clock:now() in seconds, clock:sleep(seconds), and clock:skip(seconds), which takes no real
--- time anywhere: put it before a wait for something that takes so long in the sandbox.
function support.open(name, given)
  if not given.sandbox then return moonrest.open(name), setmetatable({}, real) end
  support.server = support.server or start_sandbox(name)
  local client = support.server:open(name, sandbox_options[name])
  return client, setmetatable({ server = support.server }, virtual)
end

-- }======================================================

--- Tells of a failure that does not end the program.
function support.warn(problem)
  io.stderr:write(tostring(problem), "\n")
end

--- Ends the program with a message, closing what is open.
function support.fail(message)
  support.warn(message)
  os.exit(1, true)
end

--- Prints rows as a table under a headline, with what is said of an empty list.
function support.print_table(headline, rows, columns, nothing)
  print("\n" .. headline)
  if #rows == 0 then return print(nothing or "(none)") end
  moonrest.show(rows, columns)
end

return support
