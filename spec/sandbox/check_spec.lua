local check = require "moonrest.sandbox.check"
local json = require "moonrest.sandbox.json"

describe("the sandbox's check of bodies", function()
  local function problem(rules, text)
    local found = check.body(json.decode(text), rules)
    return found and found.field .. " " .. found.reason
  end

  it("wants an object", function()
    assert.equal(" type", problem({}, "3"))
    assert.equal("a JSON object is required", check.body(nil, {}).message)
    assert.equal(" type", problem({}, "[]"))
    assert.equal(" type", problem({}, "[{}]"))
    assert.is_nil(problem({}, "{}"))
  end)

  it("wants what is required", function()
    local rules = { name = "string!", note = "string" }
    assert.equal("name required", problem(rules, "{}"))
    assert.equal("name is required", check.body({}, rules).message)
    assert.is_nil(problem(rules, '{"name":"x"}'))
    assert.equal("name type", problem(rules, '{"name":null}'))
  end)

  it("tells null from absence", function()
    assert.equal("note type", problem({ note = "string" }, '{"note":null}'))
    assert.is_nil(problem({ note = "string?" }, '{"note":null}'))
    assert.is_nil(problem({ note = "string?" }, "{}"))
  end)

  it("knows types", function()
    local good = { string = '"x"', number = "1.5", integer = "3", boolean = "false", object = '{"a":1}',
                   array = "[1]", any = "[]" }
    local bad = { string = "1", number = '"1"', integer = "1.5", boolean = "0", object = "[1]", array = '{"a":1}' }
    for word, text in pairs(good) do assert.is_nil(problem({ x = word .. "!" }, '{"x":' .. text .. "}"), word) end
    for word, text in pairs(bad) do
      assert.equal("x type", problem({ x = word .. "!" }, '{"x":' .. text .. "}"), word)
    end
  end)

  it("tells an empty array from an empty object", function()
    assert.is_nil(problem({ x = "array" }, '{"x":[]}'))
    assert.is_nil(problem({ x = "object" }, '{"x":{}}'))
    assert.equal("x type", problem({ x = "array" }, '{"x":{}}'))
    assert.equal("x type", problem({ x = "object" }, '{"x":[]}'))
  end)

  it("counts characters, not bytes", function()
    local rules = { s = { type = "string", min_length = 3, max_length = 3 } }
    assert.is_nil(problem(rules, '{"s":"äöü"}'))
    assert.equal("s value", problem(rules, '{"s":"äö"}'))
    assert.equal("s value", problem(rules, '{"s":"äöüß"}'))
  end)

  it("counts items, and finds those that are there twice", function()
    local rules = { x = { type = "array", items = "string!", min_items = 1, distinct = true } }
    assert.is_nil(problem(rules, '{"x":["a","b"]}'))
    assert.equal("x value", problem(rules, '{"x":[]}'))
    assert.equal("x value", problem(rules, '{"x":["a","b","a"]}'))
  end)

  it("knows bounds and lists of words", function()
    local rules = { n = { type = "integer", min = 2, max = 4 }, s = { type = "string", min_length = 2, max_length = 3 },
                    w = { "a", "b" } }
    for _, fine in ipairs { '{"n":2}', '{"n":4}', '{"s":"xx"}', '{"s":"xxx"}', '{"w":"b"}' } do
      assert.is_nil(problem(rules, fine))
    end
    for _, wrong in ipairs { '{"n":1}', '{"n":5}', '{"s":"x"}', '{"s":"xxxx"}', '{"w":"c"}' } do
      assert.truthy(problem(rules, wrong):find " value$")
    end
  end)

  it("looks into arrays and objects", function()
    local rules = { ports = { type = "array", items = { type = "object", fields = { port = "integer!" } } } }
    assert.is_nil(problem(rules, '{"ports":[{"port":1},{"port":2}]}'))
    assert.equal("ports[1].port required", problem(rules, '{"ports":[{"port":1},{}]}'))
    assert.equal("ports[0] type", problem(rules, '{"ports":[1]}'))
  end)
end)
