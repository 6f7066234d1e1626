local core = require "moonrest.core"
local types = require "moonrest.types"

local function check(value, specification, context)
  local path, problem = types.check(value, types.describe(specification), context or {}, "x")
  return problem and ("%s %s"):format(path, problem) or nil
end

describe("types", function()
  it("reads the words", function()
    local kind = types.parse "Port[]!"
    assert.equal("Port", kind.base)
    assert.is_true(kind.list and kind.required)
    assert.is_nil(kind.nullable)
    assert.is_true(types.parse("string?!").nullable)
    assert.equal(types.parse "integer", types.parse "integer")
    for _, bad in ipairs { "", "[]", "a b", "string*", "string[][]", "!" } do assert.is_nil(types.parse(bad), bad) end
  end)

  it("checks the plain types", function()
    assert.is_nil(check("a", "string"))
    assert.is_nil(check(core.secret "abc", "string"))
    assert.equal("x must be a string", check(1, "string"))
    assert.is_nil(check(1, "integer"))
    assert.is_nil(check(1.0, "integer"))
    assert.equal("x must be an integer", check(1.5, "integer"))
    assert.equal("x must be an integer", check("1", "integer"))
    assert.equal("x must be a finite number", check(0 / 0, "number"))
    assert.equal("x must be a finite number", check(math.huge, "number"))
    assert.is_nil(check(false, "boolean"))
    assert.equal("x must be a boolean", check("true", "boolean"))
    assert.equal("x must be an object, not a list", check({ 1 }, "object"))
    assert.equal("x must be a list", check({ a = 1 }, "array"))
    assert.is_nil(check(print, "any"))
  end)

  it("is lenient where values travel as text", function()
    local loose = { loose = true }
    assert.is_nil(check(5, "string", loose))
    assert.is_nil(check("5", "integer", loose))
    assert.is_nil(check("-5", "integer", loose))
    assert.is_nil(check("1.5", "number", loose))
    assert.is_nil(check("true", "boolean", loose))
    assert.is_nil(check("one", "string[]", loose))
    assert.equal("x must be an integer", check("5.0", "integer", loose))
    assert.equal("x must be a boolean", check("yes", "boolean", loose))
  end)

  it("lets null through only where it may stand", function()
    assert.is_nil(check(core.null, "string?"))
    assert.is_nil(check(core.null, "any"))
    assert.equal("x cannot be null", check(core.null, "string"))
    assert.equal("x cannot be null", check(core.null, "string?", { loose = true }))
  end)

  it("checks lists with the place of the culprit, and marks empty ones", function()
    assert.is_nil(check({ "a", "b" }, "string[]"))
    assert.equal("x[2] must be a string", check({ "a", 2 }, "string[]"))
    assert.equal("x must be a list", check("a", "string[]"))
    local empty = {}
    assert.is_nil(check(empty, "string[]"))
    assert.equal("[]", core.json.encode(empty))
  end)

  it("checks enums, open ones too", function()
    assert.is_nil(check("active", { "active", "paused" }))
    assert.equal("x must be one of active, paused (did you mean 'active'?)", check("actve", { "active", "paused" }))
    assert.is_nil(check("other", { "active", "..." }))
  end)

  it("checks ranges and lengths", function()
    assert.equal("x must be at least 1", check(0, { type = "integer", min = 1, max = 9 }))
    assert.equal("x must be at most 9", check(10, { type = "integer", min = 1, max = 9 }))
    assert.equal("x must have at most 3 characters", check("abcd", { type = "string", max_length = 3 }))
    assert.is_nil(check("äöü", { type = "string", max_length = 3 }))
  end)

  it("checks shapes in depth", function()
    local context = { shapes = {
      Port = { port = "integer!", protocol = "string", tags = "string[]" }, Host = { ports = "Port[]" },
    } }
    assert.is_nil(check({ { port = 1 } }, "Port[]", context))
    assert.equal("x[1].port is required", check({ { protocol = "UDP" } }, "Port[]", context))
    assert.equal("x.ports[1].protcol is unknown; did you mean 'protocol'?",
      check({ ports = { { port = 1, protcol = "UDP" } } }, "Host", context))
    assert.equal("x must be a table with named fields", check({ 1, 2 }, "Port", context))
    local body = { port = 1, tags = {} }
    assert.is_nil(check(body, "Port", context))
    assert.matches('"tags":%[%]', core.json.encode(body))
  end)

  it("stops at recursive values", function()
    local context = { shapes = { Node = { next = "Node" } } }
    local node = {}
    node.next = node
    assert.matches("nested too deeply", check(node, "Node", context))
  end)

  it("never hands out the value of a secret", function()
    local _, problem, bad = types.check(5, types.describe { type = "string", secret = true }, {}, "x")
    assert.equal("must be a string", problem)
    assert.is_nil(bad)
    assert.equal("", types.got("abc", true))
    assert.equal("", types.got(core.secret "abc"))
    assert.equal(", got 'abc'", types.got "abc")
    assert.equal(", got 7 (a number)", types.got(7))
  end)

  it("says what a person would", function()
    local function text(specification) return types.text(types.describe(specification)) end
    assert.equal("integer 1..9", text { type = "integer!", min = 1, max = 9 })
    assert.equal("one of a, b, ...", text { "a", "b", "..." })
    assert.equal("list of Port", text "Port[]!")
    assert.equal("string or null", text "string?")
  end)

  it("returns no value that may be a secret in another form", function()
    local context = { shapes = {
      Variable = { key = "string!", value = { type = "string", secret = true } },
      Set = { variables = "Variable[]", sets = "Set[]" }, Plain = { key = "string", plain = "Plain" },
    } }
    local function checked(value, word) return { types.check(value, types.describe(word), context, "p") } end
    assert.same({ "p", "must be a table with named fields, got a string" }, checked("A=secret", "Variable"))
    assert.same({ "p[1]", "must be a table with named fields, got a string" }, checked({ "A=secret" }, "Variable[]"))
    assert.same({ "p", "must be a list, got a number" }, checked(5, "Variable[]"))
    assert.same({ "p.sets[1]", "must be a table with named fields, got a table" },
      checked({ sets = { { "A=secret" } } }, "Set"))
    assert.same({ "p", "must be a list, got a string" }, checked("secret", { type = "string[]", secret = true }))
    assert.same({ "p", "must be a table with named fields", "text" }, checked("text", "Plain"))
  end)
end)
