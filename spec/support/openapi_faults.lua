-- What an OpenAPI document forbids: good bodies in which one thing is wrong, and queries likewise.

local json = require "moonrest.core".json
local schemas = require "spec.support.openapi_schemas"

local faults = {}

-- A value of another type than the one it stands for.
local other_type <const> = { string = 7, integer = "x", number = "x", boolean = "yes", array = "x", object = "x" }

local function good_array(document, schema)
  local items = schemas.keyword(document, schema, "items")
  return json.array { items and next(items) and faults.good(document, items) or "x" }
end

local function good_object(document, schema)
  local object = {}
  schemas.each_property(document, schema, function(name, property)
    if schemas.keyword(document, property, "readOnly") ~= true then object[name] = faults.good(document, property) end
  end)
  return object
end

-- A value that the schema allows, with all its fields.
function faults.good(document, schema)
  local kind, words = schemas.type_of(document, schema), schemas.keyword(document, schema, "enum")
  if kind == "array" then return good_array(document, schema) end
  if kind == "object" or kind == nil then return good_object(document, schema) end
  if words then return words[1] end
  if kind == "boolean" then return true end
  if kind == "string" then return "text" end
  return math.tointeger(math.max(schemas.keyword(document, schema, "minimum") or 1, 20))
end

local add_all

local function add_bounds(document, schema, add)
  local function bound(name, label, make)
    local value = math.tointeger(schemas.keyword(document, schema, name))
    if value then add(label, make(value)) end
  end
  bound("minimum", "under its minimum", function(value) return value - 1 end)
  bound("maximum", "over its maximum", function(value) return value + 1 end)
  bound("minLength", "too short", function(value) return ("a"):rep(value - 1) end)
  bound("maxLength", "too long", function(value) return ("a"):rep(value + 1) end)
  bound("minItems", "without items", function() return json.array {} end)
end

local function add_of_array(document, schema, add)
  add("an object", {})
  local items = schemas.keyword(document, schema, "items")
  if not items or not next(items) then return end
  add_all(document, items, function(label, value) add("[]" .. label, json.array { value }) end)
  if schemas.keyword(document, schema, "uniqueItems") then
    local item = faults.good(document, items)
    add("with one item twice", json.array { item, item })
  end
end

local function add_of_object(document, schema, add)
  add("an array", json.array {})
  local function changed(name, value)
    local object = good_object(document, schema)
    object[name] = value
    return object
  end
  schemas.each_property(document, schema, function(name, property)
    if schemas.keyword(document, property, "readOnly") == true then return end
    add_all(document, property, function(label, value) add("." .. name .. label, changed(name, value)) end)
  end)
  schemas.each_required(document, schema, function(name) add("." .. name .. " missing", changed(name, nil)) end)
end

-- add(label, value) for each value that the schema forbids.
function add_all(document, schema, add)
  local kind, nullable = schemas.type_of(document, schema)
  local function one(label, value) add(label:find "^[.%[]" and label or " " .. label, value) end
  if not kind then return end
  one("of another type", other_type[kind])
  if kind == "integer" then one("with a fraction", 1.5) end
  if not nullable then one("null", json.null) end
  if kind == "string" and schemas.keyword(document, schema, "enum") then one("no word of it", "nonsense") end
  add_bounds(document, schema, one)
  if kind == "array" then add_of_array(document, schema, one) end
  if kind == "object" then add_of_object(document, schema, one) end
end

-- A list of { label, body }: the good body with one thing wrong in each.
function faults.of_body(document, schema, good)
  local list = {}
  local function changed(name, value)
    local body = {}
    for field, own in pairs(good) do body[field] = own end
    body[name] = value
    return body
  end
  schemas.each_property(document, schema, function(name, property)
    if schemas.keyword(document, property, "readOnly") == true then return end
    add_all(document, property, function(label, value)
      list[#list + 1] = { label = name .. label, body = changed(name, value) }
    end)
  end)
  schemas.each_required(document, schema, function(name)
    if good[name] ~= nil then list[#list + 1] = { label = name .. " missing", body = changed(name, nil) } end
  end)
  return list
end

-- Texts that a parameter of the query must not be.
local function forbidden_texts(document, schema)
  local kind, least = schemas.type_of(document, schema), schemas.keyword(document, schema, "minimum")
  local texts = {}
  if kind == "integer" then texts = { "x", "1.5" } end
  if kind == "boolean" then texts = { "maybe" } end
  if least then texts[#texts + 1] = ("%d"):format(least - 1) end
  local form = schemas.keyword(document, schema, "format")
  local is_time = form == "date" or form == "date-time"
  if schemas.keyword(document, schema, "enum") or is_time then texts[#texts + 1] = "nonsense" end
  return texts
end

-- A list of { label, query = text from the question mark on }: one parameter of the query wrong in each.
function faults.of_query(document, operation)
  local list = {}
  for _, one in ipairs(operation.parameters or {}) do
    local parameter = schemas.resolve(document, one)
    if parameter["in"] == "query" then
      for _, text in ipairs(forbidden_texts(document, parameter.schema)) do
        local query = ("?%s=%s"):format(parameter.name, text)
        list[#list + 1] = { label = query, query = query }
      end
      if parameter.required then list[#list + 1] = { label = parameter.name .. " missing", query = "" } end
    end
  end
  return list
end

return faults
