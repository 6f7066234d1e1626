-- Tasks as users have them: moonrest.spawn makes one, and it has :await, :cancel and :status. Leaving a block by a task
-- in a to-be-closed variable cancels it.

local caller = require "moonrest.caller"
local current = require "moonrest.current"
local errors = require "moonrest.errors"
local parking = require "moonrest.parking"
local scheduler = require "moonrest.scheduler"
local task_life = require "moonrest.task_life"
local unheard = require "moonrest.unheard"

local task = {}

local methods = {}
local metatable = { __name = "moonrest.task", __index = methods }

local function is_callable(value)
  local meta = type(value) == "table" and getmetatable(value)
  return type(meta) == "table" and meta.__call ~= nil
end

-- The function that stands for a value which can be called (operations of a client are such values), or nil.
function task.callable(value)
  if type(value) == "function" then return value end
  if not is_callable(value) then return nil end
  return function(...) return value(...) end
end

function task.is(value) return getmetatable(value) == metatable end

-- A new task for a function that is known to be one.
function task.new(fn, values)
  return task_life.add(setmetatable({}, metatable), fn, values)
end

-- Runs fn(...) as a task, from the next turn of the loop on.
function task.spawn(fn, ...)
  local runs = task.callable(fn)
  if not runs then caller.raise("moonrest.spawn: a function is needed, got a %s", type(fn)) end
  return task.new(runs, select("#", ...) > 0 and table.pack(...) or nil)
end

local function check_self(self, method)
  if not task.is(self) then caller.raise("task:%s: call it with a colon on what moonrest.spawn returned", method) end
end

-- What became of a task that has ended: its results, its error raised, or nil, err when it was cancelled.
function task.outcome(self)
  unheard.forget(self)
  if self.state == "cancelled" then
    return nil, errors.make { kind = "cancelled", message = ("task %d was cancelled"):format(self.number) }
  end
  local values = self.values
  if self.state == "failed" then
    values[2] = nil -- the traceback: somebody has the error now
    error(values[1], 0)
  end
  return table.unpack(values, 1, values.n)
end

local function wait_for(self, label)
  local waiter = current.waiter()
  if waiter then return parking.wait_task(waiter, self) end
  scheduler.run(function() return task_life.is_over(self) end, label)
end

-- As the method, by that name: 'label' is what the user called.
function task.await(self, label)
  if not task_life.is_over(self) then
    if self == current.task then caller.raise "a task cannot await itself" end
    wait_for(self, label)
  end
  return task.outcome(self)
end

-- Waits for the end of the task and returns what its function returned. An error of it is raised here, as it is; for a
-- cancelled one the answer is nil, err.
function methods.await(self)
  check_self(self, "await")
  return task.await(self, "task:await")
end

-- Ends the task where it waits: its request is cancelled, its to-be-closed variables are closed. True when that ended
-- it, false when it had ended before.
function methods.cancel(self)
  check_self(self, "cancel")
  if task_life.is_over(self) then return false end
  if self == current.task then caller.raise "a task cannot cancel itself: let it return, or raise an error" end
  return task_life.cancel(self)
end

-- "ready" (waits for its turn), "running", "waiting"; "done", "failed" or "cancelled" at the end.
function methods.status(self)
  check_self(self, "status")
  return self.state
end

function metatable.__tostring(self)
  return ("moonrest.task %d (%s)"):format(self.number, self.state)
end

metatable.__close = task_life.cancel

return task
