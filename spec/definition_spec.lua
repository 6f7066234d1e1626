local test_api = require "spec.support.test_api"

describe("definition", function()
  local definition = require "moonrest.definition"

  it("reads limit words", function()
    assert.same({ 40, 1 }, { definition.parse_limit "40/s" })
    assert.same({ 100, 60 }, { definition.parse_limit "100/min" })
    assert.same({ 1000, 3600 }, { definition.parse_limit " 1000 / h " })
    assert.same({ 5, 86400 }, { definition.parse_limit "5/day" })
    assert.same({ 9007199254740992, 1 }, { definition.parse_limit "9007199254740992/s" })
    for _, word in ipairs { "40", "40/w", "/s", "-1/s", "1.5/s", "0/s", "nan/s", "inf/s", "1e3/s", "0x10/s",
      "9007199254740993/s", "9223372036854775808/s", ("9"):rep(400) .. "/s" } do
      assert.is_nil(definition.parse_limit(word), word)
    end
    for _, word in ipairs { 40, 0 / 0, true, {} } do assert.is_nil(definition.parse_limit(word)) end
  end)

  it("finds a user's module, and names the nearest when there is none", function()
    package.preload.my_shop = function() return test_api.definition() end
    assert.equal("shop", definition.read("my_shop").name)
    package.preload.my_shop, package.loaded.my_shop = nil, nil
    assert.error_matches(function() definition.read "edgegapp" end, "no definition 'edgegapp'; did you mean 'edgegap'")
  end)

  it("checks what a user wrote, in a table and in a module", function()
    local at = test_api.definition()
    at.colour = "blue"
    package.preload.my_shop = function() return at end
    for _, source in ipairs { at, "my_shop" } do
      assert.error_matches(function() definition.read(source) end, "definition 'shop': colour is unknown")
    end
    package.preload.my_shop, package.loaded.my_shop = nil, nil
  end)

  it("takes a built-in one as it is, and checks what was made of a copy", function()
    local copy = definition.copy(definition.find "edgegap")
    assert.equal(definition.find "edgegap", definition.read "edgegap")
    copy.resources.apps.list.colour = "blue"
    assert.error_matches(function() definition.read(copy) end, "resources.apps.list.colour is unknown")
  end)

  it("checks a built-in one that was changed in place, and opens it so", function()
    local function reopen(module, is_legacy, change)
      definition.read("edgegap", is_legacy)
      change(require(module))
      local ok, opened = pcall(definition.read, "edgegap", is_legacy)
      package.loaded[module] = nil
      return ok, opened
    end
    local own = "moonrest.definitions.edgegap"
    local ok, problem = reopen(own, false, function(at) at.limits.defualt = "slow" end)
    assert.is_false(ok)
    assert.matches("definition 'edgegap': limits.defualt is unknown; did you mean 'default'?", problem, 1, true)
    local _, changed = reopen(own, false, function(at) at.title = "Mine" end)
    assert.equal("Mine", changed.title)
    ok, problem = reopen(own .. "_legacy", true, function(at) (at.resources or at).colour = "red" end)
    assert.is_false(ok)
    assert.matches("resources.colour must be an operation", problem, 1, true)
    assert.equal(definition.read "edgegap", definition.read "edgegap")
    assert.is_not.equal("Mine", definition.read("edgegap").title)
    assert(definition.read("edgegap", true))
  end)

  it("copies deeply", function()
    local at = test_api.definition()
    local copy = definition.copy(at)
    copy.resources.items.get[2] = "changed"
    assert.equal("Shows one item.", at.resources.items.get[2])
  end)

  it("merges the legacy operations, the current ones first", function()
    local at = test_api.definition()
    at.legacy = "shop_legacy"
    package.preload.shop_legacy = function()
      return { items = { get = { "GET /old", "Old." }, old = { "GET /older", "Older." } }, fleets = {
        list = { "GET /fleets", "Fleets." } } }
    end
    local whole = definition.read(at, true)
    assert.equal("GET /items/{id}", whole.resources.items.get[1])
    assert.equal("GET /older", whole.resources.items.old[1])
    assert.equal("GET /fleets", whole.resources.fleets.list[1])
    assert.is_nil(at.resources.fleets)
    package.preload.shop_legacy, package.loaded.shop_legacy = nil, nil
  end)

  it("walks over all operations in order", function()
    local labels = {}
    definition.each_operation(test_api.definition().resources, function(_, label) labels[#labels + 1] = label end)
    assert.equal("images.get", labels[1])
    assert.is_truthy(table.concat(labels, " "):find("orders.lines.list", 1, true))
  end)
end)
