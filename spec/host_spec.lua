local events = require "moonrest.events"
local host = require "moonrest.host"
local tasks = require "moonrest.tasks"

describe("host", function()
  after_each(function() host.log(nil) end)

  it("has what moonrest.h calls", function()
    assert.equal(tasks.step, host.step)
    assert.equal(tasks.set_blocking, host.set_blocking)
  end)

  it("tells of every event in a line", function()
    local heard = {}
    host.log(function(name, line) heard[#heard + 1] = name .. " | " .. line end)
    events.emit("retry", { attempt = 2, status = 503, wait = 0.5, reason = "busy" })
    events.emit("task_failed", { task = 7, error = "no coffee", traceback = "somewhere" })
    assert.same({ "retry | attempt: 2, status: 503, reason: busy, wait: 0.5",
      "task_failed | task: 7, error: no coffee, traceback: somewhere" }, heard)
    for name in pairs(events.names) do assert.is_true(events.is_heard(name), name) end
  end)

  it("has one sink, which can be taken away", function()
    local first, second = 0, 0
    host.log(function() first = first + 1 end)
    host.log(function() second = second + 1 end)
    events.emit("retry", {})
    assert.same({ 0, 1 }, { first, second })
    host.log(nil)
    events.emit("retry", {})
    assert.same({ 0, 1 }, { first, second })
    for name in pairs(events.names) do assert.is_false(events.is_heard(name), name) end
  end)
end)
