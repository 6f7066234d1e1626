-- Faults on demand: what goes wrong with the next requests that match.

local fault = {}

local function matches(one, request)
  if one.method and one.method ~= request.method then return false end
  if one.system and one.system ~= request.system then return false end
  local wanted = one.path
  if not wanted then return true end
  for _, path in ipairs { request.path, "/" .. request.mount .. request.path } do
    if path == wanted then return true end
    if wanted:sub(-1) == "*" and path:sub(1, #wanted - 1) == wanted:sub(1, -2) then return true end
  end
  return false
end

--- Takes one use of the first fault in the list that matches; nil if none does.
function fault.take(list, request)
  for i, one in ipairs(list) do
    if matches(one, request) then
      one.count = one.count - 1
      if one.count <= 0 then table.remove(list, i) end
      return one
    end
  end
end

return fault
