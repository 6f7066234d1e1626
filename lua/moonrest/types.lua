-- Types of parameters: the words that definitions use, and the check of a value against one.
--
--   "string" "integer" "number" "boolean" "object" "array" "any", or the name of a shape
--   "T[]" a list of T, "T?" may be null, "T!" required; suffixes in any order, "T[]!" say
--   { "active", "paused" } one of these; a last "..." allows others as well
--   { type = "integer!", min = 1, max = 100, ... } more about it
--
-- Descriptors are shared between all parameters that are written alike: a client with
-- hundreds of operations holds a few dozen.

local core = require "moonrest.core"
local nearest = require "moonrest.nearest"

local types = {}

types.words = { string = true, integer = true, number = true, boolean = true, object = true, array = true, any = true }

-- What { type = ... } may hold.
types.details = {
  type = "string", doc = "string", enum = "list", min = "number", max = "number", max_length = "number",
  default = "any", encode = "string", secret = "boolean", wire = "string",
}

local deepest <const> = 32 -- levels of nested parameters

local words = {}

-- "T[]?" -> { base = "T", word = "T[]?", list = true, nullable = true }; nil for what is no word.
local function parse(word)
  local known = words[word]
  if known then return known end
  local base, suffix = word:match "^([%a_][%w_]*)([%[%]!?]*)$"
  if not base then return nil end
  local rest, lists = suffix:gsub("%[%]", "")
  rest = rest:gsub("[!?]", "")
  if rest ~= "" or lists > 1 then return nil end
  known = { base = base, word = word }
  if lists == 1 then known.list = true end
  if suffix:find("!", 1, true) then known.required = true end
  if suffix:find("?", 1, true) then known.nullable = true end
  words[word] = known
  return known
end
types.parse = parse

local function read_enum(list)
  local enum, set, open = {}, {}, false
  for _, word in ipairs(list) do
    if word == "..." then
      open = true
    else
      enum[#enum + 1], set[word] = word, true
    end
  end
  return { kind = parse "string", enum = enum, allowed = set, open = open }
end

local function read_details(details)
  local read = { kind = parse(details.type or "string") }
  if details.enum then
    local enum = read_enum(details.enum)
    read.enum, read.allowed, read.open = enum.enum, enum.allowed, enum.open
  end
  for _, name in ipairs { "min", "max", "max_length", "encode", "secret", "wire", "doc", "default" } do
    read[name] = details[name]
  end
  return read
end

local of_word, of_table = {}, setmetatable({}, { __mode = "k" })

-- The descriptor of a specification: { kind =, enum =, allowed =, open =, min =, ... }.
function types.describe(specification)
  if type(specification) == "string" then
    of_word[specification] = of_word[specification] or { kind = parse(specification) }
    return of_word[specification]
  end
  local known = of_table[specification]
  if not known then
    known = specification[1] ~= nil and read_enum(specification) or read_details(specification)
    of_table[specification] = known
  end
  return known
end

-- What a person would write: "one of active, paused", "integer 1..100", "list of AppVersionPort".
function types.text(descriptor)
  local kind = descriptor.kind
  local text = (kind.list and "list of " or "") .. kind.base
  if descriptor.enum then
    text = "one of " .. table.concat(descriptor.enum, ", ") .. (descriptor.open and ", ..." or "")
    if kind.list then text = "list with " .. text end
  end
  if descriptor.min or descriptor.max then
    text = ("%s %s..%s"):format(text, descriptor.min or "", descriptor.max or "")
  end
  if descriptor.max_length then text = ("%s, at most %d characters"):format(text, descriptor.max_length) end
  if descriptor.encode then text = text .. ", sent as JSON text" end
  return kind.nullable and text .. " or null" or text
end

local function quote(value)
  if type(value) == "string" then return ("'%s'"):format(#value > 40 and value:sub(1, 37) .. "..." or value) end
  if value == core.null then return "null" end
  local kind = type(value)
  if kind == "table" or kind == "userdata" or kind == "function" then return "a " .. kind end
  return ("%s (a %s)"):format(tostring(value), kind)
end

local function is_secret(value)
  local metatable = type(value) == "userdata" and getmetatable(value)
  return metatable and metatable.__name == "moonrest.secret" or false
end
types.is_secret = is_secret

local function is_list(value)
  return type(value) == "table" and (next(value) == nil or value[1] ~= nil)
end

-- The checks return nil when all is well, else "must be ..." (what is shown is up to the caller).
-- 'loose' values travel as text (path, query, header), so that "5" is an integer and 5 a string.
local bases = {}

local function is_finite(value)
  return type(value) == "number" and value == value and value ~= math.huge and value ~= -math.huge
end

function bases.string(value, loose)
  if type(value) == "string" or is_secret(value) or (loose and is_finite(value)) then return nil end
  return "must be a string"
end

function bases.integer(value, loose)
  if math.type(value) == "integer" or (math.type(value) == "float" and math.tointeger(value)) then return nil end
  if loose and type(value) == "string" and value:find "^[+-]?%d+$" then return nil end
  return "must be an integer"
end

function bases.number(value, loose)
  if is_finite(value) then return nil end
  if loose and type(value) == "string" and tonumber(value) then return nil end
  return "must be a finite number"
end

function bases.boolean(value, loose)
  if type(value) == "boolean" or (loose and (value == "true" or value == "false")) then return nil end
  return "must be a boolean"
end

function bases.object(value)
  if type(value) ~= "table" then return "must be a table" end
  return value[1] ~= nil and "must be an object, not a list" or nil
end

function bases.array(value)
  return not is_list(value) and "must be a list" or nil
end

function bases.any() return nil end

local function check_range(value, descriptor)
  local number = tonumber(value)
  if descriptor.min and number and number < descriptor.min then return "must be at least " .. descriptor.min end
  if descriptor.max and number and number > descriptor.max then return "must be at most " .. descriptor.max end
  if descriptor.max_length and type(value) == "string" and (utf8.len(value) or #value) > descriptor.max_length then
    return ("must have at most %d characters"):format(descriptor.max_length)
  end
  return nil
end

local function check_enum(value, descriptor)
  if descriptor.open or descriptor.allowed[value] then return nil end
  local near = nearest.name(value, descriptor.enum)
  return ("must be one of %s%s"):format(table.concat(descriptor.enum, ", "),
    near and (" (did you mean '%s'?)"):format(near) or "")
end

local check_one, check_shape

-- An empty table says nothing about what it is; where a list belongs it becomes one.
local function mark_list(value)
  if next(value) == nil and getmetatable(value) == nil then core.json.array(value) end
end

-- Whether there may be a secret in it. 'seen' are the shapes that were looked at: one may contain itself.
local function hides(descriptor, context, seen)
  if descriptor.secret then return true end
  local shape = context.shapes and context.shapes[descriptor.kind.base]
  if not shape or seen[shape] then return false end
  seen[shape] = true
  for _, specification in pairs(shape) do
    if hides(types.describe(specification), context, seen) then return true end
  end
  return false
end

-- Who gives another form to what has a secret in it gives the secret, which no message shows.
local function refuse(value, descriptor, context, path, problem)
  if not hides(descriptor, context, {}) then return path, problem, value end
  return path, ("%s, got a %s"):format(problem, type(value))
end

local function check_list(value, descriptor, context, path, depth)
  if not is_list(value) then return refuse(value, descriptor, context, path, "must be a list") end
  mark_list(value)
  for index, item in ipairs(value) do
    local at, problem, bad = check_one(item, descriptor, context, ("%s[%d]"):format(path, index), depth)
    if problem then return at, problem, bad end
  end
  return nil
end

function check_shape(value, descriptor, context, path, depth)
  local shape = context.shapes[descriptor.kind.base]
  if type(value) ~= "table" or value[1] ~= nil then
    return refuse(value, descriptor, context, path, "must be a table with named fields")
  end
  if depth > deepest then return path, "is nested too deeply" end
  for name, field in pairs(value) do
    local specification = shape[name]
    local at = ("%s.%s"):format(path, tostring(name))
    if specification == nil then return at, "is unknown" .. nearest.hint(name, shape) end
    local where, problem, bad = types.check(field, types.describe(specification), context, at, depth + 1)
    if problem then return where, problem, bad end
  end
  for name, specification in pairs(shape) do
    if value[name] == nil and types.describe(specification).kind.required then
      return ("%s.%s"):format(path, name), "is required"
    end
  end
  return nil
end

function check_one(value, descriptor, context, path, depth)
  local base = descriptor.kind.base
  local shape = not bases[base] and context.shapes and context.shapes[base]
  if shape then return check_shape(value, descriptor, context, path, depth) end
  local problem = bases[base](value, context.loose)
  if not problem and descriptor.allowed then problem = check_enum(value, descriptor) end
  if not problem then problem = check_range(value, descriptor) end
  if problem then
    if descriptor.secret then return path, problem end
    return path, problem, value
  end
  if base == "array" then mark_list(value) end
  return nil
end

-- Returns nil when the value fits, else the path of what does not, why, and the bad value itself.
-- 'context' is { shapes = named shapes, loose = whether the value travels as text }.
function types.check(value, descriptor, context, path, depth)
  local kind = descriptor.kind
  if value == core.null then
    if (kind.nullable or kind.base == "any") and not context.loose then return nil end
    return path, "cannot be null"
  end
  if descriptor.encode == "json" and type(value) == "string" then return nil end
  if kind.list then
    if context.loose and type(value) ~= "table" then return check_one(value, descriptor, context, path, 1) end
    return check_list(value, descriptor, context, path, depth or 1)
  end
  return check_one(value, descriptor, context, path, depth or 1)
end

-- "a string", "an integer".
function types.with_article(word)
  return (word:find "^[aeiou]" and "an " or "a ") .. word
end

-- ", got 'x'" for a message; nothing when there is no value to show or it must not be shown.
function types.got(value, secret)
  if value == nil or secret or is_secret(value) then return "" end
  return ", got " .. quote(value)
end

return types
