local test_api = require "spec.support.test_api"

describe("waiter", function()
  local shop, core

  before_each(function() shop, core = test_api.open { org_id = "o" } end)

  local function states(...)
    for _, state in ipairs { ... } do core.answer { status = 200, json = { data = { state = state, id = "7" } } } end
  end

  it("polls until the state is there and returns what the poll returned", function()
    states("Status.SEEKING", "Status.DEPLOYING", "Status.READY")
    local began = core.time
    local data, response = shop.items:wait("7", "ready")
    assert.is_nil(data and data.missing)
    assert.equal("Status.READY", data.state)
    assert.equal(200, response.status)
    assert.equal(3, #core.sent)
    local waited = core.time - began
    assert.is_true(waited > (2 + 4) * 0.89 and waited < (2 + 4) * 1.11, waited)
    assert.is_nil(core.sent[1].options.jump and true or nil)
    assert.is_true(core.sent[2].options.jump)
  end)

  it("takes named parameters, or the object that another call returned", function()
    states("READY", "READY", "READY")
    assert(shop.items:wait({ id = "a" }, "ready"))
    assert(shop.items:wait({ item_id = "b", name = "n" }, "ready"))
    assert(shop.items:wait("c", "ready", { timeout = 5 }))
    assert.equal("/items/a/state", core.sent[1].target)
    assert.equal("/items/b/state", core.sent[2].target)
    assert.equal("/items/c/state", core.sent[3].target)
  end)

  it("lets the delay grow to its bound", function()
    states("a", "a", "a", "a", "a", "READY")
    local began = core.time
    assert(shop.items:wait("7", "ready"))
    local waited = core.time - began
    assert.is_true(waited > (2 + 4 + 5 + 5 + 5) * 0.89 and waited < (2 + 4 + 5 + 5 + 5) * 1.11, waited)
  end)

  it("fails when a state says that it will not come", function()
    states("Status.SEEKING", "BROKEN")
    local data, err = shop.items:wait("7", "ready")
    assert.is_nil(data)
    assert.equal("http", err.kind)
    assert.matches("shop.items:wait: failed: will not become 'ready': state = BROKEN after %d[%d.]* s "
      .. "%(2 polls of shop.items:state%)$", tostring(err))
    assert.same({ "ready", "shop.items:wait" }, { err.waiter, err.operation })
    assert.is_true(err.waited > 1 and err.waited < 3)
    assert.equal("BROKEN", err.data.state)
    core.answer { status = 404, body = '{"message":"gone"}' }
    data, err = shop.items:wait("7", "ready")
    assert.is_nil(data)
    assert.equal(404, err.status)
    assert.matches("shop.items:state: 404 Not Found: gone %(waiting for 'ready' for 0 s%)$", tostring(err))
  end)

  it("takes a status for success where the definition says so", function()
    shop, core = test_api.open({}, function(at)
      at.resources.items.waiters.gone = { poll = "state", accept = {
        { status = 404, state = "success" }, { status = 410, state = "success" } } }
    end)
    core.answer { status = 200, json = { state = "x" } }
    core.answer { status = 410, body = "{}" }
    assert.is_true((shop.items:wait("7", "gone")))
  end)

  it("fails at once for an error that repeating does not heal, and goes on for one that it may", function()
    core.answer { status = 403, body = '{"message":"no"}' }
    local _, err = shop.items:wait("7", "ready")
    assert.equal(403, err.status)
    assert.equal(1, #core.sent)
    core.answer { status = 502 }
    states "READY"
    assert(shop.items:wait("7", "ready"))
  end)

  it("gives up at its time limit, with what it saw last", function()
    core.handle(function() return { status = 200, json = { data = { state = "SEEKING" } } } end)
    local began = core.time
    local data, err = shop.items:wait("7", "ready", { timeout = 20 })
    assert.is_nil(data)
    assert.equal("timeout", err.kind)
    assert.is_true(err.retryable)
    assert.matches("not 'ready' after 20 s %(%d+ polls of shop.items:state%), last seen: state = SEEKING$", err.message)
    assert.equal("SEEKING", err.data.state)
    assert.is_true(core.time - began <= 20)
    for _, sent in ipairs(core.sent) do assert.is_true(sent.options.timeout <= 20) end
  end)

  it("tells why the last poll failed", function()
    core.handle(function() return { kind = "network", message = "no connection" } end)
    local _, err = shop.items:wait("7", "ready", { timeout = 20 })
    assert.matches("polls of shop.items:state%), the last failed: no connection$", err.message)
  end)

  it("asks a server again when it said so, and not before", function()
    local busy = { status = 503, headers = { ["Retry-After"] = "17" } }
    core.answer(busy)
    states "READY"
    local began = core.time
    assert(shop.items:wait("7", "ready"))
    assert.is_true(core.time - began >= 17)
    core.handle(function() return busy end)
    local before = #core.sent
    local _, err = shop.items:wait("7", "ready", { timeout = 20 })
    assert.equal("timeout", err.kind)
    assert.equal(2, #core.sent - before)
  end)

  it("shows nothing secret of what it saw last", function()
    shop, core = test_api.open({ org_id = "o" }, function(at)
      at.resources.items.state.secret = { "key" }
    end)
    core.handle(function() return { status = 200, json = { data = { state = "canary-token", key = "k-1234" } } } end)
    local _, err = shop.items:wait("7", "ready", { timeout = 20 })
    assert.matches("last seen: state = %*%*%*$", err.message)
    assert.same({ state = "***", key = "***" }, err.data)
  end)

  it("uses the definition's own time limit", function()
    core.handle(function() return { status = 200, json = { data = { state = "SEEKING" } } } end)
    local _, err = shop.items:wait("7", "ready")
    assert.matches("after 60 s", err.message)
  end)

  it("raises for unknown states and wrong arguments", function()
    assert.error_matches(function() shop.items:wait("7", "redy") end, "knows no state 'redy'; did you mean 'ready'%?")
    assert.error_matches(function() shop.items:wait("7", 5) end, "needs what to wait for and the state")
    assert.error_matches(function() shop.keys:wait("7", "ready") end, "knows no state 'ready'")
    assert.error_matches(function() shop.items:wait("7", "ready", { tiemout = 1 }) end, "unknown option 'tiemout'")
    assert.error_matches(function() shop.items:wait("7", "ready", { to = "f" }) end,
      "shop.items:wait: option 'to' is not for :wait, which looks into each answer")
    assert.equal(0, #core.sent)
    assert.error_matches(function() shop.items.wait("7", "ready") end, "call wait with a colon")
  end)
end)
