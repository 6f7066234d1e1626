local test_api = require "spec.support.test_api"

describe("show", function()
  local show, json

  before_each(function()
    show, json = require "moonrest.show", require "moonrest.core".json
  end)

  it("aligns records, numbers to the right", function()
    assert.equal(table.concat({
      "name   count",
      "-----  -----",
      "chair      5",
      "table     12",
    }, "\n"), show.table({ { name = "chair", count = 5 }, { name = "table", count = 12 } }, { "name", "count" }))
  end)

  it("finds the columns by itself, and leaves holes empty", function()
    assert.equal("a  b\n-  -\n1\n   x", show.table { { a = 1 }, { b = "x" } })
  end)

  it("writes values on one line of bounded width", function()
    assert.equal("a b", show.cell "a\nb")
    assert.equal(40, utf8.len(show.cell(("ä"):rep(100))))
    assert.equal("1.5", show.cell(1.5))
    assert.equal("null", show.cell(json.null or require "moonrest.core".null))
    assert.equal('{"a":1,"b":[1,2]}', show.cell { b = { 1, 2 }, a = 1 })
    assert.equal("", show.cell(nil))
  end)

  it("aligns by characters and not by bytes", function()
    local lines = show.table({ { a = "äö", b = "x" }, { a = "abc", b = "y" } }, { "a", "b" })
    assert.matches("\näö   x\nabc  y$", lines)
  end)

  it("shows one record as its fields, and anything else as it is", function()
    assert.equal("field  value\n-----  -----\na      1\nb      x", show.text({ b = "x", a = 1 }))
    assert.equal("text", show.text "text")
    assert.equal("true", show.text(true))
    assert.equal("[1,2]", show.text { 1, 2 })
    assert.matches("^a\n%-\n1", show.text { { a = 1 } })
  end)

  it("prints", function()
    local real, printed = print, nil
    _G.print = function(...) printed = table.pack(...) end
    show.show({ { a = 1 } }, { "a" })
    _G.print = real
    assert.same({ "a\n-\n1", n = 1 }, printed)
  end)

  it("prints clients, resources and operations", function()
    local shop = test_api.open()
    local text = tostring(shop)
    assert.matches("^moonrest client of Shop at https://api%.shop%.example/v1\n", text)
    assert.matches("\n  items +create delete each export get list", text)
    assert.matches("\n  orders%.lines +list", text)
    assert.not_matches("canary", text)
    text = tostring(shop.items)
    assert.matches("^moonrest resource shop%.items: What is sold\n", text)
    assert.matches("\n  get +Shows one item%.\n +GET /items/{id}", text)
    assert.equal("moonrest operation shop.items:get  (GET /items/{id})  Shows one item.", tostring(shop.items.get))
  end)
end)
