-- What it costs to begin: loading the library, and the Lua memory of a client with many operations.

local contest = require "spec.bench.suite.contest"
local report = require "spec.bench.suite.report"
local statistics = require "spec.bench.suite.statistics"

local start = {}

local most_load_ms <const>, most_client_kib <const> = 3, 200
local open_code <const> = "require 'moonrest'.open('edgegap', { token = 'x' })"
local bare_name <const>, load_name <const> = "lua5.4 -e ''", "require \"moonrest\""

local function contestants_of(settings)
  local function lua(name, command)
    return { name = name, cpu = settings.client_cpu, times = settings.starts, command = command }
  end
  local url = settings.url .. "/things/1"
  return {
    lua(bare_name, contest.command("lua5.4", "-e", "")),
    lua(load_name, contest.command("lua5.4", "-e", "require 'moonrest'")),
    lua("moonrest.open \"edgegap\"", contest.command("lua5.4", "-e", open_code)),
    lua("a first small GET", contest.command("lua5.4", settings.programs .. "/get_moonrest.lua", url, 1, 1)),
  }
end

local function write_times(out, contestants, results)
  local rows = { { "program", "wall ms", "CPU ms" } }
  for _, contestant in ipairs(contestants) do
    local result = results[contestant.name]
    rows[#rows + 1] = { contestant.name, report.spread(statistics.summary(result.wall_us, 1000), "%.2f"),
      report.spread(statistics.summary(result.cpu_us, 1000), "%.2f") }
  end
  out:table(rows)
end

local function difference_ms(results, field)
  return (statistics.median(results[load_name][field]) - statistics.median(results[bare_name][field])) / 1000
end

local function read_client_memory(settings)
  local pipe = assert(io.popen(contest.command("lua5.4", settings.programs .. "/client_memory.lua", "edgegap")))
  local library_kib, client_kib, prepared_kib, operations = pipe:read("n", "n", "n", "n")
  assert(pipe:close(), "client_memory.lua failed")
  return library_kib, client_kib, prepared_kib, operations
end

local function write_memory(out, library_kib, client_kib, prepared_kib, operations)
  out:title(("Lua memory of an Edgegap client with all of its %d operations"):format(operations))
  out:write("%.0f KiB with its definition, every operation looked at, and %.0f KiB more once each of them was prepared"
    .. " as by a call. The parts of the library that any client loads take %.0f KiB.\n", client_kib, prepared_kib,
    library_kib)
  out:target("the client with its definition, KiB", client_kib, "at most", most_client_kib, "%.0f")
end

function start.run(out, settings)
  local contestants = contestants_of(settings)
  local results = contest.run(contestants, settings)
  out:title(("Starting, %d times each"):format(settings.starts * settings.rounds))
  write_times(out, contestants, results)
  out:target(load_name .. " over a bare start, wall ms", difference_ms(results, "wall_us"), "at most", most_load_ms)
  out:target("the same, CPU ms", difference_ms(results, "cpu_us"), "at most", most_load_ms)
  write_memory(out, read_client_memory(settings))
end

return start
