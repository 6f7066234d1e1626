-- The nearest known name, for messages about unknown ones.

local nearest = {}

local longest <const> = 64 -- bytes; nobody mistypes longer names than that

-- Optimal string alignment distance: insert, delete, replace, swap neighbours.
function nearest.distance(left, right)
  local before, previous, row = {}, {}, {}
  for column = 0, #right do previous[column] = column end
  for line = 1, #left do
    row[0] = line
    local letter = left:byte(line)
    for column = 1, #right do
      local other = right:byte(column)
      local cost = letter == other and 0 or 1
      local best = math.min(previous[column] + 1, row[column - 1] + 1, previous[column - 1] + cost)
      if line > 1 and column > 1 and letter == right:byte(column - 1) and left:byte(line - 1) == other then
        best = math.min(best, before[column - 2] + 1)
      end
      row[column] = best
    end
    before, previous, row = previous, row, before
  end
  return previous[#right]
end

local function distance_between(wanted, candidate)
  local left, right = wanted:lower(), candidate:lower()
  if left == right then return 0 end
  if #right > 3 and #left > 3 and (left:find(right, 1, true) or right:find(left, 1, true)) then return 1 end
  return nearest.distance(left, right)
end

-- 'names' is a list of names or a table whose keys are names. Returns nil when none is near.
function nearest.name(wanted, names)
  if type(wanted) ~= "string" or #wanted > longest then return nil end
  local best, best_distance = nil, math.max(1, #wanted // 3) + 1
  for key, value in pairs(names) do
    local candidate = type(key) == "string" and key or value
    if type(candidate) == "string" and #candidate <= longest then
      local distance = distance_between(wanted, candidate)
      if distance < best_distance or (distance == best_distance and best and candidate < best) then
        best, best_distance = candidate, distance
      end
    end
  end
  return best
end

-- "; did you mean 'name'?" or "".
function nearest.hint(wanted, names)
  local name = nearest.name(wanted, names)
  return name and ("; did you mean '%s'?"):format(name) or ""
end

-- "a, b, c": the names in order, for messages that list what there is.
function nearest.list(names)
  local sorted = {}
  for key, value in pairs(names) do sorted[#sorted + 1] = type(key) == "string" and key or tostring(value) end
  table.sort(sorted)
  return table.concat(sorted, ", ")
end

return nearest
