local core = require "moonrest.core"
local json = require "moonrest.json"
local refused = require "spec.support.refused"

teardown(function()
  collectgarbage()
  collectgarbage()
end)

describe("json.encode", function()
  it("writes every kind of value", function()
    assert.are.equal('["a",1,-2.5,true,false,null]', json.encode { "a", 1, -2.5, true, false, json.null })
    assert.are.equal('{"a":{"b":[]}}', json.encode { a = { b = json.array() } })
    assert.are.equal("null", json.encode(nil))
    assert.are.equal('"x"', json.encode "x")
  end)

  it("writes integers exactly and floats as short as they read back", function()
    assert.are.equal("[9223372036854775807,-9223372036854775808]", json.encode { math.maxinteger, math.mininteger })
    assert.are.equal("[0.1,0.30000000000000004,1.5e-7,-0]", json.encode { 0.1, 0.1 + 0.2, 1.5e-7, -0.0 })
  end)

  it("writes whole floats without point and exponent", function()
    assert.are.equal("[1,1000000000000000,100000000000000000000,-9007199254740992]",
      json.encode { 1.0, 1e15, 1e20, -0x1p53 })
    assert.is_nil(json.encode(1e300):find "%D")
  end)

  it("escapes what must be escaped and nothing else", function()
    assert.are.equal([["\"\\/\b\f\n\r\t\u0000\u001fé😀]] .. '\x7F"', json.encode '"\\/\b\f\n\r\t\0\x1Fé😀\x7F')
    assert.are.equal([[{"a\"b":1}]], json.encode { ['a"b'] = 1 })
  end)

  it("tells arrays from objects", function()
    assert.are.equal("{}", json.encode {})
    assert.are.equal("[]", json.encode(json.array {}))
    assert.are.equal("[]", json.encode(json.decode "[]"))
    assert.are.equal("[1,2]", json.encode { 1, 2 })
    assert.are.equal("[[],{}]", json.encode { json.array {}, {} })
  end)

  it("finds arrays whatever way they were filled", function()
    local backwards, mixed, hashed = {}, { 1, 2 }, {}
    for i = 50, 1, -1 do backwards[i] = i end
    mixed[4], mixed[3] = 4, 3
    for i = 1, 50 do hashed["x" .. i] = i end
    for i = 1, 50 do
      hashed["x" .. i] = nil
      hashed[51 - i] = 51 - i
    end
    assert.are.equal("[1,2,3,4]", json.encode(mixed))
    assert.are.equal(json.encode(backwards), json.encode(hashed))
    assert.are.same(backwards, json.decode(json.encode(backwards)))
  end)

  it("says where a value is that has no JSON", function()
    local cases <const> = {
      { { users = { {}, {}, { callback = print } } }, "cannot encode function at value.users[3].callback" },
      { print, "cannot encode function at value" },
      { { coroutine.create(print) }, "cannot encode thread at value[1]" },
      { { file = io.stdout }, "cannot encode userdata at value.file" },
      { { a = { 0 / 0 } }, "cannot encode NaN at value.a[1]" },
      { { 1, 2, -math.huge }, "cannot encode an infinite number at value[3]" },
      { { ["a b"] = { "\xFF" } }, [[cannot encode a string at value["a b"][1]: it is not valid UTF-8]] },
      { { a = { ["\xFF"] = 1 } }, [[cannot encode a field name at value.a["\xFF"]: it is not valid UTF-8]] },
      { { a = { 1, 2, x = 3 } }, "cannot encode a table that mixes elements and fields at value.a" },
      { { a = { [1] = 1, [3] = 3 } }, "cannot encode an array with holes at value.a" },
      { { a = { [5] = 1 } }, "cannot encode an array with holes at value.a" },
      { { a = { [0] = 1 } }, "cannot encode a table with the key 0 at value.a" },
      { { a = { [1.5] = 1 } }, "cannot encode a table with the key 1.5 at value.a" },
      { { [true] = 1 }, "cannot encode a table with the key boolean at value" },
      { { json.array { a = 1 } }, "cannot encode an array that has fields at value[1]" },
    }
    for _, case in ipairs(cases) do
      for _, sorted in ipairs { false, true } do
        local text, message = json.encode(case[1], { sorted = sorted })
        refused(text, message, case[2])
      end
    end
  end)

  it("refuses a table that is empty but for what __pairs gives, which would be lost", function()
    local proxy = setmetatable({}, { __pairs = function() return pairs { a = 1 } end })
    assert.equal("cannot encode a table whose fields come from __pairs at value.b[1]: copy them into a plain one",
      select(2, json.encode { b = { proxy } }))
    assert.equal('{"b":{}}', json.encode { b = setmetatable({}, { __index = { a = 1 } }) })
  end)

  it("finds cycles, and says where they close", function()
    local ring = { name = "x" }
    ring.next = { { back = ring } }
    refused(nil, select(2, json.encode { list = { ring } }),
      "cannot encode a table that contains itself at value.list[1].next[1].back")
    local shared = { 1 }
    assert.are.equal("[[1],[1]]", json.encode { shared, shared })
  end)

  it("keeps to its limits, and to one more not", function()
    local function nested(depth)
      local value = json.array()
      for _ = 2, depth do value = { value } end
      return value
    end
    assert.are.equal(2000, #json.encode(nested(1000)))
    refused(nil, select(2, json.encode(nested(1001))), "max_depth", "value[1][1][1][1][1][1][1][1]...")
    assert.are.equal(200000, #json.encode(nested(100000), { max_depth = 100000 }))
    assert.are.equal("[[]]", json.encode(nested(2), { max_depth = 2 }))
    refused(nil, select(2, json.encode(nested(3), { max_depth = 2 })), "at value[1][1]")
    assert.are.equal('["ab"]', json.encode({ "ab" }, { max_size = 6 }))
    for size = 1, 5 do refused(nil, select(2, json.encode({ "ab" }, { max_size = size })), "too large") end
    local growing = { "x" }
    for _ = 1, 60 do growing = { growing, growing } end
    refused(nil, select(2, json.encode(growing, { max_size = 100000 })), "too large")
    assert.are.equal("[1]", json.encode { 1 })
  end)

  it("sorts fields by their bytes when asked to", function()
    local value = { b = 1, a = { z = 1, y = { 2, { q = 1, p = 2 } } }, [""] = 0, B = 2, ab = 3, ["é"] = 4 }
    assert.are.equal('{"":0,"B":2,"a":{"y":[2,{"p":2,"q":1}],"z":1},"ab":3,"b":1,"é":4}',
      json.encode(value, { sorted = true }))
    local wide, fields = {}, {}
    for i = 1, 3000 do
      wide[("f%05d"):format(i)] = i
      fields[i] = ('"f%05d":%d'):format(i, i)
    end
    assert.are.equal("{" .. table.concat(fields, ",") .. "}", json.encode(wide, { sorted = true }))
  end)

  it("reads tables raw", function()
    local value = setmetatable({ a = 1 }, {
      __index = function() error "index" end, __pairs = function() error "pairs" end,
      __len = function() error "len" end, __tostring = function() error "tostring" end,
    })
    assert.are.equal('{"a":1}', json.encode(value))
    refused(nil, select(2, json.encode { [value] = 1 }), "the key table")
  end)

  it("does not put a secret into a Lua string", function()
    local text, message = json.encode { token = core.secret "canary-51" }
    refused(text, message, "cannot encode a secret at value.token")
    assert.is_nil(message:find "canary")
  end)

  it("raises for misuse and names the option", function()
    assert.error_matches(function() json.encode() end, "value expected")
    assert.error_matches(function() json.encode({}, { sort = true }) end, "option 'sort' does not exist")
    for _, beside in ipairs { setmetatable({ 1 }, { __name = "moonrest.response" }), "end",
      setmetatable({ kind = "http" }, { __name = "moonrest.error" }) } do
      assert.error_matches(function() json.encode({}, beside) end, "write parentheses: encode((call()))", 1, true)
    end
    assert.error_matches(function() json.encode({}, { sorted = 1 }) end, "option 'sorted' must be a boolean")
    assert.error_matches(function() json.encode({}, { max_depth = 0 }) end, "option 'max_depth' must be an integer")
  end)
end)
