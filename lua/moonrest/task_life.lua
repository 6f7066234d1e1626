-- The life of a task: a coroutine that is resumed when it is its turn, until it ends, fails or is cancelled.
--
-- A task waits for a request (which is told by its tag), news of a stream (likewise), a moment or another task. It may
-- be woken without a reason, so every wait asks again for what it waits for. It yields the private mark PARK and
-- nothing else; a coroutine of the user's own inside a task passes the mark on when moonrest.wrap made it.
--
-- A task is a table. The loop's fields: number, thread, state, values (arguments before it starts; after its end
-- results, or the error and, until somebody has got that, the traceback), waiters, is_doomed (ends at its next wait),
-- and what it waits for: request, wake_at and sleep_place, awaits, gave_way, decode_left and decode_place.
-- Its states:
--   ready -> running -> waiting -> ready ... -> done | failed | cancelled

local core = require "moonrest.core"
local current = require "moonrest.current"
local ready = require "moonrest.ready"
local sleepers = require "moonrest.sleepers"
local unheard = require "moonrest.unheard"

local task_life = {
  live = 0,   -- how many have not ended
  tasks = {}, -- these, by number: for others to look at
}

local PARK <const> = setmetatable({}, { __name = "moonrest.park" })

local resume, status = coroutine.resume, coroutine.status
local wake, engine = ready.wake, core.engine()
local is_over = { done = true, failed = true, cancelled = true }

local tasks, last_number = task_life.tasks, 0

-- What a task yields when it waits.
task_life.PARK = PARK

function task_life.is_over(task) return is_over[task.state] == true end

-- {========================================================================
-- Its end
-- =========================================================================

-- What is left of a task when it has ended. Returns whether anyone waits for it.
local function finish(task, state, values)
  task.state, task.values = state, values
  if task.sleep_place then sleepers.remove(task) end -- an error came between its waking and its leaving
  task.thread, task.request, task.wake_at, task.awaits = nil, nil, nil, nil
  if tasks[task.number] then
    tasks[task.number] = nil
    task_life.live = task_life.live - 1
  end
  local waiters = task.waiters
  task.waiters = nil
  if not waiters then return false end
  local before = current.is_shaken
  current.is_shaken = true
  for _, waiter in ipairs(waiters) do wake(waiter) end
  current.is_shaken = before
  return #waiters > 0
end

-- Of a task whose end was interrupted.
function task_life.finish_again(task) return finish(task, task.state, task.values) end

local function close_variables(thread)
  local before = current.closing
  current.closing = thread
  local closed, problem = coroutine.close(thread)
  current.closing = before
  return closed, problem
end

local without_memory = { "not enough memory", n = 1 } -- what a task fails with when there is none to say so

local function failure(problem, traceback)
  local is_made, values = pcall(table.pack, problem, traceback)
  return is_made and values or without_memory
end

local function finish_badly(task, problem, traceback)
  if not finish(task, "failed", failure(problem, traceback)) then unheard.keep(task, problem, traceback) end
end

-- Somebody who waited for the task ends instead. If it has failed meanwhile, and nobody else has got its error or will
-- get it, the error is told.
function task_life.abandon(task)
  local traceback = task.state == "failed" and task.values[2]
  if traceback and not task.unheard then unheard.keep(task, task.values[1], traceback) end
end

-- Ends a task that does not run with this error, or with one of its to-be-closed variables.
local function fail(task, problem)
  local thread = task.thread
  engine:forsake(task.number)
  local is_told, traceback = pcall(debug.traceback, thread)
  if not is_told then traceback = "stack traceback: none, for want of memory" end
  local closed, second = close_variables(thread)
  if not closed and second ~= nil then problem = second end
  finish_badly(task, problem, traceback)
end

task_life.fail = fail

-- The count anew: an error may have come between the end of a task and its counting.
function task_life.recount()
  local count = 0
  for _ in pairs(tasks) do count = count + 1 end
  task_life.live = count
end

-- }========================================================================

-- {========================================================================
-- Its turns
-- =========================================================================

-- Takes a new task on: 'task' has none of the loop's fields yet, 'values' are the packed arguments or nil.
function task_life.add(task, fn, values)
  last_number = last_number + 1
  task.number, task.thread, task.state = last_number, coroutine.create(fn), "waiting"
  task.values, task.is_doomed = values or false, false -- an absent field would be looked for in the metatable
  ready.reserve(task) -- there may be no memory for one of the two
  tasks[last_number] = task
  task_life.live = task_life.live + 1
  wake(task)
  return task
end

local yielded = "a task yielded by itself, which only its waits may do; make a coroutine that yields inside a task with"
  .. " moonrest.wrap"

local function place_of_yield(thread)
  local info = debug.getinfo(thread, 1, "Sl") -- 0 is coroutine.yield
  return info and info.currentline > 0 and ("%s:%d: "):format(info.short_src, info.currentline) or ""
end

-- Whoever parks does not run any more when its mark comes: a mark that a function returns as its result is no mark.
local function settle(task, ok, mark, ...)
  if ok and mark == PARK and task.state ~= "running" then return task.is_doomed and task_life.cancel(task) end
  if not ok then return fail(task, mark) end
  if status(task.thread) == "dead" then return finish(task, "done", table.pack(mark, ...)) end
  fail(task, place_of_yield(task.thread) .. yielded)
end

-- What has come of resuming a task.
task_life.settle = settle

local function settle_first(task, ...)
  task.values = false
  return settle(task, ...)
end

-- Resumes a task until it waits again or has ended. The arguments are kept until the task has them: there may be no
-- memory to give them to it. Whoever calls this says afterwards that no task is current: where a task ends for want of
-- memory there may be none for one more call on the stack.
function task_life.run(task)
  local values = task.values
  current.task, task.state = task, "running"
  if not values then return settle(task, resume(task.thread)) end
  return settle_first(task, resume(task.thread, table.unpack(values, 1, values.n)))
end

-- }========================================================================

-- {========================================================================
-- Cancelling
-- =========================================================================

local function leave_waiters(task)
  local waiters = task.awaits and task.awaits.waiters
  for place, waiter in ipairs(waiters or {}) do
    if waiter == task then
      table.remove(waiters, place)
      return
    end
  end
end

local function release(task)
  local request = task.request
  sleepers.remove(task)
  leave_waiters(task)
  if task.awaits then task_life.abandon(task.awaits) end
  if request then
    request:cancel()
    request:close()
  end
end

-- Ends a task where it waits: its request is cancelled, its to-be-closed variables are closed. Returns false when it
-- has ended already. An error of the closing makes it a failed one. The task that runs (it cancelled one that it is to
-- end with) is ended where it waits next.
function task_life.cancel(task)
  if is_over[task.state] then return false end
  if task == current.task and task.state == "running" then
    task.is_doomed = true
    return true
  end
  local thread, before = task.thread, current.is_shaken
  release(task)
  current.is_shaken = true -- until the task is gone
  task.state = "cancelled"
  local closed, problem = close_variables(thread)
  if closed then
    finish(task, "cancelled")
  else
    finish_badly(task, problem, debug.traceback(thread))
  end
  current.is_shaken = before
  return true
end

local function numbers()
  local list = {}
  for number in pairs(tasks) do list[#list + 1] = number end
  table.sort(list)
  return list
end

-- What the tasks wait for, in the order of their age.
function task_life.requests()
  local list = {}
  for _, number in ipairs(numbers()) do list[#list + 1] = tasks[number].request end
  return list
end

local most_rounds <const> = 100 -- for handlers that spawn while everything ends

function task_life.cancel_all()
  local rounds = 0
  while task_life.live > 0 and rounds < most_rounds do
    rounds = rounds + 1
    for _, number in ipairs(numbers()) do
      if tasks[number] then task_life.cancel(tasks[number]) end
    end
  end
end

-- }========================================================================

return task_life
