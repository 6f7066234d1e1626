-- What a step costs a frame: lua5.4 spec/bench/step.lua [seconds], from the source folder, with LUA_PATH and LUA_CPATH
-- as for the specs. Times are processor time of this program; the server has a process of its own.

local core = require "moonrest.core"
local moonrest = require "moonrest"
local slow_server = require "spec.support.slow_server"
local socket = require "socket"

-- lua5.4 starts with the generational collector, whose full collections stop everything, and a step of the incremental
-- one frees 50,000 objects by default. What the README tells games to use:
collectgarbage("incremental", 200, 4, 10)

local now = core.clock.now
local seconds = tonumber(arg[1] or 20)

local function row(what, format, ...)
  print(("%-58s %s"):format(what, format:format(...)))
end

local function measure_idle()
  local count, step = 1000000, moonrest.step
  step(0.001)
  collectgarbage()
  collectgarbage "stop"
  local before, begin = collectgarbage "count", os.clock()
  for _ = 1, count do step(0.001) end
  local took = os.clock() - begin
  local bytes = (collectgarbage "count" - before) * 1024
  collectgarbage "restart"
  row("idle step", "%.3f us (at most 1), %d bytes for %d steps", took / count * 1e6, bytes, count)
end

local function measure_waiting()
  local server <close> = slow_server.spawn {}
  for index = 1, 200 do moonrest.spawn(function() server.client.held:get(index) end) end
  for _ = 1, 200 do
    moonrest.step(0.01)
    socket.sleep(0.002)
  end
  local count = 20000
  collectgarbage()
  collectgarbage "stop"
  local before, begin = collectgarbage "count", os.clock()
  for _ = 1, count do moonrest.step(0.001) end
  local took = os.clock() - begin
  local bytes = (collectgarbage "count" - before) * 1024
  collectgarbage "restart"
  row("step with 200 in flight, nothing ready", "%.2f us (at most 20), %d bytes for %d steps", took / count * 1e6,
    bytes, count)
  require "moonrest.scheduler".cancel_all()
end

local sizes = { 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000, 1000000 }

local function keep_busy(client, statistics)
  local place = 0
  for _ = 1, 200 do
    moonrest.spawn(function()
      while not statistics.is_over do
        place = place + 1
        local bytes = sizes[place % #sizes + 1]
        local data = assert(client.sized:get(bytes))
        statistics.requests, statistics.bytes = statistics.requests + 1, statistics.bytes + bytes
        assert(#data.items > 0)
      end
    end)
  end
end

local function measure_frames(budget)
  local server <close> = slow_server.spawn { latency = 0.02 }
  local statistics, times = { requests = 0, bytes = 0 }, {}
  keep_busy(server.client, statistics)
  for _ = 1, 300 do -- connections and first requests
    moonrest.step(budget)
    socket.sleep(1 / 60)
  end
  local finish = now() + seconds
  while now() < finish do
    local frame, begin = now() + 1 / 60, os.clock()
    moonrest.step(budget)
    times[#times + 1] = os.clock() - begin
    socket.sleep(math.max(0, frame - now()))
  end
  statistics.is_over = true
  require "moonrest.scheduler".cancel_all()
  table.sort(times)
  local function at(share) return times[math.max(1, math.ceil(#times * share))] * 1e3 end
  row(("200 in flight, 1 KB to 1 MB of JSON, budget %g ms"):format(budget * 1e3),
    "median %.3f, p99 %.3f, p99.9 %.3f (at most 1.2), worst %.3f ms (at most 2)", at(0.5), at(0.99), at(0.999), at(1))
  row("", "%d frames, %d requests, %.1f MB decoded", #times, statistics.requests, statistics.bytes / 1e6)
end

measure_idle()
measure_waiting()
measure_frames(0.001)
os.exit(true, false)
