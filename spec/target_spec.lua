local comma_locale = require "spec.support.comma_locale"
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
    assert.error_matches(function() target.text_of(core.secret "abc") end, "a secret cannot stand in a form")
  end)

  it("adds query parameters to a written path, sorted, lists repeated", function()
    assert.equal("/x", target.with_query("/x", nil))
    assert.equal("/x?a=1&b=x%20y&c%5B%5D=1&c%5B%5D=2",
      target.with_query("/x", { b = "x y", a = 1, ["c[]"] = { 1, 2 } }))
    assert.equal("/x?q=1&a=2", target.with_query("/x?q=1", { a = 2 }))
  end)

  it("writes fractions with a point in every locale, so that they read back", function()
    local function check()
      assert.equal("0.5", target.text_of(0.5))
      assert.equal("0.30000000000000004", target.text_of(0.1 + 0.2))
      assert.equal("-50.123456789012344", target.text_of(-50.123456789012345))
      assert.equal("/x?a=1.5", target.with_query("/x", { a = 1.5 }))
      assert.equal("0", target.text_of(-0.0))
    end
    check()
    finally(comma_locale.enter())
    check()
  end)

  it("refuses tables that would go out in part", function()
    for _, write in ipairs { function(value) return target.form({ a = value }, "op") end,
      function(value) return target.with_query("/x", { a = value }, "op") end } do
      assert.error_matches(function() write { "x", nil, "y" } end, "op: 'a' is a list with a hole at %[2%]")
      assert.error_matches(function() write { [2] = "y" } end, "op: 'a' is a list with a hole at %[1%]")
      assert.error_matches(function() write { b = 1 } end, "op: 'a' is a table with named fields %('b'%)")
      assert.error_matches(function() write { 1, b = 1 } end, "op: 'a' is a table with named fields %('b'%)")
    end
    assert.equal("/x", target.with_query("/x", { a = {} }))
  end)

  it("leaves secrets to the core", function()
    local secret = core.secret "abc"
    assert.same({ "/x?a=1&key=", secret, "&z=2" }, target.with_query("/x", { key = secret, a = 1, z = 2 }))
  end)

  it("writes forms", function()
    assert.equal("a=1&b=x%20y", target.form { b = "x y", a = 1 })
    assert.error_matches(function() target.form { a = core.secret "abc" } end, "a secret cannot stand in a form")
  end)
end)
