-- What specs of tasks do with the loop: drive it until something has come about, and see that nothing lives on.

local core = require "moonrest.core"
local moonrest = require "moonrest"
local task_life = require "moonrest.task_life"

local loop = {}

local longest <const> = 20 -- seconds, for what takes far less: a hang is told

local function repeat_until(check, pass)
  local deadline = core.clock.now() + longest
  while not check() do
    assert(core.clock.now() < deadline, "it never came about")
    pass(0.001)
  end
end

-- From outside of tasks.
function loop.step_until(check) repeat_until(check, moonrest.step) end

-- Also in a task, which lets the others run.
function loop.wait_until(check) repeat_until(check, moonrest.sleep) end

-- Ends all tasks, and fails when any of them or a request is left: for after_each.
function loop.close()
  task_life.cancel_all()
  collectgarbage()
  collectgarbage()
  assert(task_life.live == 0, "tasks are left")
  assert(core.engine():pending() == 0, "requests are left")
end

return loop
