-- Who shares the limits: each case is a process of its own, because the choice holds for a whole process.

local program = require "spec.support.program"
local raw_server = require "spec.support.raw_server"

local preamble <const> = [[
  local moonrest = require "moonrest"
  local url = ...
  local function open(account, limit)
    return moonrest.open({ name = "shared_test", servers = { production = "https://api.tested.example" },
      limits = { default = "account", buckets = { account = { limit or "5/h" } } },
      resources = { things = { get = { "GET /things/{id}", "One thing." } } } },
      { base_url = url, account = account, retry = false })
  end
  local function remaining(client) return client:limits()[1].remaining end
]]

local function run(script, url, environment)
  return program.output(preamble .. script, environment or "", ("'%s' 2>&1"):format(url or "http://127.0.0.1:1"))
end

local ok <const> = raw_server.response(200, "{}")

describe("limits", function()
  it("are shared between processes, and remembered", function()
    local server <close> = raw_server.start { ok }
    local script <const> = [[local c = open "one"; assert(c.things:get "1"); print(remaining(c))]]
    assert.equal("4\n", run(script, server.url))
    assert.equal("3\n", run(script, server.url))
    assert.equal("2\n", run([[moonrest.configure { limiter = "shared" }]] .. script, server.url))
  end)

  it("stay in one process where that was chosen", function()
    local server <close> = raw_server.start { ok }
    local script <const> = [[
      moonrest.configure { limiter = "local" }
      local c = open "two"; assert(c.things:get "1"); print(remaining(c))]]
    assert.equal("4\n", run(script, server.url))
    assert.equal("4\n", run(script, server.url))
  end)

  it("are a choice made before the first call", function()
    local said = run [[
      local c = open "three"; c:limits()
      print(pcall(moonrest.configure, { limiter = "local" }))
      print(pcall(moonrest.configure, { limiter = "shared" }))
      print(pcall(moonrest.configure, { limiter = "locl" }))
      print(pcall(moonrest.configure, { limiter = 5 }))]]
    assert.matches("false%s.-choose it before the first one", said)
    assert.matches("\ntrue\n", said)
    assert.matches("false%s[^\n]-give 'shared', 'local', 'redis://host:port' or 'rediss://host:port', got 'locl'", said)
    assert.matches("false%s[^\n]-'limiter' must be a string", said)
  end)

  it("are kept alone, and an event says so, where no file can be", function()
    local server <close> = raw_server.start { ok }
    local said = run([[
      moonrest.on("limiter", function(event) print("told: " .. event.reason) end)
      local c = open "four"
      assert(c.things:get "1")
      print(remaining(c))]], server.url, "XDG_RUNTIME_DIR=/nonexistent")
    assert.matches("told: the shared limits file /nonexistent/moonrest/limits%-2 cannot be made", said)
    assert.matches("\n4\n", said)
  end)

  it("tell what the server says of them", function()
    local refusal = raw_server.response(429, "{}",
      { "X-RateLimit-Limit: 7", "X-RateLimit-Remaining: 0", "Retry-After: 1" })
    local server <close> = raw_server.start { refusal }
    local said = run([[
      for _, name in ipairs { "throttle", "pause", "limit" } do
        moonrest.on(name, function(event)
          print(name, event.bucket, event.status, event.wait, event.limit, event.server_limit)
        end)
      end
      local c = open "five"
      local _, err = c.things:get "1"
      print(err.status, c:limits()[1].refused)
      print(tostring(c:limits()))]], server.url)
    assert.matches("throttle\tshared_test/five/account\t429\t", said, 1, true)
    assert.matches("pause\tshared_test/five/account\t429\t1.0\t", said, 1, true)
    assert.matches("limit\tshared_test/five/account\t429\tnil\t5\t7\n", said, 1, true)
    assert.matches("\n429\t1\n", said, 1, true)
    assert.matches("account +5/h +", said)
  end)
end)
