local test_api = require "spec.support.test_api"

describe("recipe", function()
  local function recipe_of(operation)
    return require "moonrest.operation".recipe(operation)
  end

  it("is prepared once for all views of a client", function()
    local shop = test_api.open()
    local view = shop:with { timeout = 5 }
    assert.equal(recipe_of(shop.items.get), recipe_of(view.items.get))
  end)

  it("takes the short way only for one plain path parameter, and for plain answers", function()
    local function plain(at) at.trace, at.envelope.success = "x-request-id", nil end
    -- a tenant may fill any operation; successes may be failures in disguise
    assert.is_false(recipe_of(test_api.open({ org_id = "o" }, plain).items.get).quick)
    assert.is_false(recipe_of(test_api.open().items.get).quick)
    local shop = test_api.open(nil, plain)
    assert.is_true(recipe_of(shop.items.get).quick)
    for _, operation in ipairs { shop.items.list, shop.items.create, shop.items.update, shop.items.delete,
      shop.orders.get, shop.keys.stop, shop.images.get } do
      assert.is_false(recipe_of(operation).quick, tostring(operation))
    end
  end)

  it("repeats as the method allows, or as the definition says", function()
    local shop = test_api.open({}, function(at) at.resources.items.test.repeatable = "idempotent" end)
    assert.equal("safe", recipe_of(shop.items.get).endpoint.repeatable)
    assert.equal("never", recipe_of(shop.items.create).endpoint.repeatable)
    assert.equal("idempotent", recipe_of(shop.items.update).endpoint.repeatable)
    assert.equal("gone", recipe_of(shop.items.delete).endpoint.repeatable)
    assert.equal("safe", recipe_of(shop.keys.find).endpoint.repeatable)
    assert.equal("idempotent", recipe_of(shop.items.test).endpoint.repeatable)
  end)

  it("asks for what the operation returns", function()
    local shop = test_api.open()
    assert.equal("Accept: */*", recipe_of(shop.items.export).endpoint.headers[1])
    assert.equal("Accept: text/event-stream", recipe_of(shop.items.watch).endpoint.headers[1])
    assert.equal("Accept: application/json", recipe_of(shop.items.get).endpoint.headers[1])
  end)

  it("tells the core where refusals are explained", function()
    local endpoint = recipe_of((test_api.open()).items.get).endpoint
    assert.same({ "upgrade", "no_plan" }, endpoint.final)
    assert.same({ "error.code" }, endpoint.code_paths)
    assert.same({ "error.retry_after" }, endpoint.retry_after_paths)
  end)

  it("gives operations their own overrides", function()
    local shop, core = test_api.open({}, function(at)
      at.resources.items.get.envelope = {}
      at.resources.items.get.errors = { message = { "oops" } }
      at.resources.items.get.timeout = 600
    end)
    core.answer { status = 200, json = { data = 1, other = 2 } }
    assert.same({ data = 1, other = 2 }, (shop.items:get "1"))
    core.answer { status = 400, json = { oops = "own", message = "usual" } }
    local _, err = shop.items:get "1"
    assert.equal("own", err.message)
    assert.equal(600, core.sent[1].endpoint.timeout)
  end)

  it("knows the parameters that pages are asked with, documented or not", function()
    local shop, core = test_api.open()
    core.answer { status = 200, json = { data = {} } }
    shop.orders.lines:list(7)
    assert.error_matches(function() shop.orders.lines:list(7, { page = 2 }) end, "unknown parameter 'page'")
    shop = test_api.open { org_id = "o" }
    assert.is_truthy(shop.orders:list { page = 2 })
  end)

  it("writes kebab and bracketed names as Lua names", function()
    local recipe = require "moonrest.recipe"
    assert.equal("fleet_name", recipe.lua_name "fleet-name")
    assert.equal("api_key_id", recipe.lua_name "api_key_id[]")
    assert.equal("X_Fields", recipe.lua_name "X-Fields")
  end)

  it("reads colon verbs behind a parameter", function()
    local shop, core = test_api.open({}, function(at)
      at.resources.items.report = { "POST /items/{id}:report", "Reports.", body = { reason = "string!" } }
    end)
    shop.items:report("a:b", { reason = "r" })
    assert.equal("/items/a:b:report", core.sent[1].target)
  end)

  it("sends a parameter under another name where the definition says so", function()
    local shop, core = test_api.open({}, function(at)
      at.resources.items.list.query.kind = { type = "string", wire = "type" }
    end)
    shop.items:list { kind = "x" }
    assert.equal("/items?type=x", core.sent[1].target)
  end)

  it("shares fields between operations that declare them alike", function()
    local shop = test_api.open()
    assert.equal(recipe_of(shop.items.get).path[1], recipe_of(shop.items.state).path[1])
  end)
end)
