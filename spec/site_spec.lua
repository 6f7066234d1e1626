local fake_core = require "spec.support.fake_core"
local test_api = require "spec.support.test_api"

describe("site", function()
  local core, moonrest

  before_each(function()
    core = fake_core.install()
    moonrest = require "moonrest"
  end)

  local function endpoint(options, change)
    local at = test_api.definition()
    if change then change(at) end
    options.token = options.token or "abc"
    local shop = moonrest.open(at, options)
    shop.items:get "1"
    return core.sent[#core.sent].endpoint, shop
  end

  it("goes to the default server, a named one, or another version", function()
    assert.equal("https://api.shop.example/v1", endpoint({}).base)
    assert.equal("https://api.shop.example/v2", endpoint({ version = "v2" }).base)
    assert.equal("https://staging.shop.example", endpoint({ server = "staging" }).base)
    assert.equal("https://staging.shop.example", endpoint({ environment = "staging" }).base)
    assert.equal("http://127.0.0.1:8080/x", endpoint({ base_url = "http://127.0.0.1:8080/x//" }).base)
  end)

  it("goes to the operation's own server, unless a base URL stands for all", function()
    local function on_staging(at) at.resources.items.get.server = "staging" end
    assert.equal("https://staging.shop.example", endpoint({}, on_staging).base)
    assert.equal("http://127.0.0.1:8080", endpoint({ base_url = "http://127.0.0.1:8080" }, on_staging).base)
  end)

  it("goes to the definition's variable where the caller names no server", function()
    local function from_variable(at) at.server_env = "SHOP_URL_OF_TESTS" end
    local real = os.getenv
    os.getenv = function(name) -- luacheck: ignore
      return name == "SHOP_URL_OF_TESTS" and "https://elsewhere.example" or real(name)
    end
    local is_good, problem = pcall(function()
      assert.equal("https://elsewhere.example", endpoint({}, from_variable).base)
      assert.equal("https://staging.shop.example", endpoint({ server = "staging" }, from_variable).base)
      assert.equal("https://staging.shop.example", endpoint({ environment = "staging" }, from_variable).base)
      assert.equal("https://mine.example", endpoint({ base_url = "https://mine.example" }, from_variable).base)
    end)
    os.getenv = real -- luacheck: ignore
    assert.is_true(is_good, problem)
  end)

  it("refuses base URLs that are none, or not safe", function()
    local function refused(pattern, url)
      assert.error_matches(function() endpoint { base_url = url } end, pattern)
    end
    refused("base_url", "api.shop.example")
    refused("base_url", "ftp://api.shop.example")
    refused("base_url", "https://user:pass@api.shop.example")
    refused("has a query or a fragment", "https://api.shop.example/?a=1")
    refused("is not https; pass insecure_http = true", "http://api.shop.example")
    assert.equal("http://api.shop.example", endpoint({ base_url = "http://api.shop.example",
      insecure_http = true }).base)
  end)

  it("hands its settings to every endpoint", function()
    local made = endpoint({ retry = { attempts = 5, backoff = 0.1, max_backoff = 2, statuses = { 500 } },
      max_wait = 9 })
    assert.same({ 5, 0.1, 2, 9 }, { made.attempts, made.backoff, made.max_backoff, made.max_wait })
    assert.same({ 500 }, made.retry_statuses)
    assert.equal(1, endpoint({ retry = false }).attempts)
    assert.equal(4, endpoint({ retry = 4 }).attempts)
    assert.same({ proxy = "http://p:1", ca_file = "ca.pem" }, endpoint({ proxy = "http://p:1",
      ca_file = "ca.pem" }).route)
  end)

  it("sends its headers with every request, the caller's over the definition's", function()
    local function with_header(at) at.headers = { ["X-Api"] = "1", Accept = "application/vnd.shop" } end
    local made = endpoint({ headers = { ["x-api"] = "2", ["X-Number"] = 7 } }, with_header)
    local joined = table.concat(made.headers, "\n")
    assert.matches("x-api: 2", joined, 1, true)
    assert.not_matches("X-Api: 1", joined, 1, true)
    assert.matches("X-Number: 7", joined, 1, true)
    assert.matches("Accept: application/vnd.shop", joined, 1, true)
    assert.not_matches("Accept: application/json", joined, 1, true)
    assert.matches("User-Agent: moonrest/", joined, 1, true)
    assert.equal("Accept: application/json", endpoint({}).headers[1])
  end)

  it("treats a secret header as a credential", function()
    local made = endpoint { headers = { ["X-Gate"] = moonrest.secret "gate-key" } }
    assert.equal("X-Gate", made.credentials[2].header)
    assert.not_matches("gate", table.concat(made.headers, "\n"))
  end)

  it("refuses headers with line breaks", function()
    assert.error_matches(function() endpoint { headers = { ["X-A"] = "b\r\nX-B: c" } } end, "must not contain CR")
    assert.error_matches(function() endpoint { headers = { ["X-A\nX-B"] = "c" } } end, "no header name")
    assert.error_matches(function() endpoint { user_agent = "a\nb" } end, "must not contain CR")
  end)

  it("knows the plan, the lowest when nobody says", function()
    local _, shop = endpoint {}
    assert.matches("100/min", tostring(shop:limits()))
    _, shop = endpoint { plan = "pro" }
    assert.matches("1000/min", tostring(shop:limits()))
    _, shop = endpoint { plan = "enterprise" }
    assert.not_matches("account", tostring(shop:limits()))
    assert.error_matches(function()
      endpoint({ plan = "pro" }, function(at)
        at.limits.plans, at.limits.default_plan, at.limits.buckets.account = nil, nil, { "1/s" }
      end)
    end, "shop has no plans")
  end)

  it("tells accounts apart by their credentials, and needs no libcrypto until a limit counts", function()
    local opened = moonrest.open(test_api.definition(), { token = "hunter2" })
    assert.is_nil(package.loaded["moonrest.digest"])
    opened.items:get "1"
    assert.matches("^shop/202233fe53f96a624994d1664e228de7/", core.buckets[1].key)
    moonrest.open(test_api.definition(), { token = "hunter3" }).items:get "1"
    assert.not_matches("/202233fe53f96a624994d1664e228de7/", core.buckets[2].key)
  end)

  it("takes tenant values from the options, else from the environment", function()
    local shop = moonrest.open(test_api.definition(), { token = "abc", org_id = "o1" })
    shop.orders:list()
    assert.equal("/orgs/o1/orders", core.sent[1].target)
    shop = moonrest.open((function()
      local at = test_api.definition()
      at.tenant.org_id.env = { "PATH" }
      return at
    end)(), { token = "abc" })
    shop.orders:list { }
    assert.equal("/orgs/" .. core.url.segment(os.getenv "PATH") .. "/orders", core.sent[2].target)
  end)

  it("shares limits by account, else by credential and never with it in the name", function()
    local function key(options)
      core = fake_core.install()
      moonrest = require "moonrest"
      endpoint(options)
      return core.buckets[1].key
    end
    assert.equal("shop/acme/account", key { account = "acme" })
    local one, same, other = key { token = "token-one" }, key { token = "token-one" }, key { token = "token-two" }
    assert.equal(one, same)
    assert.equal(one, key { token = "bearer token-one" })
    assert.not_equal(one, other)
    assert.not_matches("token", one)
  end)
end)
