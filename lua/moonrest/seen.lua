-- A set that only answers "was this seen before?", at 16 bytes a member: each is a hash of 128 bits, packed into
-- strings of some dozens. A million ids fit in 18 MB, where a table of strings would take over 100.

local seen = {}
seen.__index = seen
seen.__name = "moonrest.seen"

local width <const> = 16   -- bytes of a hash
local crowded <const> = 48 -- members of a bucket before there are twice as many buckets

function seen.new()
  return setmetatable({ buckets = { "" }, mask = 0, count = 0 }, seen)
end

-- Two lanes of 64 bits over the text, eight bytes at a time, each step a multiplication and a fold. Not for
-- adversaries; for ids it is as good as a random function.
local function mix(lane, word, prime)
  lane = (lane ~ word) * prime
  return lane ~ (lane >> 29)
end

local function hash(text)
  local one, two = #text * 0x9E3779B97F4A7C15, 0x27220A95FE4F5A2B ~ #text
  local position = 1
  while position + 7 <= #text do
    local word = string.unpack("<i8", text, position)
    one, two = mix(one, word, 0xff51afd7ed558ccd), mix(two, word, 0xc4ceb9fe1a85ec53)
    position = position + 8
  end
  local word = 0
  for index = position, #text do word = word << 8 | text:byte(index) end
  one, two = mix(one, word, 0xff51afd7ed558ccd), mix(two, word, 0xc4ceb9fe1a85ec53)
  return mix(one, two, 0xc4ceb9fe1a85ec53), mix(two, one, 0xff51afd7ed558ccd)
end

local function holds(bucket, packed)
  local start = bucket:find(packed, 1, true)
  while start do
    if start % width == 1 then return true end
    start = bucket:find(packed, start + 1, true)
  end
  return false
end

-- Twice as many buckets: a bucket's members stay, or move up by the old number.
local function split(self)
  local half = self.mask + 1
  for index = 1, half do
    local bucket, stay, move = self.buckets[index], {}, {}
    for position = 1, #bucket, width do
      local one = string.unpack("<i8", bucket, position)
      local side = one & half == 0 and stay or move
      side[#side + 1] = bucket:sub(position, position + width - 1)
    end
    self.buckets[index], self.buckets[index + half] = table.concat(stay), table.concat(move)
  end
  self.mask = self.mask * 2 + 1
end

-- A number with all of its digits: lua-cjson makes a float of every id, and Lua writes 14 digits of one.
local function text_of(value)
  if math.type(value) == "float" then return ("n%.17g"):format(value) end
  return (math.type(value) and "n" or "s") .. tostring(value)
end

-- Adds a string or a number; true when it was not there. 1 and "1" are different, 1 and 1.0 are not.
function seen:add(value)
  local one, two = hash(text_of(value))
  local packed = string.pack("<i8i8", one, two)
  local index = (one & self.mask) + 1
  local bucket = self.buckets[index]
  if holds(bucket, packed) then return false end
  self.buckets[index] = bucket .. packed
  self.count = self.count + 1
  if self.count > crowded * (self.mask + 1) then split(self) end
  return true
end

return seen
