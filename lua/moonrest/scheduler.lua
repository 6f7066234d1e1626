-- The loop that runs tasks: coroutines whose waits let others run. One flat loop resumes them from a ready queue, so
-- that a hundred thousand of them do not nest; the order is that in which they became ready. What never waits cannot
-- be interrupted.
--
-- A task waits for a request (which is told by its tag), news of a stream (likewise), a moment or another task. It may
-- be woken without a reason, so every wait asks again for what it waits for. It yields the private mark PARK and
-- nothing else; a coroutine of the user's own inside a task passes the mark on when moonrest.wrap made it.
--
-- A task is a table. The loop's fields: number, thread, state, values (arguments before it starts, results or the error
-- after its end), waiters, is_doomed (ends at its next wait), and what it waits for: request, wake_at and sleep_place,
-- awaits, gave_way and decode_left.
-- Its states:
--   ready -> running -> waiting -> ready ... -> done | failed | cancelled

local budget = require "moonrest.budget"
local caller = require "moonrest.caller"
local core = require "moonrest.core"
local decoding = require "moonrest.decoding"
local sleepers = require "moonrest.sleepers"
local unheard = require "moonrest.unheard"
local wait = require "moonrest.wait"

local scheduler = {}

local PARK <const> = setmetatable({}, { __name = "moonrest.park" })

local slice <const> = 0.1 -- seconds that the loop waits at most: Ctrl-C is noticed between waits only

local isyieldable, resume, running, status, yield =
  coroutine.isyieldable, coroutine.resume, coroutine.running, coroutine.status, coroutine.yield
local now = core.clock.now
local engine = core.engine()
local next_told, enter_step, leave_step = engine.next_told, engine.enter_step, engine.leave_step
local is_over = { done = true, failed = true, cancelled = true }

local tasks, live = {}, 0         -- that have not ended, by number, and how many
local last_number = 0
local ready, first, last = {}, 1, 0
local adopted = setmetatable({}, { __mode = "k" }) -- coroutines of moonrest.wrap -> the task that they run in

local current                     -- the task that is being resumed
local closing                     -- the coroutine of an ended task while its to-be-closed variables are closed
local turning = false             -- a turn is on the stack
local shaken = false              -- an error came where the loop was not whole: the next turn recovers first
local disturbance                 -- that error, when it is known
local deadline                    -- of the budgeted step that is on the stack
local may_block = true            -- outside of tasks
local on_ready                    -- a foreign loop's: told when a task becomes ready outside of a turn

scheduler.PARK = PARK

-- {========================================================================
-- Ready, and over
-- =========================================================================

local function make_ready(task)
  if task.state ~= "waiting" then return end
  ready[last + 1] = task -- first: there may be no memory for it
  task.state = "ready"
  last = last + 1
  if on_ready and not turning then on_ready() end
end

-- A wait of this task may be over; fine in every state.
scheduler.wake = make_ready

local function finish(task, state, values)
  task.state, task.values = state, values
  if task.sleep_place then sleepers.remove(task) end -- an error came between its waking and its leaving
  task.thread, task.request, task.wake_at, task.awaits = nil, nil, nil, nil
  if tasks[task.number] then
    tasks[task.number] = nil
    live = live - 1
  end
  local waiters = task.waiters
  task.waiters = nil
  if not waiters then return false end
  local before = shaken
  shaken = true
  for _, waiter in ipairs(waiters) do make_ready(waiter) end
  shaken = before
  return #waiters > 0
end

local function close_variables(thread)
  local before = closing
  closing = thread
  local closed, problem = coroutine.close(thread)
  closing = before
  return closed, problem
end

local without_memory = { "not enough memory", n = 1 } -- what a task fails with when there is none to say so

local function failure(problem)
  local is_made, values = pcall(table.pack, problem)
  return is_made and values or without_memory
end

local function fail(task, problem)
  local thread = task.thread
  local is_told, traceback = pcall(debug.traceback, thread)
  if not is_told then traceback = "stack traceback: none, for want of memory" end
  local closed, second = close_variables(thread)
  if not closed and second ~= nil then problem = second end -- of a to-be-closed variable: it replaces the first
  if not finish(task, "failed", failure(problem)) then unheard.keep(task, problem, traceback) end
end

local yielded = "a task yielded by itself, which only its waits may do; make a coroutine that yields inside a task with"
  .. " moonrest.wrap"

local function place_of_yield(thread)
  local info = debug.getinfo(thread, 1, "Sl") -- 0 is coroutine.yield
  return info and info.currentline > 0 and ("%s:%d: "):format(info.short_src, info.currentline) or ""
end

-- Whoever parks does not run any more when its mark comes: a mark that a function returns as its result is no mark.
local function settle(task, ok, mark, ...)
  if ok and mark == PARK and task.state ~= "running" then return task.is_doomed and scheduler.cancel(task) end
  if not ok then return fail(task, mark) end
  if status(task.thread) == "dead" then return finish(task, "done", table.pack(mark, ...)) end
  fail(task, place_of_yield(task.thread) .. yielded)
end

local function settle_first(task, ...)
  task.values = false
  return settle(task, ...)
end

-- The arguments are kept until the task has them: there may be no memory to give them to it.
local function run(task)
  local values = task.values
  task.state = "running"
  if not values then return settle(task, resume(task.thread)) end
  return settle_first(task, resume(task.thread, table.unpack(values, 1, values.n)))
end

-- 'current' is set first: whatever interrupts this, the task is not lost.
local function run_next()
  local task = ready[first]
  current = task
  ready[first] = nil
  first = first + 1
  if first > last then first, last = 1, 0 end
  if task.state == "ready" then run(task) end
  current = nil
end

-- Resumes those that are ready now. What becomes ready meanwhile has its turn later. Returns whether anyone was.
local function run_ready()
  local count = last - first + 1
  for _ = 1, count do run_next() end
  return count > 0
end

-- As run_ready, one at least, but no more than will probably be through by then.
local function run_ready_until(until_time, time, turn)
  local count = last - first + 1
  for index = 1, count do
    run_next()
    local begin = time
    time = now()
    budget.note_run(index == 1, time - begin, turn)
    if not budget.fits_next_run(time, until_time) then return true end
  end
  return count > 0
end

-- One slice of decoding.
local function run_slice(task)
  task.gave_way = false
  if task.state == "waiting" then
    current = task
    run(task)
    current = nil
  end
  if not task.gave_way then decoding.remove(task) end
end

-- As many slices as there is time for, and at least one, until a task is ready. Returns whether there were any.
local function run_slices(until_time)
  local task = decoding.next()
  local found = task ~= nil
  while task do
    run_slice(task)
    task = first > last and now() < until_time and decoding.next()
  end
  return found
end

-- Without a budget they have their turn like all others.
local function wake_decoding()
  local task = decoding.next()
  while task do
    decoding.remove(task)
    make_ready(task)
    task = decoding.next()
  end
end

-- }========================================================================

-- {========================================================================
-- Adding, and cancelling
-- =========================================================================

-- Takes a new task on: 'task' has none of the loop's fields yet, 'values' are the packed arguments or nil.
function scheduler.add(task, fn, values)
  last_number = last_number + 1
  task.number, task.thread, task.state = last_number, coroutine.create(fn), "waiting"
  task.values, task.is_doomed = values or false, false -- an absent field would be looked for in the metatable
  ready[last + 1] = task -- counts only when make_ready has it: there may be no memory for one of the two
  tasks[last_number] = task
  live = live + 1
  make_ready(task)
  return task
end

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
  if request then
    request:cancel()
    request:close()
  end
end

-- Ends a task where it waits: its request is cancelled, its to-be-closed variables are closed. Returns false when it
-- has ended already. An error of the closing makes it a failed one. The task that runs (it cancelled one that it is to
-- end with) is ended where it waits next.
function scheduler.cancel(task)
  if is_over[task.state] then return false end
  if task == current and task.state == "running" then
    task.is_doomed = true
    return true
  end
  local thread, before = task.thread, shaken
  release(task)
  shaken = true -- until the task is gone
  task.state = "cancelled"
  local closed, problem = close_variables(thread)
  if closed then
    finish(task, "cancelled")
  elseif not finish(task, "failed", { problem, n = 1 }) then
    unheard.keep(task, problem, debug.traceback(thread))
  end
  shaken = before
  return true
end

local function numbers()
  local list = {}
  for number in pairs(tasks) do list[#list + 1] = number end
  table.sort(list)
  return list
end

local most_rounds <const> = 100 -- for handlers that spawn while everything ends

function scheduler.cancel_all()
  local rounds = 0
  while live > 0 and rounds < most_rounds do
    rounds = rounds + 1
    for _, number in ipairs(numbers()) do
      if tasks[number] then scheduler.cancel(tasks[number]) end
    end
  end
end

-- }========================================================================

-- {========================================================================
-- Waiting
-- =========================================================================

local in_step = "this would wait inside a step but outside of a task: make the call in a task (moonrest.spawn)"
local in_coroutine = "a call in a coroutine of your own inside a task cannot wait: make that coroutine with"
  .. " moonrest.wrap"
local in_c = "a call in a task cannot wait here, because a C function that cannot be left and entered again is in"
  .. " between (table.sort, string.gsub, require, a finalizer): make the call before, and use its result here"
local in_closing = "a task that was cancelled or has failed cannot wait any more while its to-be-closed variables are"
  .. " closed: make the call in a task of its own there, moonrest.spawn(function() ... end)"
local forbidden = "this program does not let calls block: make the call in a task (moonrest.spawn)"

-- In a coroutine the loop, which runs below it, cannot be seen.
local function is_on_the_stack(level)
  local _, is_main = running()
  if not is_main then return true end
  level = level + 1
  local info = debug.getinfo(level, "f")
  while info and info.func ~= scheduler.turn and info.func ~= scheduler.step do
    level = level + 1
    info = debug.getinfo(level, "f")
  end
  return info ~= nil
end

-- Whether a turn is on the stack, from that level on. 'turning' alone is not trusted: an error in the very last
-- instructions of a turn leaves it set.
local function is_turning(level)
  if turning and not is_on_the_stack(level) then turning, shaken = false, true end
  return turning
end

-- The task that the running coroutine can wait as, why it cannot, or nil for one that knows nothing of tasks.
local function host()
  local thread = running()
  if thread == current.thread then return current end
  local within = adopted[thread]
  return (within == current or type(within) == "string") and within or nil
end

local function waiter_elsewhere()
  if (current or turning) and running() == closing then caller.raise(in_closing) end
  if not current then
    if is_turning(2) then caller.raise(in_step) end
    if not may_block then caller.raise(forbidden) end
    return nil
  end
  local within = host()
  if within ~= current then caller.raise(within or in_coroutine) end
  if not isyieldable() then caller.raise(in_c) end
  return current
end

-- The task that may wait here; nil outside of all tasks, where waiting blocks. Raises where neither is possible.
function scheduler.waiter()
  local task = current
  if task and running() == task.thread and isyieldable() then return task end
  return waiter_elsewhere()
end

-- The same where it is cheap: whether the running coroutine can wait as the task is left to be found out.
function scheduler.claim()
  return current or waiter_elsewhere()
end

-- The task on whose behalf code runs now, or nil.
function scheduler.current() return current end

-- 'thread' is resumed next by the running coroutine, which will pass its waits on if it can.
function scheduler.adopt(thread)
  local within = current and host()
  if within == current and current and not isyieldable() then within = in_c end
  adopted[thread] = within
end

local function park(task)
  task.state = "waiting"
  yield(PARK)
end

-- Lets the others have their turn. Returns when something has woken the task.
scheduler.park = park

-- Lets the others have their turn before the task, which has so many bytes still to decode, goes on.
function scheduler.give_way(task, left)
  decoding.add(task, left)
  task.gave_way = true
  park(task)
end

-- Lets the others have their turn when the step that runs has no time for more than there was. What the task does now
-- it has not done in this step, so nothing of it is in the caches.
function scheduler.catch_breath(task)
  if not deadline or budget.fits_first_run(now(), deadline) then return end
  task.state = "waiting"
  make_ready(task)
  yield(PARK)
end

-- Returns when the request is finished, which was started with the task's number as its tag; or earlier, without a
-- reason. Outside of tasks 'task' is nil.
function scheduler.finish_for(task, request)
  if not task then return wait.finish(request) end
  task.request, task.state = request, "waiting"
  yield(PARK)
  task.request = nil
end

-- Returns when the request is finished, or after so many seconds when they are given.
function scheduler.wait_request(task, request, seconds)
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
function scheduler.wait_news(task, request)
  if not request:tag(task.number) then return end
  task.request = request
  park(task)
  task.request = nil
end

-- Lets the others have their turn even when it is that time already.
function scheduler.wait_until(task, wake_at)
  task.wake_at = wake_at
  repeat
    sleepers.add(task)
    park(task)
    sleepers.remove(task)
  until now() >= wake_at
  task.wake_at = nil
end

-- Returns when the other task has ended.
function scheduler.wait_task(task, other)
  if is_over[other.state] then return end
  other.waiters = other.waiters or {}
  table.insert(other.waiters, task)
  task.awaits = other
  while not is_over[other.state] do park(task) end
  task.awaits = nil
end

-- }========================================================================

-- {========================================================================
-- The loop
-- =========================================================================

local function wake_sleepers()
  local task = sleepers.first()
  if not task then return end
  local time = now()
  while task and task.wake_at <= time do
    sleepers.remove(task)
    make_ready(task)
    task = sleepers.first()
  end
end

local function wake_told()
  for number in next_told, engine do
    local task = tasks[number]
    if task then make_ready(task) end
  end
end

local most_told <const> = 1000 -- who is told of requests that end as soon as they are made must not keep the others out

-- Those that the engine tells of have their turn at once when nobody is ahead of them: it costs less than the queue.
local function run_told()
  for _ = 1, first > last and most_told or 0 do
    local task = tasks[next_told(engine)]
    if not task then break end
    if task.state == "waiting" then
      current, task.state = task, "running"
      settle(task, resume(task.thread))
      current = nil
    end
  end
  wake_told()
end

local function patience(timeout)
  if first <= last or decoding.next() then return 0 end
  local task = sleepers.first()
  return task and math.max(0, math.min(timeout, task.wake_at - now())) or timeout
end

-- What a task fails with whose results, or whose own error, went with the loop. An object is not asked for its words.
local function lost_end()
  local words = type(disturbance) == "string" and ": " .. disturbance or ""
  return "the loop was interrupted when this task ended" .. words
end

local function fail_lost(task) fail(task, lost_end()) end

local function is_older(one, other) return one.number < other.number end

-- Everyone's wait is over, those whose end was interrupted included.
local function recover_one(task)
  task.sleep_place, task.decode_left = nil, nil
  if is_over[task.state] then -- interrupted on its way out
    finish(task, task.state, task.values)
  else
    task.state = "waiting"
    make_ready(task)
  end
end

-- An error (Ctrl-C above all) may have come between any two instructions of the loop, so nothing of what it was about
-- to do is trusted: all tasks look for themselves whether their wait is over. The error may have been that there is no
-- memory, and it is the tasks that have it: nothing is made anew here, and those that find no room in the queue are
-- taken up by the next turn.
local function recover()
  for place in pairs(ready) do ready[place] = nil end
  first, last = 1, 0
  sleepers.reset()
  decoding.reset()
  local is_whole = true
  for _, task in pairs(tasks) do is_whole = pcall(recover_one, task) and is_whole end
  table.sort(ready, is_older)
  for place = 1, last do
    local task = ready[place]
    if task.thread and status(task.thread) ~= "suspended" then is_whole = pcall(fail_lost, task) and is_whole end
  end
  live = 0 -- one may have been taken out and not been counted
  for _ in pairs(tasks) do live = live + 1 end
  if is_whole then shaken, disturbance = false, nil end
end

local turn_guard = setmetatable({}, { __name = "moonrest.turn", __close = function(_, problem)
  current, deadline = nil, nil
  leave_step(engine)
  if problem ~= nil then
    shaken, disturbance = true, problem
    pcall(recover) -- without memory for that, the next turn tries again
  end
  turning = false
end })

-- The guard stands before 'turning' is set: an error between the two must not leave it set for ever.
local function check_entry()
  if is_turning(4) then
    caller.raise "a step within a step: a task or an event handler must not drive the loop it runs in"
  end
  if shaken then recover() end
end

-- One turn: those who are ready, then the engine, which waits at most 'timeout' seconds; and not at all when no task is
-- left, or 'is_enough' (may be nil) says that whoever turns the loop has what it wanted.
function scheduler.turn(timeout, is_enough)
  check_entry()
  local _ <close> = turn_guard
  turning = true
  wake_sleepers()
  wake_decoding()
  run_ready()
  local is_over_now = live == 0 or is_enough and is_enough()
  engine:step(is_over_now and 0 or patience(timeout))
  run_told()
  wake_sleepers()
end

-- How long all may work before each has had its turn, in seconds, however large the budget is.
local longest_turn <const> = 0.004

local function run_network(until_time, time)
  engine:step(0, math.max(until_time - time, 0))
  wake_told()
  wake_sleepers()
  return false
end

local run_round = budget.divide(run_network, run_ready_until, run_slices)

-- What can be done within so many seconds, without waiting for anything. Of those who want it each has a bit of its
-- turn, if not in this step then in one of the next; what tasks have started is sent.
function scheduler.step(seconds)
  check_entry()
  seconds = seconds * budget.aimed_at
  local _ <close> = turn_guard
  turning = true
  local time
  time, deadline = enter_step(engine, seconds)
  local turn = math.min(seconds, longest_turn)
  local busy, is_first = deadline ~= nil, true
  while busy and (is_first or time < deadline) do
    busy = run_round(time, math.min(deadline, time + turn), turn, is_first)
    time, is_first = now(), false
  end
  leave_step(engine)
end

local function is_left(is_enough) return live > 0 and not (is_enough and is_enough()) end

-- Turns until nothing is left, or until 'is_enough' (may be nil) says so.
function scheduler.run(is_enough)
  local goes_on = is_left(is_enough)
  while goes_on do
    scheduler.turn(slice, is_enough)
    goes_on = is_left(is_enough)
    if goes_on then scheduler.check_progress() end
    wait.remark()
  end
end

-- Raises when nothing can ever wake those that wait.
function scheduler.check_progress()
  if live == 0 or first <= last or sleepers.first() or decoding.next() or engine:pending() > 0 then return end
  caller.raise("%d tasks wait for each other, and nothing can wake them", live)
end

-- }========================================================================

-- {========================================================================
-- What others ask
-- =========================================================================

-- Tasks that have not ended.
function scheduler.live() return live end

-- True when there is nothing to do, now or later.
function scheduler.is_idle() return live == 0 and engine:pending() == 0 end

-- When the budget of the step that runs is spent, on core.clock; nil in a turn without a budget.
function scheduler.deadline() return deadline end

-- Seconds until a step has something to do; nil when only the descriptor will tell.
function scheduler.timeout()
  if first <= last or decoding.next() then return 0 end
  local timer, task = engine:next_timer(), sleepers.first()
  if not task then return timer end
  local left = math.max(0, task.wake_at - now())
  return timer and math.min(timer, left) or left
end

-- The engine's turn although there is no task: connections that servers have closed must not keep the descriptor
-- readable.
function scheduler.drain()
  if scheduler.is_idle() then engine:step(0) end
end

-- Readable when a step has something to do.
function scheduler.descriptor() return engine:descriptor() end

-- 'hook' is called when a task becomes ready while no step is running; nil ends it.
function scheduler.on_ready(hook) on_ready = hook end

-- False: waits outside of tasks raise instead of blocking the program.
function scheduler.set_blocking(allowed) may_block = allowed end

-- Raises where a run cannot be: inside a task or a step, and where nothing may block.
function scheduler.check_blocking()
  if is_turning(2) then caller.raise(current and "a run inside a task: await what you spawn instead" or in_step) end
  if not may_block then caller.raise(forbidden) end
end

function scheduler.is_over(task) return is_over[task.state] == true end

-- }========================================================================

wait.use(scheduler)

return scheduler
