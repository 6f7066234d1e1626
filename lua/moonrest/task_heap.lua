-- Tasks by a number that each brings, the least first: a binary heap that a task can leave from any place, and in which
-- it can move when its number has changed. The task's own number decides among equals. In a frame of a game nothing of
-- this is in the processor's caches, so what is asked of a heap looks at few tasks.

local task_heap = {}

-- 'key' names the field of a task that counts, 'field' the one in which it carries its place while it is in here.
function task_heap.new(key, field)
  local heap, self = {}, {}

  local function earlier(a, b)
    local one, other = a[key], b[key]
    return one < other or (one == other and a.number < b.number)
  end

  local function put(task, place)
    heap[place], task[field] = task, place
  end

  local function rise(task, place)
    while place > 1 and earlier(task, heap[place // 2]) do
      put(heap[place // 2], place)
      place = place // 2
    end
    put(task, place)
  end

  local function sink(task, place)
    local count = #heap
    while place * 2 <= count do
      local child = place * 2
      if child < count and earlier(heap[child + 1], heap[child]) then child = child + 1 end
      if not earlier(heap[child], task) then break end
      put(heap[child], place)
      place = child
    end
    put(task, place)
  end

  local function settle(task, place)
    rise(task, place)
    sink(task, task[field])
  end

  -- A task is in here once: one that an error left leaves first. Without memory for its field or its place nothing has
  -- changed; without memory for a call it is in here, and can leave.
  function self.add(task)
    if task[field] then self.remove(task) end
    local place = #heap + 1
    task[field] = false
    heap[place] = task
    task[field] = place
    rise(task, place)
  end

  -- The number of a task in here has changed.
  function self.move(task) settle(task, task[field]) end

  -- Fine when it is not in here. The last one moves without a call, for which there may be no memory.
  function self.remove(task)
    local place, count = task[field], #heap
    if not place then return end
    local last = heap[count]
    heap[place], last[field] = last, place
    heap[count], task[field] = nil, nil
    if last ~= task then settle(last, place) end
  end

  -- The one with the least number, or nil.
  function self.first() return heap[1] end

  function self.count() return #heap end

  -- Forgets all, in whatever state an error left the heap, and needs no memory for it. Their field is the caller's to
  -- clear.
  function self.reset()
    for place in pairs(heap) do heap[place] = nil end
  end

  return self
end

return task_heap
