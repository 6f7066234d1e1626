-- Values inside decoded bodies, found by a path that a definition names: "a.b" goes into
-- objects, "a[1].b" into arrays (counted from 1, as in Lua).

local lookup = {}

local function step(value, name, index)
  if type(value) ~= "table" then return nil end
  if name ~= "" then value = value[name] end
  if index == nil then return value end
  return type(value) == "table" and value[index] or nil
end

function lookup.at(value, path)
  if not path:find("[.%[]") then return step(value, path) end
  for part in path:gmatch "[^.]+" do
    local name, index = part:match "^([^%[]*)%[(%d+)%]$"
    value = step(value, name or part, index and tonumber(index))
    if value == nil then return nil end
  end
  return value
end

-- The first value that is present. 'paths' is a path, a list of paths, or nil.
-- 'accept', when given, tells whether a value will do.
function lookup.first(value, paths, accept)
  if type(paths) == "string" then
    local found = lookup.at(value, paths)
    if found ~= nil and (not accept or accept(found)) then return found end
    return nil
  end
  for _, path in ipairs(paths or {}) do
    local found = lookup.at(value, path)
    if found ~= nil and (not accept or accept(found)) then return found end
  end
  return nil
end

return lookup
