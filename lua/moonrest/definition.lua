-- Definitions: what describes an API. A definition is a plain table, data only; this file finds it, has it checked
-- (definition_check.lua), and walks over its operations. An operation is prepared when it is first called.

local caller = require "moonrest.caller"
local nearest = require "moonrest.nearest"

local definition = {}

definition.built_in = { "capgo", "cygni", "edgee", "edgegap", "template" }

local own_prefix <const> = "moonrest.definitions."

local function is_built_in(source)
  for _, name in ipairs(definition.built_in) do
    if name == source then return true end
  end
  return false
end

definition.limit_periods = {
  s = 1, sec = 1, second = 1, min = 60, minute = 60, h = 3600, hour = 3600, d = 86400, day = 86400,
}

local largest_limit <const> = 1 << 53 -- as the core has it

-- "40/s", "100/min", "1000/h", "10000/d" -> count, seconds; nil for anything else.
function definition.parse_limit(word)
  if type(word) ~= "string" then return nil end
  local digits, period = word:match "^%s*(%d+)%s*/%s*(%a+)%s*$"
  local seconds, count = period and definition.limit_periods[period], math.tointeger(tonumber(digits))
  if not seconds or not count or count < 1 or count > largest_limit then return nil end
  return count, seconds
end

-- An operation is a table that begins with "METHOD /path".
function definition.is_operation(value)
  return type(value) == "table" and type(value[1]) == "string"
end

-- RFC 9110 section 9.3 and RFC 5789, without CONNECT and TRACE.
definition.methods = {
  GET = true, HEAD = true, POST = true, PUT = true, PATCH = true, DELETE = true, OPTIONS = true,
}

-- What comes with the library, as the library loaded it, by module. It does not stand in package.loaded: a program that
-- requires such a module has a table of its own, which it may change, and which is checked when it is opened by name.
local pristine = {}

local function load_own(module)
  local changed = package.loaded[module]
  if changed then return changed end
  if not pristine[module] then
    pristine[module] = require(module)
    package.loaded[module] = nil
  end
  return pristine[module]
end

local function find_module(name)
  for _, module in ipairs { own_prefix .. name, name } do
    local is_there = package.loaded[module] or package.preload[module] or package.searchpath(module, package.path)
    if is_there then return module end
  end
  return nil
end

-- The definition of that name: a built-in one, else any module of that name. Raises when there is none.
function definition.find(name)
  if pristine[own_prefix .. name] then return load_own(own_prefix .. name) end
  local module = find_module(name)
  if not module then
    caller.raise("there is no definition '%s'%s (built in: %s)", name, nearest.hint(name, definition.built_in),
      table.concat(definition.built_in, ", "))
  end
  return is_built_in(name) and load_own(module) or require(module)
end

-- A deep copy, for whoever wants to change a field without changing it for everybody.
function definition.copy(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, field in pairs(value) do copy[key] = definition.copy(field) end
  return setmetatable(copy, getmetatable(value))
end

local function merge_resources(base, more)
  local merged = {}
  for name, value in pairs(base) do merged[name] = value end
  for name, value in pairs(more) do
    local mine = merged[name]
    if type(mine) == "table" and type(value) == "table" and not definition.is_operation(mine) then
      merged[name] = merge_resources(mine, value)
    elseif mine == nil then
      merged[name] = value
    end
  end
  return merged
end

-- The definition with the resources of its 'legacy' module as well; what exists in both stays.
function definition.with_legacy(at)
  if not at.legacy then caller.raise("definition '%s' has no legacy operations", at.name) end
  local whole = {}
  for key, value in pairs(at) do whole[key] = value end
  local more = at.legacy:sub(1, #own_prefix) == own_prefix and load_own(at.legacy) or require(at.legacy)
  whole.resources = merge_resources(at.resources, more.resources or more)
  for _, key in ipairs { "shapes", "results" } do
    if more.resources and more[key] then whole[key] = merge_resources(at[key] or {}, more[key]) end
  end
  return whole
end

-- Reads a name or a table and returns a good definition; raises when it is none. What comes with the library was
-- checked by its tests: checking it again takes longer than a program's first request.
function definition.read(source, legacy)
  local at = source
  if type(source) == "string" then at = definition.find(source) end
  local is_pristine = is_built_in(source) and pristine[own_prefix .. source] == at
    and not (legacy and package.loaded[at.legacy])
  if legacy and type(at) == "table" then at = definition.with_legacy(at) end
  local problem = not is_pristine and require "moonrest.definition_check".problem(at)
  if problem then caller.raise("%s", problem) end
  return at
end

-- Calls visit(operation, "deployments.logs") for each operation, in the order of the names.
function definition.each_operation(resources, visit, path)
  local names = {}
  for name, value in pairs(resources) do
    if type(value) == "table" and name ~= "waiters" then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local here = path and path .. "." .. name or name
    if definition.is_operation(resources[name]) then
      visit(resources[name], here)
    else
      definition.each_operation(resources[name], visit, here)
    end
  end
end

return definition
