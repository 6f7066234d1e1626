-- Something to look at without an account: a sandbox in this process (a thread of its own) with a game that has been
-- deployed here and there.

local account = require "account"
local moonrest = require "moonrest"
local sandbox = require "moonrest.sandbox"

local demo = {}

local server

-- latitude, longitude: the sandbox picks the nearest place that it has.
local points <const> = {
  { 45.5, -73.6 }, { 50.1, 8.7 }, { 35.7, 139.7 }, { -23.6, -46.6 }, { 51.5, -0.1 }, { 1.4, 103.8 }, { 34.1, -118.2 },
  { 59.3, 18.1 }, { -33.9, 151.2 }, { 48.9, 2.4 }, { 41.9, -87.6 }, { 19.1, 72.9 },
}
local modes <const> = { "ranked", "casual", "tournament" }
local deployments <const> = 20

local function users_at(point)
  return { { user_type = "geo_coordinates", user_data = { latitude = point[1], longitude = point[2] } } }
end

local function furnish(edgegap)
  assert(edgegap.apps:create { name = "my-game", is_active = true, image = "iVBORw0KGgo=" })
  assert(edgegap.versions:create {
    app_name = "my-game", name = "v1.0", req_cpu = 256, req_memory = 512, max_duration = -1,
    docker_repository = "registry.example.com", docker_image = "my-org/my-game", docker_tag = "1.0.0",
    ports = { { port = 7777, protocol = "UDP", name = "gameport" } },
  })
  for number = 1, deployments do
    assert(edgegap.deployments:create {
      application = "my-game", version = "v1.0", tags = { modes[number % #modes + 1] },
      users = users_at(points[number % #points + 1]),
    })
    server:advance(1)
  end
  server:advance(15 * moonrest.time.minute)
end

-- A source of servers: see account.lua.
function demo.start()
  local nothing = { edgegap = { apps = 0 } }
  server = assert(sandbox.start { systems = { "edgegap" }, seed = 3, latency = 0.03, sizes = nothing })
  local edgegap = server:open "edgegap"
  furnish(edgegap)
  local next_point = 5
  return account.new(edgegap, "my-game", "v1.0", function()
    next_point = next_point + 5
    local point = points[next_point % #points + 1]
    return { latitude = point[1], longitude = point[2] }
  end)
end

-- So many seconds pass for the servers, and none for the player.
function demo.hurry(seconds)
  server:advance(seconds)
end

-- The next deployment is refused, as happens when a place is full.
function demo.refuse_next()
  server:fail {
    system = "edgegap", method = "POST", path = "/v2/deployments", status = 422,
    body = { message = "No location has room for this deployment" },
  }
end

return demo
