local seen = require "moonrest.seen"

describe("seen", function()
  it("tells new from known", function()
    local set = seen.new()
    assert.is_true(set:add "a")
    assert.is_false(set:add "a")
    assert.is_true(set:add "b")
    assert.is_true(set:add "")
    assert.is_false(set:add "")
    assert.equal(3, set.count)
  end)

  it("tells numbers from texts, and integers from floats that differ", function()
    local set = seen.new()
    assert.is_true(set:add(1))
    assert.is_true(set:add "1")
    assert.is_true(set:add(1.5))
    assert.is_true(set:add(9007199254740993))
    assert.is_true(set:add(9007199254740992))
    assert.is_false(set:add(1))
    assert.is_false(set:add(1.0))
    for number = 0, 9 do assert.is_true(set:add(4503599627370496.0 + number)) end
    assert.is_false(set:add(4503599627370499))
  end)

  it("keeps apart many names that are alike", function()
    local set = seen.new()
    for number = 1, 20000 do assert(set:add(("item-%08d"):format(number))) end
    for number = 1, 20000 do assert(not set:add(("item-%08d"):format(number))) end
    for number = 1, 5000 do assert(set:add(number)) end
    assert.equal(25000, set.count)
  end)

  it("takes little more than 16 bytes a member", function()
    local set = seen.new()
    collectgarbage()
    collectgarbage()
    local before = collectgarbage "count"
    for number = 1, 50000 do set:add("0f8fad5b-d9cb-469f-a165-" .. number) end
    collectgarbage()
    collectgarbage()
    local bytes = (collectgarbage "count" - before) * 1024 / 50000
    assert.is_true(bytes < 20, ("%.1f bytes"):format(bytes))
    assert.equal(50000, set.count)
  end)
end)
