-- Edgee: a month's costs by model, by tag and by day, out of the CSV export, with a chart drawn by gnuplot.
-- The export goes to a file and is read line by line, so that its size does not matter.

package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- support.lua is beside this file
local support = require "support"

local usage = [[
Usage: lua5.4 edgee_costs.lua [options]
Reports what requests cost by model and by tag, and draws the costs of each day.

  --period P       1h, 24h, 7d or 30d (30d)
  --csv FILE       where the export goes (edgee-costs.csv)
  --chart FILE     where the chart goes, .svg or .png (edgee-costs.svg); needs gnuplot
  --sandbox        try it without an account; else the token is taken from EDGEE_CONSOLE_API_TOKEN
                   and the organization from EDGEE_ORG_ID
]]

local given = support.options(usage, { period = "30d", csv = "edgee-costs.csv", chart = "edgee-costs.svg" })
local edgee = support.open("edgee", given)

-- The quoted field that begins at 'position': a quote within it is written twice. Returns where it ends, too.
local function quoted_field(line, position)
  local parts = {}
  repeat
    local part, after = line:match('^"([^"]*)"()', position)
    parts[#parts + 1], position = assert(part, "a quote is not closed: " .. line), after
  until line:sub(position, position) ~= '"'
  return table.concat(parts, '"'), position
end

local function fields_of(line)
  local fields, position = {}, 1
  repeat
    local field, after = line:match("^([^,\r]*)()", position)
    if field:sub(1, 1) == '"' then field, after = quoted_field(line, position) end
    fields[#fields + 1], position = field, after + 1
  until line:sub(after, after) ~= ","
  return fields
end

-- A record for each line after the first, which names the fields.
local function records(path)
  local next_line = io.lines(path)
  local names = fields_of(assert(next_line(), path .. " is empty"))
  return function()
    local line, record = next_line(), {}
    if not line then return nil end
    for index, field in ipairs(fields_of(line)) do record[names[index]] = field end
    return record
  end
end

-- "0.001234567" -> 1234567: sums of integers are exact, sums of floats drift.
local function nano_dollars(text)
  local whole, fraction = text:match "^(%d+)%.?(%d*)$"
  return math.tointeger(whole .. (fraction .. "000000000"):sub(1, 9))
end

local function add(sums, key, cost)
  local sum = sums[key] or { name = key, requests = 0, cost = 0 }
  sum.requests, sum.cost = sum.requests + 1, sum.cost + cost
  sums[key] = sum
end

local function aggregate(path)
  local by_model, by_tag, by_day, total = {}, {}, {}, { requests = 0, cost = 0 }
  for record in records(path) do
    local cost, day = nano_dollars(record.Cost), record.Timestamp:sub(1, 10)
    add(by_model, record.Model, cost)
    add(by_day, day, cost)
    for tag in (record.Tags == "" and "(none)" or record.Tags):gmatch "[^,]+" do add(by_tag, tag, cost) end
    by_day[day][record.Model] = (by_day[day][record.Model] or 0) + cost
    total.requests, total.cost = total.requests + 1, total.cost + cost
  end
  return { by_model = by_model, by_tag = by_tag, by_day = by_day, total = total }
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

-- Days from left to right, for each a bar of what its models cost.
local function chart_script(path, models, days)
  local lines = { "$costs << END" }
  local function add_line(...) lines[#lines + 1] = string.format(...) end
  for _, day in ipairs(days) do
    local cells = { day.name:sub(6) }
    for _, model in ipairs(models) do cells[#cells + 1] = ("%.9f"):format((day[model.name] or 0) / 1e9) end
    add_line("%s", table.concat(cells, " "))
  end
  add_line("END\nset terminal %s size 960,480", path:find "%.png$" and "pngcairo" or "svg background 'white'")
  add_line("set output '%s'\nset title 'Edgee: costs a day'\nset ylabel 'US dollars'", path:gsub("'", "''"))
  add_line "set style data histograms\nset style histogram rowstacked\nset style fill solid 0.9\nset boxwidth 0.8"
  add_line "set key outside right reverse Left\nset grid ytics\nset yrange [0:*]\nset xtics rotate by 90 right nomirror"
  local plots = {}
  for index, model in ipairs(models) do
    plots[index] = ("$costs using %d:xtic(1) title '%s' noenhanced"):format(index + 1, model.name:gsub("'", "''"))
  end
  add_line("plot %s", table.concat(plots, ", "))
  return table.concat(lines, "\n") .. "\n"
end

local function draw(path, models, days)
  local script_path = path .. ".gnuplot"
  local script <close> = assert(io.open(script_path, "w"))
  script:write(chart_script(path, models, days)):close()
  local is_drawn = os.execute(("gnuplot '%s'"):format(script_path:gsub("'", "'\\''")))
  os.remove(script_path)
  if not is_drawn then support.fail "no chart: is gnuplot there? (apt-get install gnuplot-nox)" end
end

local saved = assert(edgee.logs:export({ period = given.period, format = "csv" }, { to = given.csv }))
local costs = aggregate(saved.path)
if costs.total.requests == 0 then support.fail("no requests in the last " .. given.period) end

local models = sorted(costs.by_model, dearest_first)
local days = sorted(costs.by_day, function(a, b) return a.name < b.name end)
local columns = { "name", "requests", "dollars" }
support.print_table("Costs by model, last " .. given.period, models, columns)
support.print_table("Costs by tag (a request may have several)", sorted(costs.by_tag, dearest_first), columns)
draw(given.chart, models, days)
print(("\n%d requests, %.2f US dollars; every request in %s, chart in %s"):format(costs.total.requests,
  costs.total.cost / 1e9, saved.path, given.chart))
