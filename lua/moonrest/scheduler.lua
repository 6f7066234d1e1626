-- Tasks: coroutines whose waits let others run. One flat loop resumes them from a ready
-- queue, so that a hundred thousand of them do not nest. A task waits for one of four
-- things: a request (told by its tag), a moment, another task, or any progress at all.
--
-- A task yields the private mark PARK and nothing else. A coroutine of the user's own inside a
-- task passes it on when it was made by scheduler.wrap.

local caller = require "moonrest.caller"

local scheduler = {}

local PARK <const> = setmetatable({}, { __name = "moonrest.park" })

local core, engine -- of this lua_State, fetched when the first task runs

local current           -- the task that is being resumed
local turning = false   -- a turn is on the stack
local live = 0          -- tasks that have not ended
local last_number = 0

local ready, ready_first, ready_last = {}, 1, 0
local by_tag = {}       -- requests that tasks wait for
local onlookers = {}    -- tasks that wait for any progress
local sleepers = {}     -- binary heap by wake time
local wrapped = setmetatable({}, { __mode = "k" }) -- coroutines that pass PARK on

local Task = { __name = "moonrest.task" }
Task.__index = Task
scheduler.Task = Task

local function connect()
  core = core or require "moonrest.core"
  engine = engine or core.engine()
end

-- ---- sleepers ----

local function earlier(a, b)
  return a.wake_at < b.wake_at or (a.wake_at == b.wake_at and a.number < b.number)
end

local function sift_up(place)
  local task = sleepers[place]
  while place > 1 and earlier(task, sleepers[place // 2]) do
    sleepers[place] = sleepers[place // 2]
    place = place // 2
  end
  sleepers[place] = task
end

local function sift_down()
  local task, place, count = sleepers[1], 1, #sleepers
  while place * 2 <= count do
    local child = place * 2
    if child < count and earlier(sleepers[child + 1], sleepers[child]) then child = child + 1 end
    if not earlier(sleepers[child], task) then break end
    sleepers[place] = sleepers[child]
    place = child
  end
  sleepers[place] = task
end

local function push_sleeper(task)
  sleepers[#sleepers + 1] = task
  sift_up(#sleepers)
end

local function pop_sleeper()
  local task = sleepers[1]
  local last = table.remove(sleepers)
  if last ~= task then
    sleepers[1] = last
    sift_down()
  end
  return task
end

-- ---- the ready queue ----

local function make_ready(task)
  if task.is_ready or task.is_over then return end
  task.is_ready = true
  ready_last = ready_last + 1
  ready[ready_last] = task
end

local function next_ready()
  if ready_first > ready_last then return nil end
  local task = ready[ready_first]
  ready[ready_first] = nil
  ready_first = ready_first + 1
  if ready_first > ready_last then ready_first, ready_last = 1, 0 end
  task.is_ready = false
  return task
end

-- ---- the life of a task ----

local function finish(task, ok, results)
  task.is_over = true
  task.ok, task.results = ok, results
  task.thread = nil
  live = live - 1
  local waiters = task.waiters
  task.waiters = nil
  for _, waiter in ipairs(waiters or {}) do make_ready(waiter) end
end

local function resumed(task, ok, mark, ...)
  if ok and coroutine.status(task.thread) == "suspended" then
    if mark == PARK then return end
    local thread = task.thread
    coroutine.close(thread)
    return finish(task, false, table.pack("a task yielded by itself; a coroutine inside a task must be made by moonrest.wrap"))
  end
  if not ok then coroutine.close(task.thread) end
  finish(task, ok, table.pack(mark, ...))
end

local function resume(task)
  if task.is_over then return end
  current = task
  resumed(task, coroutine.resume(task.thread, table.unpack(task.arguments or {}, 1, task.arguments and task.arguments.n or 0)))
  task.arguments = nil
  current = nil
end

-- Gives the turn away until somebody makes this task ready again.
local function park()
  coroutine.yield(PARK)
end

function scheduler.spawn(fn, ...)
  if type(fn) ~= "function" then caller.raise("moonrest.spawn: a function is needed, got a %s", type(fn)) end
  connect()
  last_number = last_number + 1
  live = live + 1
  local task = setmetatable({ number = last_number, thread = coroutine.create(fn), arguments = table.pack(...) }, Task)
  make_ready(task)
  return task
end

-- The running task, when the running coroutine may wait as one.
function scheduler.current()
  if not current then return nil end
  local running = coroutine.running()
  if running == current.thread or wrapped[running] then return current end
  return nil
end

-- Raises where a wait would stop the program's own loop: in a step, but not in a task.
function scheduler.check_blocking()
  if turning then
    caller.raise("a call inside a step can wait only in a task; make this coroutine with moonrest.wrap, or spawn it")
  end
end

-- ---- waiting ----

local function wait_for_request(task, request)
  if not request:tag(task.number) then return end
  by_tag[task.number] = task
  task.request = request
  park()
  task.request = nil
  by_tag[task.number] = nil
end

function scheduler.wait_request(task, request)
  while not request:finished() do wait_for_request(task, request) end
end

function scheduler.wait_progress(task)
  onlookers[#onlookers + 1] = task
  park()
end

function scheduler.wait_until(task, wake_at)
  task.wake_at = wake_at
  while core.clock.now() < wake_at do
    push_sleeper(task)
    park()
  end
end

local function wait_task(task, other)
  other.waiters = other.waiters or {}
  table.insert(other.waiters, task)
  while not other.is_over do park() end
end

-- ---- the loop ----

local function wake_sleepers()
  if not sleepers[1] then return end
  local now = core.clock.now()
  while sleepers[1] and (sleepers[1].wake_at <= now or sleepers[1].is_over) do make_ready(pop_sleeper()) end
end

local function wake_finished()
  for tag in engine.next_finished, engine do
    local task = by_tag[tag]
    if task then make_ready(task) end
  end
end

local function wake_onlookers()
  if not onlookers[1] then return end
  local list = onlookers
  onlookers = {}
  for _, task in ipairs(list) do make_ready(task) end
end

-- Resumes what is ready now, until 'deadline' (nil: all of it); what becomes ready meanwhile has its turn later.
local function run_ready(deadline)
  local last = ready_last
  local place = ready_first
  while place <= last do
    local task = next_ready()
    if not task then return end
    resume(task)
    if deadline and core.clock.now() >= deadline then return end
    place = place + 1
  end
end

local function patience(timeout)
  if ready_first <= ready_last then return 0 end
  if sleepers[1] then timeout = math.min(timeout, math.max(0, sleepers[1].wake_at - core.clock.now())) end
  return timeout
end

local function turn(timeout, deadline)
  wake_sleepers()
  run_ready(deadline)
  engine:step(patience(timeout))
  wake_finished()
  wake_onlookers()
  wake_sleepers()
end

-- One turn: tasks that are ready, then the engine, which waits at most 'timeout' seconds.
function scheduler.turn(timeout, deadline)
  connect()
  if turning then caller.raise "a step within a step" end
  turning = true
  local ok, problem = pcall(turn, timeout, deadline)
  turning, current = false, nil
  if not ok then error(problem, 0) end
end

function scheduler.is_turning() return turning end

function scheduler.live() return live end

-- ---- what users do with a task ----

local function describe(task)
  if not task.is_over then return task == current and "running" or "waiting" end
  return task.is_cancelled and "cancelled" or task.ok and "done" or "failed"
end

function Task:status() return describe(self) end

Task.__tostring = function(task) return ("moonrest.task %d (%s)"):format(task.number, describe(task)) end

local function cancelled_error()
  return require "moonrest.errors".make { kind = "cancelled", message = "the task was cancelled" }
end

local function give(task)
  task.is_heard = true
  if task.is_cancelled then return nil, cancelled_error() end
  if not task.ok then error(task.results[1], 0) end
  return table.unpack(task.results, 1, task.results.n)
end

-- Waits for the task's end and returns what its function returned. An error of it is raised here, for a
-- cancelled one the answer is nil, err.
function Task:await()
  local task = scheduler.current()
  if task == self then caller.raise "a task cannot await itself" end
  if task then
    wait_task(task, self)
  else
    scheduler.check_blocking()
    while not self.is_over do scheduler.turn(0.1) end
  end
  return give(self)
end

-- Ends the task where it waits: its to-be-closed variables are closed, its request is cancelled. False when it has ended
-- already or is the one that runs.
function Task:cancel()
  if self.is_over or self == current then return false end
  local thread, request = self.thread, self.request
  self.is_cancelled = true
  if request then request:cancel() end
  by_tag[self.number] = nil
  coroutine.close(thread)
  finish(self, false, { n = 0 })
  return true
end

-- An error that nobody awaited is told once, when the task is forgotten.
Task.__gc = function(task)
  if task.is_over and not task.ok and not task.is_heard and not task.is_cancelled then
    io.stderr:write("moonrest: a task failed and nobody awaited it: ", tostring(task.results[1]), "\n")
  end
end

-- ---- coroutines inside tasks ----

local Guard = { __name = "moonrest.wrap", __close = function(guard)
  if guard.is_waiting and coroutine.status(guard.thread) == "suspended" then coroutine.close(guard.thread) end
end }

local function pass_on(guard, ok, ...)
  while ok and (...) == PARK do
    guard.is_waiting = true
    coroutine.yield(PARK)
    guard.is_waiting = false
    return pass_on(guard, coroutine.resume(guard.thread))
  end
  if ok then return ... end
  coroutine.close(guard.thread)
  error((...), 0)
end

-- A coroutine.wrap whose function may make calls inside a task.
function scheduler.wrap(fn)
  local thread = coroutine.create(fn)
  wrapped[thread] = true
  return function(...)
    local guard <close> = setmetatable({ thread = thread }, Guard)
    return pass_on(guard, coroutine.resume(thread, ...))
  end
end

return scheduler
