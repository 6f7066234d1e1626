-- Operations that are going away: the definition may say so, and so may the server in header fields (RFC 9745,
-- RFC 8594, and the fields that Cygni sends). One event for each operation of a site; without a
-- listener it is a Lua warning, which `lua5.4 -W` shows.

local events = require "moonrest.events"

local deprecation = {}

local notes = {
  { "Deprecation", "deprecated since %s" }, { "X-API-Deprecation-Date", "deprecated since %s" },
  { "Sunset", "removed on %s" }, { "X-API-End-Of-Life", "removed on %s" },
  { "X-API-Remove-In-Version", "removed in version %s" }, { "X-API-Recommended-Version", "use version %s" },
  { "X-API-Alternative", "use %s" }, { "X-API-Warning", "%s" },
}

local function describe(request)
  local parts = {}
  for _, note in ipairs(notes) do
    local value = request:header(note[1])
    if value and value ~= "true" then parts[#parts + 1] = note[2]:format(value) end
  end
  return #parts > 0 and table.concat(parts, ", ") or "the server says that it is deprecated"
end

local function tell(recipe, message)
  recipe.told_deprecated = true
  if events.is_heard "deprecated" then
    events.emit("deprecated", { operation = recipe.label, message = message })
  else
    warn("moonrest: ", recipe.label, ": ", message)
  end
end

-- Looks at an answer, and tells once.
function deprecation.look(recipe, request)
  if recipe.told_deprecated then return end
  local declared = recipe.declaration.deprecated
  if request:deprecates() then
    tell(recipe, describe(request))
  elseif declared then
    tell(recipe, type(declared) == "string" and "deprecated: " .. declared or "deprecated")
  end
end

return deprecation
