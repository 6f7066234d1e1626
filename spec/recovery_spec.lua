-- Errors that come between any two instructions of the loop, or for want of memory.

local loop = require "spec.support.loop"
local moonrest = require "moonrest"
local scheduler = require "moonrest.scheduler"
local task_life = require "moonrest.task_life"

describe("tasks", function()
  after_each(loop.close)

  -- Calls action(...), in which an error comes after so many instructions.
  local function interrupt(instructions, action, ...)
    local is_inside = false
    debug.sethook(function()
      if not is_inside then return end
      is_inside = false
      debug.sethook()
      error("interrupted!", 0)
    end, "", instructions)
    pcall(function(...)
      is_inside = true
      action(...)
      is_inside = false
    end, ...)
    debug.sethook()
  end

  it("survive an interrupted turn: nothing is lost", function()
    local count = 0
    for _ = 1, 10 do
      moonrest.spawn(function()
        moonrest.sleep(0.001)
        count = count + 1
      end)
    end
    local instructions = 0
    while task_life.live > 0 do
      instructions = instructions + 13
      interrupt(instructions, scheduler.turn, 0.001)
    end
    assert.equal(10, count)
  end)

  it("say what interrupted their end", function()
    local words = {}
    for instructions = 1, 500 do
      local one = moonrest.spawn(function(seven) return assert(seven == 7, "an argument is lost") end, 7)
      interrupt(instructions, scheduler.turn, 0)
      local ok, problem = pcall(one.await, one)
      if not ok then words[problem] = true end
    end
    assert.is_true(words["the loop was interrupted when this task ended: interrupted!"])
    words["the loop was interrupted when this task ended: interrupted!"], words["interrupted!"] = nil, nil
    assert.same({}, words)
  end)

  -- Want of memory comes at calls, which may need a larger stack.
  local function interrupt_call(number, action, ...)
    local is_inside = false
    debug.sethook(function()
      number = is_inside and number - 1 or number
      if number > 0 then return end
      is_inside, number = false, 1
      error("not enough memory", 0)
    end, "c")
    pcall(function(...)
      is_inside = true
      action(...)
    end, ...)
    is_inside = false
    debug.sethook()
  end

  it("end although there is no memory for a call while they are cancelled", function()
    for number = 1, 40 do
      local one = moonrest.spawn(moonrest.sleep, 60)
      scheduler.turn(0)
      interrupt_call(number, one.cancel, one)
      one:cancel()
      scheduler.turn(0)
      assert.equal("cancelled", one:status())
      assert.equal(0, task_life.live)
    end
  end)
end)
