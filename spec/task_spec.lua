-- Tasks as users have them.

local core = require "moonrest.core"
local loop = require "spec.support.loop"
local moonrest = require "moonrest"
local stderr_of = require "spec.support.stderr_of"
local task = require "moonrest.task"

describe("a task", function()
  after_each(loop.close)

  it("give results, nils included", function()
    local one = moonrest.spawn(function(...) return select("#", ...), nil, ... end, 1, nil, nil)
    assert.same({ n = 5, 3, nil, 1, nil, nil }, table.pack(one:await()))
    assert.equal("done", one:status())
    assert.equal(3, (one:await()))
  end)

  it("run in the order of spawning, not before the loop", function()
    local order = {}
    for index = 1, 3 do moonrest.spawn(function() order[#order + 1] = index end) end
    assert.same({}, order)
    moonrest.run()
    assert.same({ 1, 2, 3 }, order)
  end)

  it("raise the error of the task as it is, and tell of it nowhere else", function()
    local object = setmetatable({}, { __tostring = function() return "an object" end })
    for _, thrown in ipairs { object, "text", 7, false } do
      local text = stderr_of(function()
        local failing = moonrest.spawn(function() error(thrown, 0) end)
        local ok, problem = pcall(failing.await, failing)
        assert.is_false(ok)
        assert.equal(thrown, problem)
        assert.equal("failed", failing:status())
      end)
      collectgarbage()
      assert.equal("", text)
    end
  end)

  it("raise what is no error object at all as it is", function()
    local thrown = { nil, coroutine.create(print), io.stderr, {}, n = 4 }
    for place = 1, thrown.n do
      local failing = moonrest.spawn(function() error(thrown[place]) end)
      local ok, problem = pcall(failing.await, failing)
      assert.is_false(ok)
      assert.equal(thrown[place], problem)
    end
  end)

  it("that never wait have their one turn to the end, and the others come after", function()
    local order = {}
    for index = 1, 3 do
      moonrest.spawn(function()
        local finish = core.clock.now() + 0.005
        while core.clock.now() < finish do order[index] = true end
      end)
    end
    for left = 2, 0, -1 do
      local most <const> = 2 -- one of them may be the collector's alone
      local steps = 0
      repeat steps = steps + 1 until moonrest.step(0) == left or steps == most
      assert.equal(3 - left, #order)
    end
  end)

  it("tell once of an error that nobody awaited", function()
    local text = stderr_of(function()
      moonrest.spawn(function() error "lonely" end)
      moonrest.run()
      collectgarbage()
      collectgarbage()
    end)
    local _, count = text:gsub("lonely", "")
    assert.equal(1, count)
    assert.matches("nobody awaited", text)
  end)

  it("tell of all that failed, even when one cannot say what", function()
    local mute = setmetatable({}, { __tostring = function() error "no words" end })
    local text = stderr_of(function()
      moonrest.spawn(error, mute)
      moonrest.spawn(error, "the second", 0)
      moonrest.run()
    end)
    assert.matches("an error object whose __tostring fails.*the second", text)
  end)

  it("tell an event of it instead when somebody listens", function()
    local heard = {}
    local stop = moonrest.on("task_failed", function(details) heard[#heard + 1] = details.error end)
    local text = stderr_of(function()
      moonrest.spawn(function() error { code = 5 } end)
      moonrest.run()
    end)
    stop()
    assert.same({ { code = 5 } }, heard)
    assert.equal("", text)
  end)

  it("wait for each other in depth without nesting", function()
    local count = 100000
    local previous = moonrest.spawn(function() return 0 end)
    for _ = 1, count do
      local before = previous
      previous = moonrest.spawn(function() return before:await() + 1 end)
    end
    assert.equal(count, (previous:await()))
  end)

  it("refuse what makes no sense", function()
    assert.error_matches(function() moonrest.spawn(5) end, "a function is needed, got a number")
    assert.error_matches(function() task.spawn(function() end).await {} end, "call it with a colon")
    -- A task of another lua_State can only come as what a host makes of it.
    local foreign = setmetatable({ number = 1, state = "waiting", waiters = {} }, { __name = "moonrest.task" })
    assert.error_matches(function() task.spawn(function() end).await(foreign) end, "call it with a colon")
    assert.error_matches(function() moonrest.all { foreign } end, "must be a function or a task")
    local own
    own = moonrest.spawn(function() own:await() end)
    assert.error_matches(function() own:await() end, "a task cannot await itself")
    own = moonrest.spawn(function() own:cancel() end)
    assert.error_matches(function() own:await() end, "a task cannot cancel itself")
  end)

  it("raise when tasks wait for each other for ever", function()
    local first, second
    first = moonrest.spawn(function() return second:await() end)
    second = moonrest.spawn(function() return first:await() end)
    assert.error_matches(function() moonrest.run() end, "2 tasks wait for each other")
    assert.equal("cancelled", first:status())
  end)

  it("end although others wait for each other for ever", function()
    local first, second
    first = moonrest.spawn(function() return second:await() end)
    second = moonrest.spawn(function() return first:await() end)
    assert.equal(5, moonrest.spawn(function() return 5 end):await())
    assert.error_matches(function() second:await() end, "2 tasks wait for each other")
    first:cancel()
    assert.equal("cancelled", select(2, second:await()).kind)
  end)
end)
