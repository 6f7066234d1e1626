-- Tasks whose answers are decoded in slices, in the order in which they go on: three slices of four go to the one with
-- the least left, so that small answers do not wait behind large ones, and few are half made at a time (the collector
-- walks in one go through all that grows while it is at work). The fourth goes to the one that is here longest.
--
-- A task carries its decode_left (bytes) while it is in here.

local decoding = {}

local by_left = {}                -- the least at the end
local by_age, first, last = {}, 1, 0
local turn = 0

local function put(task)
  local place = #by_left + 1
  while place > 1 and by_left[place - 1].decode_left < task.decode_left do
    by_left[place] = by_left[place - 1]
    place = place - 1
  end
  by_left[place] = task
end

local function take(task)
  for place = #by_left, 1, -1 do
    if by_left[place] == task then
      table.remove(by_left, place)
      return
    end
  end
end

-- 'left' are the bytes that the task has still to decode. Fine when it is in here.
function decoding.add(task, left)
  if task.decode_left then
    take(task)
  else
    by_age[last + 1] = task -- first: there may be no memory for it
    last = last + 1
  end
  task.decode_left = left
  put(task)
end

function decoding.remove(task)
  if not task.decode_left then return end
  take(task)
  task.decode_left = nil
end

local function oldest()
  while first <= last and not by_age[first].decode_left do
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
  return turn % 4 ~= 0 and by_left[#by_left] or task
end

-- Whether there is anyone.
function decoding.any() return by_left[1] ~= nil end

-- Forgets all, and needs no memory for it. Their decode_left is the caller's to clear.
function decoding.reset()
  for place in pairs(by_left) do by_left[place] = nil end
  for place in pairs(by_age) do by_age[place] = nil end
  first, last = 1, 0
end

return decoding
