local fake_core = require "spec.support.fake_core"
local test_api = require "spec.support.test_api"

describe("open", function()
  local core, moonrest

  before_each(function()
    core = fake_core.install()
    moonrest = require "moonrest"
  end)

  local function refused(pattern, source, options)
    local ok, problem = pcall(function() return moonrest.open(source or test_api.definition(), options) end)
    assert.is_false(ok)
    assert.is_string(problem)
    assert.matches("^[^:]*open_spec%.lua:%d+: ", problem)
    assert.is_truthy(problem:find(pattern, 1, true), problem)
  end

  it("takes a name, a table, or a module's name", function()
    assert.matches("Edgegap", tostring(moonrest.open("edgegap", { token = "abc" })))
    assert.matches("Shop", tostring(moonrest.open(test_api.definition(), { token = "abc" })))
    package.preload.my_shop = test_api.definition
    assert.matches("Shop", tostring(moonrest.open("my_shop", { token = "abc" })))
    package.preload.my_shop, package.loaded.my_shop = nil, nil
  end)

  it("raises for what is no definition", function()
    refused("there is no definition 'edgegapp'; did you mean 'edgegap'?", "edgegapp")
    refused("moonrest.open needs a definition's name or table, got a number", 5)
    refused("is required", {})
    refused("options must be a table, got a string", nil, "token")
  end)

  it("raises for wrong options, with the nearest", function()
    refused("shop has no option 'tokn'; did you mean 'token'?", nil, { tokn = "x" })
    refused("option 'timeout' must be a number, got '5'", nil, { token = "x", timeout = "5" })
    refused("option 'read_only' must be a boolean", nil, { token = "x", read_only = 1 })
    refused("option 'max_body' must be an integer, got 1.5", nil, { token = "x", max_body = 1.5 })
    refused("option 'org_id' must be a string", nil, { token = "x", org_id = true })
    refused("unknown server 'stagin'; did you mean 'staging'?", nil, { token = "x", server = "stagin" })
    refused("unknown plan 'gold'", nil, { token = "x", plan = "gold" })
    refused("unknown version 'v9'", nil, { token = "x", version = "v9" })
    refused("unknown JSON codec 'x'", nil, { token = "x", json = "x" })
    refused("unknown value of on_error: 'riase'; did you mean 'raise'?", nil, { token = "x", on_error = "riase" })
    refused("option 'retry' must be false, a number of attempts, or a table", nil, { token = "x", retry = "no" })
    refused("retry.attempts must be an integer of at least 1, got 0", nil, { token = "x", retry = { attempts = 0 } })
    refused("retry.attempts must be an integer of at least 1", nil, { token = "x", retry = { attempts = 1.5 } })
    refused("option 'account' is longer than 256 bytes", nil, { token = "x", account = ("x"):rep(257) })
    refused("option 'unix_socket' must not be empty", nil, { token = "x", unix_socket = "" })
    refused("retry.atempts is unknown; did you mean 'attempts'?", nil, { token = "x", retry = { atempts = 2 } })
  end)

  it("copies built-in definitions for those who change them", function()
    local mine = moonrest.definition "edgegap"
    mine.title = "Mine"
    assert.matches("Mine", tostring(moonrest.open(mine, { token = "abc" })))
    assert.matches("Edgegap", tostring(moonrest.open("edgegap", { token = "abc" })))
    assert.same({ "capgo", "cygni", "edgee", "edgegap", "template" }, moonrest.definitions())
  end)

  it("opens the legacy operations when asked", function()
    local plain = moonrest.open("edgegap", { token = "abc" })
    assert.error_matches(function() return plain.fleets end, "has no 'fleets'")
    local legacy = moonrest.open("edgegap", { token = "abc", legacy = true })
    assert.is_truthy(legacy.fleets)
    assert.is_truthy(legacy.apps.get)
    refused("definition 'shop' has no legacy operations", nil, { token = "x", legacy = true })
  end)

  it("has defaults that configure sets", function()
    moonrest.configure { on_error = "raise", timeout = 7, user_agent = "tests" }
    local shop = moonrest.open(test_api.definition(), { token = "abc" })
    core.answer { status = 404 }
    assert.is_false((pcall(shop.items.get, "1")))
    assert.equal(7, core.sent[1].options.timeout)
    assert.equal("User-Agent: tests", core.sent[1].endpoint.headers[2])
    local other = moonrest.open(test_api.definition(), { token = "abc", on_error = "return" })
    core.answer { status = 404 }
    assert.is_nil((other.items:get "1"))
    assert.error_matches(function() moonrest.configure { token = "x" } end, "moonrest.configure has no 'token'")
    assert.error_matches(function() moonrest.configure { timeout = "x" } end, "'timeout' must be a number")
    assert.error_matches(function() moonrest.configure(5) end, "needs a table")
  end)

  it("passes a time limit for all calls on, which a call may change", function()
    local shop = moonrest.open(test_api.definition(), { token = "abc", timeout = 9 })
    shop.items:get "1"
    shop.items:get("1", nil, { timeout = 2 })
    shop.items:create { name = "n" }
    assert.same({ 9, 2, 9 },
      { core.sent[1].options.timeout, core.sent[2].options.timeout, core.sent[3].options.timeout })
  end)
end)
