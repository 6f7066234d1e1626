local test_api = require "spec.support.test_api"

describe("operation", function()
  local shop, core

  before_each(function() shop, core = test_api.open() end)

  it("is a callable table", function()
    local get = shop.items.get
    assert.equal("table", type(get))
    assert.is_truthy(get "1")
    assert.is_truthy(shop.items:get "2")
    assert.same({ "/items/1", "/items/2" }, { core.sent[1].target, core.sent[2].target })
    assert.is_true(require "moonrest.operation".is(get))
    assert.is_false(require "moonrest.operation".is(shop.items))
  end)

  it("returns exactly two values", function()
    assert.equal(2, select("#", shop.items:get "1"))
    core.answer { status = 404 }
    assert.equal(2, select("#", shop.items:get "1"))
  end)

  it("tells about itself", function()
    local shown = {}
    for name, value in pairs(shop.items.get) do shown[name] = value end
    assert.same({ name = "get", route = "GET /items/{id}", summary = "Shows one item." }, shown)
  end)

  it("takes the short way with the view's own options", function()
    local view = shop:with { timeout = 3 }
    view.items:get "1"
    assert.equal(3, core.sent[1].options.timeout)
    view.items:get(7)
    assert.equal("/items/7", core.sent[2].target)
    assert.error_matches(function() view.items:get ".." end, "path parameter 'id'")
  end)

  it("refuses the short way too when the client only reads", function()
    shop, core = test_api.open({ read_only = true }, function(at)
      at.resources.items.stop = { "DELETE /items/{id}/stop", "Stops." }
    end)
    assert.error_matches(function() shop.items:stop "1" end, "read_only = true")
    assert.equal(0, #core.sent)
  end)
end)
