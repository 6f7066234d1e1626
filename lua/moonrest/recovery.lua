-- The loop whole again after an error, Ctrl-C's above all, which may have come between any two instructions of it.
-- Nothing of what the loop was about to do is trusted: all tasks look for themselves whether their wait is over. The
-- error may have been that there is no memory, and it is the tasks that have it: nothing is made anew here.

local current = require "moonrest.current"
local decoding = require "moonrest.decoding"
local ready = require "moonrest.ready"
local sleepers = require "moonrest.sleepers"
local task_life = require "moonrest.task_life"

local recovery = {}

-- What a task fails with whose results, or whose own error, went with the loop. An object is not asked for its words.
local function lost_end()
  local words = type(current.disturbance) == "string" and ": " .. current.disturbance or ""
  return "the loop was interrupted when this task ended" .. words
end

local function fail_lost(task) return task_life.fail(task, lost_end()) end

-- Everyone's wait is over, those whose end was interrupted included.
local function recover_one(task)
  task.sleep_place, task.decode_left, task.decode_place = nil, nil, nil
  if task_life.is_over(task) then return task_life.finish_again(task) end -- interrupted on its way out
  task.state = "waiting"
  return ready.wake(task)
end

-- Tasks that find no room in the queue are taken up by the next turn: the loop stays shaken.
function recovery.recover()
  ready.reset()
  sleepers.reset()
  decoding.reset()
  local is_whole = true
  for _, task in pairs(task_life.tasks) do is_whole = pcall(recover_one, task) and is_whole end
  local list = ready.sort()
  for place = 1, ready.size do
    local task = list[place]
    if task.thread and coroutine.status(task.thread) ~= "suspended" then
      is_whole = pcall(fail_lost, task) and is_whole
    end
  end
  task_life.recount()
  if is_whole then current.is_shaken, current.disturbance = false, false end
end

return recovery
