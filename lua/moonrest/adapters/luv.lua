-- moonrest in a program whose loop is libuv's (luv): tasks run while uv.run() does.
--
--   local uv = require "luv"
--   local adapter = require "moonrest.adapters.luv".start()
--   moonrest.spawn(function() print(client.apps:get "x") end)
--   uv.run()                    -- returns when no task is left and nothing else keeps the loop alive
--   adapter:stop()
--
-- Calls are made in tasks; outside of them, in callbacks of luv, they would block the loop.

local caller = require "moonrest.caller"
local ready = require "moonrest.ready"
local scheduler = require "moonrest.scheduler"
local task_life = require "moonrest.task_life"
local tasks = require "moonrest.tasks"

local adapter = {}

local default_budget <const> = 0.005 -- seconds of one step

local methods = {}
local metatable = { __name = "moonrest.adapters.luv", __index = methods }

-- The timer keeps the loop alive while there are tasks, also when only the descriptor will tell what is next.
local idle_ms <const> = 60 * 1000

local function arm(self)
  local timeout = scheduler.timeout()
  local wait_ms = timeout and math.min(math.ceil(timeout * 1000), idle_ms) or idle_ms
  self.timer:start(wait_ms, 0, self.step)
  if task_life.live > 0 then self.timer:ref() else self.timer:unref() end
end

local function step(self)
  if self.is_stopped then return end
  tasks.step(self.budget)
  scheduler.drain()
  arm(self)
end

-- From now on the loop of this thread drives the tasks. options.budget: seconds that they may take at once (0.005).
function adapter.start(options)
  local uv = require "luv"
  local budget = options and options.budget or default_budget
  if type(budget) ~= "number" or budget ~= budget or budget < 0 then
    caller.raise("moonrest.adapters.luv: the budget must be a number of seconds, got %s", tostring(budget))
  end
  local self = setmetatable({ budget = budget, timer = uv.new_timer() }, metatable)
  self.poll = uv.new_poll(scheduler.descriptor())
  self.step = function() step(self) end
  self.poll:start("r", self.step)
  self.poll:unref()
  ready.on_wake(function() arm(self) end)
  arm(self)
  return self
end

-- The loop is left as it was; tasks wait for whoever drives them next.
function methods.stop(self)
  if self.is_stopped then return end
  self.is_stopped = true
  ready.on_wake(nil)
  self.poll:stop()
  self.poll:close()
  self.timer:stop()
  self.timer:close()
end

metatable.__close = methods.stop

return adapter
