local test_api = require "spec.support.test_api"

describe("errors", function()
  local shop, core

  before_each(function() shop, core = test_api.open { org_id = "org_1" } end)

  local function fail(reply, call)
    core.answer(reply)
    local data, err = (call or function() return shop.items:get "7" end)()
    assert.is_nil(data)
    return err
  end

  it("have every field", function()
    local err = fail { status = 422, headers = { ["X-Request-Id"] = "r9" },
      body = '{"error":{"code":"BAD_NAME","message":"the name is bad","details":{"field":"name"}}}' }
    assert.equal("http", err.kind)
    assert.equal(422, err.status)
    assert.equal("BAD_NAME", err.code)
    assert.equal("the name is bad", err.message)
    assert.same({ field = "name" }, err.details)
    assert.equal("BAD_NAME", err.data.error.code)
    assert.equal(422, err.response.status)
    assert.is_false(err.retryable)
    assert.is_nil(err.retry_after)
    assert.equal("r9", err.request_id)
    assert.equal(1, #err.attempts)
    assert.equal("shop.items:get", err.operation)
    assert.equal("https://api.shop.example/v1/items/7", err.url)
    assert.matches("errors_spec%.lua:%d+$", err.where)
  end)

  it("can be encoded for a log without their response", function()
    local err = fail { status = 404, body = '{"message":"no such item","of":[null]}' }
    err.response = nil
    local json = require "moonrest.json"
    local back = json.decode(assert(json.encode(err)))
    assert.equal("no such item", back.message)
    assert.equal("shop.items:get", back.operation)
    assert.equal(404, back.status)
  end)

  it("print as one line that says what, where and why", function()
    local err = fail { status = 404, body = '{"message":"no such item"}' }
    assert.matches("^.*errors_spec%.lua:%d+: shop%.items:get: 404 Not Found: no such item$", tostring(err))
    err = fail { status = 503, body = "", headers = { ["Retry-After"] = "7" },
      attempts = { { number = 1 }, { number = 2 }, { number = 3 } } }
    assert.matches("503 Service Unavailable %(after 3 attempts, retry after 7 s%)$", tostring(err))
    err = fail { kind = "network", message = "connection refused" }
    assert.matches("shop%.items:get: network: connection refused$", tostring(err))
    assert.has_error(function() assert(nil, err) end)
  end)

  it("name the line of the script, however deep the call was", function()
    local function deep() return shop.items:get "7" end
    local err = fail({ status = 500 }, function()
      local data, failure = deep()
      return data, failure
    end)
    assert.matches("errors_spec%.lua:%d+$", err.where)
  end)

  it("take the request id only from where the definition says", function()
    local err = fail { status = 500, body = '{"meta":{"requestId":"b1"},"request_id":"x"}' }
    assert.equal("b1", err.request_id)
    err = fail { status = 422, body = '{"request_id":"made-anyway","message":"no server"}' }
    assert.is_nil(err.request_id)
    assert.equal("made-anyway", err.data.request_id)
  end)

  it("say whether the same call may be repeated", function()
    local function create() return shop.items:create { name = "n" } end
    assert.is_true(fail({ status = 500 }).retryable)
    assert.is_true(fail({ status = 429 }).retryable)
    assert.is_false(fail({ status = 400 }).retryable)
    assert.is_false(fail({ status = 501 }).retryable)
    assert.is_false(fail({ status = 500 }, create).retryable)
    assert.is_true(fail({ status = 503 }, create).retryable)
    assert.is_true(fail({ status = 429 }, create).retryable)
    assert.is_true(fail({ kind = "network" }).retryable)
    assert.is_false(fail({ kind = "network" }, create).retryable)
    assert.is_true(fail({ kind = "throttled" }, create).retryable)
    assert.is_false(fail({ kind = "auth" }).retryable)
    local with_key = function() return shop.items:create({ name = "n" }, { idempotency_key = "k" }) end
    assert.is_true(fail({ status = 500 }, with_key).retryable)
  end)

  it("take idempotency_key = false for no key, also where every write has one", function()
    local function create(options)
      return function() return shop.items:create({ name = "n" }, options) end
    end
    assert.is_false(fail({ status = 500 }, create { idempotency_key = false }).retryable)
    assert.is_false(fail({ kind = "network" }, create { idempotency_key = false }).retryable)
    shop, core = test_api.open({}, function(at) at.retry = { idempotency_header = "Idempotency-Key" } end)
    assert.is_true(fail({ status = 500 }, create()).retryable)
    assert.is_true(fail({ status = 500 }, create { idempotency_key = true }).retryable)
    assert.is_false(fail({ status = 500 }, create { idempotency_key = false }).retryable)
    assert.is_nil(core.sent[#core.sent].options and core.sent[#core.sent].options.idempotency_key)
    assert.is_true(fail({ status = 503 }, create { idempotency_key = false }).retryable)
  end)

  it("know refusals that time does not heal", function()
    local err = fail { status = 429, headers = { ["Retry-After"] = "5" }, body = '{"error":{"code":"no_plan"}}' }
    assert.is_false(err.retryable)
    assert.is_nil(err.retry_after)
    assert.is_false(fail({ status = 429, body = '{"error":{"code":"upgrade"}}' }).retryable)
  end)

  it("find retry_after in the header, else in the body", function()
    assert.equal(5, fail({ status = 429, headers = { ["Retry-After"] = "5" },
      body = '{"error":{"retry_after":9}}' }).retry_after)
    assert.equal(9, fail({ status = 429, body = '{"error":{"retry_after":9}}' }).retry_after)
  end)

  it("never hold a secret parameter, nor a secret field", function()
    local err = fail({ status = 400,
      body = '{"message":"bad token s3cr3t-token","body":{"private_token":"s3cr3t-token"}}' },
      function() return shop.keys:create { name = "n", private_token = "s3cr3t-token" } end)
    assert.equal("bad token ***", err.message)
    assert.equal("***", err.data.body.private_token)
    assert.not_matches("s3cr3t", tostring(err))
    err = fail({ status = 404, body = "{}" }, function() return shop.keys:stop "k-12345" end)
    assert.not_matches("k%-12345", tostring(err) .. err.url)
  end)

  it("have a closed list of kinds, all explained", function()
    local errors = require "moonrest.errors"
    local count = 0
    for kind, text in pairs(errors.kinds) do
      count = count + 1
      assert.is_true(#kind > 0 and #text > 0)
    end
    assert.equal(13, count)
    assert.is_true(errors.is(errors.make { kind = "io", message = "m" }))
    assert.is_false(errors.is {})
  end)
end)
