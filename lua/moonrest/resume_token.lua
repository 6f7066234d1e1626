-- Places in a list as text: where a walk can go on later, in another process. Readable on purpose, so that a log of it
-- tells something: "1|edgegap.apps:list|3|17|100|-|i3" is page 3 of that list, after 17 items, in pages of 100, without
-- parameters, asked for with the integer 3. The size belongs to it: page 3 is another place in pages of another size.

local core = require "moonrest.core"
local types = require "moonrest.types"

local resume_token = {}

local version <const> = "1"

local function write_position(position)
  if position == nil then return "n" end
  if math.type(position) == "integer" then return ("i%d"):format(position) end
  if math.type(position) == "float" then return "f" .. core.json.encode(position) end
  return "s" .. position
end

local function read_position(text)
  local kind, rest = text:sub(1, 1), text:sub(2)
  if kind == "n" and rest == "" then return true, nil end
  if kind == "i" then return math.tointeger(tonumber(rest)) ~= nil, math.tointeger(tonumber(rest)) end
  if kind == "f" then return tonumber(rest) ~= nil, tonumber(rest) end
  return kind == "s", rest
end

local function write_size(size) return size and ("%d"):format(size) or "-" end

local function read_size(text)
  if text == "-" then return true, nil end
  local size = math.tointeger(tonumber(text))
  return size ~= nil and size > 0, size
end

local function value_text(value)
  if type(value) == "table" then return core.json.encode(value, { sorted = true }) or "" end
  if math.type(value) == "float" then return core.json.encode(value) or "" end
  return tostring(value)
end

-- FNV-1a of 32 bits: tells lists apart, and is no secret's fingerprint.
local function hash(text)
  local sum = 0x811c9dc5
  for place = 1, #text do sum = ((sum ~ text:byte(place)) * 0x01000193) & 0xffffffff end
  return ("%08x"):format(sum)
end

-- A word for the parameters of a list, "-" for none: 'values' by field, without the fields of the set 'ignored', which
-- say where in the list, and without secrets.
function resume_token.mark(values, ignored)
  local parts = {}
  for field, value in pairs(values) do
    if field == "open" then
      for name, open in pairs(value) do parts[#parts + 1] = ("%s=%s"):format(name, value_text(open)) end
    elseif not ignored[field] and not field.secret and not types.is_secret(value) then
      parts[#parts + 1] = ("%s=%s"):format(field.name, value_text(value))
    end
  end
  if #parts == 0 then return "-" end
  table.sort(parts)
  return hash(table.concat(parts, "\n"))
end

-- 'position' is what the list is asked with, 'number' the page's number, 'index' the items of it that are done, 'size'
-- what pages are asked for (nil: the server's own), 'mark' the word of the parameters.
function resume_token.write(label, position, number, index, size, mark)
  return table.concat({ version, label, number, index, write_size(size), mark, write_position(position) }, "|")
end

-- Returns { position, number, index, size }; nil and what is wrong with the token.
function resume_token.read(token, label, mark)
  local found_version, of, number, index, size, found_mark, position =
    token:match "^(%d+)|([^|]*)|(%d+)|(%d+)|([^|]+)|([^|]+)|(.+)$"
  local ok, where, has_size, pages_of
  if position then
    ok, where = read_position(position)
    has_size, pages_of = read_size(size)
  end
  number, index = math.tointeger(tonumber(number)), math.tointeger(tonumber(index))
  if not (ok and has_size and number and index) or found_version ~= version then
    return nil, "option 'resume' is no token of a place in a list"
  end
  if of ~= label then return nil, ("option 'resume' is a token of %s"):format(of) end
  if found_mark ~= mark then
    return nil, "option 'resume' is a token of this list with other parameters: pass those that it was made with"
  end
  return { position = where, number = number, index = index, size = pages_of }
end

return resume_token
