local loop = require "spec.support.loop"
local moonrest = require "moonrest"
local slow_server = require "spec.support.slow_server"

describe("wrap", function()
  after_each(loop.close)

  it("lets waits through and keeps what is yielded apart", function()
    local server <close> = slow_server.start { latency = 0.005 }
    moonrest.run(function()
      local generate = moonrest.wrap(function(first)
        local got = coroutine.yield(server.client.things:get(first).id)
        coroutine.yield(server.client.things:get(got).id)
        return "end"
      end)
      assert.equal("a", generate "a")
      assert.equal("b", generate "b")
      assert.equal("end", generate())
      assert.error_matches(generate, "cannot resume a dead coroutine")
    end)
    local own
    own = moonrest.wrap(function() return pcall(own) end)
    local _, problem = own()
    assert.matches("cannot resume a running coroutine", problem)
  end)

  it("nests, and works outside of tasks", function()
    local server <close> = slow_server.start()
    local function outer()
      local inner = moonrest.wrap(function() return server.client.things:get "deep".id end)
      return inner()
    end
    assert.equal("deep", moonrest.wrap(outer)())
    assert.equal("deep", moonrest.run(function() return moonrest.wrap(outer)() end))
  end)

  it("is closed with the task that waits in it, and nobody else's to resume", function()
    local closed = false
    local waiting = moonrest.wrap(function()
      local _ <close> = setmetatable({}, { __close = function() closed = true end })
      moonrest.sleep(3600)
    end)
    local one = moonrest.spawn(function() waiting() end)
    local two = moonrest.spawn(function() waiting() end)
    assert.error_matches(function() two:await() end, "waits for an answer")
    one:cancel()
    assert.is_true(closed)
  end)

  it("passes errors on", function()
    local failing = moonrest.wrap(function() error({ 1 }, 0) end)
    local ok, problem = pcall(failing)
    assert.is_false(ok)
    assert.same({ 1 }, problem)
    assert.error_matches(function() moonrest.wrap(1) end, "a function is needed")
  end)
end)
