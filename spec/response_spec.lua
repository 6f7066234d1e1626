local test_api = require "spec.support.test_api"

describe("response", function()
  local shop, core

  before_each(function() shop, core = test_api.open() end)

  local function get(reply)
    core.answer(reply)
    return select(2, shop.items:get "7")
  end

  it("has headers in any case, repeated ones as lists", function()
    local response = get { status = 200, body = "{}", headers = { ["X-A"] = "1", ["Set-Cookie"] = { "a", "b" } } }
    assert.equal("1", response.headers["x-a"])
    assert.equal("1", response.headers["X-A"])
    assert.same({ "a", "b" }, response.headers["SET-COOKIE"])
    assert.is_nil(response.headers["x-b"])
    assert.is_nil(response.headers[1])
  end)

  it("reads the rest when asked, once", function()
    local response = get { status = 200, body = '{"meta":{"requestId":"m1"}}', headers = { ["Retry-After"] = "2" } }
    assert.equal('{"meta":{"requestId":"m1"}}', response.raw)
    assert.same({ retry_after = 2 }, response.limits)
    assert.equal(0.01, response.timings.total)
    assert.equal(1, response.attempts[1].number)
    assert.is_false(response.from_cache)
    assert.equal("https://api.shop.example/v1/items/7", response.url)
    assert.equal("m1", response.request_id)
    assert.equal(rawget(response, "attempts"), response.attempts)
    assert.is_nil(response.nothing)
  end)

  it("prints and lists itself", function()
    local response = get { status = 201, body = "{}" }
    assert.equal("moonrest.response: 201 of shop.items:get", tostring(response))
    local names = {}
    for name in pairs(response) do names[name] = true end
    assert.is_true(names.status and names.headers and names.url)
    assert.is_nil(names.raw)
    assert.is_true(require "moonrest.response".is(response))
  end)
end)
