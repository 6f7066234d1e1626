-- Ten thousand items over a hundred pages: what a walk costs, and that its memory does not grow.

local contest = require "spec.bench.suite.contest"
local report = require "spec.bench.suite.report"
local statistics = require "spec.bench.suite.statistics"

local pages = {}

local most_growth_pages <const> = 2

local function growths(result)
  local to_last, to_most = {}, {}
  for index, text in ipairs(result.output) do
    local second, last, most = text:match "^(%d+)%s+(%d+)%s+(%d+)$"
    to_last[index], to_most[index] = last - second, most - second
  end
  return to_last, to_most
end

function pages.run(out, settings)
  local url = settings.url .. "/pages/1"
  local own, floor = "**moonrest**, list:pages()", "floor: libcurl in C, bodies thrown away"
  local results = contest.run({
    { name = floor, cpu = settings.server_cpu, command = contest.command(settings.floor, url, settings.pages, 1) },
    { name = own, cpu = settings.server_cpu,
      command = contest.command("lua5.4", settings.programs .. "/pages_moonrest.lua", url, settings.items) },
  }, settings)
  local to_last, to_most = growths(results[own])
  local page_kib = settings.page_bytes / 1024
  out:title(("%d items over %d pages of %.1f KiB"):format(settings.items, settings.pages, page_kib))
  out:table {
    { "program", "CPU ms for all", "peak memory, MiB" },
    { own, report.spread(statistics.summary(results[own].cpu_us), "%.0f"):gsub("(%d+)%d%d%d", "%1"),
      ("%.1f"):format(statistics.median(results[own].peak_kib) / 1024) },
  }
  out:write("Growth of the resident memory after page 2: %s KiB at the last page, %s KiB at the largest.",
    report.spread(statistics.summary(to_last), "%.0f"), report.spread(statistics.summary(to_most), "%.0f"))
  out:target("growth from page 2 to the last, in pages", statistics.median(to_last) / page_kib, "at most",
    most_growth_pages)
end

return pages
