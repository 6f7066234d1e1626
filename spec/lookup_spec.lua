local lookup = require "moonrest.lookup"

describe("lookup", function()
  local body = { error = { code = "bad", params = { { param = "name" } } }, message = "text", none = false }

  it("goes into objects and arrays", function()
    assert.equal("text", lookup.at(body, "message"))
    assert.equal("bad", lookup.at(body, "error.code"))
    assert.equal("name", lookup.at(body, "error.params[1].param"))
    assert.is_false(lookup.at(body, "none"))
  end)

  it("finds nothing where nothing is", function()
    assert.is_nil(lookup.at(body, "error.code.deeper"))
    assert.is_nil(lookup.at(body, "error.params[2].param"))
    assert.is_nil(lookup.at(nil, "a"))
    assert.is_nil(lookup.at("a string", "format"))
    assert.is_nil(lookup.at({ a = "text" }, "a.format"))
  end)

  it("takes the first path that is present and accepted", function()
    assert.equal("bad", lookup.first(body, { "code", "error.code", "message" }))
    assert.equal("text", lookup.first(body, "message"))
    assert.is_nil(lookup.first(body, nil))
    local function is_text(value) return type(value) == "string" end
    assert.equal("text", lookup.first(body, { "error", "message" }, is_text))
  end)
end)
