local clock = require "moonrest.sandbox.clock"

-- The server's functions with times that the test sets.
local function native()
  local times = { real = 50, epoch = 1000, wakes = 0 }
  function times.monotonic() return times.real end
  function times.wall() return times.epoch end
  function times.wake() times.wakes = times.wakes + 1 end
  return times
end

describe("the sandbox's clock", function()
  local times

  before_each(function() times = native() end)

  it("is virtual or real", function()
    local virtual, real = clock.new(times, "virtual"), clock.new(times, "real")
    assert.equal(clock.VIRTUAL_START, virtual:now())
    assert.equal(1000, real:now())
    times.epoch = 1003
    assert.equal(clock.VIRTUAL_START, virtual:now())
    assert.equal(1003, real:now())
    virtual:advance(5)
    real:advance(5)
    assert.equal(clock.VIRTUAL_START + 5, virtual:now())
    assert.equal(1008, real:now())
    virtual:reset()
    assert.equal(clock.VIRTUAL_START, virtual:now())
  end)

  it("runs what is due in order, each at its own time", function()
    local one, seen = clock.new(times, "virtual"), {}
    local start = one:now()
    local function note(name) return function() seen[#seen + 1] = { name, one:now() - start } end end
    one:at(start + 3, note "c")
    one:at(start + 1, note "a")
    one:at(start + 1, note "b")
    one:at(start + 9, note "later")
    one:at(start + 2, function() one:at(one:now() + 0.5, note "nested") end)
    local cancelled = one:at(start + 2, note "cancelled")
    one:cancel(cancelled)
    one:advance(4)
    assert.same({ { "a", 1 }, { "b", 1 }, { "nested", 2.5 }, { "c", 3 } }, seen)
    assert.equal(start + 4, one:now())
    assert.is_true(times.wakes > 0)
  end)

  it("lets real time bring timers only when it is real", function()
    local virtual, real, rung = clock.new(times, "virtual"), clock.new(times, "real"), 0
    virtual:at(virtual:now() + 1, function() rung = rung + 100 end)
    real:at(real:now() + 2, function() rung = rung + 1 end)
    assert.is_nil(virtual:tick())
    assert.equal(2, real:tick())
    times.epoch = 1001.5
    assert.equal(0.5, real:tick())
    times.epoch = 1002
    assert.is_nil(real:tick())
    assert.is_nil(virtual:tick())
    assert.equal(1, rung)
  end)

  it("has timers in real seconds in both modes", function()
    local one, rung = clock.new(times, "virtual"), 0
    one:after_real(3, function() rung = rung + 1 end)
    one:advance(100)
    assert.equal(3, one:tick())
    assert.equal(0, rung)
    times.real = 53
    one:reset()
    assert.is_nil(one:tick())
    assert.equal(1, rung)
  end)

  it("survives a timer that fails", function()
    local one, rung, reported = clock.new(times, "virtual"), false, nil
    one.report = function(message) reported = message end
    one:at(one:now() + 1, function() error "on purpose" end)
    one:at(one:now() + 2, function() rung = true end)
    one:advance(3)
    assert.truthy(reported:find "on purpose")
    assert.is_true(rung)
    assert.equal(clock.VIRTUAL_START + 3, one:now())
  end)
end)
