local test_api = require "spec.support.test_api"

describe("echo", function()
  local shop, core, echo

  local function change(at)
    at.shapes.Login = { user = "string", password = { type = "string", secret = true }, inner = "Login[]" }
    at.resources.keys.make = {
      "POST /keys/make", "Makes a key.", open = true, secret = { "pin" },
      body = { login = "Login", logins = "Login[]", pin = "integer", all = { type = "object", secret = true },
        text = { type = "any", encode = "json", secret = true }, extra = "any", ["the-name"] = "string" },
    }
  end

  before_each(function()
    shop, core = test_api.open({}, change)
    echo = require "moonrest.echo"
  end)

  -- What is found among the arguments of keys:make.
  local function found(parameters, given)
    local recipe = require "moonrest.operation".recipe(shop.keys.make)
    local values, options = require "moonrest.arguments".read(recipe, "call", nil, parameters, given)
    return echo.secrets(recipe, values, options)
  end

  it("finds nothing where nothing is", function()
    assert.same({}, echo.secrets(require "moonrest.operation".recipe(shop.keys.make)))
    assert.same({}, found { the_name = "plain", login = { user = "me" }, extra = { a = { "b" } } })
  end)

  it("finds what shapes mark, at any depth", function()
    local password = "first-one"
    assert.same({ password }, found { login = { user = "me", password = password } })
    assert.same({ "the-second", "first-one" },
      found { logins = { { password = password, inner = { { password = "the-second" } } } } })
  end)

  it("finds all that a secret consists of, the longest first", function()
    assert.same({ "abcdefg", "abcdef", "12345", "678" },
      found { all = { a = "abcdef", b = { "abcdefg", 12345.0, true, core.null, c = 678 } } })
    assert.same({ "123456" }, found { pin = 123456 })
  end)

  it("finds the parts of JSON text", function()
    assert.same({ "k-1234" }, found { text = { key = "k-1234" } })
    assert.same({ '{"key":"k-1234"}', "k-1234" }, found { text = '{"key":"k-1234"}' })
    assert.same({ "no json" }, found { text = "no json" })
  end)

  it("finds moonrest.secret everywhere", function()
    local secret = core.secret "hidden"
    for _, parameters in ipairs {
      { the_name = secret }, { extra = secret }, { extra = { { a = secret } } }, { login = { user = secret } },
      { more = secret }, { more = { b = secret } },
    } do
      assert.same({ secret }, found(parameters))
    end
    assert.same({ secret }, found({}, { headers = { ["X-Key"] = secret, ["X-Other"] = "a" } }))
    assert.same({ secret }, found({}, { body = { a = { b = secret } } }))
    assert.same({ secret }, found({}, { body = secret }))
  end)

  it("finds what stands in a whole body, and in open parameters", function()
    assert.same({ "first-one", "1234" },
      found({}, { body = { login = { user = "me", password = "first-one" }, pin = 1234, extra = "x" } }))
    assert.same({ "1234" }, found({}, { body = { { pin = 1234 } } }))
    assert.same({ "1234" }, found { more = { pin = 1234 } })
  end)
end)
