local sleepers = require "moonrest.sleepers"

describe("sleepers", function()
  it("wake in the order of time, then of number, whoever leaves meanwhile", function()
    local state = 12345
    local function random(limit)
      state = (state * 1103515245 + 12345) % 2 ^ 31
      return math.floor(state / 65536) % limit
    end
    sleepers.reset()
    local tasks = {}
    for number = 1, 500 do
      tasks[number] = { number = number, wake_at = random(50) }
      sleepers.add(tasks[number])
    end
    for number = 1, 500, 3 do
      sleepers.remove(tasks[number])
      sleepers.remove(tasks[number])
    end
    local last, count = { wake_at = -1, number = 0 }, 0
    while sleepers.first() do
      local task = sleepers.first()
      assert.not_equal(1, task.number % 3)
      assert.is_true(task.wake_at > last.wake_at or (task.wake_at == last.wake_at and task.number > last.number))
      sleepers.remove(task)
      assert.is_nil(task.sleep_place)
      last, count = task, count + 1
    end
    assert.equal(333, count)
  end)

  it("are as they were when there is no memory for another one", function()
    sleepers.reset()
    local poor = setmetatable({ number = 1, wake_at = 1 }, { __newindex = function() error "not enough memory" end })
    assert.is_false(pcall(sleepers.add, poor))
    assert.equal(0, sleepers.count())
  end)

  it("can leave when there was no memory to put them in order", function()
    sleepers.reset()
    local task = { number = 1, wake_at = 1 }
    debug.sethook(function()
      if debug.getinfo(2, "n").name == "rise" then error "not enough memory" end
    end, "c")
    local added = pcall(sleepers.add, task)
    debug.sethook()
    assert.is_false(added)
    sleepers.remove(task)
    assert.equal(0, sleepers.count())
  end)

  it("sleep once, although an error kept one from leaving", function()
    sleepers.reset()
    local task = { number = 1, wake_at = 1 }
    sleepers.add(task)
    sleepers.add({ number = 2, wake_at = 2 })
    task.wake_at = 3
    sleepers.add(task)
    assert.equal(2, sleepers.count())
    assert.equal(2, sleepers.first().number)
    sleepers.remove(sleepers.first())
    assert.equal(task, sleepers.first())
    sleepers.reset()
  end)
end)
