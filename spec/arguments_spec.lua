local test_api = require "spec.support.test_api"

describe("arguments", function()
  local shop, core

  before_each(function() shop, core = test_api.open { org_id = "org_1" } end)

  local function last() return core.sent[#core.sent] end

  local function refused(pattern, call)
    local count = #core.sent
    local ok, problem = pcall(call)
    assert.is_false(ok)
    assert.is_string(problem)
    assert.matches("arguments_spec%.lua:%d+: ", problem)
    assert.is_truthy(problem:find(pattern, 1, true), problem)
    assert.equal(count, #core.sent, "nothing may be sent")
  end

  it("takes path parameters by position, by name, or both names of it", function()
    shop.items:get "a b"
    assert.equal("/items/a%20b", last().target)
    shop.items:get(42)
    assert.equal("/items/42", last().target)
    shop.items:get { id = "x" }
    assert.equal("/items/x", last().target)
    shop.orders:get { ["order-id"] = "o1" }
    assert.equal("/orgs/org_1/orders/o1", last().target)
    shop.orders:get { order_id = "o1" }
    assert.equal("/orgs/org_1/orders/o1", last().target)
  end)

  it("works with a colon and with a dot", function()
    shop.items.get "x"
    assert.equal("/items/x", last().target)
    shop.items.create { name = "n" }
    assert.same({ name = "n" }, last().json)
    shop.items:create { name = "n" }
    assert.same({ name = "n" }, last().json)
  end)

  it("splits parameters and options", function()
    shop.items:get("x", {}, { timeout = 5 })
    assert.equal(5, last().options.timeout)
    shop.items:list(nil, { timeout = 4 })
    assert.equal(4, last().options.timeout)
    shop.items:list({ page = 2 }, nil)
    assert.equal("/items?page=2", last().target)
  end)

  it("fills a name that stands in two places, and lets each be named", function()
    shop.orders:purge("7", { deep = true })
    assert.equal("/orgs/org_1/orders/7/purge", last().target)
    assert.same({ id = "7", deep = true }, last().json)
    shop.orders:purge("7", { ["body:id"] = "8", deep = true })
    assert.same({ id = "8", deep = true }, last().json)
    assert.equal("/orgs/org_1/orders/7/purge", last().target)
    shop.orders:purge { ["path:id"] = "5", ["body:id"] = "6", deep = true }
    assert.equal("/orgs/org_1/orders/5/purge", last().target)
    assert.same({ id = "6", deep = true }, last().json)
  end)

  it("fills tenant parameters, which a name may still replace", function()
    shop.orders:list()
    assert.equal("/orgs/org_1/orders", last().target)
    shop.orders:list { orgId = "org_2" }
    assert.equal("/orgs/org_2/orders", last().target)
    refused("takes 1 path parameter (order_id), the others are filled by the client, got 2",
      function() shop.orders:get("org_2", "o1") end)
  end)

  it("asks for tenant parameters that nobody filled", function()
    local open_shop = test_api.open {}
    assert.error_matches(function() open_shop.orders:list() end, "parameter 'orgId' is required %(path, string%); "
      .. "moonrest.open%(..., { org_id = ... }%) gives it to all calls, or set SHOP_ORG_ID$")
  end)

  it("accepts list names with and without brackets and repeats them", function()
    shop.items:list { tag = { "a", "b" } }
    assert.equal("/items?tag%5B%5D=a&tag%5B%5D=b", last().target)
    shop.items:list { ["tag[]"] = { "a" } }
    assert.equal("/items?tag%5B%5D=a", last().target)
  end)

  it("sends JSON inside a query", function()
    shop.items:list { query = { filters = { { field = "status" } } } }
    assert.equal("/items?query=%7B%22filters%22%3A%5B%7B%22field%22%3A%22status%22%7D%5D%7D", last().target)
  end)

  it("raises for unknown names, with the nearest", function()
    refused("shop.items:create: unknown parameter 'nmae'; did you mean 'name'?",
      function() shop.items:create { nmae = "n" } end)
    refused("shop.items:get: unknown parameter 'volume' (it has: id)", function() shop.items:get { volume = 1 } end)
    refused("shop.items:get takes 1 path parameter (id), got 2", function() shop.items:get("a", "b") end)
    refused("takes no path parameter", function() shop.items:create "a" end)
    refused("parameters need names", function() shop.items:create { "a" } end)
  end)

  it("says where an option goes, and where a parameter goes", function()
    refused("'timeout' is an option, not a parameter: it goes into a second table",
      function() shop.items:get("x", { timeout = 5 }) end)
    refused("there is an option 'timeout', which goes into a second table",
      function() shop.items:create { name = "n", timeot = 5 } end)
    refused("'name' is a parameter, not an option", function() shop.items:create({}, { name = "n" }) end)
    refused("unknown option 'tiemout'; did you mean 'timeout'?", function() shop.items:list({}, { tiemout = 5 }) end)
  end)

  it("raises for wrong arguments", function()
    refused("path parameter 'id' must be a string or a number, got a boolean", function() shop.items:get(true) end)
    refused("options must be a table, got a number", function() shop.items:create({}, 5) end)
    refused("too many arguments", function() shop.items:create({}, {}, {}) end)
    refused("parameters must be a table, got a boolean", function() shop.items:create(false) end)
    refused("parameter 'id' is given twice", function() shop.items:get("a", { id = "b" }) end)
  end)

  it("checks what is required, and types, before anything is sent", function()
    refused("parameter 'name' is required (body, string)", function() shop.items:create() end)
    refused("parameter 'id' is required (path, string)", function() shop.items:get() end)
    refused("parameter 'id' is required (path, string)", function() shop.items:get(nil) end)
    refused("parameter 'price' must be a finite number, got 'x'",
      function() shop.items:create { name = "n", price = "x" } end)
    refused("parameter 'lines[1].count' must be at least 1, got 0",
      function() shop.items:create { name = "n", lines = { { sku = "s", count = 0 } } } end)
    refused("parameter 'status' must be one of active, gone (did you mean 'active'?), got 'activ'",
      function() shop.items:list { status = "activ" } end)
    refused("parameter 'name' cannot be null", function() shop.items:create { name = core.null } end)
  end)

  it("sends null where it may stand", function()
    shop.items:create { name = "n", note = core.null }
    assert.equal(core.null, last().json.note)
  end)

  it("does not let a path parameter leave its segment", function()
    for _, id in ipairs { "..", ".", "", "a\0b", "a\r\nb" } do
      refused("path parameter 'id'", function() shop.items:get(id) end)
    end
    shop.items:get "a/../b"
    assert.equal("/items/a%2F..%2Fb", last().target)
    shop.images:get "org/my server"
    assert.equal("/images/org/my%20server/tags", last().target)
    refused("path parameter 'image_name'", function() shop.images:get "org/../x" end)
  end)

  it("passes unknown query parameters on where a list is open", function()
    shop, core = test_api.open({}, function(at) at.resources.items.list.open = true end)
    core.handle(function() return { status = 200, json = { data = core.json.array { {} }, meta = { pages = 2 } } } end)
    shop.items:all({ status = "gone", colour = "dark red", size = { 1, 2 } })
    assert.matches("status=gone.*&colour=dark%%20red&size=1&size=2$", core.sent[1].target)
    assert.matches("page=2.*&colour=dark%%20red&size=1&size=2$", core.sent[2].target)
    for _, sent in ipairs(core.sent) do assert.is_nil(sent.body or sent.json) end
    assert.error_matches(function() shop.items:list { timeout = 3 } end, "'timeout' is an option")
  end)

  it("passes unknown body fields on where the operation is open", function()
    shop.orders:purge("7", { deep = true, colour = "red" })
    assert.same({ id = "7", deep = true, colour = "red" }, last().json)
    refused("'timeout' is an option", function() shop.orders:purge("7", { deep = true, timeout = 3 }) end)
  end)

  it("asks for confirmation", function()
    refused("shop.items:delete deletes it for good: pass the option confirm = true",
      function() shop.items:delete "x" end)
    shop.items:delete("x", {}, { confirm = true })
    assert.equal("DELETE", last().method)
    refused("takes all lines", function() shop.orders:purge "7" end)
    shop.orders:purge("7", nil, { confirm = true })
    shop.orders:purge("7", { deep = false })
  end)

  it("takes an empty parameter for none where that is dangerous", function()
    shop, core = test_api.open({ org_id = "o" }, function(at)
      at.resources.orders.purge.body.deep = "string?"
    end)
    for _, empty in ipairs { "", core.null } do
      refused("takes all lines", function() shop.orders:purge("7", { deep = empty }) end)
    end
    shop.orders:purge("7", { deep = "no" })
    assert.equal(1, #core.sent)
  end)

  it("asks for confirmation when a list is empty", function()
    shop, core = test_api.open({ org_id = "o" }, function(at)
      at.resources.items.sell_many.confirm = { empty = "ids", why = "sells everything" }
    end)
    refused("sells everything", function() shop.items:sell_many { ids = {} } end)
    shop.items:sell_many { ids = { "a" } }
    assert.equal(1, #core.sent)
  end)

  it("asks for confirmation when one of the filters in a list is empty", function()
    shop, core = test_api.open({ org_id = "o" }, function(at)
      at.resources.items.sell_many.body = { filters = "object[]!" }
      at.resources.items.sell_many.confirm = { empty = "filters", why = "sells everything" }
    end)
    local full, empty = { field = "id", values = { "a" } }, { field = "id", values = {} }
    refused("sells everything", function() shop.items:sell_many { filters = { full, empty } } end)
    shop.items:sell_many { filters = { full, full } }
    assert.equal(1, #core.sent)
  end)

  it("refuses writes of a read-only client, but not reads by POST", function()
    shop, core = test_api.open { read_only = true, org_id = "o" }
    refused("this client was opened with read_only = true", function() shop.items:create { name = "n" } end)
    refused("read_only", function() shop.items:delete("x", {}, { confirm = true }) end)
    refused("read_only", function() shop.items:test "x" end)
    shop.keys:find { text = "abc" }
    shop.items:get "x"
    assert.equal(2, #core.sent)
  end)

  it("takes secrets as parameters, and never shows them", function()
    shop.items:get(core.secret "hidden")
    assert.equal("/items/***", last().target)
    shop.keys:use { token = "plain-secret" }
    assert.equal("/keys/use?token=***", last().target)
    refused("parameter 'token' must be a string", function() shop.keys:use { token = { "plain-secret" } } end)
    local _, problem = pcall(function() shop.keys:create { name = "n", private_token = 12345678 } end)
    assert.not_matches("12345678", problem)
  end)
end)
