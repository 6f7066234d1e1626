-- One script that manages all five systems. They are played by the sandbox, a local server on a free loopback port;
-- with moonrest.open in place of server:open the same calls go to the real ones.

-- Where moonrest is not installed, the source tree around this file and its build do.
local root = arg[0]:gsub("[^/]*$", "") .. "../"
package.path = ("%s;%slua/?.lua;%slua/?/init.lua"):format(package.path, root, root)
package.cpath = ("%s;%sbuild/lua/?.so"):format(package.cpath, root)

local moonrest = require "moonrest"
local sandbox = require "moonrest.sandbox"

local show = moonrest.show
local started = moonrest.time.now()
local server <close> = assert(sandbox.start {
  clock = "virtual", -- what takes minutes takes no time: server:advance moves the clock
  sizes = { edgegap = { apps = 0 }, capgo = { bundles = 60 }, cygni = { projects = 45 } },
})

local number = 0
local function chapter(title, what)
  number = number + 1
  print(("\n\n%d. %s\n   %s\n"):format(number, title, what))
end

print(("moonrest %s: five systems at %s"):format(moonrest.version, server.url))

chapter("Edgegap", "deploy a game server, wait until it is ready, connect, stop")

local edgegap <close> = server:open "edgegap"
assert(edgegap.apps:create { name = "my-game", is_active = true, image = "iVBORw0KGgo=" })
assert(edgegap.versions:create {
  app_name = "my-game", name = "v2", req_cpu = 256, req_memory = 512,
  docker_repository = "registry.example.com", docker_image = "my-org/my-game", docker_tag = "2.0.0",
  ports = { { port = 7777, protocol = "UDP", name = "gameport" } },
})
local deployment = assert(edgegap.deployments:create {
  application = "my-game", version = "v2", tags = { "quickstart" },
  users = { { user_type = "ip_address", user_data = { ip_address = "203.0.113.7" } } },
})
server:advance(10)
local ready = assert(edgegap.deployments:wait(deployment.request_id, "ready", { timeout = 120 }))
show({
  deployment = ready.request_id, status = ready.current_status, city = ready.location.city,
  connect = ready.fqdn .. ":" .. ready.ports.gameport.external,
}, { "deployment", "status", "city", "connect" })
assert(edgegap.deployments:stop(deployment.request_id))
server:advance(10)
assert(edgegap.deployments:wait(deployment.request_id, "terminated"))
print "\nstopped."

chapter("Edgee", "make an API key for the AI gateway, see what was spent")

local edgee <close> = server:open("edgee", { org_id = "org_1" })
local key = assert(edgee.api_keys:create { name = "nightly-report", max_usage = 50, expires_in_days = 90 })
print(("key %s expires at %s\n"):format(key.id, key.expires_at))
local usage = assert(edgee.usage:query { period = "30d", interval = "day" })
for _, row in ipairs(usage.stats_by_model) do row.dollars = ("%.4f"):format(row.total_cost / 1e9) end
table.sort(usage.stats_by_model, function(a, b) return a.total_cost > b.total_cost end)
show(usage.stats_by_model, { "model", "provider", "total_requests", "total_tokens", "dollars" })

chapter("Cygni", "find a project, deploy a branch, follow its log")

local cygni <close> = server:open "cygni"
local projects = assert(cygni.projects:all { status = "active", sort = "name" }) -- several pages, one list
print(("%d active projects, the first is %s\n"):format(#projects, projects[1].name))
local release = assert(cygni.deployments:create { projectId = projects[1].id, branch = "main" })
server:advance(10)
local live = assert(cygni.deployments:wait(release, "ready"))
print(("%s is %s at %s\n"):format(live.id, live.status, live.url))
for event in cygni.deployments.logs:stream { id = live.id, follow = true } do
  local line = assert(moonrest.json.decode(event.data))
  print(line.timestamp .. "  " .. line.message)
  if line.message == "Deployment is live" then break end
end

chapter("Template", "create, list, update, delete; an error is a value")

local template <close> = server:open "template"
for name in ("alpha beta gamma"):gmatch "%a+" do
  assert(template.resources:create { name = name, type = "processor", config = { timeout = 30 } })
end
for _, resource in ipairs(assert(template.resources:all { sort = "name" })) do
  if resource.name == "beta" then assert(template.resources:update { id = resource.id, config = { timeout = 90 } }) end
  if resource.name == "alpha" then assert(template.resources:delete(resource.id)) end
end
show(assert(template.resources:all()), { "id", "name", "type", "status", "config" })
local missing, err = template.resources:get "4711"
print(("\nresources:get '4711' gives %s and an error of kind %s: %d, %s"):format(missing, err.kind, err.status,
  err.message))

chapter("Capgo", "find the newest bundle, roll it out to a quarter of the devices")

local capgo <close> = server:open "capgo"
local app = assert(capgo.apps:list())[1].app_id
local bundles = assert(capgo.bundles:all { app_id = app })
print(("%s has %d bundles, the newest is %s\n"):format(app, #bundles, bundles[1].name))
assert(capgo.channels:set {
  app_id = app, channel = "production", rolloutVersion = bundles[1].name, rolloutPercentage = 25, rolloutEnabled = true,
})
local rows = {}
for channel in capgo.channels:each { app_id = app } do
  local rolling = channel.rollout_version
  rows[#rows + 1] = {
    channel = channel.name, bundle = channel.version.name, rollout = rolling and rolling.name,
    percent = rolling and channel.rollout_percentage,
  }
end
show(rows, { "channel", "bundle", "rollout", "percent" })

print(("\n\nDone: %d requests to five systems in %.2f s; the sandbox ends with this script."):format(#server:log(),
  moonrest.time.now() - started))
