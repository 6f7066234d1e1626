-- Edgegap: starts a game server near a player, waits until it is ready, says how to connect, and stops it again.

package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- support.lua is beside this file
local support = require "support"
local moonrest = require "moonrest"

local usage = [[
Usage: lua5.4 edgegap_deploy.lua [options]
Starts a game server near a player, waits until it is ready, prints how to connect, and stops it after a while.

  --app NAME         application (my-game)
  --version NAME     its version (v1.0)
  --latitude N       where the player is (50.85)
  --longitude N      (4.35)
  --seconds N        how long the server lives (60)
  --sandbox          try it without an account; else the token is taken from EDGEGAP_API_TOKEN
]]

local given = support.options(usage, {
  app = "my-game", version = "v1.0", latitude = 50.85, longitude = 4.35, seconds = 60,
})
local edgegap, clock = support.open("edgegap", given)
local deployments = edgegap.deployments

local function stop(id)
  local stopping, err = deployments:stop(id)
  if not stopping and err.status ~= 404 and err.status ~= 410 then error(err, 0) end -- gone already is as good
  clock:skip(10)
  assert(deployments:wait(id, "terminated", { timeout = 180 }))
  print("stopped " .. id)
end

local function deploy()
  local player = { latitude = given.latitude, longitude = given.longitude }
  local made, err = deployments:create {
    application = given.app, version = given.version, tags = { "example" },
    users = { { user_type = "geo_coordinates", user_data = player } },
  }
  if made then return made.request_id end
  -- A refusal may leave something behind, and says what.
  local left_behind = err.status == 422 and type(err.data) == "table" and err.data.request_id
  if left_behind then stop(left_behind) end
  error(err, 0)
end

local function print_logs(id)
  local logs, err = deployments:logs(id)
  print(logs and (logs.logs or "(no log)") or err)
end

local id = deploy()
print(("deploying %s %s as %s ..."):format(given.app, given.version, id))

clock:skip(10)
local server, problem = deployments:wait(id, "ready", { timeout = 300 })
if not server then
  print_logs(id)
  stop(id)
  support.fail(tostring(problem))
end

print(("ready in %s, %s\n"):format(server.location.city, server.location.country))
local ports = {}
for name, port in pairs(server.ports) do
  ports[#ports + 1] = {
    port = name, protocol = port.protocol, inside = port.internal, connect = server.fqdn .. ":" .. port.external,
  }
end
table.sort(ports, function(a, b) return a.port < b.port end)
moonrest.show(ports, { "port", "protocol", "inside", "connect" })

print(("\nplaying for %d seconds ..."):format(given.seconds))
clock:sleep(given.seconds)
stop(id)
