local test_api = require "spec.support.test_api"

describe("resource", function()
  local shop, core

  before_each(function() shop, core = test_api.open() end)

  it("has its operations and further resources as fields", function()
    assert.matches("shop.items:get", tostring(shop.items.get), 1, true)
    assert.matches("shop.orders.lines", tostring(shop.orders.lines), 1, true)
    shop.orders.lines:list "7"
    assert.equal("/orders/7/lines", core.sent[1].target)
    assert.equal(shop.items, shop.items)
    assert.equal(shop.items.get, shop.items.get)
  end)

  it("keeps its own words; the API's get an underscore", function()
    assert.equal("function", type(shop.items.each))
    shop.items:each_()
    assert.equal("/each", core.sent[1].target)
  end)

  it("raises for unknown names, with the nearest", function()
    assert.error_matches(function() return shop.items.creat end,
      "^shop%.items has no 'creat'; did you mean 'create'%? %(it has: create, delete, each_,")
    assert.error_matches(function() return shop.itms end, "shop has no 'itms'; did you mean 'items'%?")
    assert.is_nil(shop.items[1].nothing)
    assert.is_nil(shop.items[7])
    assert.is_nil(shop.items.__name)
    assert.error_matches(function() return shop.items.waiters end, "has no 'waiters'")
  end)

  it("can be walked over", function()
    local names = {}
    for name in pairs(shop.items) do names[#names + 1] = name end
    table.sort(names)
    assert.same({ "create", "delete", "each_", "export", "get", "list", "sell_many", "state", "test", "update",
      "watch" },
      names)
    local found = {}
    for name, value in pairs(shop) do found[name] = require "moonrest.resource".is(value) end
    assert.same({ images = true, items = true, keys = true, limits_ = true, orders = true }, found)
  end)

  it("says how to call its methods", function()
    assert.error_matches(function() shop.items.each { limit = 1 } end, "call each with a colon: client.resource:each")
    assert.error_matches(function() shop.items.wait("1", "ready") end, "call wait with a colon")
    assert.error_matches(function() shop.keys:all() end, "shop.keys has no operation 'list'")
  end)
end)
