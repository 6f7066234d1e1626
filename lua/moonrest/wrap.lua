-- moonrest.wrap: a coroutine.wrap whose function may make calls inside a task. What the function yields reaches whoever
-- calls the wrapped one; the waits of the library go past that, to the loop.

local caller = require "moonrest.caller"
local current = require "moonrest.current"
local task = require "moonrest.task"
local task_life = require "moonrest.task_life"

local PARK <const> = task_life.PARK

-- When the task is cancelled while the coroutine waits, the coroutine is closed too.
local guard_type = { __name = "moonrest.wrap", __close = function(guard)
  if guard.is_waiting then
    guard.is_waiting = false
    coroutine.close(guard.thread)
  end
end }

local function pass_on(guard, ok, value, ...)
  if ok and value == PARK then
    guard.is_waiting = true
    coroutine.yield(PARK)
    guard.is_waiting = false
    return pass_on(guard, coroutine.resume(guard.thread))
  end
  if ok then return value, ... end
  local closed, problem = coroutine.close(guard.thread)
  error(not closed and problem or value, 0)
end

local function resume(guard, ...)
  if guard.is_waiting then caller.raise "this coroutine waits for an answer: nobody else can resume it" end
  local status = coroutine.status(guard.thread)
  if status ~= "suspended" then caller.raise("cannot resume a %s coroutine", status) end
  current.adopt(guard.thread)
  local _ <close> = guard
  return pass_on(guard, coroutine.resume(guard.thread, ...))
end

return function(fn)
  local runs = task.callable(fn)
  if not runs then caller.raise("moonrest.wrap: a function is needed, got a %s", type(fn)) end
  local guard = setmetatable({ thread = coroutine.create(runs), is_waiting = false }, guard_type)
  return function(...) return resume(guard, ...) end
end
