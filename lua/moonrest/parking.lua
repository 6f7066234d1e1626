-- What a task does when it waits: it lets the others have their turn, and looks for what it waits for when it has been
-- woken. Only the task that runs parks, in a coroutine that may wait (moonrest.current).

local budget = require "moonrest.budget"
local core = require "moonrest.core"
local current = require "moonrest.current"
local decoding = require "moonrest.decoding"
local ready = require "moonrest.ready"
local sleepers = require "moonrest.sleepers"
local task_life = require "moonrest.task_life"

local parking = {}

local PARK <const> = task_life.PARK

local slice <const> = 0.1 -- seconds that a request is waited for at one go

local now, yield = core.clock.now, coroutine.yield
local is_over = task_life.is_over

-- As current.waiter where it is cheap: whether the running coroutine can wait as the task is left to be found out.
-- Outside of all tasks nil, and how long a wait may keep the tasks waiting in turn; nil when there are any.
function parking.claim()
  local task = current.task
  if task then return task end
  return current.waiter(), task_life.live == 0 and slice or nil
end

local function park(task)
  task.state = "waiting"
  yield(PARK)
end

-- Returns when something has woken the task.
parking.park = park

-- Lets the others have their turn before the task, which has so many bytes still to decode, goes on.
function parking.give_way(task, left)
  decoding.add(task, left)
  task.gave_way = true
  park(task)
end

-- Lets the others have their turn when the step that runs has no time for more than there was. What the task does now
-- it has not done in this step, so nothing of it is in the caches.
function parking.catch_breath(task)
  local deadline = current.deadline
  if not deadline or budget.fits_first_run(now(), deadline) then return end
  task.state = "waiting"
  ready.wake(task)
  yield(PARK)
end

-- Returns when the request is finished, which was started with the task's number as its tag; or earlier, without a
-- reason.
function parking.finish_for(task, request)
  task.request, task.state = request, "waiting"
  yield(PARK)
  task.request = nil
end

-- Returns when the request is finished, or after so many seconds when they are given.
function parking.wait_request(task, request, seconds)
  task.request = request
  local wake_at = seconds and now() + seconds
  while request:tag(task.number) and not (wake_at and now() >= wake_at) do
    if wake_at then
      task.wake_at = wake_at
      sleepers.add(task)
    end
    park(task)
    sleepers.remove(task)
  end
  task.request = nil
end

-- Returns when there is something new to read of the request, a stream.
function parking.wait_news(task, request)
  if not request:tag(task.number) then return end
  task.request = request
  park(task)
  task.request = nil
end

-- Lets the others have their turn even when it is that time already.
function parking.wait_until(task, wake_at)
  task.wake_at = wake_at
  repeat
    sleepers.add(task)
    park(task)
    sleepers.remove(task)
  until now() >= wake_at
  task.wake_at = nil
end

-- Returns when the other task has ended.
function parking.wait_task(task, other)
  if is_over(other) then return end
  other.waiters = other.waiters or {}
  table.insert(other.waiters, task)
  task.awaits = other
  while not is_over(other) do park(task) end
  task.awaits = nil
end

return parking
