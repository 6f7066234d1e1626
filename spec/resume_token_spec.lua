local resume_token = require "moonrest.resume_token"

describe("resume_token", function()
  it("goes to text and back", function()
    for _, position in ipairs { 3, "cursor|with|bars", "https://a.example/x?y=1" } do
      local token = resume_token.write("shop.items:list", position, 4, 17)
      assert.same({ position = position, number = 4, index = 17 }, resume_token.read(token, "shop.items:list"))
    end
    local token = resume_token.write("shop.items:list", nil, 1, 0)
    assert.same({ number = 1, index = 0 }, resume_token.read(token, "shop.items:list"))
    assert.equal("1|shop.items:list|3|17|i3", resume_token.write("shop.items:list", 3, 3, 17))
  end)

  it("refuses what is no token, and tokens of another list", function()
    for _, bad in ipairs { "", "x", "1|a|b", "2|shop.items:list|1|0|n", "1|shop.items:list|1|0|ix",
      "1|shop.items:list|1|0|z" } do
      local place, problem = resume_token.read(bad, "shop.items:list")
      assert.is_nil(place, bad)
      assert.matches("no token", problem)
    end
    local _, problem = resume_token.read("1|shop.orders:list|1|0|n", "shop.items:list")
    assert.matches("is a token of shop%.orders:list", problem)
  end)
end)
