-- Edgee: a month's costs by model, API key, tag and day, out of the CSV export, with a chart drawn by gnuplot.
-- The export goes to a file and is read line by line, so that its size does not matter.

package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- support.lua and csv.lua are beside this file
local csv = require "csv"
local support = require "support"
local time = require "moonrest".time

local usage = [[
Usage: lua5.4 edgee_costs.lua [options]
Reports what requests cost by model, API key and tag, and draws the costs of each day.

  --period P       1h, 24h, 7d or 30d (30d)
  --csv FILE       where the export goes (edgee-costs.csv)
  --chart FILE     where the chart goes, .svg or .png (edgee-costs.svg); needs gnuplot
  --sandbox        try it without an account; else the token is taken from EDGEE_CONSOLE_API_TOKEN
                   and the organization from EDGEE_ORG_ID
]]

local given = support.options(usage, { period = "30d", csv = "edgee-costs.csv", chart = "edgee-costs.svg" })
local edgee = support.open("edgee", given)

-- "0.001234567" -> 1234567: sums of integers are exact, sums of floats drift.
local function nano_dollars(text)
  return math.floor(assert(tonumber(text), "this is no cost: " .. text) * 1e9 + 0.5)
end

local function add(sums, key, cost)
  sums[key] = sums[key] or { name = key, requests = 0, cost = 0 }
  sums[key].requests, sums[key].cost = sums[key].requests + 1, sums[key].cost + cost
  return sums[key]
end

local function aggregate(path)
  local costs = { by_model = {}, by_key = {}, by_tag = {}, by_day = {} }
  for record in csv.records(path) do
    local cost = nano_dollars(record.Cost)
    add(costs, "all", cost)
    add(costs.by_model, record.Model, cost)
    add(costs.by_key, record["API Key"], cost)
    for tag in (record.Tags == "" and "(none)" or record.Tags):gmatch "[^,]+" do add(costs.by_tag, tag, cost) end
    local day = add(costs.by_day, record.Timestamp:sub(1, 10), cost)
    day[record.Model] = (day[record.Model] or 0) + cost
  end
  return costs
end

local function sorted(sums, before)
  local rows = {}
  for _, sum in pairs(sums) do
    sum.dollars = ("%.4f"):format(sum.cost / 1e9)
    rows[#rows + 1] = sum
  end
  table.sort(rows, before)
  return rows
end

local function dearest_first(a, b) return a.cost > b.cost end

local gnuplot_script <const> = [[
$costs << END
%s
END
set terminal %s size 960,480
set output '%s'
set title '%s' noenhanced
set ylabel 'US dollars a day'
set style data histograms
set style histogram rowstacked
set style fill solid 0.9
set boxwidth 0.8
set key outside right reverse Left invert
set border 3
set grid ytics
set yrange [0:*]
set format y '%%.2f'
set ytics nomirror
set xtics rotate by 90 right nomirror
plot for [column = 2:%d] $costs using column:xtic(1) title columnheader noenhanced
]]

-- From the first day to the last one, those without a request included.
local function without_gaps(by_day)
  local first, last
  for day in pairs(by_day) do
    first = (not first or day < first) and day or first
    last = (not last or day > last) and day or last
  end
  local days, at = {}, time.parse(first)
  repeat
    local day = time.iso(at):sub(1, 10)
    days[#days + 1], at = by_day[day] or { name = day }, at + time.day
  until day >= last
  return days
end

local function with_costs(models)
  local rows = {}
  for _, model in ipairs(models) do
    if model.cost > 0 then rows[#rows + 1] = model end
  end
  return #rows > 0 and rows or models
end

-- Gnuplot says nothing of a full disk, so that the end of the picture is looked for.
local function is_whole(path)
  local picture <close> = io.open(path, "rb")
  local text = picture and picture:read "a" or ""
  return text:sub(-16):find(path:find "%.png$" and "IEND" or "</svg>", 1, true) ~= nil
end

-- Days from left to right, for each a bar of what its models cost.
local function draw(path, title, models, days)
  local lines = { { "day" } }
  for index, model in ipairs(models) do lines[1][index + 1] = '"' .. model.name .. '"' end
  for number, day in ipairs(days) do
    lines[number + 1] = { day.name:sub(6) }
    for _, model in ipairs(models) do table.insert(lines[number + 1], (day[model.name] or 0) / 1e9) end
  end
  for number, cells in ipairs(lines) do lines[number] = table.concat(cells, " ") end
  local terminal = path:find "%.png$" and "pngcairo" or "svg background 'white'"
  local script <close> = assert(io.open(path .. ".gnuplot", "w"))
  local is_written = script:write(gnuplot_script:format(table.concat(lines, "\n"), terminal, (path:gsub("'", "''")),
    title, #models + 1)) and script:close()
  local is_drawn = is_written and os.execute(("gnuplot '%s.gnuplot'"):format(path:gsub("'", "'\\''")))
  os.remove(path .. ".gnuplot")
  if not is_written then support.fail(path .. ".gnuplot cannot be written: is the disk full?") end
  if not is_drawn then support.fail "no chart: is gnuplot there? (apt-get install gnuplot-nox)" end
  if not is_whole(path) then support.fail(path .. " is not whole: is the disk full?") end
end

local saved = assert(edgee.logs:export({ period = given.period, format = "csv" }, { to = given.csv }))
local costs = aggregate(saved.path)
if not costs.all then support.fail("no requests in the last " .. given.period) end

local models = sorted(costs.by_model, dearest_first)
local days = without_gaps(costs.by_day)
local title = ("Edgee, %s to %s: %.2f US dollars"):format(days[1].name, days[#days].name, costs.all.cost / 1e9)
local columns = { "name", "requests", "dollars" }
support.print_table("Costs by model, last " .. given.period, models, columns)
support.print_table("Costs by API key", sorted(costs.by_key, dearest_first), columns)
support.print_table("Costs by tag (a request may have several)", sorted(costs.by_tag, dearest_first), columns)
draw(given.chart, title, with_costs(models), days)
print(("\n%d requests, %.2f US dollars; every request in %s, chart in %s"):format(costs.all.requests,
  costs.all.cost / 1e9, saved.path, given.chart))
