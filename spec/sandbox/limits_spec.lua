local limits = require "moonrest.sandbox.limits"

describe("the sandbox's limits", function()
  it("read words", function()
    assert.same({ 40, 1 }, { limits.parse "40/s" })
    assert.same({ 100, 60 }, { limits.parse "100/min" })
    assert.same({ 50, 900 }, { limits.parse "50/15min" })
    assert.same({ 1000, 3600 }, { limits.parse "1000/h" })
    assert.same({ 5, 86400 }, { limits.parse "5/d" })
    for _, wrong in ipairs { "", "40", "40/w", "x/s", "/s" } do
      assert.has_error(function() limits.parse(wrong) end)
    end
  end)

  -- Which of the requests at these times are allowed.
  local function play(style, words, times)
    local counter, allowed = limits.new(style), {}
    for i, time in ipairs(times) do allowed[i] = (counter:take("key", words, time)) end
    return allowed
  end

  it("slide exactly", function()
    assert.same({ true, true, false, false, true, false, true },
      play("sliding", { "2/s" }, { 0, 0.5, 0.6, 0.999, 1.0, 1.4, 1.5 }))
  end)

  it("stand in fixed windows", function()
    assert.same({ true, true, false, false, true, true, false },
      play("fixed", { "2/s" }, { 0.5, 0.6, 0.7, 1.4, 1.5, 1.6, 2.4 }))
  end)

  it("are renewed by every request, refused ones too, until there is silence", function()
    assert.same({ true, true, false, false, false, true },
      play("silence", { "2/s" }, { 0, 0.5, 1.0, 1.9, 2.8, 3.8 }))
  end)

  it("hold in all windows, and a refusal takes from none", function()
    assert.same({ true, true, false, true, false, false, true },
      play("sliding", { "2/s", "3/min" }, { 0, 0, 0, 1, 2, 59.9, 60 }))
  end)

  it("tell their state", function()
    local counter = limits.new "sliding"
    local allowed, states = counter:take("key", { "2/min", "10/h" }, 100)
    assert.is_true(allowed)
    assert.same({ limit = 2, used = 1, remaining = 1, reset = 160, seconds = 60, retry_after = 60, full = false },
      states[1])
    assert.equal(9, states[2].remaining)
    counter:take("key", { "2/min", "10/h" }, 130)
    local refusing
    allowed, states, refusing = counter:take("key", { "2/min", "10/h" }, 140)
    assert.is_false(allowed)
    assert.equal(0, states[1].remaining)
    assert.equal(8, states[2].remaining)
    assert.equal(2, refusing.limit)
    assert.equal(20, refusing.retry_after)
  end)

  it("count keys apart, and a new plan anew", function()
    local counter = limits.new "fixed"
    assert.is_true((counter:take("a", { "1/h" }, 0)))
    assert.is_false((counter:take("a", { "1/h" }, 0)))
    assert.is_true((counter:take("b", { "1/h" }, 0)))
    assert.is_true((counter:take("a", { "2/h" }, 0)))
  end)
end)
