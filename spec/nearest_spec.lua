local nearest = require "moonrest.nearest"

describe("nearest", function()
  it("counts edits", function()
    assert.equal(0, nearest.distance("page", "page"))
    assert.equal(1, nearest.distance("page", "pages"))
    assert.equal(1, nearest.distance("page", "apge"))
    assert.equal(3, nearest.distance("kitten", "sitting"))
    assert.equal(4, nearest.distance("", "page"))
  end)

  it("finds the nearest name in lists and in keys", function()
    assert.equal("limit", nearest.name("limt", { "limit", "page" }))
    assert.equal("limit", nearest.name("LIMIT", { limit = true, page = true }))
    assert.equal("docker_image", nearest.name("image", { docker_image = true, name = true }))
  end)

  it("is silent when nothing is near", function()
    assert.is_nil(nearest.name("zebra", { "limit", "page" }))
    assert.is_nil(nearest.name(("x"):rep(100), { "limit" }))
    assert.is_nil(nearest.name(7, { "limit" }))
    assert.equal("", nearest.hint("zebra", { "limit" }))
  end)

  it("words a hint and a list", function()
    assert.equal("; did you mean 'limit'?", nearest.hint("limti", { "limit" }))
    assert.equal("a, b, c", nearest.list { c = true, a = true, b = true })
  end)

  it("chooses the same name every time among equals", function()
    for _ = 1, 5 do assert.equal("aa", nearest.name("ax", { ac = true, aa = true, ab = true })) end
  end)
end)
