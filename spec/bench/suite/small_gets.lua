-- Small GETs of a JSON object, each decoded into a table, against a plain libcurl program that throws the bodies away.
-- Figures are of whole processes, their start included.

local contest = require "spec.bench.suite.contest"
local report = require "spec.bench.suite.report"
local statistics = require "spec.bench.suite.statistics"

local small_gets = {}

local bound <const> = 1.25
local floor_name <const>, own_name <const> = "floor: libcurl in C, bodies thrown away", "**moonrest**"

local function contestants_of(settings, concurrency)
  local programs, url, count = settings.programs, settings.url .. "/things/1", settings.gets
  local cpu = concurrency == 1 and settings.server_cpu or settings.client_cpu
  local list = {}
  local function add(name, ...) list[#list + 1] = { name = name, cpu = cpu, command = contest.command(...) } end
  local function add_own(name, ...)
    add(name, "lua5.4", programs .. "/get_moonrest.lua", url, count, concurrency, ...)
  end
  local function add_python(name, file)
    add(name, "/usr/bin/python3", programs .. "/" .. file, url, count, concurrency)
  end

  add(floor_name, settings.floor, url, count, concurrency)
  add_own(own_name)
  if concurrency == 1 then
    local file = programs .. "/get_luasocket.lua"
    add("LuaSocket, a connection kept by hand, lua-cjson", "lua5.4", file, url, count, "kept")
    add("LuaSocket http.request, lua-cjson", "lua5.4", file, url, count, "request")
  else
    add_own("moonrest.map, a task for each", "map")
  end
  if settings.undici == "yes" then
    add("Node undici", "node", programs .. "/get_undici.js", url, count, concurrency)
  end
  add_python("Python requests", "get_requests.py")
  add_python("Python aiohttp", "get_aiohttp.py")
  add_python("Python httpx", "get_httpx.py")
  return list
end

local function write(out, settings, contestants, results)
  local floor = results[floor_name]
  local rows = { { "program", "CPU us per GET", "of the floor", "wall us per GET", "peak memory, MiB" } }
  for _, contestant in ipairs(contestants) do
    local result = results[contestant.name]
    rows[#rows + 1] = {
      contestant.name, report.spread(statistics.summary(result.cpu_us, settings.gets)),
      report.spread(statistics.ratio(result.cpu_us, floor.cpu_us), "%.2f"),
      ("%.1f"):format(statistics.summary(result.wall_us, settings.gets).median),
      ("%.1f"):format(statistics.median(result.peak_kib) / 1024),
    }
  end
  out:table(rows)
end

local function compare(out, settings, concurrency)
  local contestants = contestants_of(settings, concurrency)
  local results = contest.run(contestants, settings)
  out:title(("%d GETs of a %d-byte JSON object, %d at a time"):format(settings.gets, settings.object_bytes,
    concurrency))
  write(out, settings, contestants, results)
  local ratio = statistics.ratio(results[own_name].cpu_us, results[floor_name].cpu_us)
  out:target(("CPU of the process over the floor's, %d at a time"):format(concurrency), ratio.median, "at most", bound)
end

function small_gets.run(out, settings)
  compare(out, settings, 1)
  compare(out, settings, 64)
end

return small_gets
