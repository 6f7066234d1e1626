-- Operations that are going away: the definition may say so, and so may the server in header fields (RFC 9745,
-- RFC 8594, and those that the definition's 'deprecation' names). One event for each operation of a site; without a
-- listener it is a Lua warning, which `lua5.4 -W` shows. Of client:request each method with its path counts as one.

local events = require "moonrest.events"

local deprecation = {}

local most_paths <const> = 100 -- of client:request that are told of, by method: a program may ask for any number

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

local function describe_declared(declared)
  return type(declared) == "string" and "deprecated: " .. declared or "deprecated"
end

-- Whether it is the first time, noting it. Recipes of client:request, one for each call, share the set 'told_paths'.
local function is_news(recipe)
  local paths, label = recipe.told_paths, recipe.label
  if not paths then
    recipe.told_deprecated = true
    return true
  end
  if paths[label] or paths.count == most_paths then return false end
  paths[label], paths.count = true, paths.count + 1
  return true
end

local function tell(recipe, message)
  if events.is_heard "deprecated" then
    events.emit("deprecated", { operation = recipe.label, message = message })
  else
    warn("moonrest: ", recipe.label, ": ", message)
  end
end

-- Looks at an answer, and tells once.
function deprecation.look(recipe, request)
  if recipe.told_deprecated then return end
  local declared, is_marked = recipe.declaration.deprecated, request:deprecates()
  if not (is_marked or declared) or not is_news(recipe) then return end
  tell(recipe, is_marked and describe(recipe.site.definition.deprecation or {}, request)
    or describe_declared(declared))
end

return deprecation
