-- Operations that are going away: the definition may say so, and so may the server in header fields (RFC 9745,
-- RFC 8594, and those that the definition's 'deprecation' names). One event for each operation of a site; without a
-- listener it is a Lua warning, which `lua5.4 -W` shows.

local events = require "moonrest.events"

local deprecation = {}

-- What an answer says, the standard's header field (if there is one) before the definition's own.
local notes = {
  { "since", "deprecated since %s", standard = "Deprecation" }, { "ends", "removed on %s", standard = "Sunset" },
  { "ends_in_version", "removed in version %s" }, { "use_version", "use version %s" }, { "use", "use %s" },
  { "message", "%s" },
}

local function add(parts, note, value)
  if value and value ~= "true" then parts[#parts + 1] = note[2]:format(value) end
end

local function describe(own, request)
  local parts = {}
  for _, note in ipairs(notes) do
    if note.standard then add(parts, note, request:header(note.standard)) end
    if own[note[1]] then add(parts, note, request:header(own[note[1]])) end
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
    tell(recipe, describe(recipe.site.definition.deprecation or {}, request))
  elseif declared then
    tell(recipe, type(declared) == "string" and "deprecated: " .. declared or "deprecated")
  end
end

return deprecation
