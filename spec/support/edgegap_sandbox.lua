-- The Edgegap sandbox as its specs use it: a fresh one for each test, and the calls that most of them begin with.

local assert = require "luassert"
local client = require "spec.support.sandbox_client"

local edgegap_sandbox = {}

local VERSION = { name = "v1", req_cpu = 256, req_memory = 512, docker_repository = "registry.edgegap.com",
  docker_image = "org/game", docker_tag = "1.0", ports = {
    { port = 7777, protocol = "UDP", name = "gameport" }, { port = 80, protocol = "HTTP" } } }

-- The body of a version, with these changes.
function edgegap_sandbox.version(changes)
  local made = {}
  for name, value in pairs(VERSION) do made[name] = value end
  for name, value in pairs(changes) do made[name] = value end
  return made
end

function edgegap_sandbox.escape(text)
  return (text:gsub("[^%w]", function(character) return ("%%%02X"):format(character:byte()) end))
end

-- Inside a describe: calls take(server, call) before each test. Returns the functions expect, message, new_app, deploy
-- and status_of.
function edgegap_sandbox.start(take)
  local call
  client.with_sandbox({ systems = { "edgegap" }, limits = false, sizes = { edgegap = { apps = 0 } } }, function(started)
    call = client.caller(started:base "edgegap", { Authorization = "token " .. started:token "edgegap" })
    take(started, call)
  end)

  local function expect(status, ...) return (client.expect(status, call, ...)) end

  local function message(status, method, path, body)
    local found = expect(status, method, path, body)
    assert.is_string(found.message)
    return found.message
  end

  local function new_app(changes)
    expect(200, "POST", "/v1/app", { name = "my-game", is_active = true, image = "icon" })
    expect(200, "POST", "/v1/app/my-game/version", edgegap_sandbox.version(changes or {}))
  end

  local function deploy(more)
    local body = { application = "my-game", version = "v1",
                   users = { { user_type = "ip_address", user_data = { ip_address = "75.28.35.192" } } } }
    for name, value in pairs(more or {}) do body[name] = value end
    return expect(202, "POST", "/v2/deployments", body).request_id
  end

  local function status_of(id) return expect(200, "GET", "/v1/status/" .. id) end

  return expect, message, new_app, deploy, status_of
end

return edgegap_sandbox
