local core = require "moonrest.core"
local moonrest = require "moonrest"
local slow_server = require "spec.support.slow_server"

describe("prepare", function()
  local server

  before_each(function() server = slow_server.start() end)

  after_each(function()
    server:stop()
    server = nil
    collectgarbage()
    collectgarbage()
    assert.equal(0, core.engine():pending())
  end)

  it("connects without a request", function()
    assert.is_true(moonrest.prepare(server.client))
    assert.equal(0, server:look().seen)
    assert.equal("a", server.client.things:get("a").id)
    assert.equal(1, server:look().seen)
  end)

  it("takes no slot of a limit", function()
    local limits = { default = "all", buckets = { all = { "2/h" } } }
    local client = slow_server.open(server.url, { account = tostring(os.time()) .. os.tmpname() }, limits)
    assert.is_true(moonrest.prepare(client, client))
    assert.equal(2, client:limits()[1].remaining)
  end)

  it("takes all open clients when none is named", function()
    assert.is_true(moonrest.prepare())
    local lost <close> = slow_server.open "http://127.0.0.1:1"
    local good, err = moonrest.prepare(lost)
    assert.is_nil(good)
    assert.equal("network", err.kind)
    assert.matches("slow:prepare: network: cannot connect to 127.0.0.1:1", tostring(err), 1, true)
    assert.equal("network", select(2, moonrest.prepare()).kind)
    lost:close()
    assert.is_true(moonrest.prepare())
    assert.error_matches(function() moonrest.prepare(lost) end, "argument 1: the client is closed")
  end)

  it("waits in a task like every call, and raises where that is wanted", function()
    local others = 0
    moonrest.run(function()
      moonrest.spawn(function() others = others + 1 end)
      assert.is_true(moonrest.prepare(server.client))
      assert.equal(1, others)
    end)
    local lost = slow_server.open("http://127.0.0.1:1", { on_error = "raise" })
    local ok, err = pcall(moonrest.prepare, lost)
    assert.is_false(ok)
    assert.equal("network", err.kind)
    lost:close()
  end)

  it("refuses what is no client", function()
    assert.error_matches(function() moonrest.prepare(5) end, "argument 1 must be a client, of moonrest.open")
    assert.error_matches(function() moonrest.prepare(server.client, {}) end, "argument 2 must be a client")
  end)
end)
