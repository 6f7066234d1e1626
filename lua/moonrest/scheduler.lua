-- The loop that runs tasks: coroutines whose waits let others run. One flat loop resumes them from a ready queue, so
-- that a hundred thousand of them do not nest; the order is that in which they became ready. What never waits holds up
-- the others.

local budget = require "moonrest.budget"
local caller = require "moonrest.caller"
local core = require "moonrest.core"
local current = require "moonrest.current"
local decoding = require "moonrest.decoding"
local parking = require "moonrest.parking"
local ready = require "moonrest.ready"
local recovery = require "moonrest.recovery"
local reserve = require "moonrest.reserve"
local sleepers = require "moonrest.sleepers"
local task_life = require "moonrest.task_life"
local wait = require "moonrest.wait"

local scheduler = {}

local slice <const> = 0.1 -- seconds that the loop waits at most, as every wait does

local now = core.clock.now
local engine = core.engine()
local next_told, enter_step, leave_step = engine.next_told, engine.enter_step, engine.leave_step
local tasks, run_task, settle = task_life.tasks, task_life.run, task_life.settle
local wake, resume = ready.wake, coroutine.resume

-- {========================================================================
-- Who has a turn
-- =========================================================================

local function run_next()
  local task = ready.take()
  if task.state == "ready" then run_task(task) end
  current.task = false
end

-- Resumes those that are ready now. What becomes ready meanwhile has its turn later.
local function run_ready()
  for _ = 1, ready.size do run_next() end
end

-- As run_ready, one at least, but no more than will probably be through by then. Returns whether anyone was.
local function run_ready_until(until_time, time, turn)
  local count = ready.size
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
  if task.state == "waiting" then run_task(task) end
  current.task = false
  if not task.gave_way then decoding.remove(task) end
end

-- As many slices as there is time for, and at least one, until a task is ready. Returns whether there were any.
local function run_slices(until_time)
  local task = decoding.next()
  local found = task ~= nil
  while task do
    run_slice(task)
    task = ready.size == 0 and now() < until_time and decoding.next()
  end
  return found
end

-- Without a budget they have their turn like all others.
local function wake_decoding()
  local task = decoding.next()
  while task do
    decoding.remove(task)
    wake(task)
    task = decoding.next()
  end
end

local function wake_sleepers()
  local task = sleepers.first()
  if not task then return end
  local time = now()
  while task and task.wake_at <= time do
    sleepers.remove(task)
    wake(task)
    task = sleepers.first()
  end
end

local function wake_told()
  for number in next_told, engine do
    local task = tasks[number]
    if task then wake(task) end
  end
end

local most_told <const> = 1000 -- who is told of requests that end as soon as they are made must not keep the others out

-- Those that the engine tells of have their turn at once when nobody is ahead of them: it costs less than the queue.
-- Most tasks go on from here, so it is run_task without what only the first turn of a task needs.
local function run_told()
  for _ = 1, ready.size > 0 and 0 or most_told do
    local task = tasks[next_told(engine)]
    if not task then break end
    if task.state == "waiting" then
      current.task, task.state = task, "running"
      settle(task, resume(task.thread))
    end
  end
  current.task = false
  wake_told()
end

-- }========================================================================

-- {========================================================================
-- Turns
-- =========================================================================

local turn_guard = setmetatable({}, { __name = "moonrest.turn", __close = function(_, problem)
  current.task, current.deadline = false, false
  leave_step(engine)
  if problem ~= nil then
    reserve.held = false -- it may be what the recovery needs
    current.is_shaken, current.disturbance = true, problem
    pcall(recovery.recover) -- without memory for that, the next turn tries again
  end
  current.is_turning = false
end })

local function check_entry()
  if current.is_turning then current.check_entry() end
end

-- The guard stands before the turn is noted: an error between the two must not leave that for ever. It also stands
-- before the recovery, which may need what is set aside. That is so again before a task can take the memory.
local function begin_turn()
  if current.is_shaken then recovery.recover() end
  reserve.fill()
end

local function patience(timeout)
  if ready.size > 0 or decoding.next() then return 0 end
  local task = sleepers.first()
  return task and math.max(0, math.min(timeout, task.wake_at - now())) or timeout
end

-- One turn: those who are ready, then the engine, which waits at most 'timeout' seconds; and not at all when no task is
-- left, or 'is_enough' (may be nil) says that whoever turns the loop has what it wanted.
function scheduler.turn(timeout, is_enough)
  check_entry()
  local _ <close> = turn_guard
  current.is_turning = true
  begin_turn()
  wake_sleepers()
  wake_decoding()
  run_ready()
  local is_over_now = task_life.live == 0 or is_enough and is_enough()
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
  seconds = budget.aim(seconds)
  local _ <close> = turn_guard
  current.is_turning = true
  local deadline = enter_step(engine, seconds, task_life.live > 0)
  if not deadline then return end
  begin_turn()
  current.deadline = deadline
  local time, turn = now(), math.min(seconds, longest_turn)
  local busy, is_first = true, true
  while busy and (is_first or time < deadline) do
    busy = run_round(time, math.min(deadline, time + turn), turn, is_first)
    time, is_first = now(), false
  end
  leave_step(engine)
end

current.note_driver(scheduler.turn)
current.note_driver(scheduler.step)

-- Whether there are tasks that have not ended, and 'is_enough' (may be nil) does not say that they need not.
local function is_left(is_enough) return task_life.live > 0 and not (is_enough and is_enough()) end

scheduler.is_left = is_left

-- Raises when nothing can ever wake those that wait.
local function check_progress()
  local live = task_life.live
  if live == 0 or ready.size > 0 or sleepers.first() or decoding.next() or engine:pending() > 0 then return end
  caller.raise("%d tasks wait for each other, and nothing can wake them", live)
end

local function run_until(is_enough)
  local goes_on = is_left(is_enough)
  while goes_on do
    scheduler.turn(slice, is_enough)
    goes_on = is_left(is_enough)
    if goes_on then check_progress() end
    wait.remark()
  end
end

-- An error that ended 'label', which drives the tasks: that of Ctrl-C tells what it was and what was on its way.
function scheduler.raise(problem, label)
  local interruption = require "moonrest.interruption"
  if interruption.is(problem) then interruption.raise(label, interruption.describe(task_life.requests())) end
  error(problem, 0)
end

-- Turns until nothing is left, or until 'is_enough' (may be nil) says so. 'label' names what runs them.
function scheduler.run(is_enough, label)
  local is_good, problem = pcall(run_until, is_enough)
  if not is_good then scheduler.raise(problem, label) end
end

-- }========================================================================

-- {========================================================================
-- What loops of others ask
-- =========================================================================

-- Seconds until a step has something to do; nil when only the descriptor will tell.
function scheduler.timeout()
  if ready.size > 0 or decoding.next() then return 0 end
  local timer, task = engine:next_timer(), sleepers.first()
  if not task then return timer end
  local left = math.max(0, task.wake_at - now())
  return timer and math.min(timer, left) or left
end

-- The engine's turn although there is no task: connections that servers have closed must not keep the descriptor
-- readable.
function scheduler.drain()
  if task_life.live == 0 and engine:pending() == 0 then engine:step(0) end
end

-- Readable when a step has something to do.
function scheduler.descriptor() return engine:descriptor() end

-- }========================================================================

reserve.fill()
wait.use(scheduler, current, parking)
engine:listen()

return scheduler
