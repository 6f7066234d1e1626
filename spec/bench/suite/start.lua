-- What it costs to begin: loading the library, a first request against that of a C program, and the Lua memory of a
-- client with many operations. Whole processes, their files in the cache; client and server share one processor.

local contest = require "spec.bench.suite.contest"
local report = require "spec.bench.suite.report"
local statistics = require "spec.bench.suite.statistics"

local start = {}

local most_load_ms <const>, most_first_ms <const>, most_client_kib <const> = 3, 3, 200
local open_code <const> = "require 'moonrest'.open('edgegap', { token = 'x' })"
local bare_name <const>, load_name <const> = "lua5.4 -e ''", "require \"moonrest\""
local floor_name <const> = "a first GET in C, plain libcurl"
local first_names <const> = { "a first GET, a small definition", "a first GET, \"edgegap\"" }

local function contestants_of(settings)
  local function program(name, command)
    return { name = name, cpu = settings.server_cpu, times = settings.starts, command = command }
  end
  local url = settings.url .. "/things/1"
  return {
    program(bare_name, contest.command("lua5.4", "-e", "")),
    program(load_name, contest.command("lua5.4", "-e", "require 'moonrest'")),
    program("moonrest.open \"edgegap\"", contest.command("lua5.4", "-e", open_code)),
    program(floor_name, contest.command(settings.floor, url, 1, 1)),
    program(first_names[1], contest.command("lua5.4", settings.programs .. "/get_moonrest.lua", url, 1, 1)),
    program(first_names[2], contest.command("lua5.4", settings.programs .. "/first_edgegap.lua", settings.url)),
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

-- The promise that one program takes at most so much longer than another, on the clock and of the processor.
local function write_distance(out, results, name, base, most_ms)
  for _, field in ipairs { "wall_us", "cpu_us" } do
    local over_us = statistics.median(results[name][field]) - statistics.median(results[base][field])
    out:target(("%s over %s, %s ms"):format(name, base, field == "wall_us" and "wall" or "CPU"), over_us / 1000,
      "at most", most_ms)
  end
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
  out:target("the same with every operation prepared, KiB", client_kib + prepared_kib, "at most", most_client_kib,
    "%.0f")
end

function start.run(out, settings)
  local contestants = contestants_of(settings)
  local results = contest.run(contestants, settings)
  out:title(("Starting, %d times each"):format(settings.starts * settings.rounds))
  write_times(out, contestants, results)
  write_distance(out, results, load_name, bare_name, most_load_ms)
  for _, name in ipairs(first_names) do write_distance(out, results, name, floor_name, most_first_ms) end
  write_memory(out, read_client_memory(settings))
end

return start
