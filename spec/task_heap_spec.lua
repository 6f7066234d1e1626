local task_heap = require "moonrest.task_heap"

describe("a heap of tasks", function()
  local heap

  before_each(function() heap = task_heap.new("wake_at", "place") end)

  it("gives them in the order of their key, then of their number, whoever leaves meanwhile", function()
    local state = 12345
    local function random(limit)
      state = (state * 1103515245 + 12345) % 2 ^ 31
      return math.floor(state / 65536) % limit
    end
    local tasks = {}
    for number = 1, 500 do
      tasks[number] = { number = number, wake_at = random(50) }
      heap.add(tasks[number])
    end
    for number = 1, 500, 3 do
      heap.remove(tasks[number])
      heap.remove(tasks[number])
    end
    local last, count = { wake_at = -1, number = 0 }, 0
    while heap.first() do
      local task = heap.first()
      assert.not_equal(1, task.number % 3)
      assert.is_true(task.wake_at > last.wake_at or (task.wake_at == last.wake_at and task.number > last.number))
      heap.remove(task)
      assert.is_nil(task.place)
      last, count = task, count + 1
    end
    assert.equal(333, count)
  end)

  it("is as it was when there is no memory for another one", function()
    local poor = setmetatable({ number = 1, wake_at = 1 }, { __newindex = function() error "not enough memory" end })
    assert.is_false(pcall(heap.add, poor))
    assert.equal(0, heap.count())
  end)

  it("lets go of one that there was no memory to put in order", function()
    local task = { number = 1, wake_at = 1 }
    debug.sethook(function()
      if debug.getinfo(2, "n").name == "rise" then error "not enough memory" end
    end, "c")
    local added = pcall(heap.add, task)
    debug.sethook()
    assert.is_false(added)
    heap.remove(task)
    assert.equal(0, heap.count())
  end)

  it("has a task once, although an error kept it from leaving", function()
    local task = { number = 1, wake_at = 1 }
    heap.add(task)
    heap.add({ number = 2, wake_at = 2 })
    task.wake_at = 3
    heap.add(task)
    assert.equal(2, heap.count())
    assert.equal(2, heap.first().number)
    heap.remove(heap.first())
    assert.equal(task, heap.first())
  end)

  it("moves one whose key has changed, either way", function()
    local tasks = {}
    for number = 1, 100 do
      tasks[number] = { number = number, wake_at = number * 2 }
      heap.add(tasks[number])
    end
    for _, wake_at in ipairs { 1, 99, 1000, 41, 3 } do
      tasks[50].wake_at = wake_at
      heap.move(tasks[50])
    end
    local order = {}
    while heap.first() do
      order[#order + 1] = heap.first().number
      heap.remove(heap.first())
    end
    assert.equal(50, table.remove(order, 2))
    for place = 1, 49 do assert.equal(place, order[place]) end
    for place = 50, 99 do assert.equal(place + 1, order[place]) end
  end)

  it("forgets all", function()
    heap.add({ number = 1, wake_at = 1 })
    heap.reset()
    assert.is_nil(heap.first())
    assert.equal(0, heap.count())
  end)
end)
