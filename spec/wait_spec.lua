local fake_core = require "spec.support.fake_core"

describe("wait", function()
  local core, wait

  before_each(function()
    core = fake_core.install()
    wait = require "moonrest.wait"
  end)

  local function start(reply)
    core.answer(reply)
    return core.endpoint({ method = "GET", base = "https://a.example" }):start("/x")
  end

  it("returns when the request is finished", function()
    local request = start { status = 200, slices = 3 }
    wait.finish(request)
    assert.is_true(request:finished())
  end)

  it("calls the watch between slices and at the end", function()
    local calls = 0
    wait.finish(start { status = 200, slices = 3 }, function() calls = calls + 1 end)
    assert.equal(4, calls)
  end)

  it("ends the request when it is left by an error", function()
    local request = start { status = 200, slices = 3 }
    assert.error_matches(function() wait.finish(request, function() error "enough" end) end, "enough")
    assert.is_true(request.is_closed)
  end)

  it("sleeps by stepping the engine", function()
    local before = core.time
    wait.sleep(1.25)
    assert.is_true(math.abs(core.time - before - 1.25) < 1e-6)
  end)
end)
