-- Tasks that are cancelled where they wait.

local core = require "moonrest.core"
local loop = require "spec.support.loop"
local moonrest = require "moonrest"
local slow_server = require "spec.support.slow_server"

describe("cancel", function()
  after_each(loop.close)

  it("ends a task where it waits, and closes its variables", function()
    local closed = 0
    local one = moonrest.spawn(function()
      local _ <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
      moonrest.sleep(3600)
    end)
    loop.step_until(function() return one:status() == "waiting" end)
    assert.is_true(one:cancel())
    assert.is_false(one:cancel())
    assert.equal(1, closed)
    local data, err = one:await()
    assert.is_nil(data)
    assert.equal("cancelled", err.kind)
  end)

  it("never starts one that had not begun", function()
    local ran = false
    local one = moonrest.spawn(function() ran = true end)
    one:cancel()
    moonrest.run()
    assert.is_false(ran)
  end)

  it("makes a failure of an error while closing", function()
    local one = moonrest.spawn(function()
      local _ <close> = setmetatable({}, { __close = function() error("no close", 0) end })
      moonrest.sleep(3600)
    end)
    loop.step_until(function() return one:status() == "waiting" end)
    one:cancel()
    assert.error_matches(function() one:await() end, "no close")
  end)

  it("releases the request", function()
    local server <close> = slow_server.start()
    local one = moonrest.spawn(function() server.client.held:get "a" end)
    loop.step_until(function() return server:look().held == 1 end)
    assert.equal(1, core.engine():pending())
    one:cancel()
    assert.equal(0, core.engine():pending())
    assert.equal("x", server.client.things:get "x".id)
  end)

  it("gives the slot of what never left back, and its place in the queue #inline", function()
    local server <close> = slow_server.start({}, nil, { default = "one", buckets = { one = { "1/h" } } })
    local first = moonrest.spawn(function() server.client.held:get "a" end)
    local second = moonrest.spawn(function() server.client.held:get "b" end)
    moonrest.run(function()
      assert.equal(2, core.engine():pending())
      second:cancel()
      first:cancel()
      assert.equal(0, core.engine():pending())
      assert.equal("x", server.client.things:get "x".id)
    end)
    assert.equal(1, server:look().seen)
  end)

  it("ends with a block", function()
    local one
    do
      local own <close> = moonrest.spawn(function() moonrest.sleep(3600) end)
      one = own
      loop.step_until(function() return own:status() == "waiting" end)
    end
    assert.equal("cancelled", one:status())
  end)

  it("reaches who awaits", function()
    local inner = moonrest.spawn(function() moonrest.sleep(3600) end)
    local outer = moonrest.spawn(function() return inner:await() end)
    loop.step_until(function() return inner:status() == "waiting" and outer:status() == "waiting" end)
    inner:cancel()
    local data, err = outer:await()
    assert.is_nil(data)
    assert.equal("cancelled", err.kind)
  end)
end)
