-- Checks request bodies against rules such as { name = "string!", ports = "array", mode = { "a", "b" } }.
-- A rule is a type word (string integer number boolean object array any), with "!" when required and "?"
-- when null is welcome; a list of allowed texts; or a table { type = word, min, max, min_length,
-- max_length, enum, items = rule, min_items, distinct = no item twice, fields = rules }.

local json = require "moonrest.sandbox.json"

local check = {}

local array_metatable = getmetatable(json.array {})

-- What came as [] or as [ ... ]: also an empty one is no object.
local function is_array(value)
  return type(value) == "table" and (value[1] ~= nil or getmetatable(value) == array_metatable)
end

local function is_object(value)
  return type(value) == "table" and not is_array(value)
end

local types = {
  any = function() return true end,
  string = function(value) return type(value) == "string" end,
  number = function(value) return type(value) == "number" end,
  integer = function(value) return math.type(value) == "integer" end,
  boolean = function(value) return type(value) == "boolean" end,
  array = is_array,
  object = is_object,
}

local function spread(rule)
  if type(rule) == "string" then rule = { type = rule } end
  if rule[1] then rule = { type = "string", enum = rule } end
  local word, marks = rule.type:match "^(%a+)([!?]*)$"
  return rule, word, marks:find("!", 1, true) ~= nil, marks:find("?", 1, true) ~= nil
end

local function contains(list, value)
  for _, other in ipairs(list) do
    if other == value then return true end
  end
  return false
end

local function out_of_bounds(rule, value)
  if rule.enum and not contains(rule.enum, value) then return "must be one of " .. table.concat(rule.enum, ", ") end
  if rule.min and value < rule.min then return "must be at least " .. rule.min end
  if rule.max and value > rule.max then return "must be at most " .. rule.max end
  local length = type(value) == "string" and (utf8.len(value) or #value) or 0
  if length < (rule.min_length or 0) then return "must have at least " .. rule.min_length .. " characters" end
  if length > (rule.max_length or length) then return "must have at most " .. rule.max_length .. " characters" end
end

local function has_twice(list)
  local seen = {}
  for _, item in ipairs(list) do
    if seen[item] then return true end
    seen[item] = true
  end
  return false
end

local function bad_items(rule, value)
  if rule.min_items and #value < rule.min_items then return "must have at least " .. rule.min_items .. " of them" end
  if rule.distinct and has_twice(value) then return "must not name one twice" end
end

local function nested(rule, value, path)
  if rule.fields then return check.body(value, rule.fields, path .. ".") end
  if not rule.items then return end
  for i, item in ipairs(value) do
    local problem = check.value(item, rule.items, path .. "[" .. (i - 1) .. "]")
    if problem then return problem end
  end
end

--- nil, or { field = path, reason = "required" | "type" | "value", message = text }.
function check.value(value, given, path)
  local rule, word, required, nullable = spread(given)
  if value == nil then
    return required and { field = path, reason = "required", message = path .. " is required" } or nil
  end
  if value == json.null then
    return not nullable and { field = path, reason = "type", message = path .. " must not be null" } or nil
  end
  if not types[word](value) then
    return { field = path, reason = "type", message = path .. " must be of type " .. word }
  end
  local bounds = out_of_bounds(rule, value) or bad_items(rule, value)
  if bounds then return { field = path, reason = "value", message = path .. " " .. bounds } end
  return nested(rule, value, path)
end

--- The first problem of a body (fields in alphabetical order), or nil. `prefix` goes before names.
function check.body(body, rules, prefix)
  if not is_object(body) then return { field = "", reason = "type", message = "a JSON object is required" } end
  local names = {}
  for name in pairs(rules) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local problem = check.value(body[name], rules[name], (prefix or "") .. name)
    if problem then return problem end
  end
end

return check
