-- Names as definitions give them: one word or a list of words, and tables by name.

local words = {}

-- The list; empty for nil. It may be the definition's own: not to be changed.
function words.list(given)
  if type(given) == "string" then return { given } end
  return given or {}
end

-- The keys of a table (may be nil) in their order.
function words.sorted(map)
  local keys = {}
  for key in pairs(map or {}) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

return words
