-- Holds an answer against the schema that an OpenAPI document gives it.

local json = require "moonrest.core".json
local schemas = require "spec.support.openapi_schemas"

local answers = {}

local function is_array(value)
  return type(value) == "table" and (value[1] ~= nil or json.is_array(value))
end

local fits <const> = {
  string = function(value) return type(value) == "string" end,
  integer = function(value) return math.type(value) == "integer" end,
  number = function(value) return type(value) == "number" end,
  boolean = function(value) return type(value) == "boolean" end,
  array = is_array,
  object = function(value) return type(value) == "table" and not is_array(value) end,
}

local function has(list, value)
  for _, one in ipairs(list) do
    if one == value then return true end
  end
  return false
end

local check

local function check_bounds(document, schema, value, path, found)
  local words = schemas.keyword(document, schema, "enum")
  if words and not has(words, value) then found[#found + 1] = ("%s is '%s'"):format(path, tostring(value)) end
  local least, most = schemas.keyword(document, schema, "minimum"), schemas.keyword(document, schema, "maximum")
  if type(value) == "number" and (value < (least or value) or value > (most or value)) then
    found[#found + 1] = ("%s is %s"):format(path, value)
  end
end

-- Null is an absent field in what the client gives.
local function check_object(document, schema, object, path, found)
  local nullable = {}
  schemas.each_property(document, schema, function(name, property)
    nullable[name] = select(2, schemas.type_of(document, property))
    if object[name] ~= nil then check(document, property, object[name], path .. "." .. name, found) end
  end)
  schemas.each_required(document, schema, function(name)
    if object[name] == nil and not nullable[name] then found[#found + 1] = ("%s.%s is missing"):format(path, name) end
  end)
end

function check(document, schema, value, path, found)
  local kind = schemas.type_of(document, schema)
  if fits[kind] and not fits[kind](value) then
    found[#found + 1] = ("%s is no %s"):format(path, kind)
    return
  end
  check_bounds(document, schema, value, path, found)
  local items = kind == "array" and schemas.keyword(document, schema, "items")
  for i, item in ipairs(items and value or {}) do check(document, items, item, ("%s[%d]"):format(path, i), found) end
  if type(value) == "table" and not items then check_object(document, schema, value, path, found) end
end

-- What is wrong with an answer, as texts. 'value' is true where there was no body.
function answers.problems(document, operation, status, value)
  local answer = operation.responses[tostring(status)]
  if not answer then return { ("status %d is not documented"):format(status) } end
  local schema
  schemas.each_answer(document, operation, function(text, one) schema = text == tostring(status) and one or schema end)
  local found = {}
  if schema and value ~= true then check(document, schema, value, "", found) end
  if schema and value == true then found[1] = "there is no body" end
  if not schema and value ~= true then found[1] = "there is a body" end
  return found
end

return answers
