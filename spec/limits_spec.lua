local test_api = require "spec.support.test_api"

describe("limits", function()
  local function bucket_of(core, call)
    call()
    local keys = {}
    for index, bucket in ipairs(core.sent[#core.sent].endpoint.buckets or {}) do keys[index] = bucket end
    return keys
  end

  it("makes buckets of the plan's words", function()
    local shop, core = test_api.open { account = "acme", plan = "free" }
    local buckets = bucket_of(core, function() shop.items:get "1" end)
    assert.equal(1, #buckets)
    assert.equal("shop/acme/account", buckets[1].key)
    assert.same({ { 100, 60 }, { 1000, 3600 } }, buckets[1].limits.windows)
    shop.items:list()
    assert.equal(1, #core.buckets) -- one for all operations that share it
  end)

  it("lets a call wait for its longest window, and for an hour at least", function()
    local function max_wait(options)
      return require "moonrest.operation".recipe(test_api.open(options).items.get).endpoint.max_wait
    end
    assert.equal(3600, max_wait { plan = "pro" })
    assert.is_true(max_wait { plan = "free" } > 3700) -- 1000/h: the 1001st call of a burst is free after 3600 s
    assert.equal(7, max_wait { plan = "free", max_wait = 7 })
  end)

  it("makes none where nothing limits", function()
    local shop, core = test_api.open { plan = "enterprise" }
    assert.same({}, bucket_of(core, function() shop.items:get "1" end))
    shop, core = test_api.open { server = "staging" }
    assert.same({}, bucket_of(core, function() shop.items:get "1" end))
    assert.equal(0, #core.buckets)
    shop, core = test_api.open({}, function(at) at.resources.items.get.bucket = "" end)
    assert.same({}, bucket_of(core, function() shop.items:get "1" end))
  end)

  it("takes the operation's own bucket instead of the default", function()
    local shop, core = test_api.open { account = "acme", org_id = "o" }
    local buckets = bucket_of(core, function() shop.orders:list() end)
    assert.same({ "shop/acme/orders" }, { buckets[1].key })
    assert.same({ { 40, 1 } }, buckets[1].limits.windows)
  end)

  it("makes a bucket for each value of an argument", function()
    local shop, core = test_api.open { account = "acme", org_id = "o" }
    local function keys(app_id)
      shop.orders:get("o1", { app_id = app_id })
      local list = {}
      for index, bucket in ipairs(core.sent[#core.sent].options.buckets) do list[index] = bucket.key end
      return list
    end
    assert.same({ "shop/acme/orders", "shop/acme/device/a" }, keys "a")
    assert.same({ "shop/acme/orders", "shop/acme/device/b" }, keys "b")
    assert.equal(1000, #keys(("c"):rep(2000))[2]) -- the core takes no longer ones
  end)

  it("are shown with seconds as people say them", function()
    local shop, core = test_api.open { account = "acme", plan = "pro" }
    shop.items:get "1"
    local bucket = core.buckets[1]
    local look = bucket.look
    function bucket.look()
      local view = look()
      view.windows[1].reset, view.waited = 1.00375, 12.34
      return view
    end
    assert.equal(1.00375, shop:limits()[1].reset)
    assert.matches("\naccount  1000/min +1000 +1%.1 +0 +0 +0 +12%.4 +0", tostring(shop:limits()))
  end)

  it("passes strict on", function()
    local shop, core = test_api.open { strict = true }
    shop.items:get "1"
    assert.is_true(core.buckets[1].limits.strict)
  end)

  it("goes silent where the server's counter is renewed by every request", function()
    local shop, core = test_api.open({}, function(at) at.limits.strategy = { account = "silence" } end)
    shop.items:get "1"
    assert.is_true(core.buckets[1].limits.renewing)
    shop, core = test_api.open {}
    shop.items:get "1"
    assert.is_false(core.buckets[1].limits.renewing)
  end)

  it("reports as a table", function()
    local shop = test_api.open { account = "acme" }
    local report = shop:limits()
    assert.equal(3, #report)
    assert.same({ "account", "100/min", 100 }, { report[1].bucket, report[1].limit, report[1].remaining })
    assert.same({ "orders", "40/s" }, { report[3].bucket, report[3].limit })
    assert.matches("bucket +limit +remaining +reset +paused +queued +running +waited +refused\n", tostring(report))
    shop = test_api.open({}, function(at)
      at.limits = nil
      for _, name in ipairs { "list", "get" } do at.resources.orders[name].bucket = nil end
    end)
    assert.equal(0, #shop:limits())
  end)

  it("reports the buckets that argument values chose, as long as they are alive", function()
    local shop, core = test_api.open { account = "acme", org_id = "o" }
    for _, app_id in ipairs { "b", "a", "c", "a" } do shop.orders:get("o1", { app_id = app_id }) end
    assert.equal(4, #core.buckets) -- one for orders, and one for each app
    for _, bucket in ipairs(core.buckets) do
      if bucket.key:find "/[ab]$" then bucket.used = 2 end
    end
    local report = shop:limits()
    local rows = {}
    for _, row in ipairs(report) do
      if row.bucket == "device" then rows[#rows + 1] = { row.values.app_id, row.limit, row.remaining } end
    end
    assert.same({ { "a", "5/s", 3 }, { "b", "5/s", 3 } }, rows)
    assert.matches("^bucket +app_id +limit +remaining +reset", tostring(report))
    assert.matches("\ndevice +a +5/s +3 +0", tostring(report))
    assert.is_nil(report[1].values)
    for _, bucket in ipairs(core.buckets) do bucket.used = 0 end
    assert.not_matches("app_id", tostring(shop:limits()), 1, true)
  end)

  it("holds no bucket of thousands that were used once", function()
    local shop, core = test_api.open { account = "acme", org_id = "o" }
    local seen = setmetatable({}, { __mode = "k" })
    for number = 1, 2000 do
      shop.orders:get("o1", { app_id = "app" .. number })
      seen[core.buckets[#core.buckets]] = true
      core.buckets[#core.buckets], core.sent = nil, {}
    end
    collectgarbage()
    collectgarbage()
    local held = 0
    for _ in pairs(seen) do held = held + 1 end
    assert.is_true(held > 0 and held <= 300)
  end)
end)
