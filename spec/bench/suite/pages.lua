-- Many items over many pages: what a walk costs, and that its memory does not grow.

local json = require "moonrest.json"

local contest = require "spec.bench.suite.contest"
local report = require "spec.bench.suite.report"
local statistics = require "spec.bench.suite.statistics"

local pages = {}

local most_growth <const> = 2 -- pages
local floor_name <const>, own_name <const> = "floor: libcurl in C, bodies thrown away", "**moonrest**, list:pages()"

local function contestants_of(settings)
  local url = settings.url .. "/pages/1"
  return {
    { name = floor_name, cpu = settings.server_cpu,
      command = contest.command(settings.floor, url, settings.pages, 1) },
    { name = own_name, cpu = settings.server_cpu,
      command = contest.command("lua5.4", settings.programs .. "/pages_moonrest.lua", url, settings.items) },
  }
end

-- What one page takes as Lua tables, in KiB.
local function page_kib(settings)
  local pipe = assert(io.popen(contest.command("curl", "-s", "-f", settings.url .. "/pages/2")))
  local text = pipe:read "a"
  assert(pipe:close(), "the second page cannot be fetched")
  collectgarbage()
  local before_kib = collectgarbage "count"
  local page = json.decode(text)
  collectgarbage()
  local after_kib = collectgarbage "count"
  assert(page.data[1].id)
  return after_kib - before_kib
end

-- KiB beyond the second page, of each run: at the last page, and at the largest.
local function growths(result)
  local at_last, at_most = {}, {}
  for index, text in ipairs(result.output) do
    local second, last, most = text:match "^(%d+)%s+(%d+)%s+(%d+)$"
    at_last[index], at_most[index] = last - second, most - second
  end
  return at_last, at_most
end

function pages.run(out, settings)
  local contestants = contestants_of(settings)
  local results = contest.run(contestants, settings)
  local one_kib = page_kib(settings)
  local rows = { { "program", "CPU ms", "peak memory, MiB" } }
  for _, contestant in ipairs(contestants) do
    local result = results[contestant.name]
    rows[#rows + 1] = { contestant.name, report.spread(statistics.summary(result.cpu_us, 1000)),
      ("%.1f"):format(statistics.median(result.peak_kib) / 1024) }
  end
  local at_last, at_most = growths(results[own_name])
  out:title(("%d items over %d pages, %.0f KiB of JSON and %.0f KiB of Lua tables each"):format(settings.items,
    settings.pages, settings.page_bytes / 1024, one_kib))
  out:table(rows)
  out:write("Resident memory beyond that after page 2: %s KiB after the last page, at most %s KiB in between.",
    report.spread(statistics.summary(at_last), "%.0f"), report.spread(statistics.summary(at_most), "%.0f"))
  out:target("growth from page 2 to the last, in pages of Lua tables", statistics.median(at_last) / one_kib, "at most",
    most_growth)
end

return pages
