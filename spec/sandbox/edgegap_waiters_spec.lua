-- What the waiters of Edgegap make of the states that its server is known to answer with: with the prefix and
-- without, in either case, and of those of the sandbox.

local fake_core = require "spec.support.fake_core"
local sandbox = require "moonrest.sandbox"

-- Before the others, which put another core into the library's place.
describe("waiters of Edgegap and the sandbox", function()
  it("agree on the life of a deployment", function()
    local server <close> = assert(sandbox.start { systems = { "edgegap" }, clock = "virtual" })
    local client = server:open "edgegap"
    local user = { user_type = "ip_address", user_data = { ip_address = "203.0.113.7" } }
    local made = assert(client.deployments:create { application = "my-game", version = "v2", users = { user } })
    assert.is_true(assert(client.deployments:wait(made, "ready")).running)
    assert(client.deployments:stop(made.request_id))
    assert.equal("Status.TERMINATED", assert(client.deployments:wait(made, "terminated")).current_status)
    server:advance(60)
    assert.is_true(assert(client.deployments:wait(made, "terminated")))
    assert(client.versions:update("my-game", "v2", { docker_tag = "broken" }))
    local broken = assert(client.deployments:create { application = "my-game", version = "v2", users = { user } })
    local data, err = client.deployments:wait(broken, "ready")
    assert.is_nil(data)
    assert.equal("Status.ERROR", err.data.current_status)
    local session = assert(client.relays:create { users = { { ip = "203.0.113.7" } } })
    assert.is_table(assert(client.relays:wait(session, "ready")).relay)
  end)
end)

describe("waiters of Edgegap", function()
  local core, edgegap

  before_each(function()
    core = fake_core.install()
    edgegap = require "moonrest".open("edgegap", { token = "t" })
  end)

  local function deployment(status, running, failed)
    return { status = 200, json = { request_id = "d", current_status = status, running = running or false,
                                    error = failed or false } }
  end

  local function relay(status, ready)
    return { status = 200, json = { session_id = "1-S", status = status, ready = ready, linked = ready } }
  end

  -- The outcome after these answers, and how many of them it took.
  local function outcome(resource, id, state, ...)
    for _, answer in ipairs { ... } do core.answer(answer) end
    local data, err = edgegap[resource]:wait(id, state)
    return data, err, #core.sent
  end

  local seeking = deployment "Status.SEEKING"

  for _, word in ipairs { "Status.READY", "READY", "STATUS_READY", "ready" } do
    it("take " .. word .. " for ready", function()
      local data, err, polls = outcome("deployments", "d", "ready", seeking, deployment(word))
      assert.is_nil(err and err.kind)
      assert.same({ word, 2 }, { data.current_status, polls })
    end)
  end

  it("take a running deployment for ready, whatever its word", function()
    local data = outcome("deployments", "d", "ready", deployment("Status.DEPLOYED", true))
    assert.is_true(data.running)
  end)

  for _, word in ipairs { "Status.ERROR", "ERROR", "STATUS_TERMINATED", "Status.TERMINATED" } do
    it("take " .. word .. " for the end of waiting until ready", function()
      local data, err, polls = outcome("deployments", "d", "ready", seeking, deployment(word))
      assert.is_nil(data)
      assert.same({ word, 2 }, { err.data.current_status, polls })
    end)
  end

  it("believe an error before they believe a word", function()
    local data, err = outcome("deployments", "d", "ready", deployment("Status.READY", true, true))
    assert.is_nil(data)
    assert.is_true(err.data.error)
  end)

  it("take a deployment that nobody knows any more for terminated, not for ready", function()
    local none = { status = 404, json = { message = "not found" } }
    assert.is_true((outcome("deployments", "d", "terminated", seeking, none)))
    assert.is_true((outcome("deployments", "d", "terminated", { status = 410, json = { message = "gone" } })))
    local data, err = outcome("deployments", "d", "ready", none)
    assert.is_nil(data)
    assert.equal(404, err.status)
  end)

  it("wait through the last states of a deployment", function()
    local data, _, polls = outcome("deployments", "d", "terminated", deployment("Status.READY", true),
      deployment "Status.TERMINATING", deployment "Status.TERMINATED")
    assert.same({ "Status.TERMINATED", 3 }, { data.current_status, polls })
  end)

  it("ask from every two seconds to every ten, for three minutes", function()
    core.handle(function() return seeking end)
    local began = core.time
    local _, err = edgegap.deployments:wait("d", "ready")
    assert.equal("timeout", err.kind)
    assert.is_true(core.time - began <= 180)
    assert.is_true(#core.sent >= 18 and #core.sent <= 24, #core.sent)
  end)

  it("know a relay session that is ready and one that never will be", function()
    local data, _, polls = outcome("relays", "1-S", "ready", relay("QUEUED", false), relay("READY", true))
    assert.same({ true, 2 }, { data.ready, polls })
    for _, word in ipairs { "Error", "UNPROCESSABLE" } do
      local none, err = outcome("relays", "1-S", "ready", relay(word, false))
      assert.is_nil(none)
      assert.equal(word, err.data.status)
    end
  end)
end)
