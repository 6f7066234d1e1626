local current = require "moonrest.current"
local recovery = require "moonrest.recovery"
local reserve = require "moonrest.reserve"
local scheduler = require "moonrest.scheduler"

describe("the reserve", function()
  local function used()
    collectgarbage()
    collectgarbage()
    return collectgarbage "count" * 1024
  end

  before_each(function() reserve.held = false end)

  it("is some thousand bytes, which are free again when it is given up", function()
    local before = used()
    reserve.fill()
    assert.equal(0, reserve.held.missing)
    local filled = used()
    assert.is_true(filled - before > 8000 and filled - before < 16000)
    reserve.held = false
    assert.is_true(filled - used() > 8000)
  end)

  it("is filled once", function()
    reserve.fill()
    local held = reserve.held
    reserve.fill()
    assert.equal(held, reserve.held)
  end)

  it("is made whole when only a part of it found memory", function()
    reserve.fill()
    reserve.held = reserve.held.below.below
    assert.equal(2, reserve.held.missing)
    reserve.fill()
    assert.equal(0, reserve.held.missing)
  end)

  it("is left for later where the stack cannot grow", function()
    local wide <const> = ("."):rep(105)
    local function dive()
      if pcall(string.byte, wide, 1, #wide) then return (dive()) end
      return pcall(reserve.fill)
    end
    assert.is_true(coroutine.wrap(dive)())
    assert.is_false(reserve.held)
    reserve.fill()
    assert.equal(0, reserve.held.missing)
  end)

  it("is filled by a turn, before anyone has it", function()
    local seen
    scheduler.turn(0, function() seen = reserve.held end)
    scheduler.turn(0)
    assert.equal(0, reserve.held.missing)
    require "moonrest".spawn(function() seen = reserve.held end)
    reserve.held = false
    scheduler.turn(0)
    assert.equal(0, seen.missing)
  end)

  it("is given up by a turn that fails, before the loop is made whole", function()
    local recover, seen = recovery.recover, nil
    reserve.fill()
    function recovery.recover()
      seen = reserve.held
      return recover()
    end
    finally(function() recovery.recover = recover end)
    local spawned = require "moonrest".spawn(function() require "moonrest".sleep(0) end)
    assert.has_error(function() scheduler.turn(0, function() error("broken", 0) end) end, "broken")
    assert.is_false(seen)
    assert.is_false(reserve.held)
    assert.is_false(current.is_shaken)
    scheduler.run()
    assert.equal("done", spawned:status())
    assert.equal(0, reserve.held.missing)
  end)

  it("lets errors through that are not about memory", function()
    debug.sethook(function()
      if debug.getinfo(2, "S").source:find("reserve.lua", 1, true) and reserve.held then error("interrupted", 0) end
    end, "l")
    finally(function() debug.sethook() end)
    local is_good, problem = pcall(reserve.fill)
    debug.sethook()
    assert.is_false(is_good)
    assert.equal("interrupted", problem)
  end)
end)
