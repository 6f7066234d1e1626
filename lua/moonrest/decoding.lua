-- Tasks whose answers are decoded in slices, in the order in which they go on: three slices of four go to the one with
-- the least left, so that small answers do not wait behind large ones, and few are half made at a time (the collector
-- walks in one go through all that grows while it is at work). The fourth goes to the one that is here longest.
--
-- A task carries its decode_left (bytes) and its decode_place while it is in here.

local by_left = require "moonrest.task_heap".new("decode_left", "decode_place")

local decoding = {}

local by_age, first, last = {}, 1, 0
local turn = 0

-- 'left' are the bytes that the task has still to decode. Fine when it is in here.
function decoding.add(task, left)
  if task.decode_place then
    task.decode_left = left
    by_left.move(task)
  else
    by_age[last + 1] = task -- first: there may be no memory for it
    last = last + 1
    task.decode_left = left
    by_left.add(task)
  end
end

function decoding.remove(task)
  by_left.remove(task)
  task.decode_left = nil
end

local function oldest()
  while first <= last and not by_age[first].decode_place do
    by_age[first] = nil
    first = first + 1
  end
  return by_age[first]
end

-- Whose turn it is, or nil. The task stays in here.
function decoding.next()
  if first > last then return nil end
  turn = turn + 1
  local task = oldest()
  return turn % 4 ~= 0 and by_left.first() or task
end

-- Whether there is anyone.
function decoding.any() return by_left.first() ~= nil end

-- Forgets all, and needs no memory for it. Their fields are the caller's to clear.
function decoding.reset()
  by_left.reset()
  for place in pairs(by_age) do by_age[place] = nil end
  first, last = 1, 0
end

return decoding
