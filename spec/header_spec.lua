local core = require "moonrest.core"
local header = require "moonrest.header"

describe("header", function()
  it("makes lines of texts and numbers", function()
    assert.equal("X-A: b", header.line("X-A", "b", "test"))
    assert.equal("X-A: 5", header.line("X-A", 5.0, "test"))
  end)

  it("leaves secrets to the core", function()
    local secret = core.secret "abc"
    assert.same({ "X-A: ", secret }, header.line("X-A", secret, "test"))
  end)

  it("refuses what would make another line", function()
    for _, value in ipairs { "a\r\nB: c", "a\rb", "a\nb", "a\0b" } do
      assert.error_matches(function() header.line("X-A", value, "test") end, "test: header 'X%-A' must not contain CR")
    end
  end)

  it("refuses names that are none, and other values", function()
    for _, name in ipairs { "", "X A", "X:A", "X\nA", "Ä" } do
      assert.error_matches(function() header.line(name, "v", "test") end, "no header name")
    end
    assert.error_matches(function() header.line(1, "v", "test") end, "no header name")
    assert.error_matches(function() header.line("X-A", { 1 }, "test") end, "must be a string, a number or a secret")
    assert.error_matches(function() header.line("X-A", core.null, "test") end, "must be a string, a number or a secret")
  end)
end)
