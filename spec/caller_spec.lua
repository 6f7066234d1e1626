local caller = require "moonrest.caller"

describe("caller", function()
  it("names the first frame outside of the library", function()
    local where = caller.where()
    assert.matches("caller_spec%.lua:%d+$", where)
  end)

  it("raises at the caller's line, as text", function()
    local ok, problem = pcall(function() caller.raise("bad %s", "thing") end)
    assert.is_false(ok)
    assert.matches("caller_spec%.lua:%d+: bad thing$", problem)
  end)

  it("leaves a percent sign alone when there is nothing to format", function()
    local _, problem = pcall(caller.raise, "100% wrong")
    assert.matches("100%% wrong$", problem)
  end)

  it("says nothing about a place when there is nobody", function()
    local thread = coroutine.create(caller.where)
    assert.same({ true, nil }, { coroutine.resume(thread) })
  end)
end)
