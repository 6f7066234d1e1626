local stderr_of = require "spec.support.stderr_of"
local fake_core = require "spec.support.fake_core"

describe("events", function()
  local core, events

  before_each(function()
    core = fake_core.install()
    events = require "moonrest.events"
  end)

  it("tells of a handler that fails, and calls the others", function()
    local heard = 0
    events.on("retry", function() error("broken", 0) end)
    events.on("retry", function() error(setmetatable({}, { __tostring = error }), 0) end)
    events.on("retry", function() heard = heard + 1 end)
    local told = stderr_of(function() core.emit("retry", { attempt = 1 }) end)
    assert.equal("moonrest: a handler of 'retry' failed: broken\n"
      .. "moonrest: a handler of 'retry' failed: an error object whose __tostring fails\n", told)
    assert.equal(1, heard)
  end)

  it("calls every handler of an event with its details and name", function()
    local heard = {}
    events.on("retry", function(details, name) heard[#heard + 1] = name .. details.attempt end)
    events.on("retry", function() heard[#heard + 1] = "second" end)
    core.emit("retry", { attempt = 1 })
    assert.same({ "retry1", "second" }, heard)
  end)

  it("stops calling when told to", function()
    local count = 0
    local stop = events.on("retry", function() count = count + 1 end)
    core.emit("retry", {})
    stop()
    stop()
    core.emit("retry", {})
    assert.equal(1, count)
    assert.is_false(events.is_heard "retry")
  end)

  it("lets a handler remove itself while events are told", function()
    local count, stop = 0, nil
    stop = events.on("queue", function() stop() end)
    events.on("queue", function() count = count + 1 end)
    core.emit("queue", {})
    assert.equal(1, count)
  end)

  it("goes on when a handler fails", function()
    local heard = false
    events.on("retry", function() error "broken handler" end)
    events.on("retry", function() heard = true end)
    core.emit("retry", {})
    assert.is_true(heard)
  end)

  it("raises for unknown events and for what is no function", function()
    assert.error_matches(function() events.on("retyr", print) end, "unknown event 'retyr'; did you mean 'retry'")
    assert.error_matches(function() events.on("retry", "x") end, "handler must be a function, got a string")
  end)
end)
