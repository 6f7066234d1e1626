local test_api = require "spec.support.test_api"

describe("deprecation", function()
  local shop, core, heard

  before_each(function()
    local moonrest
    shop, core, moonrest = test_api.open()
    heard = {}
    moonrest.on("deprecated", function(details) heard[#heard + 1] = details end)
  end)

  it("tells of the header fields once for each operation", function()
    for _ = 1, 3 do
      core.answer { status = 200, body = "{}", headers = { Deprecation = "@1700000000",
        Sunset = "Sat, 31 Dec 2030 23:59:59 GMT" } }
      shop.items:get "1"
    end
    assert.equal(1, #heard)
    assert.equal("shop.items:get", heard[1].operation)
    assert.equal("deprecated since @1700000000, removed on Sat, 31 Dec 2030 23:59:59 GMT", heard[1].message)
    core.answer { status = 200, body = "{}", headers = { ["X-API-Warning"] = "going away",
      ["X-API-Alternative"] = "/v2" } }
    shop.items:list()
    assert.equal("use /v2, going away", heard[2].message)
  end)

  it("looks at every answer", function()
    for _ = 1, 3 do shop.items:get "1" end
    core.answer { status = 200, body = "{}", headers = { ["X-API-Deprecated"] = "true" } }
    shop.items:get "1"
    assert.equal(1, #heard)
    assert.equal("the server says that it is deprecated", heard[1].message)
  end)

  it("tells what the definition says", function()
    shop.limits_:list()
    assert.equal("deprecated: use items", heard[1].message)
  end)

  it("is silent about the rest, and about a false", function()
    core.answer { status = 200, body = "{}", headers = { Deprecation = "false" } }
    shop.items:get "1"
    assert.equal(0, #heard)
  end)

  it("warns where nobody listens", function()
    shop, core = test_api.open()
    local warned = {}
    local real = warn
    _G.warn = function(...) warned[#warned + 1] = table.concat { ... } end
    core.answer { status = 200, body = "{}", headers = { Deprecation = "true" } }
    shop.items:get "1"
    _G.warn = real
    assert.same({ "moonrest: shop.items:get: the server says that it is deprecated" }, warned)
  end)
end)
