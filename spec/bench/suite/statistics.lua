-- Medians and their company, of lists of numbers.

local statistics = {}

function statistics.median(values)
  local sorted = table.move(values, 1, #values, 1, {})
  table.sort(sorted)
  local middle = (#sorted + 1) // 2
  if #sorted % 2 == 1 then return sorted[middle] end
  return (sorted[middle] + sorted[middle + 1]) / 2
end

-- { median, least, most }, all divided by 'unit' (1).
function statistics.summary(values, unit)
  unit = unit or 1
  return { median = statistics.median(values) / unit, least = math.min(table.unpack(values)) / unit,
    most = math.max(table.unpack(values)) / unit }
end

-- The summary of left[i] / right[i]: what ran in the same round is compared, so that a machine which is busy for a
-- while troubles both.
function statistics.ratio(left, right)
  local ratios = {}
  for index, value in ipairs(left) do ratios[index] = value / right[index] end
  return statistics.summary(ratios)
end

return statistics
