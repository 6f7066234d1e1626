-- What a step costs a frame: lua5.4 spec/bench/step.lua [seconds] [inline|thread|all], from the source folder, with
-- LUA_PATH and LUA_CPATH as for the specs. Times are processor time of the thread that steps; the server has a process
-- of its own. What the collector takes of a step is told by the rows in which it is stopped, or run between the frames.

local core = require "moonrest.core"
local moonrest = require "moonrest"
local slow_server = require "spec.support.slow_server"
local socket = require "socket"
local task_life = require "moonrest.task_life"
local workshop_type = require "spec.bench.workshop"

-- lua5.4 starts with the generational collector, whose full collections stop everything, and a step of the incremental
-- one frees 50,000 objects by default. What the README tells games to use:
collectgarbage("incremental", 200, 4, 10)

local now = core.clock.now
local seconds, mode = tonumber(arg[1] or 30), arg[2] or "all"

local workshop <close> = workshop_type.open()
local thread_clock = workshop.thread_clock

-- Of nginx, against each other.
local protocols <const> = { "", "http2" }

local function row(what, format, ...)
  print(("%-58s %s"):format(what, format:format(...)))
end

-- Microseconds of one step, and the bytes that all of them allocated.
local function cost_of_steps(count)
  local step = moonrest.step
  step(0.001)
  collectgarbage()
  collectgarbage "stop"
  local before, begin = collectgarbage "count", thread_clock()
  for _ = 1, count do step(0.001) end
  local took = thread_clock() - begin
  local bytes = (collectgarbage "count" - before) * 1024
  collectgarbage "restart"
  return took / count * 1e6, bytes
end

local function measure_idle()
  cost_of_steps(1)
  row("idle step", "%.3f us (at most 1), %d bytes for 1,000,000 steps", cost_of_steps(1000000))
end

local function measure_waiting()
  local server <close> = slow_server.spawn {}
  for index = 1, 200 do moonrest.spawn(function() server.client.held:get(index) end) end
  for _ = 1, 200 do
    moonrest.step(0.01)
    socket.sleep(0.002)
  end
  row("step with 200 in flight, nothing ready", "%.2f us (at most 20), %d bytes for 20,000 steps", cost_of_steps(20000))
  task_life.cancel_all()
end

local sizes = { 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000, 1000000 }

-- 200 tasks that ask for one body after the other. 'statistics.started' counts the connections that are made.
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

-- Two milliseconds of what a frame has left over, or one cycle.
local function collect()
  local finish = now() + 0.002
  repeat
    local is_over = collectgarbage("step", 0)
  until is_over or now() >= finish
end

-- One frame; returns the processor time of its step.
local function frame(budget, after)
  local finish, begin = now() + 1 / 60, thread_clock()
  moonrest.step(budget)
  local took = thread_clock() - begin
  if after then after() end
  socket.sleep(math.max(0, finish - now()))
  return took
end

-- 'bounds' are { p99.9, worst } in ms, or nil.
local function report(what, times, statistics, bounds)
  table.sort(times)
  local function at(share) return times[math.max(1, math.ceil(#times * share))] * 1e3 end
  local text = "p50 %.3f, p99 %.3f, p99.9 %.3f%s, worst %.3f%s ms"
  local function bound(place)
    return bounds and bounds[place] and (" (at most %g)"):format(bounds[place]) or ""
  end
  row(what, text, at(0.5), at(0.99), at(0.999), bound(1), at(1), bound(2))
  if statistics then
    row("", "%d frames, %d requests, %.1f MB decoded", #times, statistics.requests, statistics.bytes / 1e6)
  end
end

-- 'collector': "running", "stopped", or "between frames".
local function measure_frames(budget, collector, bounds, with_handshakes, protocol)
  local server <close> = protocol and workshop:serve_nginx(20, sizes, protocol) or workshop:serve(20)
  local client = slow_server.open(server.url, { ca_file = server.ca_file })
  local statistics, times = { requests = 0, bytes = 0 }, {}
  if with_handshakes then -- as the README tells games to
    assert(moonrest.prepare(client))
  else
    for _ = 1, 200 do moonrest.spawn(function() assert(client.sized:get(1000)) end) end
    while task_life.live > 0 do frame(0.01) end
  end
  keep_busy(client, statistics)
  if collector ~= "running" then collectgarbage "stop" end
  local after = collector == "between frames" and collect or nil
  local finish = now() + seconds
  while now() < finish do times[#times + 1] = frame(budget, after) end
  collectgarbage "restart"
  statistics.is_over = true
  task_life.cancel_all()
  client:close()
  local io = with_handshakes and ", in a thread, prepared, handshakes too" or ""
  local what = not protocol and "" or protocol == "" and ", nginx" or ", nginx, HTTP/2"
  report(("200 over TLS%s, budget %g ms%s, collector %s"):format(what, budget * 1e3, io, collector), times, statistics,
    bounds)
  collectgarbage()
end

local function measure_thread()
  local ok, problem = pcall(function() moonrest.configure { io = "thread" } end)
  if not ok then return row('io = "thread"', "not in this build: %s", tostring(problem):match "[^\n]*") end
  measure_frames(0.00015, "running", { 0.2 }, true)
  measure_frames(0.001, "running", nil, true)
  for _, protocol in ipairs(protocols) do measure_frames(0.00015, "between frames", { 0.2 }, true, protocol) end
end

-- What the machine itself makes of 0.1 ms in a frame: work that allocates and calls nothing, and is the same each time.
local function measure_noise()
  local function work(rounds)
    local sum = 0
    for round = 1, rounds do sum = sum + round % 7 end
    return sum
  end
  local begin = thread_clock()
  work(1000000)
  local rounds = math.floor(0.0001 / (thread_clock() - begin) * 1000000)
  local times, finish = {}, now() + seconds
  while now() < finish do
    begin = thread_clock()
    work(rounds)
    times[#times + 1] = thread_clock() - begin
    socket.sleep(1 / 60)
  end
  report("a loop of 0.1 ms and no step, for comparison", times)
end

measure_noise()
if mode ~= "thread" then
  measure_idle()
  measure_waiting()
  for _, collector in ipairs { "running", "between frames", "stopped" } do
    measure_frames(0.001, collector, { 1.2, 2 })
  end
  measure_frames(0.0001, "between frames")
  for _, protocol in ipairs(protocols) do measure_frames(0.001, "between frames", { 1.2, 2 }, false, protocol) end
end
if mode ~= "inline" then measure_thread() end
workshop:close()
os.exit(true, false)
