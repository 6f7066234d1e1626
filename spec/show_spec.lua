local fake_core = require "spec.support.fake_core"
local test_api = require "spec.support.test_api"

describe("show", function()
  local show, json, core

  before_each(function()
    core = fake_core.install()
    show, json = require "moonrest.show", core.json
  end)

  it("aligns records, numbers to the right", function()
    assert.equal(table.concat({
      "name   count",
      "-----  -----",
      "chair      5",
      "table     12",
    }, "\n"), show.table({ { name = "chair", count = 5 }, { name = "table", count = 12 } }, { "name", "count" }))
  end)

  it("shows a response's headers as fields", function()
    local shop, its_core = test_api.open()
    its_core.answer { status = 200, body = "{}", headers = { ["X-A"] = "1" } }
    local _, response = shop.items:get "1"
    assert.matches("\nx%-a +1", show.text(response.headers))
  end)

  it("finds the columns by itself, and leaves holes empty", function()
    assert.equal("a  b\n-  -\n1\n   x", show.table { { a = 1 }, { b = "x" } })
  end)

  it("writes a value on one line", function()
    local function written(value) return show.table({ { a = value, b = 1 } }, { "a" }):match "\n[^\n]*\n(.*)$" end
    assert.equal("a b", written "a\nb")
    assert.equal("1.5", written(1.5))
    assert.equal("null", written(core.null))
    assert.equal('{"a":1,"b":[1,2]}', written { b = { 1, 2 }, a = 1 })
    assert.equal("", written(nil))
  end)

  it("fits into the terminal, and says what it cut", function()
    core.columns = 60
    local rows = { { id = 17, name = ("ä"):rep(50), text = ("b"):rep(100) }, { id = 2, name = "n", text = "t" } }
    local lines = {}
    for line in (show.table(rows) .. "\n"):gmatch "(.-)\n" do lines[#lines + 1] = line end
    for index = 1, 4 do assert.is_true(utf8.len(lines[index]) <= 60, lines[index]) end
    assert.equal(60, utf8.len(lines[2]))
    assert.matches("^17  [^.]+%.%.%.  b+%.%.%.$", lines[3])
    assert.matches("^%(cut: name, text; ", lines[5])
    core.columns = 200
    assert.not_matches("cut", show.table(rows))
    core.columns = 5
    assert.matches("\n17  [^.]+%.%.%.  bbbbb%.%.%.\n", show.table(rows))
  end)

  it("cuts nothing but monsters where there is no terminal", function()
    assert.not_matches("cut", show.table { { a = ("b"):rep(200) } })
    assert.matches("cut: a", show.table { { a = ("b"):rep(201) } }, 1, true)
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
    assert.equal("(nothing)", show.text {})
    assert.equal("(nothing)", show.text(json.array {}))
    assert.matches("^a\n%-\n1", show.text { { a = 1 } })
  end)

  it("takes what a call returns as it is", function()
    local shop = test_api.open { org_id = "o" }
    core = require "moonrest.core"
    show = require "moonrest.show"
    core.answer { status = 200, json = { id = "1", name = "n" } }
    assert.equal("field  value\n-----  -----\nid     1\nname   n", show.text(shop.items:get "1"))
    assert.equal("a\n-\n1", show.text({ { a = 1 } }, "end"))
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
