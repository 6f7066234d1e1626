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
  end)

  describe("of a definition with header fields of its own", function()
    local function declare(at)
      at.deprecation = { headers = { "X-Old", "X-Note" }, since = "X-Since", ends = "X-Ends",
        ends_in_version = "X-Ends-In", use_version = "X-Use-Version", use = "X-Use", message = "X-Note" }
    end

    before_each(function()
      local moonrest
      shop, core, moonrest = test_api.open(nil, declare)
      heard = {}
      moonrest.on("deprecated", function(details) heard[#heard + 1] = details end)
    end)

    it("tells what they say", function()
      core.answer { status = 200, body = "{}", headers = { ["X-Note"] = "going away", ["X-Use"] = "/v2" } }
      shop.items:list()
      assert.equal("use /v2, going away", heard[1].message)
      core.answer { status = 200, body = "{}", headers = { ["X-Old"] = "true", ["X-Since"] = "2025", Sunset = "soon",
        ["X-Ends"] = "2026", ["X-Ends-In"] = "v3", ["X-Use-Version"] = "v2" } }
      shop.items:get "1"
      assert.equal("deprecated since 2025, removed on soon, removed on 2026, removed in version v3, use version v2",
        heard[2].message)
    end)

    it("still hears the standard's", function()
      core.answer { status = 200, body = "{}", headers = { Deprecation = "@1700000000" } }
      shop.items:get "1"
      assert.equal("deprecated since @1700000000", heard[1].message)
    end)
  end)

  it("does not know the fields of other APIs", function()
    core.answer { status = 200, body = "{}", headers = { ["X-API-Deprecated"] = "true", ["X-API-Warning"] = "old" } }
    shop.items:get "1"
    assert.equal(0, #heard)
  end)

  it("looks at every answer", function()
    for _ = 1, 3 do shop.items:get "1" end
    core.answer { status = 200, body = "{}", headers = { Sunset = "true" } }
    shop.items:get "1"
    assert.equal(1, #heard)
    assert.equal("the server says that it is deprecated", heard[1].message)
  end)

  describe("of client:request", function()
    before_each(function()
      core.handle(function() return { status = 200, body = "{}", headers = { Sunset = "soon" } } end)
    end)

    it("is told once for each path, whatever the query and the view", function()
      for page = 1, 3 do
        shop:request("GET", "/old", { query = { page = page } })
        shop:with({ timeout = 5 }):request("GET", "/old")
        shop:request("POST", "/old")
        shop:request("GET", "/older")
      end
      local operations = {}
      for index, details in ipairs(heard) do operations[index] = details.operation end
      assert.same({ "shop:request GET /old", "shop:request POST /old", "shop:request GET /older" }, operations)
    end)

    it("remembers a bounded number of paths, and tells of no more", function()
      for _ = 1, 2 do
        for id = 1, 300 do shop:request("GET", "/old/" .. id) end
      end
      assert.equal(100, #heard)
      shop.items:get "1"
      assert.equal("shop.items:get", heard[101].operation)
    end)
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
