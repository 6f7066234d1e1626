-- All figures, as markdown: figures.lua NAME=VALUE ... (run.sh beside this file says which). The last line tells how
-- many promises were not kept; the exit status does not, because figures are for people to judge.

local report = require "spec.bench.suite.report"

local sections <const> = { "small_gets", "json", "export", "pages", "start" }

local settings = {}
for _, word in ipairs(arg) do
  local name, value = word:match "^([%w_]+)=(.*)$"
  settings[name] = math.tointeger(tonumber(value)) or value
end

local out = report.open(settings.report)
out:write("# Figures\n\n%s\n\nMedians of %d rounds in which the programs took turns, least and most beside them; ratios"
  .. " are the median of what ran in the same round.", settings.machine, settings.rounds)
for _, name in ipairs(sections) do
  if not settings.only or settings.only == name then require("spec.bench.suite." .. name).run(out, settings) end
end
out:write("\n%d promises not kept.", out.missed or 0)
out:close()
