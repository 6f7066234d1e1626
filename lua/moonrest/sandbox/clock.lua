-- The sandbox's clock: real time with an offset, or virtual time that only `advance` moves.
-- Timers see the time they were set for, also when one step of the clock passes several.

local scheduler = require "moonrest.sandbox.scheduler"

local clock = {}
clock.__index = clock
clock.__name = "moonrest.sandbox.clock"

--- Where virtual time begins: 2026-01-01T00:00:00Z.
clock.VIRTUAL_START = 1767225600.0

function clock.new(native, mode)
  return setmetatable({
    native = native, virtual = mode == "virtual", offset = 0.0,
    waking = scheduler.new(), real = scheduler.new(),
  }, clock)
end

--- Back to the start; sandbox timers are forgotten, real ones (delayed answers) are kept.
function clock:reset()
  self.offset, self.waking = 0.0, scheduler.new()
end

--- Sandbox time, in seconds since the epoch.
function clock:now()
  if self.frozen then return self.frozen end
  return (self.virtual and clock.VIRTUAL_START or self.native.wall()) + self.offset
end

--- Calls `action` at a sandbox time.
function clock:at(time, action)
  local timer = self.waking:at(time, action)
  self.native.wake()
  return timer
end

function clock:cancel(timer) self.waking:cancel(timer) end

--- Calls `action` after so many real seconds, whatever the sandbox's clock does.
function clock:after_real(seconds, action)
  self.real:at(self.native.monotonic() + seconds, action)
  self.native.wake()
end

--- Where the error of a timer goes: no caller waits for it.
function clock.report(message) io.stderr:write("moonrest sandbox: ", message, "\n") end

local function run(self, action)
  local fine, message = xpcall(action, debug.traceback)
  if not fine then self.report(message) end
end

local function run_due(self, now)
  local timer = self.waking:take(now)
  while timer do
    self.frozen = timer.due
    run(self, timer.action)
    self.frozen = nil
    timer = self.waking:take(now)
  end
end

function clock:advance(seconds)
  local target = self:now() + seconds
  run_due(self, target)
  self.offset = self.offset + seconds
end

--- Runs what is due; seconds until the next that real time will bring, or nil.
function clock:tick()
  local timer = self.real:take(self.native.monotonic())
  while timer do
    run(self, timer.action)
    timer = self.real:take(self.native.monotonic())
  end
  if not self.virtual then run_due(self, self:now()) end
  local wait = self.real:next() and self.real:next() - self.native.monotonic()
  local waking = not self.virtual and self.waking:next()
  if waking then wait = math.min(wait or math.huge, waking - self:now()) end
  return wait and math.max(wait, 0)
end

return clock
