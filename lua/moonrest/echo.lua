-- What of a call a server must not repeat in front of people: the values of parameters that the definition marks as
-- secret, at any depth, and each moonrest.secret, wherever it stands. Errors ask for it, and nobody before them.

local core = require "moonrest.core"
local types = require "moonrest.types"

local echo = {}

local deepest <const> = 32 -- levels

-- As it is sent: a whole one without ".0".
local function number_text(value)
  return math.type(value) == "integer" and tostring(value) or core.json.encode(value)
end
echo.number_text = number_text

-- Adds all that a secret value consists of.
local function add(list, value, depth)
  if type(value) == "table" and depth <= deepest then
    for _, part in pairs(value) do add(list, part, depth + 1) end
  elseif type(value) == "string" or types.is_secret(value) then
    list[#list + 1] = value
  elseif type(value) == "number" then
    list[#list + 1] = number_text(value)
  end
end

-- A secret that travels as JSON text may be given as such, and a server may repeat a part of it.
local function add_secret(list, value, descriptor)
  add(list, value, 1)
  if descriptor and descriptor.encode == "json" and type(value) == "string" then
    add(list, core.json.decode(value), 1)
  end
end

-- Adds what is secret of a value. 'walk' is { list, names, shapes }; 'descriptor' (may be nil) the value's type.
local function look(walk, value, descriptor, depth)
  if types.is_secret(value) or (descriptor and descriptor.secret) then
    return add_secret(walk.list, value, descriptor)
  end
  if type(value) ~= "table" or depth > deepest then return end
  local shape = descriptor and walk.shapes[descriptor.kind.base]
  for name, part in pairs(value) do
    if walk.names[name] then
      add_secret(walk.list, part)
    else
      local inner = shape and shape[name] and types.describe(shape[name])
      look(walk, part, inner or math.type(name) and descriptor or nil, depth + 1)
    end
  end
end

local function look_field(walk, value, field)
  if field.secret or walk.names[field.name] then
    add_secret(walk.list, value, field.descriptor)
  else
    look(walk, value, field.descriptor, 1)
  end
end

-- The body that the options bring, whose fields are those of the operation.
local function look_body(walk, recipe, body)
  if type(body) ~= "table" then return look(walk, body, nil, 1) end
  for name, value in pairs(body) do
    local field = recipe.fields[name]
    if field then
      look_field(walk, value, field)
    else
      look(walk, { [name] = value }, nil, 1)
    end
  end
end

-- What is a part of another one comes behind it.
local function is_before(left, right)
  if type(left) ~= type(right) then return type(left) == "userdata" end
  return type(left) == "string" and #left > #right
end

-- A list of texts and secrets. 'values' are a call's by field, 'given' its options; both may be nil.
function echo.secrets(recipe, values, given)
  local walk = { list = {}, names = recipe.secrets or {}, shapes = recipe.context.shapes or {} }
  for field, value in pairs(values or {}) do
    if field == "open" then
      look(walk, value, nil, 1)
    else
      look_field(walk, value, field)
    end
  end
  if given then
    look(walk, given.headers, nil, 1)
    look_body(walk, recipe, given.body)
  end
  table.sort(walk.list, is_before)
  return walk.list
end

return echo
