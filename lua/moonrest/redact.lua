-- Keeps secrets out of what people read: credentials, parameters and result fields that a definition marks as secret,
-- where a server echoes them in its errors. The values of credentials stay in C, which compares them there.

local core = require "moonrest.core"

local redact = {}

redact.mask = "***"

local deepest <const> = 32 -- levels; a body nested deeper is cut there
local shortest <const> = 4 -- bytes; replacing "1" in every message would help nobody

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

-- Replaces every occurrence of the given secret texts.
function redact.text(text, secrets)
  for _, secret in ipairs(secrets) do
    if type(secret) == "userdata" then
      text = core.mask(text, secret)
    elseif type(secret) == "string" and #secret >= shortest then
      text = text:gsub(secret:gsub("%p", "%%%0"), redact.mask)
    end
  end
  return text
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

-- The same for every string of a decoded body, names included, at any depth, in place.
function redact.texts(value, secrets, depth)
  if type(value) == "string" then return redact.text(value, secrets) end
  if type(value) ~= "table" then return value end
  depth = depth or 1
  if depth > deepest then return redact.mask end
  for key, field in pairs(value) do value[key] = redact.texts(field, secrets, depth + 1) end
  rename_keys(value, secrets)
  return value
end

local marked = setmetatable({}, { __mode = "k" })

-- Remembers that fields of this result are secret. The caller gets them, moonrest.show does not print them.
function redact.mark(value, names)
  if type(value) == "table" then marked[value] = names end
end

local function shown_copy(value, names, depth)
  if type(value) ~= "table" or depth > deepest then return value end
  local copy = setmetatable({}, getmetatable(value))
  for key, field in pairs(value) do
    copy[key] = names[key] and redact.mask or shown_copy(field, names, depth + 1)
  end
  return copy
end

-- What may be printed of a value: itself, or a copy without the secrets that it is known to have.
function redact.shown(value)
  local names = type(value) == "table" and marked[value]
  return names and shown_copy(value, names, 1) or value
end

return redact
