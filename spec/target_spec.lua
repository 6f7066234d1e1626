local core = require "moonrest.core"
local target = require "moonrest.target"

describe("target", function()
  it("writes numbers as a URL wants them", function()
    assert.equal("3", target.text_of(3))
    assert.equal("3", target.text_of(3.0))
    assert.equal("0.5", target.text_of(0.5))
    assert.equal("9007199254740993", target.text_of(9007199254740993))
    assert.equal("true", target.text_of(true))
    assert.error_matches(function() target.text_of {} end, "a table cannot be sent as text")
    assert.error_matches(function() target.text_of(core.secret "abc") end, "a userdata cannot be sent as text")
  end)

  it("adds query parameters to a written path, sorted, lists repeated", function()
    assert.equal("/x", target.with_query("/x", nil))
    assert.equal("/x?a=1&b=x%20y&c%5B%5D=1&c%5B%5D=2",
      target.with_query("/x", { b = "x y", a = 1, ["c[]"] = { 1, 2 } }))
    assert.equal("/x?q=1&a=2", target.with_query("/x?q=1", { a = 2 }))
  end)

  it("leaves secrets to the core", function()
    local secret = core.secret "abc"
    assert.same({ "/x?a=1&key=", secret, "&z=2" }, target.with_query("/x", { key = secret, a = 1, z = 2 }))
  end)

  it("writes forms", function()
    assert.equal("a=1&b=x%20y", target.form { b = "x y", a = 1 })
    assert.error_matches(function() target.form { a = core.secret "abc" } end, "cannot be sent as text")
  end)
end)
