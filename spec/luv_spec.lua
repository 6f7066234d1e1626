local core = require "moonrest.core"
local luv_adapter = require "moonrest.adapters.luv"
local moonrest = require "moonrest"
local slow_server = require "spec.support.slow_server"
local task_life = require "moonrest.task_life"
local uv = require "luv"

describe("the luv adapter", function()
  local adapter

  before_each(function() adapter = luv_adapter.start() end)

  after_each(function()
    task_life.cancel_all()
    adapter:stop()
    adapter:stop()
    uv.run()
    collectgarbage()
    collectgarbage()
    assert.equal(0, core.engine():pending())
  end)

  it("lets the loop end when there is nothing to do", function()
    uv.run()
    assert.equal(0, moonrest.step(0))
  end)

  it("runs tasks beside the loop's own timers", function()
    local server <close> = slow_server.start()
    local ticks, things = 0, {}
    local ticker = uv.new_timer()
    ticker:start(0, 5, function()
      ticks = ticks + 1
      if ticks >= 5 then server:release() end
    end)
    for index = 1, 10 do
      moonrest.spawn(function()
        for _ = 1, 2 do
          local thing = server.client.held:get(index)
          things[#things + 1] = thing.id
        end
        if #things == 20 then ticker:close() end
      end)
    end
    uv.run()
    assert.equal(20, #things)
    assert.is_true(ticks > 5)
  end)

  it("wakes for sleeps, and for tasks that callbacks spawn", function()
    local woken = false
    local timer = uv.new_timer()
    timer:start(5, 0, function()
      timer:close()
      moonrest.spawn(function()
        moonrest.sleep(0.005)
        woken = true
      end)
    end)
    uv.run()
    assert.is_true(woken)
  end)

  it("waits without spinning", function()
    local server <close> = slow_server.start { latency = 0.5 }
    moonrest.spawn(function() server.client.things:get "a" end)
    collectgarbage()
    local begin = os.clock()
    uv.run()
    assert.is_true(os.clock() - begin < 0.25)
  end)

  it("leaves tasks to whoever drives them next when it is stopped", function()
    local done = false
    moonrest.spawn(function()
      moonrest.sleep(0.001)
      done = true
    end)
    adapter:stop()
    uv.run()
    assert.is_false(done)
    moonrest.run()
    assert.is_true(done)
  end)

  it("refuses budgets that are none", function()
    for _, bad in ipairs { -1, 0 / 0, "1" } do
      assert.error_matches(function() luv_adapter.start { budget = bad } end, "the budget must be a number of seconds")
    end
  end)
end)
