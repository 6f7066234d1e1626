-- SHA-256 and what webhooks are signed with (FIPS 180-4, RFC 2104, RFC 4648), in
-- Lua, so that the sandbox signs with other code than the library checks with.

local digest = {}

local constants, initial = {}, {}

-- The first 32 bits of the fractional parts of the roots of the first primes.
local function is_prime(number)
  for factor = 2, math.floor(number ^ 0.5) do
    if number % factor == 0 then return false end
  end
  return true
end

local function fraction(value)
  return math.floor((value - math.floor(value)) * 4294967296)
end

local candidate = 2
while #constants < 64 do
  if is_prime(candidate) then
    if #initial < 8 then initial[#initial + 1] = fraction(candidate ^ 0.5) end
    constants[#constants + 1] = fraction(candidate ^ (1 / 3))
  end
  candidate = candidate + 1
end

local function rotate(value, count)
  return (value >> count | value << (32 - count)) & 0xFFFFFFFF
end

local function schedule(text, position)
  local words = { string.unpack(">I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4", text, position) }
  for i = 17, 64 do
    local a, b = words[i - 15], words[i - 2]
    local small = rotate(a, 7) ~ rotate(a, 18) ~ a >> 3
    local large = rotate(b, 17) ~ rotate(b, 19) ~ b >> 10
    words[i] = (words[i - 16] + small + words[i - 7] + large) & 0xFFFFFFFF
  end
  return words
end

local function compress(state, words)
  local a, b, c, d, e, f, g, h = table.unpack(state)
  for i = 1, 64 do
    local choice = (e & f) ~ (~e & g)
    local first = h + (rotate(e, 6) ~ rotate(e, 11) ~ rotate(e, 25)) + choice + constants[i] + words[i]
    local majority = (a & b) ~ (a & c) ~ (b & c)
    local second = (rotate(a, 2) ~ rotate(a, 13) ~ rotate(a, 22)) + majority
    h, g, f, e, d, c, b, a = g, f, e, (d + first) & 0xFFFFFFFF, c, b, a, (first + second) & 0xFFFFFFFF
  end
  for i, value in ipairs { a, b, c, d, e, f, g, h } do state[i] = (state[i] + value) & 0xFFFFFFFF end
end

-- 32 bytes.
function digest.sha256(text)
  local state = table.move(initial, 1, 8, 1, {})
  local padded = text .. "\x80" .. ("\0"):rep((55 - #text) % 64) .. string.pack(">I8", #text * 8)
  for position = 1, #padded, 64 do compress(state, schedule(padded, position)) end
  return string.pack(">I4I4I4I4I4I4I4I4", table.unpack(state))
end

local function masked(key, mask)
  return (key:gsub(".", function(character) return string.char(character:byte() ~ mask) end))
end

-- 32 bytes.
function digest.hmac_sha256(key, text)
  if #key > 64 then key = digest.sha256(key) end
  key = key .. ("\0"):rep(64 - #key)
  return digest.sha256(masked(key, 0x5C) .. digest.sha256(masked(key, 0x36) .. text))
end

function digest.hex(bytes)
  return (bytes:gsub(".", function(character) return string.format("%02x", character:byte()) end))
end

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

function digest.base64(bytes)
  local text = {}
  for position = 1, #bytes, 3 do
    local a, b, c = bytes:byte(position, position + 2)
    local value = a << 16 | (b or 0) << 8 | (c or 0)
    local count = not b and 2 or not c and 3 or 4
    for i = 1, 4 do
      local index = (value >> (24 - 6 * i) & 63) + 1
      text[#text + 1] = i <= count and alphabet:sub(index, index) or "="
    end
  end
  return table.concat(text)
end

-- The bytes, or nil when the text is not base64 with its padding.
function digest.unbase64(text)
  if #text % 4 ~= 0 or not text:find "^[%w+/]*=?=?$" then return nil end
  local bytes = {}
  for position = 1, #text, 4 do
    local value, count = 0, 0
    for character in text:sub(position, position + 3):gmatch "." do
      local index = character ~= "=" and alphabet:find(character, 1, true)
      value, count = value << 6 | (index and index - 1 or 0), count + (index and 1 or 0)
    end
    bytes[#bytes + 1] = string.pack(">I3", value):sub(1, count - 1)
  end
  return table.concat(bytes)
end

return digest
