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

describe("the error of a task whose waiter is cancelled before its turn", function()
  local heard, stop

  before_each(function()
    heard = {}
    stop = moonrest.on("task_failed", function(details) heard[#heard + 1] = details end)
  end)

  after_each(function()
    stop()
    loop.close()
  end)

  -- Has 'wait' (given a task that fails) run in a task, and cancels that in the turn of the failure, before it knows.
  -- For moonrest.run, whose turns are not divided: the two that wait for the time have theirs one after the other.
  local function cancel_in_between(wait)
    local is_time, waiter = false, nil
    local function wait_for_time()
      while not is_time do moonrest.sleep(0) end
    end
    local failing = moonrest.spawn(function()
      wait_for_time()
      error("no coffee", 0)
    end)
    moonrest.spawn(function()
      wait_for_time()
      assert.same({ "failed", "ready" }, { failing:status(), waiter:status() })
      waiter:cancel()
    end)
    waiter = moonrest.spawn(wait, failing)
    moonrest.spawn(function()
      while waiter:status() ~= "waiting" do moonrest.sleep(0) end
      is_time = true
    end)
    return failing
  end

  it("is told", function()
    local failing = cancel_in_between(function(other) other:await() end)
    moonrest.run()
    assert.equal("failed", failing:status())
    assert.equal(1, #heard)
    assert.same({ "no coffee", failing.number }, { heard[1].error, heard[1].task })
    assert.matches("task_life_spec", heard[1].traceback)
  end)

  it("is told when it waited for several", function()
    cancel_in_between(function(other) moonrest.all { other, function() moonrest.sleep(3600) end } end)
    moonrest.run()
    assert.equal(1, #heard)
    cancel_in_between(function(other) moonrest.race { other, function() moonrest.sleep(3600) end } end)
    moonrest.run()
    assert.equal(2, #heard)
  end)

  it("reaches the others who wait, and is not told then", function()
    local caught
    local failing = cancel_in_between(function(other) other:await() end)
    moonrest.spawn(function() caught = select(2, pcall(failing.await, failing)) end)
    moonrest.run()
    assert.equal("no coffee", caught)
    assert.equal(0, #heard)
  end)

  it("is not told when another has it already", function()
    local late
    local failing = moonrest.spawn(function()
      moonrest.sleep(0.001)
      error("no coffee", 0)
    end)
    local early = moonrest.spawn(function()
      local is_good, problem = pcall(failing.await, failing)
      assert.equal("ready", late:status())
      late:cancel()
      return is_good, problem
    end)
    late = moonrest.spawn(function() failing:await() end)
    moonrest.run()
    assert.same({ false, "no coffee" }, { early:await() })
    assert.equal("cancelled", late:status())
    assert.equal(0, #heard)
  end)

  it("is told once when all who wait are cancelled", function()
    local one
    local failing = cancel_in_between(function(other)
      one = moonrest.spawn(function() moonrest.all { other } end)
      local _ <close> = one
      other:await()
    end)
    moonrest.run()
    assert.equal("cancelled", one:status())
    assert.equal("failed", failing:status())
    assert.equal(1, #heard)
  end)
end)
