-- Tasks by the moment at which they want to be woken: a binary heap that a task can leave from any place. A task
-- brings its wake_at and its number (the order among equals), and carries its sleep_place while it is in here.

local sleepers = {}

local heap = {}

local function earlier(a, b)
  return a.wake_at < b.wake_at or (a.wake_at == b.wake_at and a.number < b.number)
end

local function put(task, place)
  heap[place], task.sleep_place = task, place
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

-- A task sleeps once: one that an error left in here leaves first. Without memory for its field or its place nothing
-- has changed; without memory for a call it is in here, and can leave.
function sleepers.add(task)
  if task.sleep_place then sleepers.remove(task) end
  local place = #heap + 1
  task.sleep_place = false
  heap[place] = task
  task.sleep_place = place
  rise(task, place)
end

-- Fine when it does not sleep. The last one moves without a call, for which there may be no memory.
function sleepers.remove(task)
  local place, count = task.sleep_place, #heap
  if not place then return end
  local last = heap[count]
  heap[place], last.sleep_place = last, place
  heap[count], task.sleep_place = nil, nil
  if last == task then return end
  rise(last, place)
  sink(last, last.sleep_place)
end

-- The one that wakes first, or nil.
function sleepers.first() return heap[1] end

function sleepers.count() return #heap end

-- Forgets all, in whatever state an error left the heap, and needs no memory for it. Their sleep_place is the caller's
-- to clear.
function sleepers.reset()
  for place in pairs(heap) do heap[place] = nil end
end

return sleepers
