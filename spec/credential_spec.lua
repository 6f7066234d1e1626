local fake_core = require "spec.support.fake_core"
local test_api = require "spec.support.test_api"

describe("credential", function()
  local core, moonrest

  before_each(function()
    core = fake_core.install()
    moonrest = require "moonrest"
  end)

  local function open(options, auth)
    local at = test_api.definition()
    if auth ~= nil then at.auth = auth end
    return moonrest.open(at, options)
  end

  local function used(options, auth)
    assert(open(options, auth).items:get "1")
    return core.sent[#core.sent].endpoint.credentials
  end

  -- PATH is set everywhere; the other name nowhere.
  local found = { header = "Authorization", prefix = "token ", env = { "MOONREST_NOT_SET", "PATH" } }
  local missing = { header = "Authorization", prefix = "Bearer ", env = { "MOONREST_NOT_SET" } }

  it("comes from the option, as text or as a secret", function()
    local list = used { token = "abc" }
    assert.same({ "Authorization", "Bearer ", 1 }, { list[1].header, list[1].prefix, #list })
    local secret = moonrest.secret "abc"
    assert.equal(secret, used({ token = secret })[1].secret)
  end)

  it("goes into a header or a query, with further keys beside it", function()
    assert.equal("key", used({ token = "abc" }, { query = "key" })[1].query)
    assert.equal("abc_key", (function()
      local list = used({ abc_key = "abc" }, { header = "X-Key", option = "abc_key" })
      return list[1].header == "X-Key" and "abc_key"
    end)())
    local list = used { token = "abc", sub_key = 17 }
    assert.same({ "x-sub-key", "", 2 }, { list[2].header, list[2].prefix, #list })
  end)

  it("goes into Authorization where the definition names no place", function()
    local list = used({}, { prefix = "Bearer ", env = { "MOONREST_NOT_SET", "PATH" } })
    assert.same({ 1, "Authorization", "Bearer " }, { #list, list[1].header, list[1].prefix })
    assert.equal("Authorization", used({ mine_key = "abc" }, { option = "mine_key" })[1].header)
    local _, err = open({}, { env = { "MOONREST_NOT_SET" } }).items:get "1"
    assert.matches("no credential: set MOONREST_NOT_SET, or pass token", err.message, 1, true)
    assert.error_matches(function() open({ base_url = "https://evil.example" }, { env = { "PATH" } }) end,
      "a credential from PATH goes to those only")
    assert.error_matches(function() open({ token = "abc" }, false) end, "declares no auth")
  end)

  it("is found in the environment, for the definition's own servers only", function()
    assert.equal("moonrest.secret (env PATH)",
      tostring(used({}, found)[1].secret):gsub("environment variable", "env"):gsub("variable", "env"))
    assert.equal(1, #used({ server = "staging" }, found))
    assert.equal(1, #used({ base_url = "https://API.shop.example:443/elsewhere" }, found))
    for _, url in ipairs { "https://api.shop.example.evil.example", "https://evil.example", "http://127.0.0.1:1",
      "https://api.shop.example:444" } do
      assert.error_matches(function() open({ base_url = url }, found) end,
        "a credential from MOONREST_NOT_SET or PATH goes to those only: pass token")
    end
  end)

  it("is not sent to a base URL from the environment", function()
    local at = test_api.definition()
    at.auth, at.server_env = found, "PWD_URL_OF_TESTS"
    local real = os.getenv
    os.getenv = function(name) -- luacheck: ignore
      return name == "PWD_URL_OF_TESTS" and "https://evil.example" or real(name)
    end
    local ok, problem = pcall(moonrest.open, at, {})
    local opened = moonrest.open(at, { token = "abc" })
    os.getenv = real -- luacheck: ignore
    assert.is_false(ok)
    assert.matches("goes to those only", problem)
    opened.items:get "1"
    assert.equal("https://evil.example", core.sent[1].endpoint.base)
  end)

  it("is missed by the first call that needs it, which says what to do", function()
    local shop = open({}, missing)
    local data, err = shop.items:get "1"
    assert.is_nil(data)
    assert.equal("auth", err.kind)
    assert.is_false(err.retryable)
    assert.equal("shop.items:get", err.operation)
    assert.matches("no credential: set MOONREST_NOT_SET, or pass token to moonrest.open", err.message, 1, true)
    assert.equal(0, #core.sent)
    assert.is_truthy(shop.keys:stop "k") -- this operation needs none
    assert.same({}, core.sent[1].endpoint.credentials)
  end)

  it("may be declared to be none", function()
    assert.same({}, used({ token = false }, missing))
    assert.same({}, used({ token = false, base_url = "http://127.0.0.1:1" }, missing))
  end)

  it("is refused when it cannot be one, without being shown", function()
    for _, bad in ipairs { "", "abc\n", "a\r\nb", "a\0b" } do
      local ok, problem = pcall(open, { token = bad })
      assert.is_false(ok)
      assert.matches("moonrest.open: option 'token': ", problem, 1, true)
      assert.is_nil(problem:find("abc", 1, true))
    end
    assert.error_matches(function() open { token = 5 } end, "'token' must be a string or a secret such as moonrest.env")
  end)

  it("is encoded for Basic", function()
    local basic = { scheme = "basic" }
    local list = used({ username = "Aladdin", password = "open sesame" }, basic)
    assert.same({ "Authorization", "Basic " }, { list[1].header, list[1].prefix })
    assert.equal("QWxhZGRpbjpvcGVuIHNlc2FtZQ==", require "moonrest.digest".base64 "Aladdin:open sesame")
    assert.error_matches(function() open({ username = "a:b", password = "c" }, basic) end, "must not contain ':'")
    assert.error_matches(function() open({ username = "a" }, basic) end, "needs username and password")
    local _, err = open({}, basic).items:get "1"
    assert.matches("pass username and password", err.message)
  end)

  it("never appears in what prints", function()
    local shop = open { token = "canary-token" }
    core.answer { status = 500, body = "{}" }
    local _, err = shop.items:get "1"
    local texts = { tostring(shop), tostring(shop.items), tostring(shop.items.get), tostring(err),
      tostring(shop:limits()),
      require "moonrest.help".text(shop), require "moonrest.help".text(err) }
    assert.is_nil(table.concat(texts):find("canary", 1, true))
  end)
end)
