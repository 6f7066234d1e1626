local words = require "moonrest.words"

describe("words", function()
  it("are a list, whether there is one, several or none", function()
    assert.same({ "one" }, words.list "one")
    assert.same({ "one", "two" }, words.list { "one", "two" })
    assert.same({}, words.list(nil))
  end)

  it("stand in order where they are keys", function()
    assert.same({ "a", "b", "c" }, words.sorted { c = 1, a = 2, b = 3 })
    assert.same({}, words.sorted(nil))
  end)
end)
