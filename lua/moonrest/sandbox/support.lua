-- What the handlers of several systems need beside the world's own functions:
-- ordered collections, pieces of lists, strict numbers, arrays told from objects,
-- and seeded values that do not depend on the order of calls.

local json = require "moonrest.sandbox.json"
local world = require "moonrest.sandbox.world"

local support = {
  null = json.null, array = json.array, encode = json.encode, decode = json.decode, refuse = world.refuse,
}

-- Collections -------------------------------------------------------------

local Shelf = { __name = "moonrest.sandbox.shelf" }
local methods = {}
Shelf.__index = methods

-- Rows in the order they came, found by their key in constant time. A row's
-- place is a number that never changes and is never given twice, so that it
-- can serve as a cursor while rows come and go.
function support.shelf()
  return setmetatable({ rows = {}, places = {}, last = 0, count = 0 }, Shelf)
end

function methods:add(key, row)
  assert(self.places[key] == nil, "two rows with one key")
  self.last = self.last + 1
  self.count = self.count + 1
  self.rows[self.last] = row
  self.places[key] = self.last
  return row
end

function methods:get(key)
  local place = self.places[key]
  return place and self.rows[place]
end

function methods:place(key)
  return self.places[key]
end

-- Returns the row, or nil when there was none.
function methods:remove(key)
  local place = self.places[key]
  if not place then return nil end
  local row = self.rows[place]
  self.rows[place], self.places[key] = nil, nil
  self.count = self.count - 1
  return row
end

-- A new list of the rows that fit, oldest first, or newest first.
function methods:list(fits, newest_first)
  local list = {}
  local first, last, step = 1, self.last, 1
  if newest_first then first, last, step = last, first, -1 end
  for place = first, last, step do
    local row = self.rows[place]
    if row and (not fits or fits(row)) then list[#list + 1] = row end
  end
  return list
end

function methods:find(fits)
  for place = 1, self.last do
    local row = self.rows[place]
    if row and fits(row) then return row end
  end
  return nil
end

-- Lists -------------------------------------------------------------------

-- At most 'count' items after the first 'skipped' ones.
function support.slice(list, skipped, count)
  local first = math.max(skipped + 1, 1)
  return table.move(list, first, math.min(skipped + count, #list), 1, {})
end

function support.map(list, change)
  local changed = {}
  for i, item in ipairs(list) do changed[i] = change(item) end
  return changed
end

function support.set(list)
  local set = {}
  for _, item in ipairs(list or {}) do set[item] = true end
  return set
end

-- Sorts in place and keeps the order of equal items. Absent values come first.
function support.sort(list, value_of, descending)
  local order = {}
  for i, item in ipairs(list) do order[item] = i end
  local function less(a, b)
    local x, y = value_of(a), value_of(b)
    if x == y then return order[a] < order[b] end
    if descending then x, y = y, x end
    if x == nil or y == nil then return x == nil end
    if type(x) ~= type(y) then x, y = tostring(x), tostring(y) end
    return x < y
  end
  table.sort(list, less)
  return list
end

-- The named fields of 'source' that are there, written over those of 'target'.
function support.assign(target, source, names)
  for _, name in ipairs(names) do
    if source[name] ~= nil then target[name] = source[name] end
  end
  return target
end

-- Values ------------------------------------------------------------------

local array_metatable = getmetatable(json.array {})

-- True for what came as a JSON array, also an empty one; false for an object.
function support.is_array(value)
  return type(value) == "table" and getmetatable(value) == array_metatable
end

function support.is_object(value)
  return type(value) == "table" and getmetatable(value) ~= array_metatable
end

-- A whole number, written as a text or given as one, inside the bounds; else nil.
function support.integer(value, least, most)
  if type(value) == "string" then
    if not value:find "^%-?%d+$" then return nil end
    value = math.tointeger(tonumber(value))
  elseif type(value) == "number" then
    value = math.tointeger(value)
  else
    return nil
  end
  if not value or (least and value < least) or (most and value > most) then return nil end
  return value
end

function support.is_text(value, least, most)
  return type(value) == "string" and #value >= (least or 1) and #value <= (most or math.huge)
end

local uuid_form = "^" .. table.concat({ ("%x"):rep(8), ("%x"):rep(4), ("%x"):rep(4), ("%x"):rep(4), ("%x"):rep(12) },
  "%-") .. "$"

function support.is_uuid(value)
  return type(value) == "string" and value:find(uuid_form) ~= nil
end

-- Seeded values -----------------------------------------------------------

local function stir(hash)
  hash = (hash ~ (hash >> 30)) * 0xBF58476D1CE4E5B9
  hash = (hash ~ (hash >> 27)) * 0x94D049BB133111EB
  return hash ~ (hash >> 31)
end

-- A number out of 0 .. 2^53-1 that depends on nothing but the arguments
-- (integers and texts): the same row of the same seed is always the same.
function support.mix(...)
  local hash = 0x9E3779B97F4A7C15
  for i = 1, select("#", ...) do
    local part = select(i, ...)
    if type(part) == "string" then
      for position = 1, #part do hash = (hash ~ part:byte(position)) * 0x100000001B3 end
    else
      hash = hash ~ part
    end
    hash = stir(hash + 0x9E3779B97F4A7C15)
  end
  return hash >> 11
end

function support.pick(list, ...)
  return list[support.mix(...) % #list + 1]
end

-- A version 4 UUID out of the arguments.
function support.uuid(...)
  local high, low = support.mix("uuid high", ...), support.mix("uuid low", ...)
  return string.format("%08x-%04x-4%03x-%04x-%012x", high >> 21, (high >> 5) & 0xFFFF, low & 0xFFF,
    0x8000 | ((low >> 12) & 0x3FFF), support.mix("uuid node", ...) & 0xFFFFFFFFFFFF)
end

-- Texts -------------------------------------------------------------------

-- One field of a CSV row (RFC 4180).
function support.csv_field(value)
  local text = tostring(value)
  if text:find '[",\r\n]' then return '"' .. text:gsub('"', '""') .. '"' end
  return text
end

function support.csv_row(values)
  return table.concat(support.map(values, support.csv_field), ",") .. "\r\n"
end

return support
