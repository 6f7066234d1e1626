local test_api = require "spec.support.test_api"

describe("client", function()
  local shop, core

  before_each(function() shop, core = test_api.open { org_id = "o" } end)

  local function last() return core.sent[#core.sent] end

  it("refuses options that are set as fields, which nobody would hear", function()
    for _, name in ipairs { "read_only", "timeout", "plan", "token", "max_items" } do
      assert.error_matches(function() shop[name] = true end,
        "shop: '" .. name .. "' is an option, which cannot be set here: give it to moonrest.open")
    end
    assert.error_matches(function() shop.timeout = 5 end, ", or to client:with { timeout = ... }", 1, true)
    shop.items = { get = function() return "a stub" end }
    assert.equal("a stub", shop.items.get())
  end)

  it("names the nearest of its own methods, too", function()
    assert.error_matches(function() shop:limts() end, "shop has no 'limts'; did you mean 'limits'?")
  end)

  describe("with", function()
    it("gives a view with options of its own", function()
      local view = shop:with { timeout = 5, null = "keep" }
      core.answer { status = 200, body = '{"data":{"a":null}}' }
      assert.same({ a = core.null }, (view.items:get "1"))
      assert.equal(5, last().options.timeout)
      shop.items:get "1"
      assert.is_nil(last().options.timeout)
      view:with { timeout = 9 }.items:get "1"
      assert.equal(9, last().options.timeout)
      view.items:get("1", {}, { timeout = 1 })
      assert.equal(1, last().options.timeout)
    end)

    it("keeps what it was given", function()
      local given = { null = "keep" }
      local view = shop:with(given)
      given.null = nil
      core.answer { status = 200, body = '{"data":{"a":null}}' }
      assert.same({ a = core.null }, (view.items:get "1"))
    end)

    it("checks them", function()
      assert.error_matches(function() shop:with { tiemout = 5 } end, "client:with: unknown option 'tiemout'")
      assert.error_matches(function() shop:with(5) end, "needs a table of options")
      assert.error_matches(function() shop.with { timeout = 5 } end, "call with with a colon")
    end)
  end)

  describe("request", function()
    it("goes through the same pipeline", function()
      core.answer { status = 200, body = '{"data":[1],"meta":{"page":2}}',
        headers = { ["Content-Type"] = "application/json" } }
      local data, response = shop:request("GET", "/v1/locations", { query = { page = 2, ["x[]"] = { "a", "b" } } })
      assert.same({ 1 }, data)
      assert.same({ page = 2 }, response.meta)
      assert.equal("/v1/locations?page=2&x%5B%5D=a&x%5B%5D=b", last().target)
      core.answer { status = 404, body = '{"message":"no such place"}' }
      local none, err = shop:request("GET", "/nowhere")
      assert.is_nil(none)
      assert.equal("no such place", err.message)
      assert.equal("shop:request GET /nowhere", err.operation)
      assert.matches("client_spec%.lua:%d+$", err.where)
    end)

    it("sends bodies of every kind", function()
      shop:request("POST", "/a", { json = { a = 1 } })
      assert.same({ a = 1 }, last().options.json)
      shop:request("POST", "/a", { json = 'a "text"' })
      assert.same({ '"a \\"text\\""', "application/json" }, { last().options.body, last().options.content_type })
      shop:request("POST", "/a", { body = "bytes", content_type = "text/plain" })
      assert.same({ "bytes", "text/plain" }, { last().options.body, last().options.content_type })
      shop:request("POST", "/a", { form = { a = "b c" } })
      assert.same({ "a=b%20c", "application/x-www-form-urlencoded" }, { last().options.body,
        last().options.content_type })
      shop:request("PUT", "/a", { upload = "/tmp/file" })
      assert.equal("/tmp/file", last().options.upload)
      shop:request("GET", "/a", { headers = { ["X-A"] = "1" }, timeout = 3 })
      assert.same({ ["x-a"] = "1" }, last().headers)
      assert.equal(3, last().options.timeout)
      assert.error_matches(function() shop:request("POST", "/a", { json = {}, body = "x" }) end,
        "takes one of json, body")
    end)

    it("gives text where the answer is no JSON", function()
      core.answer { status = 200, body = "a,b\n", headers = { ["Content-Type"] = "text/csv" } }
      assert.equal("a,b\n", (shop:request("GET", "/export")))
      core.answer { status = 204 }
      assert.is_true((shop:request("DELETE", "/x")))
    end)

    it("is safe to repeat only where the method is", function()
      shop:request("GET", "/a")
      assert.equal("safe", last().endpoint.repeatable)
      shop:request("POST", "/a")
      assert.equal("never", last().endpoint.repeatable)
      assert.equal("shop/" .. core.buckets[1].key:match "/([^/]+)/" .. "/account", last().endpoint.buckets[1].key)
    end)

    it("refuses bad methods, paths and fields", function()
      local function refused(pattern, ...)
        local arguments = table.pack(...)
        assert.error_matches(function() shop:request(table.unpack(arguments, 1, arguments.n)) end, pattern)
      end
      refused("unknown method", "FETCH", "/a")
      refused("did you mean 'GET'", "get", "/a")
      refused("must begin with '/'", "GET", "a")
      refused("must begin with '/'", "GET", "https://evil.example/")
      refused("must begin with '/'", "GET", nil)
      refused("must not contain spaces", "GET", "/a b")
      refused("must not contain spaces", "GET", "/a\r\nX: y")
      refused("must not contain spaces", "GET", "/a\0")
      for _, path in ipairs { "/a/../b", "/..", "/a/%2e%2E/b", "/./a" } do refused("must not contain '", "GET",
        path) end
      refused("unknown field 'qurey'; did you mean 'query'", "GET", "/a", { qurey = {} })
      refused("'body' must be a string, got a table; what is sent as JSON is called 'json'", "POST", "/a",
        { body = {} })
      refused("'query' must be a table", "GET", "/a", { query = "x" })
      refused("a table is needed", "GET", "/a", 5)
      refused("option 'timeout' must be a number", "GET", "/a", { timeout = "5" })
      assert.equal(0, #core.sent)
    end)

    it("refuses what a query or a form cannot say", function()
      local null = require "moonrest".null
      for _, parts in ipairs { { query = { x = null } }, { query = { x = { "a", null } } }, { form = { x = null } } } do
        assert.error_matches(function() shop:request("POST", "/a", parts) end, "request POST /a: 'x' is null, which")
      end
      for _, value in ipairs { print, io.stdout, { {} } } do
        local function ask() shop:request("GET", "/a", { query = { x = value } }) end
        assert.error_matches(ask, "cannot be sent as text")
      end
    end)

    it("refuses writes of a read-only client", function()
      shop = test_api.open { read_only = true }
      assert.error_matches(function() shop:request("DELETE", "/a") end, "read_only = true")
      assert.is_truthy(shop:request("GET", "/a"))
    end)
  end)

  it("can be closed, and then refuses calls through every view", function()
    local view = shop:with { timeout = 5 }
    shop:close()
    shop:close()
    assert.error_matches(function() view.items:get "1" end, "shop.items:get: the client is closed")
    do
      local other <close> = test_api.open()
      shop = other
    end
    assert.error_matches(function() shop.items:get "1" end, "the client is closed")
  end)

  it("knows itself", function()
    local client = require "moonrest.client"
    assert.is_true(client.is(shop))
    assert.is_false(client.is {})
    assert.equal("shop", client.site(shop).definition.name)
    assert.is_nil(shop[5])
  end)
end)
