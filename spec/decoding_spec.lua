local decoding = require "moonrest.decoding"

describe("decoding", function()
  before_each(decoding.reset)

  local count = 0

  local function add(name, left)
    count = count + 1
    local task = { name = name, number = count }
    decoding.add(task, left)
    return task
  end

  -- The names in the order of their turns, of which each takes 'slice' bytes.
  local function play(slice)
    local order = {}
    local task = decoding.next()
    while task do
      order[#order + 1] = task.name
      if task.decode_left <= slice then
        decoding.remove(task)
      else
        decoding.add(task, task.decode_left - slice)
      end
      task = decoding.next()
    end
    return table.concat(order)
  end

  it("has nobody at first", function() assert.is_nil(decoding.next()) end)

  it("lets the one with the least left go on, and each fourth time the oldest", function()
    add("a", 8)
    add("b", 3)
    add("c", 2)
    local order = play(1)
    assert.equal(13, #order)
    assert.is_true(order:find("c[^c]?c") < order:find "b.-b.-b")
    for place = 1, #order - 3 do assert.is_not_nil(order:sub(place, place + 3):find "a") end
  end)

  it("finishes what it has begun before it begins another of the same size", function()
    for index = 0, 9 do add(tostring(index), 100) end
    local order, begun, most = {}, {}, 0
    local task = decoding.next()
    while task do
      begun[task.name] = true
      if task.decode_left == 10 then
        decoding.remove(task)
        begun[task.name] = nil
      else
        decoding.add(task, task.decode_left - 10)
      end
      order[#order + 1] = task.name
      local at_once = 0
      for _ in pairs(begun) do at_once = at_once + 1 end
      most = math.max(most, at_once)
      task = decoding.next()
    end
    assert.equal(100, #order)
    assert.is_true(most <= 3, "begun at once: " .. most)
  end)

  -- In a frame of a game nothing of the tasks is in the processor's caches.
  it("looks at few tasks, however many there are", function()
    for left = 1, 1000 do add("small", left) end
    local instructions, large = 0, add("large", 1000000)
    debug.sethook(function() instructions = instructions + 1 end, "", 1)
    decoding.add(large, 900000)
    decoding.remove(large)
    debug.sethook()
    assert.is_true(instructions < 1000, "instructions: " .. instructions)
  end)

  it("forgets who is removed", function()
    local a, b = add("a", 5), add("b", 5)
    decoding.remove(a)
    decoding.remove(a)
    assert.is_nil(a.decode_left)
    for _ = 1, 8 do assert.equal(b, decoding.next()) end
    decoding.remove(b)
    assert.is_nil(decoding.next())
  end)
end)
