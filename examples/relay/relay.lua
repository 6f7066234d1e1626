-- A backend between players and Edgegap: it keeps the account token to itself and passes on the two things that a
-- player needs.
--
-- Why: the token of an organization may start, stop and read everything that the organization has. What is inside a
-- game client is in the hands of everybody who has the game, however well it is hidden, and the vendor warns against
-- shipping it. A player's game therefore talks to a server of yours, which knows who asks, decides what they may have,
-- and says no more than they need. service.lua is that server's part.

-- service.lua is beside this file. Where moonrest is not installed, the source tree around it and its build do.
local here = arg[0]:gsub("[^/]*$", "")
local root = here .. "../../"
package.path = ("%s?.lua;%s;%slua/?.lua;%slua/?/init.lua"):format(here, package.path, root, root)
package.cpath = ("%s;%sbuild/lua/?.so"):format(package.cpath, root)
local moonrest = require "moonrest"
local sandbox = require "moonrest.sandbox"
local sandbox_server = require "moonrest.sandbox_server"

local usage = [[
Usage: lua5.4 relay.lua [--sandbox] [PORT]
Relays on 127.0.0.1:PORT (any free one without it). With --sandbox it needs no account; else EDGEGAP_API_TOKEN has the
token. Point the game at it: game --relay http://127.0.0.1:PORT
]]

local function refuse()
  io.stderr:write(usage)
  os.exit(2)
end

local function furnish(edgegap)
  assert(edgegap.apps:create { name = "my-game", is_active = true, image = "iVBORw0KGgo=" })
  assert(edgegap.versions:create {
    app_name = "my-game", name = "v1.0", req_cpu = 256, req_memory = 512, max_duration = 60,
    docker_repository = "registry.example.com", docker_image = "my-org/my-game", docker_tag = "1.0.0",
    ports = { { port = 7777, protocol = "UDP", name = "gameport" } },
  })
end

local port, system = 0, nil
for _, word in ipairs(arg) do
  if word == "--sandbox" then
    system = assert(sandbox.start { systems = { "edgegap" }, seed = 5, sizes = { edgegap = { apps = 0 } } })
    furnish(system:open "edgegap")
  else
    port = math.tointeger(tonumber(word)) or refuse()
  end
end

-- The sandbox's HTTP server is good enough for a demonstration on one machine: it listens on loopback only. Yours will
-- be whatever serves your players today, behind TLS, and service.lua shows what to do in it.
local client = system and { base_url = system:base "edgegap", token = system:token "edgegap" } or nil
local native <close> = assert(sandbox_server.start {
  module = "service", port = port, max_body = 1024, options = moonrest.json.encode { client = client },
})
print(("relay at http://127.0.0.1:%d"):format(native:port()))
io.stdout:flush()
native:wait()
