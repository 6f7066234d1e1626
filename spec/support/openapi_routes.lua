-- Brings OpenAPI documents and definitions into one form, routes, and compares them.
--
-- A route has a label ("GET /v1/apps") and fields by name in path, query, header and body. A field is
-- { required, kind, nullable, item, enum, min, max, max_length, fields }.

local definition = require "moonrest.definition"
local schemas = require "spec.support.openapi_schemas"
local types = require "moonrest.types"

local openapi = {}

local deepest <const> = 8 -- levels of nested fields

local resolve, keyword, type_of = schemas.resolve, schemas.keyword, schemas.type_of
local each_property, each_required = schemas.each_property, schemas.each_required

-- {========================================================================
-- Documents
-- =========================================================================

local describe_schema

-- Fields by name: { required, kind, enum, min, max, fields }. What is read-only is not sent.
local function describe_object(document, schema, depth)
  local fields = {}
  each_property(document, schema, function(name, property)
    if keyword(document, property, "readOnly") ~= true then
      fields[name] = describe_schema(document, property, depth + 1)
    end
  end)
  each_required(document, schema, function(name)
    local property = fields[name]
    if property then
      property.required = true
    else
      local read_only = false
      each_property(document, schema, function(other) read_only = read_only or other == name end)
      if not read_only then fields[name] = { required = true } end
    end
  end)
  return fields
end

function describe_schema(document, schema, depth)
  local kind, nullable = type_of(document, schema)
  local described = {
    kind = kind, nullable = nullable, enum = keyword(document, schema, "enum"),
    min = keyword(document, schema, "minimum"), max = keyword(document, schema, "maximum"),
    max_length = keyword(document, schema, "maxLength"),
  }
  local inner = schema
  if kind == "array" then
    inner = keyword(document, schema, "items")
    described.item = inner and describe_schema(document, inner, depth + 1).kind
    described.enum = inner and keyword(document, inner, "enum") or described.enum
  end
  if depth < deepest then described.fields = inner and describe_object(document, inner, depth) end
  if described.fields and next(described.fields) == nil then described.fields = nil end
  return described
end

local ignored_headers = { accept = true, ["content-type"] = true } -- OpenAPI says to ignore these

local function read_parameters(document, item, operation)
  local places = { path = {}, query = {}, header = {} }
  for _, list in ipairs { item.parameters or {}, operation.parameters or {} } do
    for _, one in ipairs(list) do
      local parameter = resolve(document, one)
      local place = places[parameter["in"]]
      if place and not (parameter["in"] == "header" and ignored_headers[parameter.name:lower()]) then
        local described = describe_schema(document, parameter.schema or {}, 1)
        described.required = parameter.required == true
        place[parameter.name] = described
      end
    end
  end
  return places
end

-- The names in the successful answers, and below each that is a list of objects the names in it: { name = true or
-- names }. nil where no answer is described.
local function result_fields(document, operation)
  local fields
  schemas.each_answer(document, operation, function(_, schema)
    each_property(document, schema, function(name, property)
      fields = fields or {}
      local item = keyword(document, property, "items")
      local names = true
      if item then
        names = {}
        each_property(document, item, function(inner) names[inner] = true end)
      end
      fields[name] = names
    end)
  end)
  return fields
end

local verbs = { get = true, post = true, put = true, patch = true, delete = true, head = true, options = true }

local function route_key(method, path)
  return method .. " " .. path:gsub("{[^}]*}", "{}")
end

-- What a document says, by route. 'prefix' stands before its paths.
function openapi.routes(document, prefix)
  local routes = {}
  for path, item in pairs(document.paths) do
    for verb, operation in pairs(item) do
      if verbs[verb] then
        local route = read_parameters(document, item, operation)
        route.label = ("%s %s"):format(verb:upper(), prefix .. path)
        route.deprecated = operation.deprecated == true
        local schema = schemas.of_body(document, operation)
        route.results = result_fields(document, operation)
        route.body = schema and describe_object(document, schema, 1) or {}
        routes[route_key(verb:upper(), prefix .. path)] = route
      end
    end
  end
  return routes
end

-- }========================================================================

-- {========================================================================
-- Definitions, in the same form
-- =========================================================================

local describe_parameter

local function describe_shape(at, name, depth)
  local shape = at.shapes and at.shapes[name]
  if not shape or depth > deepest then return nil end
  local fields = {}
  for field, specification in pairs(shape) do
    fields[field] = describe_parameter(at, specification, depth + 1)
  end
  return fields
end

function describe_parameter(at, specification, depth)
  local read = types.describe(specification)
  local base = read.kind.base
  local is_shape = at.shapes and at.shapes[base] ~= nil
  local described = {
    required = read.kind.required, nullable = read.kind.nullable, enum = read.enum, open = read.open,
    kind = is_shape and "object" or base, min = read.min, max = read.max, max_length = read.max_length,
    fields = is_shape and describe_shape(at, base, depth) or nil,
  }
  if read.encode == "json" then described.kind, described.fields = "string", nil end
  if read.kind.list then described.kind, described.item = "array", described.kind end
  return described
end

-- The names that the result of an operation has, in a set; nil where it has none.
local function defined_results(at, operation)
  local fields = at.results and at.results[(operation.returns or ""):match "^[%w_]*"]
  if not fields then return nil end
  local set = {}
  for _, name in ipairs(fields) do set[name] = true end
  return set
end

local function describe_operation(at, operation)
  local method, path = operation[1]:match "^(%u+) (.*)$"
  local route = { label = operation[1], path = {}, query = {}, header = {}, body = {} }
  for name in path:gmatch "{([^}]*)}" do
    local specification = operation.path and operation.path[name]
    if specification == nil or specification == "slashes" then specification = "string!" end
    route.path[name] = describe_parameter(at, specification, 1)
  end
  for _, place in ipairs { "query", "header", "body" } do
    for name, specification in pairs(operation[place] or {}) do
      route[place][name] = describe_parameter(at, specification, 1)
    end
  end
  route.results = defined_results(at, operation)
  route.items = operation.items
  route.undocumented = operation.undocumented or operation.assumed or false
  route.deprecated = operation.deprecated ~= nil
  return route_key(method, path), route
end

-- Two operations of one route (a list, and one out of it) become one: what both require is required.
local function join(first, second)
  for _, place in ipairs { "path", "query", "header", "body" } do
    for name, field in pairs(first[place]) do
      local other = second[place][name]
      field.required = field.required and other ~= nil and other.required
    end
    for name, field in pairs(second[place]) do
      if not first[place][name] then
        field.required = false
        first[place][name] = field
      end
    end
  end
  first.undocumented = first.undocumented and second.undocumented
  return first
end

-- What a definition says, by route.
function openapi.defined_routes(at)
  local routes = {}
  definition.each_operation(at.resources, function(operation)
    local key, route = describe_operation(at, operation)
    routes[key] = routes[key] and join(routes[key], route) or route
  end)
  return routes
end

-- }========================================================================

-- {========================================================================
-- Comparison
-- =========================================================================

local function in_list(list, value)
  for _, one in ipairs(list) do
    if one == value then return true end
  end
  return false
end

-- Words of a list, in order, without the null that some documents put among them.
local function words_of(list)
  local words = {}
  for _, word in ipairs(list) do
    if type(word) ~= "userdata" then words[#words + 1] = tostring(word) end
  end
  table.sort(words)
  return words
end

local function compare_enum(documented, defined, where, found)
  if not documented.enum or defined.open then return end
  if not defined.enum then
    found[#found + 1] = ("%s: takes any value, documented are %d"):format(where, #documented.enum)
    return
  end
  for _, word in ipairs(words_of(documented.enum)) do
    if not in_list(defined.enum, word) then found[#found + 1] = ("%s: value %s is refused"):format(where, word) end
  end
end

-- lua-cjson makes floats of integers.
local function bound_text(bound)
  return tostring(math.tointeger(bound) or bound)
end

local function compare_bounds(documented, defined, where, found)
  for _, bound in ipairs { "min", "max", "max_length" } do
    if documented[bound] ~= defined[bound] then
      found[#found + 1] = ("%s: %s is %s, documented %s"):format(where, bound, bound_text(defined[bound]),
        bound_text(documented[bound]))
    end
  end
end

local compare_fields

local function compare_field(documented, defined, where, found)
  if (documented.required or false) ~= (defined.required or false) then
    local word = defined.required and "required here only" or "documented as required"
    found[#found + 1] = ("%s: is %s"):format(where, word)
  end
  if documented.kind and defined.kind ~= "any" and documented.kind ~= defined.kind then
    found[#found + 1] = ("%s: is %s, documented as %s"):format(where, defined.kind, documented.kind)
    return
  end
  if documented.item and defined.item and defined.item ~= "any" and documented.item ~= defined.item then
    found[#found + 1] = ("%s: is a list of %s, documented of %s"):format(where, defined.item, documented.item)
  end
  if documented.nullable and not defined.nullable and documented.kind then
    found[#found + 1] = ("%s: cannot be null, documented that it can"):format(where)
  end
  compare_enum(documented, defined, where, found)
  compare_bounds(documented, defined, where, found)
  if defined.fields then compare_fields(documented.fields or {}, defined.fields, where, found) end
end

function compare_fields(documented, defined, where, found)
  for name, field in pairs(documented) do
    local here = ("%s %s"):format(where, name)
    if not defined[name] then
      found[#found + 1] = ("%s: is missing"):format(here)
    else
      compare_field(field, defined[name], here, found)
    end
  end
  for name, field in pairs(defined) do
    if not documented[name] then
      found[#found + 1] = ("%s %s: is not documented%s"):format(where, name, field.required and ", and required" or "")
    end
  end
end

local function compare_route(documented, defined, found)
  local label = documented.label
  for _, place in ipairs { "path", "query", "header", "body" } do
    compare_fields(documented[place], defined[place], ("%s: %s"):format(label, place), found)
  end
  if documented.deprecated ~= defined.deprecated and documented.deprecated then
    found[#found + 1] = label .. ": is not marked as deprecated"
  end
end

-- The names that a document gives to what an operation returns: those of one item for a list.
local function documented_results(route, items)
  if not route.results then return nil end
  for _, name in ipairs(type(items) == "table" and items or { items }) do
    if route.results[name] then return type(route.results[name]) == "table" and route.results[name] or nil end
  end
  return route.results
end

-- The differences between the results as sorted lines. What the document does not describe is not compared.
function openapi.compare_results(documented, defined)
  local found = {}
  for key, route in pairs(documented) do
    local own = defined[key] and defined[key].results
    local names = own and documented_results(route, defined[key].items)
    for name in pairs(names or {}) do
      if not own[name] then found[#found + 1] = ("%s: result %s: is missing"):format(route.label, name) end
    end
    for name in pairs(names and own or {}) do
      if not names[name] then found[#found + 1] = ("%s: result %s: is not documented"):format(route.label, name) end
    end
  end
  table.sort(found)
  return found
end

-- The differences as sorted lines. 'whole' says that the document means to name every route.
function openapi.compare(documented, defined, whole)
  local found = {}
  for key, route in pairs(documented) do
    if not defined[key] then
      found[#found + 1] = route.label .. ": is missing"
    else
      compare_route(route, defined[key], found)
    end
  end
  for key, route in pairs(defined) do
    if whole and not documented[key] and not route.undocumented then
      found[#found + 1] = route.label .. ": is not documented"
    end
  end
  table.sort(found)
  return found
end

-- }========================================================================

return openapi
