local core = require "moonrest.core"
local resume_token = require "moonrest.resume_token"

describe("resume_token", function()
  local list = "shop.items:list"

  it("goes to text and back", function()
    for _, position in ipairs { 3, 1767225600.123456, 4503599627370499, "cursor|with|bars",
      "https://a.example/x?y=1" } do
      local token = resume_token.write(list, position, 4, 17, 100, "-")
      assert.same({ position = position, number = 4, index = 17, size = 100 }, resume_token.read(token, list, "-"))
    end
    local token = resume_token.write(list, nil, 1, 0, nil, "0badcafe")
    assert.same({ number = 1, index = 0 }, resume_token.read(token, list, "0badcafe"))
    assert.equal("1|shop.items:list|3|17|100|-|i3", resume_token.write(list, 3, 3, 17, 100, "-"))
  end)

  it("refuses what is no token, and tokens of another list", function()
    for _, bad in ipairs { "", "x", "1|a|b", "2|shop.items:list|1|0|-|-|n", "1|shop.items:list|1|0|-|-|ix",
      "1|shop.items:list|1|0|-|-|z", "1|shop.items:list|1|0|-|-|fx", "1|shop.items:list|1|0|0|-|n",
      "1|shop.items:list|1|0|x|-|n", "1|shop.items:list|1|0|i1" } do
      local place, problem = resume_token.read(bad, list, "-")
      assert.is_nil(place, bad)
      assert.matches("no token", problem)
    end
    local _, problem = resume_token.read("1|shop.orders:list|1|0|-|-|n", list, "-")
    assert.matches("is a token of shop%.orders:list", problem)
    _, problem = resume_token.read("1|shop.items:list|1|0|-|0badcafe|n", list, "-")
    assert.matches("of this list with other parameters", problem)
  end)

  it("tells parameters apart, but not how they are written, nor where in the list they lead", function()
    local status, tags, page, key = { name = "status" }, { name = "tags" }, { name = "page" },
      { name = "key", secret = true }
    local ignored = { [page] = true }
    local function mark(values) return resume_token.mark(values, ignored) end
    assert.equal("-", mark {})
    assert.equal("-", mark { [page] = 7, [key] = "k", [{ name = "x" }] = core.secret "abc" })
    assert.matches("^%x%x%x%x%x%x%x%x$", mark { [status] = "a" })
    assert.not_equal(mark { [status] = "a" }, mark { [status] = "b" })
    assert.equal(mark { [status] = 5, [tags] = { "a", { x = 1, y = 2 } } },
      mark { [tags] = { "a", { y = 2, x = 1 } }, [status] = 5.0 })
    assert.not_equal(mark { [tags] = { "a", "b" } }, mark { [tags] = { "b", "a" } })
    assert.not_equal(mark { open = { a = 1 } }, mark { open = { a = 2 } })
  end)
end)
