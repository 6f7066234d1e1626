-- The codec against lua-cjson, and against itself, on values that a seeded generator makes.

local cjson = require "cjson"
local json = require "moonrest.json"

local seed <const> = 20240501

local letters <const> = {
  "a", "b", "z", "0", " ", "/", "\\", '"', "\n", "\t", "\0", "\x1F", "\x7F", "é", "€", "😀", "\u{10FFFF}", "\u{FFFF}",
}

local function random_string()
  local parts = {}
  for i = 1, math.random(0, 24) do parts[i] = letters[math.random(#letters)] end
  return table.concat(parts)
end

-- What lua-cjson keeps too: whole numbers below 2^53, fractions of up to 14 digits.
local function simple_number()
  local whole = math.random(-2 ^ 40 // 1 | 0, 2 ^ 40 // 1 | 0)
  return math.random(2) == 1 and whole or math.random(-99999, 99999) / 1000
end

local function any_number()
  local kind = math.random(4)
  if kind == 1 then return math.random(0) end
  if kind == 2 then return simple_number() end
  local value = string.unpack("d", string.pack("i8", math.random(0)))
  return value == value and value - value == 0 and value or 0.5
end

local function random_value(number, depth, allows_empty)
  local kind = math.random(depth > 0 and 8 or 5)
  if kind == 1 then return random_string() end
  if kind == 2 then return number() end
  if kind == 3 then return math.random(2) == 1 end
  if kind == 4 then return json.null end
  if kind == 5 then return "plain" end
  local is_array, value = kind == 6, {}
  if is_array then json.array(value) end
  for i = 1, math.random(allows_empty and 0 or 1, 6) do
    value[is_array and i or "k" .. random_string()] = random_value(number, depth - 1, allows_empty)
  end
  return value
end

-- Equal in value and in kind of number; -0.0 is not 0.0.
local function identical(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b and math.type(a) == math.type(b) and (a ~= 0 or 1 / a == 1 / b)
  end
  if json.is_array(a) ~= json.is_array(b) then return false end
  for key, value in pairs(a) do
    if not identical(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

-- A float that is written as an integer comes back as one, if 64 bits hold it.
local function as_read_back(value)
  if type(value) == "table" then
    local copy = json.is_array(value) and json.array() or {}
    for key, element in pairs(value) do copy[key] = as_read_back(element) end
    return copy
  end
  local is_minus_zero = value == 0 and 1 / value < 0
  return math.type(value) == "float" and not is_minus_zero and math.tointeger(value) or value
end

local keep <const> = { null = "keep" }

setup(function() math.randomseed(seed) end)

teardown(function()
  collectgarbage()
  collectgarbage()
end)

describe("the codec against itself", function()
  it("reads back what it writes", function()
    for _ = 1, 3000 do
      local value = random_value(any_number, 5, true)
      local text = assert(json.encode(value))
      assert(identical(as_read_back(value), json.decode(text, keep)), text)
    end
  end)

  it("writes the same again", function()
    for _ = 1, 1000 do
      local text = assert(json.encode(random_value(any_number, 5, true), { sorted = true }))
      assert.are.equal(text, json.encode(json.decode(text, keep), { sorted = true }))
    end
  end)

  it("decodes the same in pieces", function()
    for _ = 1, 300 do
      local text = assert(json.encode(random_value(any_number, 6, true)))
      local decoder, at = json.decoder(keep), 1
      while at <= #text do
        local size = math.random(20)
        assert(decoder:feed(text:sub(at, at + size - 1)))
        assert(decoder:step() ~= nil)
        at = at + size
      end
      assert(identical(json.decode(text, keep), decoder:finish()), text)
    end
  end)

  it("decodes the same in steps", function()
    for _ = 1, 300 do
      local text = assert(json.encode(random_value(any_number, 6, true)))
      local decoder, bytes, done = json.decoder(keep), math.random(40), nil
      assert(decoder:feed(text))
      while not done do
        local wants
        done, wants = decoder:step(bytes)
        assert(done or wants == "step" or wants == "feed", wants)
        if wants == "feed" then break end
      end
      assert(identical(json.decode(text, keep), decoder:finish()), text)
    end
  end)

  it("never takes a changed text for another", function()
    for _ = 1, 3000 do
      local text = assert(json.encode(random_value(any_number, 4, true)))
      local at = math.random(#text)
      local changed = text:sub(1, at - 1) .. string.char(math.random(0, 255)) .. text:sub(at + 1)
      local value, message = json.decode(changed, keep)
      if message == nil then
        local again = assert(json.encode(value))
        assert(identical(as_read_back(value), json.decode(again, keep)), changed)
      end
    end
  end)
end)

describe("the codec and lua-cjson", function()
  it("share null", function()
    assert.are.equal(cjson.null, json.null)
    assert.are.equal("[null]", json.encode { cjson.null })
    assert.are.equal("[null]", cjson.encode { json.null })
  end)

  it("read the same texts", function()
    for _ = 1, 2000 do
      local text = assert(json.encode(random_value(simple_number, 5, false)))
      assert.are.same(cjson.decode(text), json.decode(text, keep))
    end
  end)

  it("read what the other writes", function()
    for _ = 1, 2000 do
      local value = random_value(simple_number, 5, false)
      assert.are.same(value, json.decode(cjson.encode(value), keep))
      assert.are.same(value, cjson.decode(json.encode(value)))
    end
  end)

  it("differ where Debian's lua-cjson is wrong", function()
    for _, text in ipairs { "[0x10]", "[NaN]", "[01]", '["\t"]', '["\xFF"]' } do
      assert.is_true((pcall(cjson.decode, text)))
      assert.is_nil((json.decode(text)))
    end
  end)

  -- The marks of newer ones, played by a table in its place.
  it("honours the marks of the lua-cjson that is loaded", function()
    local empty_array = debug.upvalueid(function() return json end, 1) -- a light userdata, like theirs
    local array_mt, empty_array_mt = {}, {}
    assert.is_nil((json.encode { empty_array }))
    package.loaded.cjson = { empty_array = empty_array, array_mt = array_mt, empty_array_mt = empty_array_mt }
    local texts = {
      json.encode { empty_array, 1 },
      json.encode { setmetatable({}, array_mt), setmetatable({ 1 }, array_mt) },
      json.encode { setmetatable({}, empty_array_mt), setmetatable({ a = 1 }, empty_array_mt) },
    }
    local _, message = json.encode(setmetatable({ a = 1 }, array_mt))
    package.loaded.cjson = cjson
    assert.are.same({ "[[],1]", "[[],[1]]", '[[],{"a":1}]' }, texts)
    assert.are.equal("cannot encode an array that has fields at value", message)
    assert.are.equal("[{}]", json.encode { setmetatable({}, array_mt) })
  end)
end)
