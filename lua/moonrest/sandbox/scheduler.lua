-- Timers of one time scale, run in the order of their times; equal ones in the order they were set.

local scheduler = {}
scheduler.__index = scheduler
scheduler.__name = "moonrest.sandbox.scheduler"

function scheduler.new() return setmetatable({ timers = {} }, scheduler) end

local function position(timers, due)
  local low, high = 1, #timers + 1
  while low < high do
    local middle = (low + high) // 2
    if timers[middle].due > due then high = middle else low = middle + 1 end
  end
  return low
end

--- Calls `action` once `due` is reached. Returns the timer, for cancel.
function scheduler:at(due, action)
  local timer = { due = due, action = action }
  table.insert(self.timers, position(self.timers, due), timer)
  return timer
end

function scheduler:cancel(timer)
  for i, other in ipairs(self.timers) do
    if other == timer then return table.remove(self.timers, i) end
  end
end

--- When the next timer is due, or nil.
function scheduler:next() return self.timers[1] and self.timers[1].due end

--- Takes the first timer that is due at `now`, or nil.
function scheduler:take(now)
  local first = self.timers[1]
  if first and first.due <= now then return table.remove(self.timers, 1) end
end

return scheduler
