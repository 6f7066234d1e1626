-- Tasks that are ready to run, in the order in which they became so.

local current = require "moonrest.current"

local ready = { size = 0 } -- how many they are: for others to look at

local queue, first = {}, 1
local hook -- a foreign loop's

-- A wait of this task may be over; fine in every state.
function ready.wake(task)
  if task.state ~= "waiting" then return end
  local size = ready.size
  queue[first + size] = task -- first: there may be no memory for it
  task.state = "ready"
  ready.size = size + 1
  if hook and not current.is_turning then hook() end
end

-- Room for a task that is to be woken as soon as it is whole; raises when there is no memory for that.
function ready.reserve(task) queue[first + ready.size] = task end

-- The next one, which leaves. It may have ended meanwhile. Only when there is one.
function ready.take()
  local task = queue[first]
  local left = ready.size - 1
  queue[first] = nil
  ready.size, first = left, left > 0 and first + 1 or 1
  return task
end

-- 'given' is called when a task becomes ready while no step is running; nil ends it.
function ready.on_wake(given) hook = given end

-- Forgets all, and needs no memory for it. Their state is the caller's to set.
function ready.reset()
  for place in pairs(queue) do queue[place] = nil end
  ready.size, first = 0, 1
end

local function is_older(one, other) return one.number < other.number end

-- After a reset, when all have been woken: has them in the order of their numbers, and returns the list itself.
function ready.sort()
  table.sort(queue, is_older)
  return queue
end

return ready
