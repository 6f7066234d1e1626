-- The promises of the throttle, judged from outside: throttle.lua NAME=VALUE ... (throttle.sh beside this file says
-- which). Prints a markdown table and writes the data of the plot into the place.

local stage = require "spec.bench.throttle_stage"
local throttle_log = require "spec.bench.throttle_log"

local settings = {}
for _, word in ipairs(arg) do
  local name, value = word:match "^([%w_]+)=(.*)$"
  settings[name] = tonumber(value) or value
end

local rate <const> = 40
local seconds <const> = settings.seconds

local function row(name, wanted, result, good)
  print(("| %s | %d | %.1f%% | %d | %d | %s | %s |"):format(name, result.accepted, 100 * result.share, result.most,
    result.refused, wanted, good and "yes" or "**no**"))
  io.stdout:flush()
end

local function judge_row(name, judge, least, most_refused, span)
  local result = throttle_log.judge(judge.verdict(), rate, span or seconds)
  row(name, ("%d%%, %s"):format(least * 100, most_refused and "0" or "any"), result,
    result.share >= least and (not most_refused or result.refused <= most_refused))
  return result
end

-- How many requests the server had in the last second, whenever that changes: for the plot.
local function keep(name, arrivals)
  local changes = {}
  for _, arrival in ipairs(arrivals) do
    changes[#changes + 1] = { at = arrival.at, by = 1 }
    changes[#changes + 1] = { at = arrival.at + 1, by = -1 }
  end
  table.sort(changes, function(a, b) return a.at < b.at or a.at == b.at and a.by < b.by end)
  local file <close> = assert(io.open(("%s/%s.dat"):format(settings.place, name), "w"))
  local count = 0
  for _, change in ipairs(changes) do
    count = count + change.by
    file:write(("%.6f %d\n"):format(change.at - arrivals[1].at, count))
  end
end

-- A scene that cannot be played here is said, never passed over.
local function skip(name, reason)
  print(("| %s | SKIPPED: %s | | | | | |"):format(name, reason))
end

local function sleep(span) require "socket".sleep(span) end

local function await(workers)
  for _, worker in ipairs(workers) do worker:rest() end
end

local function alone(judge, url, ...)
  await { stage.worker(settings, url or judge.url, rate .. "/s", seconds, ...) }
end

local function counting() return stage.judge(settings, "log", rate, 1000) end

local scenes = {}

function scenes.alone()
  local judge <close> = counting()
  alone(judge)
  keep("moonrest", judge_row("one process, counting server", judge, 0.99, 0).arrivals)
  if not os.execute "command -v nginx >/dev/null" then return skip("one process, nginx", "nginx is missing") end
  local nginx <close> = stage.nginx(settings, rate, rate - 1)
  alone(nginx)
  judge_row("one process, nginx", nginx, 0.99, 0)
end

function scenes.road()
  for _, strict in ipairs { "loose", "strict" } do
    local judge <close> = counting()
    local road <close> = stage.road(settings, judge, 50, 10)
    alone(judge, road.url, 64, strict)
    judge_row("50 ± 10 ms each way, " .. (strict == "strict" and "strict" or "default"), judge,
      strict == "strict" and 0.8 or 0.97, strict == "strict" and 0 or nil)
  end
end

local function eight(url, limiter)
  local workers = {}
  for index = 1, 8 do
    workers[index] = stage.worker(settings, url, rate .. "/s", seconds, 4, "loose", limiter or "shared")
  end
  return workers
end

function scenes.eight()
  local judge <close> = counting()
  await(eight(judge.url))
  judge_row("eight processes, shared memory", judge, 0.98, 0)
end

function scenes.killed()
  local judge <close> = counting()
  local workers = eight(judge.url)
  for second = 1, seconds - 1 do
    sleep(1)
    local index = second % 8 + 1
    workers[index]:kill "KILL"
    workers[index]:rest()
    workers[index] = stage.worker(settings, judge.url, rate .. "/s", seconds - second, 4, "loose", "shared")
  end
  await(workers)
  judge_row("eight, one killed -9 every second", judge, 0.85, 0)
end

function scenes.redis()
  if not settings.redis then return skip("eight processes, Redis", "redis-server is missing") end
  local judge <close> = counting()
  await(eight(judge.url, settings.redis))
  judge_row("eight processes, Redis", judge, 0.97, 0)
end

-- Nothing is refused here: it is about when requests start, beside when this machine wakes a program that only sleeps.
function scenes.fast()
  local half, most, worst = stage.start(settings.programs .. "/metronome 1000 10"):rest():match "(%S+) (%S+) (%S+)"
  print(("| a bare sleep until each ms: late by %s ms (p50), %s ms (p99), %s ms (the worst) | | | | | | |"):format(half,
    most, worst))
  local judge <close> = stage.judge(settings, "log", 1000000, 1000)
  await { stage.worker(settings, judge.url, "1000/s", 10) }
  local arrivals = judge.verdict()
  local result = throttle_log.judge(arrivals, 1000, 10)
  local errors = throttle_log.start_errors(arrivals, 1000, 1)
  local late = throttle_log.percentile(errors, 0.99)
  row(("1000/s: starts late by %.2f ms (p50), %.2f ms (p99), %.2f ms (the worst)"):format(
    throttle_log.percentile(errors, 0.5) * 1e3, late * 1e3, errors[#errors] * 1e3), "p99 1 ms", result, late <= 0.001)
end

function scenes.failing()
  for _, count in ipairs { 1000, 20 } do
    local judge <close> = stage.judge(settings, "fail", 1, 1000, 503)
    local command = "lua5.4 %s/programs/throttle_calls.lua %s %d %d"
    local pipe = stage.start(command:format(settings.scripts, judge.url, count, seconds))
    pipe:rest()
    local reached = #judge.verdict()
    local most = count == 20 and 23 or count * 1.1
    print(("| a failing server, %d calls | %d | %.2f times | | | at most %d | %s |"):format(count, reached,
      reached / count, most, reached <= most and "yes" or "**no**"))
  end
end

function scenes.peers()
  if not settings.node then return skip("peers", "npm does not give them") end
  local scripts <const> = settings.scripts .. "/programs/"
  local peers = {
    { "bottleneck", ("node %sthrottle_bottleneck.js %%s %d %d"):format(scripts, rate, seconds) },
    { "p-throttle", ("node %sthrottle_p_throttle.mjs %%s %d %d %s"):format(scripts, rate, seconds, settings.node) },
    { "p-throttle-strict",
      ("node %sthrottle_p_throttle.mjs %%s %d %d %s strict"):format(scripts, rate, seconds, settings.node) },
  }
  for _, peer in ipairs(peers) do
    local judge <close> = stage.judge(settings, "log", 1000000, 1000)
    stage.start(peer[2]:format(judge.url)):rest()
    local result = throttle_log.judge(judge.verdict(), rate, seconds)
    keep(peer[1], result.arrivals)
    print(("| %s (never refused here) | %d | %.1f%% | **%d** | | | |"):format(peer[1], result.accepted,
      100 * result.share, result.most))
  end
end

print("| scene | accepted | share of the limit | most in any second | 429s | wanted | kept |")
print("|---|---|---|---|---|---|---|")
local order <const> = { "alone", "road", "eight", "killed", "redis", "fast", "failing", "peers" }
for _, name in ipairs(order) do
  if not settings.only or settings.only == name then scenes[name]() end
end
