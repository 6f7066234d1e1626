local options = require "moonrest.options"

describe("options", function()
  local function refused(given, pattern, use)
    assert.error_matches(function() options.check(given, "op", use or "call", {}) end, pattern)
  end

  it("accepts good ones", function()
    options.check({ timeout = 1, max_wait = 0, priority = "high", retry = 3, to = "f", progress = true, null = "keep",
      idempotency_key = true, confirm = true, body = {}, upload = "f", headers = {}, on_error = "raise" }, "op", "call")
    options.check({ max_items = 1, max_pages = 2, prefetch = true, resume = "t", retry = false }, "op", "list")
  end)

  it("refuses unknown ones, wrong types and wrong words", function()
    refused({ timout = 1 }, "op: unknown option 'timout'; did you mean 'timeout'?")
    refused({ timeout = "1" }, "option 'timeout' must be a number, got '1'")
    refused({ timeout = 0 / 0 }, "option 'timeout' must be a number")
    refused({ timeout = -1 }, "must not be negative")
    refused({ priority = "urgent" }, "must be one of high, low, normal, got 'urgent'")
    refused({ retry = 0 }, "false or the number of attempts")
    refused({ retry = 1.5 }, "false or the number of attempts")
    refused({ progress = 1 }, "must be a boolean or a function")
    refused({ max_items = 1.5 }, "must be an integer", "list")
    refused({ [1] = true }, "unknown option '1'")
  end)

  it("keeps those of lists for lists", function()
    refused({ max_items = 1 }, "option 'max_items' is for :each, :pages and :all")
  end)

  it("merges, the given ones first, without touching either", function()
    local defaults, given = { timeout = 5, retry = false }, { timeout = 1 }
    assert.same({ timeout = 1, retry = false }, options.merge(defaults, given))
    assert.same({ timeout = 5, retry = false }, defaults)
    assert.equal(defaults, options.merge(defaults, nil))
  end)

  it("keeps nothing of the caller's table, which may change", function()
    local given = { timeout = 1 }
    local merged = options.merge(nil, given)
    given.timeout = 2
    assert.same({ timeout = 1 }, merged)
  end)

  it("hands on what the core understands", function()
    assert.is_nil(options.apply(nil, nil))
    assert.is_nil(options.apply({ null = "keep" }, nil))
    assert.same({ timeout = 5, attempts = 1 }, options.apply({ timeout = 5, retry = false }, nil))
    assert.same({ attempts = 4, priority = "low", to = "f", max_wait = 2 },
      options.apply({ retry = 4, priority = "low", to = "f", max_wait = 2 }, nil))
  end)
end)
