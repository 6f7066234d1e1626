local json = require "moonrest.json"
local refused = require "spec.support.refused"

-- assert.same takes 1 and 1.0 for equal; these must be of one kind too.
local function exactly(expected, found)
  assert.are.equal(math.type(expected), math.type(found))
  assert.are.equal(expected, found)
end

teardown(function()
  collectgarbage()
  collectgarbage()
end)

describe("json.decode", function()
  it("reads every kind of value", function()
    assert.are.same({ 1, "a", true, false, { b = { c = "d" } } }, json.decode '[1,"a",true,false,{"b":{"c":"d"}}]')
    assert.are.equal("x", json.decode '"x"')
    assert.are.equal(true, json.decode " true\r\n\t")
    local value, message = json.decode "false"
    assert.are.equal(false, value)
    assert.is_nil(message)
    assert.are.equal(json.null, json.decode "null")
  end)

  it("keeps integers of 64 bits exact", function()
    exactly(1, json.decode "1")
    exactly(0, json.decode "0")
    exactly(9007199254740993, json.decode "9007199254740993")
    exactly(math.maxinteger, json.decode "9223372036854775807")
    exactly(math.mininteger, json.decode "-9223372036854775808")
  end)

  it("makes floats of everything else that is a number", function()
    exactly(1.0, json.decode "1.0")
    exactly(100.0, json.decode "1E2")
    exactly(0x1p63, json.decode "9223372036854775808")
    exactly(-0x1p63, json.decode "-9223372036854775809")
    exactly(0.1, json.decode "0.1")
    exactly(5e-324, json.decode "4.9e-324")
    assert.are.equal(-math.huge, 1 / json.decode "-0")
    refused(nil, select(2, json.decode "1e309"), "too large for a float")
  end)

  it("gives larger integers as strings when asked to", function()
    local options = { big = "string" }
    assert.are.same({ "9223372036854775808", "-9223372036854775809", 1, 1e30 },
      json.decode("[9223372036854775808,-9223372036854775809,1,1e30]", options))
    exactly(math.mininteger, json.decode("-9223372036854775808", options))
    assert.are.equal(("9"):rep(400), json.decode(("9"):rep(400), options))
    exactly(0x1p63, json.decode("9223372036854775808", { big = "float" }))
  end)

  it("leaves a null field out, and keeps null elements", function()
    assert.are.same({ b = 1 }, json.decode '{"a":null,"b":1}')
    assert.are.same({ json.null, 1, json.null }, json.decode "[null,1,null]")
    assert.are.same({ a = json.null, b = { json.null } }, json.decode('{"a":null,"b":[null]}', { null = "keep" }))
    assert.are.same({ b = 1 }, json.decode('{"a":null,"b":1}', { null = "drop" }))
  end)

  it("takes the last of equal names", function()
    assert.are.same({ a = 3 }, json.decode '{"a":1,"a":2,"a":3}')
    assert.are.same({}, json.decode '{"a":1,"\\u0061":null}')
    assert.are.same({ a = 1 }, json.decode '{"a":null,"a":1}')
    assert.are.same({ [""] = 2 }, json.decode '{"":1,"":2}')
  end)

  it("marks arrays, and only arrays", function()
    local value = json.decode '{"a":[],"b":{},"c":[[1]]}'
    assert.is_true(json.is_array(value.a))
    assert.is_false(json.is_array(value.b))
    assert.is_true(json.is_array(value.c) and json.is_array(value.c[1]))
    assert.are.equal("moonrest.array", getmetatable(value.a).__name)
    assert.are.equal(getmetatable(value.a), getmetatable(value.c[1]))
  end)

  it("reads names and strings of every length", function()
    for length = 0, 200 do
      local name = ("n"):rep(length)
      local text = ("s"):rep(length)
      local object = ('{"%s":"%s","x":"%s\\n"}'):format(name, text, text)
      assert.are.same({ [name] = text, x = text .. "\n" }, json.decode(object))
    end
  end)

  it("tells names apart that look alike", function()
    local expected, fields = {}, {}
    for i = 1, 5000 do
      expected["field_" .. i .. "_of_many"] = i
      fields[i] = ('"field_%d_of_many":%d'):format(i, i)
    end
    local text = "{" .. table.concat(fields, ",") .. "}"
    assert.are.same(expected, json.decode(text))
    assert.are.same(expected, json.decode(text))
  end)

  it("reads long arrays and wide objects", function()
    local numbers, expected = {}, {}
    for i = 1, 20000 do
      numbers[i] = tostring(i)
      expected[i] = i
    end
    assert.are.same(expected, json.decode("[" .. table.concat(numbers, ",") .. "]"))
  end)

  local refusals <const> = {
    -- values
    "", " ", "nul", "nulll", "True", "NaN", "Infinity", "-Infinity", "undefined", "'a'", "a", "\0", "1\0", "[1]\0",
    "1 2", "[1][2]", "{}{}", "//1", "/**/1", "#1", "\xEF\xBB\xBF1", "\f1", "\v1", "\xC2\xA01", "1,", ",",
    -- numbers
    "01", "-01", "00", "-", "+1", ".5", "-.5", "1.", "1.e1", "1e", "1e+", "1E-", "0x10", "1_000", "--1", "1e1.5",
    "0b1", "1f", "-a", "1e400", "-1e400", ("9"):rep(400), "1" .. ("0"):rep(3000),
    -- strings
    '"', '"a', '"\\', '"\\"', '"\t"', '"\n"', '"\0"', '"\x1F"', '"\\x41"', '"\\a"', '"\\u"', '"\\u123"', '"\\u123g"',
    '"\\U0041"', '"\\\n"', '"\\ud800"', '"\\udbff"', '"\\udc00"', '"\\ud800\\ud800"', '"\\ud800\\n"', '"\\ud800x"',
    '"\\ud800\\u0041"', '"\\udc00\\ud800"',
    -- UTF-8: stray, overlong, surrogates, too large, cut off
    '"\x80"', '"\xBF"', '"\xC0\x80"', '"\xC1\xBF"', '"\xE0\x80\x80"', '"\xE0\x9F\xBF"', '"\xF0\x80\x80\x80"',
    '"\xF0\x8F\xBF\xBF"', '"\xED\xA0\x80"', '"\xED\xBF\xBF"', '"\xF4\x90\x80\x80"', '"\xF5\x80\x80\x80"', '"\xFF"',
    '"\xC3"', '"\xE2\x82"', '"\xF0\x9F\x98"', '"\xC3\\n"', '{"\xC3":1}',
    -- arrays
    "[", "]", "[1", "[1,", "[1,]", "[,]", "[,1]", "[1,,2]", "[1 2]", "[1:2]", "[1}", "[]]", "[[]", '["a"', "[1;2]",
    -- objects
    "{", "}", "{]", '{"a"', '{"a":', '{"a":}', '{"a":1', '{"a":1,', '{"a":1,}', "{,}", '{"a"}', '{"a",1}',
    '{"a":1 "b":2}', "{a:1}", "{1:1}", "{null:1}", '{"a":1]', '{"a"::1}', '{"a":1:2}', '{"a":1,,"b":2}', '{"a":1}}',
    "{'a':1}",
  }

  it("refuses what is not JSON", function()
    for _, text in ipairs(refusals) do
      local value, message = json.decode(text)
      if message == nil then error(("%q was decoded to %s"):format(text, tostring(value))) end
      refused(value, message, "cannot decode JSON: ", " at line ", "(byte ")
    end
  end)

  local acceptances <const> = {
    ["[]"] = {}, [" [ ] "] = {}, ["{\t}\r\n"] = {}, ["-0.0"] = -0.0, ["0e0"] = 0.0, ["0E+1"] = 0.0, ["1e-400"] = 0.0,
    ["-1"] = -1, ["1e05"] = 1e5, ['"\x7F"'] = "\x7F", ['"\\/\\\\\\""'] = '/\\"', ['"\\b\\f\\n\\r\\t"'] = "\b\f\n\r\t",
    ['"\\u0000"'] = "\0", ['"\\u00E9\\u20ac"'] = "é€", ['"\\ud83d\\ude00"'] = "😀", ['"\\uD834\\uDD1E"'] = "\u{1D11E}",
    ['"\\uffff"'] = "\u{FFFF}", ['"\u{10FFFF}"'] = "\u{10FFFF}", ['"\u{D7FF}\u{E000}"'] = "\u{D7FF}\u{E000}",
    ['"\u{2028}"'] = "\u{2028}", ['{"":0}'] = { [""] = 0 }, ['{"a\\u0000b":1}'] = { ["a\0b"] = 1 },
    ["[[[[[[[[[[]]]]]]]]]]"] = { { { { { { { { { {} } } } } } } } } }, ["[1\n,\n2\n]"] = { 1, 2 },
  }

  it("accepts the odd corners of JSON", function()
    for text, expected in pairs(acceptances) do
      assert.are.same(expected, assert(json.decode(text), text))
    end
  end)

  it("says where it went wrong", function()
    refused(nil, select(2, json.decode '{\n  "name": "x"\n  "port": 1\n}'),
      "expected ',' or '}' at line 3, column 3 (byte 19): ", '"x"    >>> "port": 1')
    refused(nil, select(2, json.decode '["é😀", nope]'), "line 1, column 8 (byte 12)", '["é😀",  >>> nope]')
    refused(nil, select(2, json.decode '{"a": ["b'), "the string is not closed", "byte 8")
    refused(nil, select(2, json.decode ""), "the text is empty")
    refused(nil, select(2, json.decode "\xEF\xBB\xBF{}"), "byte order mark")
  end)

  it("shows little of the text, and nothing that harms a terminal", function()
    local _, message = json.decode('["' .. ("x"):rep(1000) .. '\27[2J"]')
    assert.is_true(#message < 250)
    assert.is_nil(message:find "%c")
  end)

  it("keeps to its limits, and to one more not", function()
    local function nested(depth) return ("["):rep(depth) .. ("]"):rep(depth) end
    assert.is_table(json.decode(nested(1000)))
    refused(nil, select(2, json.decode(nested(1001))), "max_depth", "byte 1001")
    assert.is_table(json.decode(nested(3), { max_depth = 3 }))
    refused(nil, select(2, json.decode(nested(4), { max_depth = 3 })), "max_depth")
    assert.is_table(json.decode(nested(100000), { max_depth = 100000 }))
    local objects = ('{"a":'):rep(50000) .. "1" .. ("}"):rep(50000)
    assert.is_table(json.decode(objects, { max_depth = 50000 }))
    assert.are.equal("12345", json.decode('"12345"', { max_string = 5 }))
    refused(nil, select(2, json.decode('"123456"', { max_string = 5 })), "max_string")
    assert.are.equal("é", json.decode('"\\u00e9"', { max_string = 2 }))
    assert.are.same({ 1 }, json.decode("[1]", { max_size = 3 }))
    refused(nil, select(2, json.decode("[1] ", { max_size = 3 })), "max_size")
  end)

  it("raises for misuse and names the option", function()
    assert.error_matches(function() json.decode() end, "string expected")
    assert.error_matches(function() json.decode({}) end, "string expected")
    assert.error_matches(function() json.decode("1", 5) end, "table expected")
    assert.error_matches(function() json.decode("1", { nul = "keep" }) end, "option 'nul' does not exist")
    assert.error_matches(function() json.decode("1", { "keep" }) end, "names of options must be strings")
    assert.error_matches(function() json.decode("1", { null = true }) end, [['null' must be "keep" or "drop"]])
    assert.error_matches(function() json.decode("1", { big = "all" }) end, [['big' must be "string" or "float"]])
    for _, depth in ipairs { 0, -1, 100001, 1.5, "3" } do
      local options = { max_depth = depth }
      assert.error_matches(function() json.decode("1", options) end, "'max_depth' must be an integer from 1 to 100000")
    end
  end)
end)

describe("a decoder", function()
  local sample <const> = ' {"name":"caf\\u00e9 \\ud83d\\ude00","é":[1,-2.5e3,null,true,"",{},[]],' ..
    '"n":12345678901234567890} '

  local function fed_in_pieces(text, size, options)
    local decoder = json.decoder(options)
    for i = 1, #text, size do
      assert(decoder:feed(text:sub(i, i + size - 1)))
      local done, wants = decoder:step()
      if done == nil then return nil, wants end
    end
    return decoder:finish()
  end

  it("gives the same whatever the pieces are", function()
    for size = 1, #sample do assert.are.same(json.decode(sample), fed_in_pieces(sample, size)) end
    assert.are.same({ a = json.null, b = "99999999999999999999" },
      fed_in_pieces('{"a":null,"b":99999999999999999999}', 3, { null = "keep", big = "string" }))
  end)

  it("says what it waits for", function()
    local decoder = json.decoder()
    assert(decoder:feed "[1,")
    assert.are.same({ false, "feed" }, { decoder:step() })
    assert(decoder:feed "2")
    assert.are.same({ false, "feed" }, { decoder:step() })
    assert(decoder:feed "]")
    assert.is_true(decoder:step())
    assert(decoder:feed " \n")
    assert.is_true(decoder:step())
    assert.are.same({ 1, 2 }, decoder:finish())
  end)

  it("stops at its budget", function()
    local elements = {}
    for i = 1, 20000 do elements[i] = ('{"id":%d,"name":"name %d"}'):format(i, i) end
    local text = "[" .. table.concat(elements, ",") .. "]"
    local decoder, steps = json.decoder(), 0
    assert(decoder:feed(text))
    repeat
      local done, wants = decoder:step(10000)
      assert(done ~= nil, wants)
      assert(done or wants == "step")
      steps = steps + 1
    until done
    assert.is_true(steps >= #text / 30000 and steps <= #text / 10000 + 1)
    assert.are.same(json.decode(text), decoder:finish())
  end)

  it("keeps to a small budget, but for a number that is longer", function()
    local function steps_of(text, bytes)
      local decoder, steps = json.decoder(), 0
      assert(decoder:feed(text))
      local done
      repeat
        local wants
        done, wants = decoder:step(bytes)
        assert(done ~= nil, wants)
        steps = steps + 1
      until done
      return steps, decoder:finish()
    end
    local text = '["' .. ("x"):rep(9000) .. '"]'
    local steps, value = steps_of(text, 300)
    assert.is_true(steps >= 30 and steps <= 32, steps)
    assert.are.equal(9000, #value[1])
    assert.are.same({ 1.5, 2 }, select(2, steps_of("[1.5" .. ("0"):rep(1500) .. ",2]", 100)))
  end)

  it("needs no more than one piece of a long text", function()
    local decoder = json.decoder()
    assert(decoder:feed "[")
    local piece = ('"' .. ("x"):rep(60) .. '",'):rep(100)
    for _ = 1, 200 do
      assert(decoder:feed(piece))
      assert.are.same({ false, "feed" }, { decoder:step() })
    end
    assert(decoder:feed "1]")
    assert.are.equal(20001, #decoder:finish())
  end)

  it("says where it went wrong, also in what it has forgotten", function()
    for size = 1, 40 do
      local value, message = fed_in_pieces('["é",\n  1,\n  2 x]', size)
      refused(value, message, "expected ',' or ']' at line 3, column 5")
      refused(value, message, "(byte 17)")
    end
    refused(nil, select(2, fed_in_pieces("[1", 1)), "the text ends inside an array at line 1, column 3 (byte 3)")
    refused(nil, select(2, json.decoder():finish()), "the text is empty")
  end)

  it("keeps to its limits", function()
    local decoder = json.decoder { max_size = 4 }
    assert(decoder:feed "[1,2")
    refused(nil, select(2, decoder:feed "]"), "max_size")
    decoder = json.decoder { max_string = 5 }
    assert(decoder:feed '"123')
    assert.are.same({ false, "feed" }, { decoder:step() })
    assert(decoder:feed "456")
    refused(nil, select(2, decoder:step()), "max_string")
  end)

  it("is used up in the end", function()
    local decoder = json.decoder()
    assert(decoder:feed "1")
    assert.are.equal(1, decoder:finish())
    assert.error_matches(function() decoder:finish() end, "used up")
    decoder = json.decoder()
    assert(decoder:feed "x")
    refused(nil, select(2, decoder:step()), "expected a value")
    assert.error_matches(function() decoder:feed "y" end, "used up")
    assert.error_matches(function() json.decoder():step(0) end, "above 0")
    assert.error_matches(function() json.decoder { nope = 1 } end, "option 'nope'")
    assert.error_matches(function() decoder.feed(io.stdout, "") end, "moonrest.json.decoder expected")
  end)

  it("can be left in the middle", function()
    for _ = 1, 100 do
      local decoder = json.decoder()
      assert(decoder:feed '[[[[{"a":')
      assert.is_false(decoder:step())
    end
    collectgarbage()
  end)
end)
