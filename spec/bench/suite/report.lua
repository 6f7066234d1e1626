-- Writes markdown to stdout and to a file at once.

local report = {}
report.__index = report

function report.open(path)
  return setmetatable({ file = assert(io.open(path, "w")) }, report)
end

function report:write(format, ...)
  local text = select("#", ...) > 0 and format:format(...) or format
  for _, file in ipairs { io.stdout, self.file } do
    file:write(text, "\n")
    file:flush()
  end
end

function report:title(text)
  self:write("\n## %s\n", text)
end

-- 'rows' are lists of texts, the first one the heads of the columns. The first column is a name, the others figures.
function report:table(rows)
  for index, row in ipairs(rows) do
    self:write("| %s |", table.concat(row, " | "))
    if index == 1 then self:write("|---|%s", ("--:|"):rep(#row - 1)) end
  end
  self:write ""
end

-- "17.4 (16.9-18.2)"; 'format' is that of each number, "%.1f" when absent.
function report.spread(summary, format)
  format = format or "%.1f"
  return ("%s (%s-%s)"):format(format:format(summary.median), format:format(summary.least), format:format(summary.most))
end

-- One figure that is promised: 'value' has to be "at most" or "at least" (the kind) the bound.
function report:target(what, value, kind, bound, format)
  local is_met = (kind == "at most" and value <= bound) or (kind == "at least" and value >= bound)
  self.missed = (self.missed or 0) + (is_met and 0 or 1)
  self:write("- %s: **%s**, promised %s %s: %s", what, (format or "%.2f"):format(value), kind,
    (format or "%.2f"):format(bound), is_met and "kept" or "**NOT KEPT**")
end

function report:close()
  self.file:close()
end

return report
