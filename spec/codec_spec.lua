local test_api = require "spec.support.test_api"
local has_cjson = pcall(require, "cjson.safe")

describe("codec", function()
  it("is the library's own unless another is named", function()
    local codec = require "moonrest.codec"
    assert.is_nil(codec.of "moonrest")
    assert.error_matches(function() codec.of "simdjson" end, "unknown JSON codec 'simdjson'")
  end)

  if not has_cjson then return end

  local shop, core

  before_each(function() shop, core = test_api.open { json = "cjson" } end)

  it("decodes with cjson, null in objects dropped", function()
    core.answer { status = 200, body = '{"data":{"a":null,"b":[null,1],"c":{"d":null}}}' }
    assert.same({ b = { core.null, 1 }, c = {} }, (shop.items:get "1"))
    core.answer { status = 200, body = '{"data":{"a":null}}' }
    assert.same({ a = core.null }, (shop.items:get("1", nil, { null = "keep" })))
  end)

  it("encodes with cjson", function()
    shop.items:create { name = "n", price = 1.5, note = core.null }
    local sent = core.sent[1].options
    assert.is_nil(sent.json)
    assert.equal("application/json", sent.content_type)
    assert.same({ name = "n", price = 1.5, note = core.null }, require "cjson".decode(sent.body))
  end)

  it("says what it cannot encode or decode", function()
    assert.error_matches(function() shop.items:create { name = "n", extra = print } end, "json = 'cjson' cannot encode")
    core.answer { status = 200, body = "{oops" }
    local _, err = shop.items:get "1"
    assert.equal("decode", err.kind)
    core.answer { status = 500, body = "oops" }
    _, err = shop.items:get "1"
    assert.equal("oops", err.message)
    core.answer { status = 204 }
    assert.is_true((shop.items:get "1"))
  end)

  it("takes an empty table for an empty page", function()
    core.answer { status = 200, body = '{"data":[],"meta":{"pages":0}}' }
    local items, reason = shop.items:all()
    assert.same({ 0, "end" }, { #items, reason })
  end)

  it("shares null with cjson", function()
    assert.equal(require "cjson".null, core.null)
  end)
end)
