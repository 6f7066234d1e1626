-- Keeps secrets out of what people read: credentials, parameters and result fields that a definition marks as secret,
-- where a server echoes them in its errors. The values of credentials stay in C, which compares them there.

local core = require "moonrest.core"
local echo = require "moonrest.echo"

local redact = {}

redact.mask = "***"

local deepest <const> = 32 -- levels; a body nested deeper is cut there

-- Replaces the values of the fields in the set 'names', at any depth, in place.
function redact.fields(value, names, depth)
  if type(value) ~= "table" then return value end
  depth = depth or 1
  for key, field in pairs(value) do
    if names[key] then
      value[key] = redact.mask
    elseif depth >= deepest then
      value[key] = type(field) == "table" and redact.mask or field
    else
      redact.fields(field, names, depth + 1)
    end
  end
  return value
end

-- Replaces every occurrence of the given secrets, texts or userdata, that has four bytes or more: replacing "1" in
-- every message would help nobody.
function redact.text(text, secrets)
  for _, secret in ipairs(secrets) do text = core.mask(text, secret) end
  return text
end

local function redact_number(number, secrets)
  local text = echo.number_text(number)
  return text and redact.text(text, secrets) == redact.mask and redact.mask or number
end

-- Gives names that hold a secret other ones.
local function rename_keys(value, secrets)
  local renamed = {}
  for key in pairs(value) do
    local shown = type(key) == "string" and redact.text(key, secrets) or key
    if shown ~= key then renamed[key] = shown end
  end
  for key, shown in pairs(renamed) do value[key], value[shown] = nil, value[key] end
end

-- The same for every string of a decoded body, names included, and for numbers that are secrets, at any depth, in
-- place.
function redact.texts(value, secrets, depth)
  if type(value) == "string" then return redact.text(value, secrets) end
  if type(value) == "number" then return redact_number(value, secrets) end
  if type(value) ~= "table" then return value end
  depth = depth or 1
  if depth > deepest then return redact.mask end
  for key, field in pairs(value) do value[key] = redact.texts(field, secrets, depth + 1) end
  rename_keys(value, secrets)
  return value
end

local marked = setmetatable({}, { __mode = "k" })

local all_names = setmetatable({}, { __index = function() return true end })

-- Remembers of a decoded body, and of all tables in it, which fields are secret: those in the set 'names'. The caller
-- gets them, moonrest.show does not print them, of whatever part of the answer it is given.
function redact.mark(value, names)
  if type(value) ~= "table" then return end
  marked[value] = names
  for key, field in next, value do
    if type(field) == "table" then redact.mark(field, names[key] and all_names or names) end
  end
end

-- What has a metatable of another kind is an object, such as a response.
local function is_data(value)
  return type(value) == "table" and (getmetatable(value) == nil or core.json.is_array(value))
end

-- 'copies' are those that were made, by what they were made of: a user's own table may contain itself.
local function shown_copy(value, copies)
  if not is_data(value) then return value end
  if copies[value] then return copies[value] end
  local names, copy = marked[value] or {}, setmetatable({}, getmetatable(value))
  copies[value] = copy
  for key, field in next, value do
    rawset(copy, key, names[key] and redact.mask or shown_copy(field, copies))
  end
  return copy
end

-- What may be printed of a value: a copy of data without the secrets that any part of it is known to have.
function redact.shown(value)
  return shown_copy(value, {})
end

return redact
