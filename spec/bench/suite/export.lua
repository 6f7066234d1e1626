-- A big answer into a file, against curl.

local contest = require "spec.bench.suite.contest"
local report = require "spec.bench.suite.report"
local statistics = require "spec.bench.suite.statistics"

local export = {}

local mib <const> = 1024 * 1024
local least_speed <const>, most_memory_mib <const> = 0.95, 2
local curl_name <const>, own_name <const> = "curl -o", "**moonrest**, { to = path }"

local function file_size(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:seek "end"
end

-- The file must be whole, and the next one is not written over it.
local function check_and_remove(path, bytes)
  return function()
    assert(file_size(path) == bytes, path .. " is not whole")
    os.remove(path)
  end
end

local function contestants_of(settings)
  local url, path = settings.url .. "/export", settings.big .. "/copy"
  local after = check_and_remove(path, settings.export_bytes)
  return {
    { name = curl_name, cpu = settings.client_cpu, after = after,
      command = contest.command("curl", "-s", "-S", "-f", "-o", path, url) },
    { name = own_name, cpu = settings.client_cpu, after = after,
      command = contest.command("lua5.4", settings.programs .. "/export_moonrest.lua", url, path) },
  }
end

local function mib_per_second(result, bytes)
  local speeds = {}
  for index, wall_us in ipairs(result.wall_us) do speeds[index] = bytes / mib / (wall_us / 1e6) end
  return speeds
end

local function memory_mib(result)
  return statistics.median(result.peak_kib) / 1024
end

function export.run(out, settings)
  local contestants = contestants_of(settings)
  local results = contest.run(contestants, settings)
  local rows = { { "program", "MiB per second", "CPU s", "peak memory, MiB" } }
  for _, contestant in ipairs(contestants) do
    local result = results[contestant.name]
    rows[#rows + 1] = {
      contestant.name, report.spread(statistics.summary(mib_per_second(result, settings.export_bytes)), "%.0f"),
      ("%.2f"):format(statistics.median(result.cpu_us) / 1e6), ("%.1f"):format(memory_mib(result)),
    }
  end
  out:title(("%d MiB into a file"):format(settings.export_bytes // mib))
  out:table(rows)
  local speed = statistics.ratio(results[curl_name].wall_us, results[own_name].wall_us)
  out:target("speed over curl's", speed.median, "at least", least_speed)
  out:target("peak memory over curl's, MiB", memory_mib(results[own_name]) - memory_mib(results[curl_name]), "at most",
    most_memory_mib, "%.1f")
end

return export
