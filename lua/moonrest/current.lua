-- What runs now: the turn of the loop that is on the stack, the task that has it, and who may wait where.
--
-- A task may wait in its own coroutine, and in those of moonrest.wrap that it resumes, when no C function is in between
-- that cannot be left and entered again. Outside of all tasks a wait blocks: where no turn is on the stack, and where
-- the program lets calls block.

local caller = require "moonrest.caller"

-- What is not there is false: a field that has gone may need memory when it comes back.
local current = {
  task = false,        -- the one that is being resumed
  closing = false,     -- the coroutine of an ended task while its to-be-closed variables are closed
  is_turning = false,  -- a turn is on the stack; an error in its very last instructions leaves this set
  is_shaken = false,   -- an error came where the loop was not whole: the next turn recovers first
  disturbance = false, -- that error, when it is known
  deadline = false,    -- of the step with a budget that is on the stack, on core.clock
}

local isyieldable, running = coroutine.isyieldable, coroutine.running

local adopted = setmetatable({}, { __mode = "k" }) -- coroutines of moonrest.wrap -> the task that they run in
local drivers = {}                                 -- the functions that make turns
local may_block = true                             -- outside of tasks

local in_step = "this would wait inside a step but outside of a task: make the call in a task (moonrest.spawn)"
local in_coroutine = "a call in a coroutine of your own inside a task cannot wait: make that coroutine with"
  .. " moonrest.wrap"
local in_c = "a call in a task cannot wait here, because a C function that cannot be left and entered again is in"
  .. " between (table.sort, string.gsub, require, a finalizer): make the call before, and use its result here"
local in_closing = "a task that was cancelled or has failed cannot wait any more while its to-be-closed variables are"
  .. " closed: make the call in a task of its own there, moonrest.spawn(function() ... end)"
local forbidden = "this program does not let calls block: make the call in a task (moonrest.spawn)"

-- {========================================================================
-- Turns
-- =========================================================================

-- Whoever calls this function makes turns: while it is on the stack, so is one.
function current.note_driver(fn) drivers[fn] = true end

-- In a coroutine the loop, which runs below it, cannot be seen.
local function is_on_the_stack(level)
  local _, is_main = running()
  if not is_main then return true end
  level = level + 1
  local info = debug.getinfo(level, "f")
  while info and not drivers[info.func] do
    level = level + 1
    info = debug.getinfo(level, "f")
  end
  return info ~= nil
end

-- Whether a turn is on the stack, from that level on.
local function is_turning(level)
  if current.is_turning and not is_on_the_stack(level) then current.is_turning, current.is_shaken = false, true end
  return current.is_turning
end

-- For what drivers call to begin with: raises inside a turn that is on the stack already.
function current.check_entry()
  if is_turning(5) then
    caller.raise "a step within a step: a task or an event handler must not drive the loop it runs in"
  end
end

-- Raises where a run cannot be: inside a task or a step, and where nothing may block.
function current.check_blocking()
  if is_turning(2) then
    caller.raise(current.task and "a run inside a task: await what you spawn instead" or in_step)
  end
  if not may_block then caller.raise(forbidden) end
end

-- False: waits outside of tasks raise instead of blocking the program.
function current.set_blocking(allowed) may_block = allowed end

-- }========================================================================

-- {========================================================================
-- Who may wait
-- =========================================================================

-- The task that the running coroutine can wait as, why it cannot, or nil for one that knows nothing of tasks.
local function host()
  local thread, task = running(), current.task
  if thread == task.thread then return task end
  local within = adopted[thread]
  return (within == task or type(within) == "string") and within or nil
end

local function waiter_elsewhere()
  local task = current.task
  if (task or current.is_turning) and running() == current.closing then caller.raise(in_closing) end
  if not task then
    if is_turning(2) then caller.raise(in_step) end
    if not may_block then caller.raise(forbidden) end
    return nil
  end
  local within = host()
  if within ~= task then caller.raise(within or in_coroutine) end
  if not isyieldable() then caller.raise(in_c) end
  return task
end

-- The task that may wait here; nil outside of all tasks, where waiting blocks. Raises where neither is possible.
function current.waiter()
  local task = current.task
  if task and running() == task.thread and isyieldable() then return task end
  return waiter_elsewhere()
end

-- 'thread' is resumed next by the running coroutine, which will pass its waits on if it can.
function current.adopt(thread)
  local task = current.task
  local within = task and host() or nil
  if task and within == task and not isyieldable() then within = in_c end
  adopted[thread] = within
end

-- }========================================================================

return current
