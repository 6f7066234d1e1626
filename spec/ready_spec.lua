local ready = require "moonrest.ready"

describe("ready", function()
  local function waiting(number) return { number = number, state = "waiting" } end

  before_each(ready.reset)
  after_each(function()
    ready.on_wake(nil)
    ready.reset()
  end)

  it("are those whose wait is over, in the order in which that came", function()
    local second, first = waiting(2), waiting(1)
    ready.wake(second)
    ready.wake(first)
    ready.wake(second)
    assert.equal(2, ready.size)
    assert.equal("ready", first.state)
    assert.equal(second, ready.take())
    assert.equal(first, ready.take())
    assert.equal(0, ready.size)
  end)

  it("are not those that run or have ended", function()
    for _, state in ipairs { "ready", "running", "done", "failed", "cancelled" } do
      ready.wake { number = 1, state = state }
    end
    assert.equal(0, ready.size)
  end)

  it("are none for whom there is room only", function()
    local one = waiting(1)
    ready.reserve(one)
    assert.equal(0, ready.size)
    ready.wake(one)
    assert.equal(1, ready.size)
  end)

  it("have the order of their numbers when they are sorted", function()
    for _, number in ipairs { 3, 1, 2 } do ready.wake(waiting(number)) end
    ready.sort()
    for number = 1, 3 do assert.equal(number, ready.take().number) end
  end)

  it("tell a foreign loop of each", function()
    local told = 0
    ready.on_wake(function() told = told + 1 end)
    local one = waiting(1)
    ready.wake(one)
    ready.wake(one)
    assert.equal(1, told)
  end)
end)
