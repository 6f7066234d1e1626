local test_api = require "spec.support.test_api"

describe("call", function()
  local shop, core

  before_each(function() shop, core = test_api.open { org_id = "org_1" } end)

  local function last() return core.sent[#core.sent] end

  it("returns data and response", function()
    core.answer { status = 200, body = '{"data":{"id":"1"},"meta":{"page":2}}', headers = { ["X-Request-Id"] = "r1" } }
    local item, response = shop.items:get "1"
    assert.same({ id = "1" }, item)
    assert.equal(200, response.status)
    assert.same({ page = 2 }, response.meta)
    assert.equal("r1", response.headers["x-request-id"])
  end)

  it("returns the whole body when the envelope is missing", function()
    core.answer { status = 200, body = '{"id":"1"}' }
    assert.same({ id = "1" }, (shop.items:get "1"))
    core.answer { status = 200, body = "[1,2]" }
    assert.same({ 1, 2 }, (shop.items:get "1"))
  end)

  it("never returns nil or false for success", function()
    core.answer { status = 204 }
    assert.is_true((shop.items:get "1"))
    core.answer { status = 200, body = "null" }
    assert.equal(core.null, (shop.items:get "1"))
    core.answer { status = 200, body = "false" }
    assert.equal(core.null, (shop.items:get "1"))
    core.answer { status = 200, body = '{"data":false}' }
    assert.equal(core.null, (shop.items:get "1"))
  end)

  it("drops null in objects, or keeps it", function()
    local body = '{"data":{"a":null,"b":[null]}}'
    core.answer { status = 200, body = body }
    assert.same({ b = { core.null } }, (shop.items:get "1"))
    core.answer { status = 200, body = body }
    assert.same({ a = core.null, b = { core.null } }, (shop.items:get("1", nil, { null = "keep" })))
  end)

  it("keeps integers exact", function()
    core.answer { status = 200, body = '{"data":{"n":9007199254740993,"f":1.5}}' }
    local item = shop.items:get "1"
    assert.equal(9007199254740993, item.n)
    assert.equal("integer", math.type(item.n))
  end)

  it("returns path and size of a body that went to a file, and bytes of a file otherwise", function()
    core.answer { status = 200, body = "a,b\n" }
    assert.same({ path = "/tmp/x.csv", bytes = 4 }, (shop.items:export({}, { to = "/tmp/x.csv" })))
    assert.equal("/tmp/x.csv", last().options.to)
    core.answer { status = 200, body = "a,b\n" }
    assert.equal("a,b\n", (shop.items:export()))
  end)

  it("tells progress while a body comes", function()
    local seen = {}
    core.answer { status = 200, body = "abcd", slices = 2 }
    shop.items:export({}, { progress = function(received, expected) seen[#seen + 1] = received .. "/" .. expected end })
    assert.same({ "4/4", "4/4", "4/4" }, seen)
  end)

  it("fails for a success that carries an error", function()
    core.answer { status = 200, body = '{"status":"error","error":{"code":"BAD","message":"no"}}' }
    local item, err = shop.items:get "1"
    assert.is_nil(item)
    assert.same({ "http", 200, "BAD", "no" }, { err.kind, err.status, err.code, err.message })
    core.answer { status = 200, body = '{"success":false,"response":"unreachable"}' }
    item, err = shop.items:test "1"
    assert.is_nil(item)
    assert.equal("unreachable", err.message)
  end)

  it("fails for a partial success, with the results", function()
    local body = '{"results":[{"id":"a","status":204},{"id":"b","status":500,"message":"locked"}],"summary":{}}'
    core.answer { status = 207, body = body }
    local data, err = shop.items:sell_many { ids = { "a", "b" } }
    assert.is_nil(data)
    assert.equal("partial", err.kind)
    assert.equal("1 of 2 items failed: locked", err.message)
    assert.equal("a", err.data.results[1].id)
    assert.equal("b", err.details[1].id)
    core.answer { status = 207, body = '{"results":[{"status":204}]}' }
    assert.is_truthy(shop.items:sell_many { ids = { "a" } })
  end)

  it("takes every item of a declared list of failures for one", function()
    shop, core = test_api.open({}, function(at) at.resources.items.sell_many.partial = { items = "errors" } end)
    core.answer { status = 200, body = '{"sold":["a"],"errors":["b is gone"]}' }
    local _, err = shop.items:sell_many { ids = { "a", "b" } }
    assert.same({ "partial", "1 item failed: b is gone", "a" }, { err.kind, err.message, err.data.sold[1] })
    core.answer { status = 200, body = '{"sold":[],"errors":["b has canary-token","c has canary-token"]}' }
    _, err = shop.items:sell_many { ids = { "b", "c" } }
    assert.equal("2 items failed: b has ***", err.message)
    assert.same({ "b has ***", "c has ***" }, err.details)
    core.answer { status = 200, body = '{"sold":["a"],"errors":[]}' }
    assert.same({ "a" }, (shop.items:sell_many { ids = { "a" } }).sold)
  end)

  it("sees a failed item in a 207 of any operation", function()
    core.answer { status = 207, body = '{"results":[{"status":404}]}' }
    local _, err = shop.items:update("1", { name = "n" })
    assert.equal("partial", err.kind)
  end)

  it("takes a 404 for success when an earlier attempt may have deleted it", function()
    core.answer { status = 404, body = "{}", attempts = { { number = 1, kind = "network" }, { number = 2,
      status = 404 } } }
    assert.is_true((shop.items:delete("1", nil, { confirm = true })))
    core.answer { status = 404, body = "{}", attempts = {
      { number = 1, status = 429, reason = "status 429" }, { number = 2, status = 404 } } }
    assert.is_nil((shop.items:delete("1", nil, { confirm = true })))
    core.answer { status = 404, body = "{}" }
    assert.is_nil((shop.items:delete("1", nil, { confirm = true })))
  end)

  it("takes a code that means the same for a 404", function()
    shop, core = test_api.open({}, function(at) at.errors.gone = { "no_such_item", "gone" } end)
    local function delete(code, count)
      local attempts = { { number = 1, kind = "network" }, { number = 2, status = 400 } }
      core.answer { status = 400, json = { error = { code = code } }, attempts = { table.unpack(attempts, 3 - count) } }
      return (shop.items:delete("1", nil, { confirm = true }))
    end
    assert.is_true(delete("no_such_item", 2))
    assert.is_true(delete("gone", 2))
    assert.is_nil(delete("in_use", 2))
    assert.is_nil(delete("gone", 1))
  end)

  it("fails for a body that is not JSON", function()
    core.answer { status = 200, body = "<html><title>Login</title></html>",
      headers = { ["Content-Type"] = "text/html" } }
    local _, err = shop.items:get "1"
    assert.equal("decode", err.kind)
    assert.equal("the answer is an HTML page (Login), not JSON (Content-Type text/html)", err.message)
    core.answer { status = 200, body = '{"a":', headers = { ["Content-Type"] = "application/json" } }
    _, err = shop.items:get "1"
    assert.equal("decode", err.kind)
    assert.matches("not JSON", err.message)
  end)

  it("passes failures of the core on", function()
    core.answer { kind = "throttled", message = "no slot", retry_after = 3 }
    local _, err = shop.items:get "1"
    assert.same({ "throttled", "no slot", 3, true }, { err.kind, err.message, err.retry_after, err.retryable })
    core.answer { refuse = "limit", message = "the queue is full" }
    _, err = shop.items:get "1"
    assert.same({ "limit", "the queue is full" }, { err.kind, err.message })
  end)

  it("raises what cannot be encoded", function()
    core.answer { refuse = "misuse", message = "body.extra: a function" }
    assert.error_matches(function() shop.items:create { name = "n", extra = print } end,
      "shop.items:create: body.extra")
  end)

  it("raises failures where that is wanted", function()
    core.answer { status = 404, body = '{"message":"gone"}' }
    local ok, err = pcall(shop.items.get, "1", nil, { on_error = "raise" })
    assert.is_false(ok)
    assert.equal(404, err.status)
    local raising = test_api.open { on_error = "raise" }
    ok, err = pcall(function() return raising.items:get "1" end)
    assert.is_true(ok, tostring(err))
  end)

  it("sends header parameters and further headers, and refuses bad ones", function()
    shop.keys:use({ token = "abcd", X_Fields = "a,b" }, { headers = { ["X-More"] = 5,
      ["X-Key"] = core.secret "hidden" } })
    assert.same({ ["x-fields"] = "a,b", ["x-more"] = "5", ["x-key"] = "***" }, last().headers)
    for _, value in ipairs { "a\r\nX: y", "a\nb", "a\0b" } do
      assert.error_matches(function() shop.items:get("1", nil, { headers = { ["X-A"] = value } }) end,
        "must not contain CR")
    end
    assert.error_matches(function() shop.items:get("1", nil, { headers = { ["X A"] = "v" } }) end, "no header name")
    assert.error_matches(function() shop.items:get("1", nil, { headers = { ["X-A"] = {} } }) end, "must be a string")
  end)

  it("sends an idempotency key when asked, and by itself where the API has one", function()
    shop.items:create({ name = "n" }, { idempotency_key = "k1" })
    assert.equal("k1", last().options.idempotency_key)
    shop.items:create({ name = "n" }, { idempotency_key = true })
    assert.matches("^%x+$", last().options.idempotency_key)
    shop.items:create { name = "n" }
    assert.is_nil(last().options.idempotency_key)
    shop, core = test_api.open({}, function(at) at.retry = { idempotency_header = "X-Once" } end)
    shop.items:create { name = "n" }
    local first = core.sent[1].options
    assert.equal("X-Once", first.idempotency_header)
    shop.items:create { name = "n" }
    assert.not_equal(first.idempotency_key, core.sent[2].options.idempotency_key)
    shop.items:get "1"
    assert.is_nil(core.sent[3].options.idempotency_key)
  end)

  it("marks secret fields of results, which the caller gets and show masks", function()
    core.answer { status = 201, json = { data = { id = "k1", key = "very-secret" } } }
    local key = shop.keys:create { name = "n" }
    assert.equal("very-secret", key.key)
    local text = require "moonrest.show".text(key)
    assert.not_matches("very%-secret", text)
    assert.matches("%*%*%*", text)
  end)

  it("marks them in all parts of an answer, in lists too, however those are got", function()
    shop, core = test_api.open({}, function(at)
      at.resources.keys.list = { "GET /keys", "Lists keys.", paged = true, returns = "Key[]" }
    end)
    local function shown(value) return require "moonrest.show".text(value) end
    core.handle(function()
      local rows = { { id = "k1", key = "very-secret" }, { id = "k2", key = "very-secret" } }
      return { status = 200, json = { data = rows, meta = { pages = 1 } } }
    end)
    local list = shop.keys:list()
    local texts = { shown(list), shown(list[1]), shown { mine = list[2] }, shown(shop.keys.list:all()),
      shown(shop.keys.list:all(nil, { max_items = 1 })) }
    for key in shop.keys.list:each() do texts[#texts + 1] = shown(key) end
    for page in shop.keys.list:pages(nil, { max_items = 1 }) do
      texts[#texts + 1] = shown(page.items)
      texts[#texts + 1] = shown(page)
    end
    assert.equal(9, #texts)
    for _, text in ipairs(texts) do
      assert.not_matches("very%-secret", text)
      assert.matches("%*%*%*", text)
    end
    assert.equal("very-secret", list[1].key)
  end)

  it("chooses buckets by argument values", function()
    shop.orders:get("o1", { app_id = "app_7" })
    local keys = {}
    for index, bucket in ipairs(last().options.buckets) do keys[index] = bucket.key end
    assert.matches("/orders$", keys[1])
    assert.matches("/device/app_7$", keys[2])
  end)
end)
