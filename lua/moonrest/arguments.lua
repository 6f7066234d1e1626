-- The rules of a call: leading strings and numbers are path parameters in the path's order, then at most
-- two tables, parameters and options. Everything is checked here, before anything is sent; what is
-- wrong raises at the caller's line and names the operation and the parameter.

local caller = require "moonrest.caller"
local core = require "moonrest.core"
local nearest = require "moonrest.nearest"
local options = require "moonrest.options"
local target = require "moonrest.target"
local types = require "moonrest.types"
local words = require "moonrest.words"

local arguments = {}

-- Contexts for values that travel as text, by the strict context.
local loose = setmetatable({}, { __mode = "k" })

local function context_of(recipe, field)
  if field.place == "body" then return recipe.context end
  loose[recipe.context] = loose[recipe.context] or { shapes = recipe.context.shapes, loose = true }
  return loose[recipe.context]
end

-- {========================================================================
-- Messages
-- =========================================================================

local function join_names(list)
  local names = {}
  for index, field in ipairs(list) do names[index] = field.name end
  return table.concat(names, ", ")
end

local function raise_positional(recipe, count)
  local positional = recipe.positional or recipe.path
  local filled = #recipe.path - #positional
  local note = filled > 0 and ", the others are filled by the client" or ""
  if #positional == 0 then
    caller.raise("%s takes no path parameter%s; parameters go into a table: { name = value }", recipe.label, note)
  end
  caller.raise("%s takes %d path parameter%s (%s)%s, got %d", recipe.label, #positional,
    #positional == 1 and "" or "s", join_names(positional), note, count)
end

local function example_of(recipe)
  return ("%s({ ... }, { %%s = ... })"):format(recipe.label)
end

local function raise_unknown(recipe, name)
  if type(name) ~= "string" then
    caller.raise("%s: parameters need names: { name = value }, got a value at [%s]", recipe.label, tostring(name))
  end
  if options.known[name] then
    caller.raise("%s: '%s' is an option, not a parameter: it goes into a second table, %s", recipe.label, name,
      example_of(recipe):format(name))
  end
  local known = {}
  for known_name in pairs(recipe.fields) do known[known_name] = true end
  local hint = nearest.hint(name, known)
  if hint == "" and nearest.name(name, options.known) then
    hint = ("; there is an option '%s', which goes into a second table"):format(nearest.name(name, options.known))
  elseif hint == "" then
    local names = {}
    for _, field in pairs(recipe.fields) do names[field.name] = field.name end
    hint = next(names) and (" (it has: %s)"):format(nearest.list(names)) or " (it has none)"
  end
  caller.raise("%s: unknown parameter '%s'%s", recipe.label, name, hint)
end

-- }========================================================================

-- {========================================================================
-- Splitting
-- =========================================================================

local function is_positional(value)
  local kind = type(value)
  return kind == "string" or kind == "number" or (kind == "userdata" and types.is_secret(value))
end

-- Puts the value into every field that the name stands for.
local function put(recipe, values, name, value)
  values[recipe.fields[name]] = value
  local also = recipe.also and recipe.also[name]
  for _, field in ipairs(also or {}) do values[field] = value end
end

-- "body:id" names the one of several fields; nil for any other name.
local function find_placed(recipe, name)
  local place, rest = name:match "^(%a+):(.+)$"
  if not place then return nil end
  local field = recipe.fields[rest]
  if field and field.place == place then return field end
  for _, other in ipairs(recipe.also and recipe.also[rest] or {}) do
    if other.place == place then return other end
  end
  return nil
end

local function put_unknown(recipe, values, name, value)
  local field = type(name) == "string" and find_placed(recipe, name)
  if field then
    values[field] = value
  elseif recipe.open and type(name) == "string" and not options.known[name] then
    values.open = values.open or {}
    values.open[name] = value
  else
    raise_unknown(recipe, name)
  end
end

-- Names with a place come last: they are more exact than the plain ones.
local function put_parameters(recipe, values, parameters)
  local placed
  for name, value in pairs(parameters) do
    if recipe.fields[name] then
      if values[recipe.fields[name]] ~= nil then
        caller.raise("%s: parameter '%s' is given twice", recipe.label, tostring(name))
      end
      put(recipe, values, name, value)
    else
      placed = placed or {}
      placed[name] = value
    end
  end
  for name, value in pairs(placed or {}) do put_unknown(recipe, values, name, value) end
end

local function put_positional(recipe, values, count, ...)
  local position = 1
  while position <= count do
    local value = select(position, ...)
    if not is_positional(value) then break end
    local field = (recipe.positional or recipe.path)[position]
    if not field then raise_positional(recipe, count) end
    put(recipe, values, field.name, value)
    position = position + 1
  end
  return position
end

local function check_tables(recipe, count, position, parameters, given)
  if count - position + 1 > 2 then
    caller.raise("%s: too many arguments: path parameters, then parameters and options, both tables", recipe.label)
  end
  if parameters ~= nil and type(parameters) ~= "table" then
    local field = (recipe.positional or recipe.path)[position]
    caller.raise("%s: %s must be a %s, got a %s", recipe.label,
      field and ("path parameter '%s'"):format(field.name) or "parameters",
      field and "string or a number" or "table", type(parameters))
  end
  if given ~= nil and type(given) ~= "table" then
    caller.raise("%s: options must be a table, got a %s", recipe.label, type(given))
  end
end

local function put_tenant(recipe, values)
  for wire, value in pairs(recipe.site.tenant) do
    local field = recipe.fields[wire]
    if field and values[field] == nil then put(recipe, values, wire, value) end
  end
end

-- }========================================================================

-- {========================================================================
-- Checking
-- =========================================================================

local function check_value(recipe, field, value)
  local path, problem, bad = types.check(value, field.descriptor, context_of(recipe, field), field.name)
  if problem then
    caller.raise("%s: parameter '%s' %s%s", recipe.label, path, problem, types.got(bad, field.secret))
  end
end

local function brings_body(given)
  return given ~= nil and (given.body ~= nil or given.upload ~= nil)
end

-- A client can fill in some parameters for all calls: where it could have, this says how.
local function tenant_hint(recipe, field)
  for option, tenant in pairs(recipe.site.definition.tenant or {}) do
    if tenant.parameter == field.wire then
      local name = words.list(tenant.env)[1]
      local variable = name and (", or set %s"):format(name) or ""
      return ("; moonrest.open(..., { %s = ... }) gives it to all calls%s"):format(option, variable)
    end
  end
  return ""
end

local function check_required(recipe, values, given)
  for _, field in ipairs(recipe.required or recipe.path) do
    if values[field] == nil and not (field.place == "body" and brings_body(given)) then
      caller.raise("%s: parameter '%s' is required (%s, %s)%s", recipe.label, field.name, field.place,
        types.text(field.descriptor), tenant_hint(recipe, field))
    end
  end
end

local function check_values(recipe, values)
  for field, value in pairs(values) do
    if field ~= "open" then check_value(recipe, field, value) end
  end
end

-- Whether an item of the list has an empty list: a filter without values may fit everything.
local function has_empty_part(list)
  for _, item in pairs(list) do
    for _, part in pairs(type(item) == "table" and item or {}) do
      if type(part) == "table" and next(part) == nil then return true end
    end
  end
  return false
end

local function is_empty(value)
  if type(value) == "table" then return next(value) == nil or has_empty_part(value) end
  return value == nil or value == core.null or value == ""
end

-- A reason to ask for confirmation, or nil: 'confirm' says always, without a parameter, or with an empty one. Servers
-- take an empty text for a parameter that is not there, so the two are one.
local function danger_of(recipe, values)
  local confirm = recipe.confirm
  if type(confirm) ~= "table" then return confirm end
  local field = recipe.fields[confirm.without or confirm.empty]
  return is_empty(field and values[field]) and confirm.why or nil
end

-- Refuses writes of a read-only client, and dangerous operations that were not confirmed.
local function check_permission(recipe, values, given)
  if recipe.writes and recipe.site.read_only then
    caller.raise("%s changes something (%s), and this client was opened with read_only = true", recipe.label,
      recipe.method)
  end
  local danger = recipe.confirm and danger_of(recipe, values)
  if danger and not (given and given.confirm) then
    caller.raise("%s %s: pass the option confirm = true if that is meant", recipe.label,
      danger == true and "is dangerous" or danger)
  end
end

-- }========================================================================

-- Reads the arguments of a call. Returns the values by field, and the options (nil, or a table).
-- 'use' is "call" or "list"; 'defaults' are options of the client's, already checked.
function arguments.read(recipe, use, defaults, ...)
  local count, values = select("#", ...), {}
  local position = put_positional(recipe, values, count, ...)
  local parameters, given
  if position <= count then parameters, given = select(position, ...) end
  check_tables(recipe, count, position, parameters, given)
  if parameters then put_parameters(recipe, values, parameters) end
  if given then options.check(given, recipe.label, use, recipe.fields) end
  put_tenant(recipe, values)
  return values, options.merge(defaults, given)
end

-- Checks the values against the operation and whether it may be called at all.
function arguments.check(recipe, values, given)
  check_required(recipe, values, given)
  check_values(recipe, values)
  check_permission(recipe, values, given)
end

-- The target of checked values.
function arguments.target(recipe, values)
  local built, name, problem = target.build(recipe, values)
  if not built then caller.raise("%s: path parameter '%s': %s", recipe.label, name, problem) end
  return built
end

return arguments
