-- What becomes of calls when their client is closed under them.

local core = require "moonrest.core"
local loop = require "spec.support.loop"
local moonrest = require "moonrest"
local slow_server = require "spec.support.slow_server"

describe("a client that is closed", function()
  local server, client

  before_each(function()
    server = slow_server.start { pages = 4 }
    local definition = slow_server.definition()
    local states = { { field = "id", equals = "ready", state = "success" } }
    definition.resources.things.waiters = { ready = { poll = "get", delay = 20, accept = states } }
    definition.resources.held.text = { "GET /held/{id}", "The same as a text.", returns = "text" }
    client = moonrest.open(definition, { base_url = server.url })
  end)

  after_each(function()
    server:stop()
    loop.close()
  end)

  local function wait_until_held(count)
    loop.wait_until(function() return server:look().held >= count end)
  end

  -- What 'fn' makes of the client that is closed when it has come to what 'is_ready' looks for.
  local function cut_off(is_ready, fn)
    local task = moonrest.spawn(fn)
    return moonrest.run(function()
      is_ready()
      client:close()
      return task:await()
    end)
  end

  local function check(data, err)
    assert.is_nil(data)
    assert.equal("cancelled", err.kind)
    assert.matches("^the client was closed ", err.message)
    assert.is_false(err.retryable)
  end

  it("ends calls in flight, whether they are in tasks or not", function()
    check(cut_off(function() wait_until_held(1) end, function() return client.held:get "a" end))
    assert.error_matches(function() client.held:get "a" end, "slow.held:get: the client is closed")
  end)

  it("ends a call that blocks, from a task", function()
    moonrest.spawn(function()
      wait_until_held(1)
      client:close()
    end)
    check(client.held:get { id = "a" })
  end)

  it("ends calls that wait for their limits", function()
    local limits = { default = "one", buckets = { one = { "1/h" } } }
    local throttled <close> = slow_server.start({}, nil, limits)
    client = throttled.client
    assert(client.things:get "a")
    check(cut_off(function() moonrest.sleep(0.001) end, function() return client.things:get "b" end))
    assert.equal(1, throttled:look().seen)
  end)

  it("leaves nothing of a download", function()
    local path = os.tmpname()
    os.remove(path)
    check(cut_off(function() wait_until_held(1) end, function()
      return client.held:text({ id = "a" }, { to = path })
    end))
    assert.is_nil((io.open(path)))
  end)

  it("ends what is sent ahead of the first request", function()
    local lost = moonrest.open(slow_server.definition(), { base_url = "http://127.0.0.1:1" })
    local task = moonrest.spawn(function() return moonrest.prepare(lost) end)
    moonrest.spawn(function() lost:close() end)
    check(task:await())
  end)

  it("ends streams, which raise it", function()
    local is_good, err = cut_off(function() wait_until_held(1) end, function()
      return pcall(function()
        for _ in client.held.text:stream "a" do error "nothing was sent" end
      end)
    end)
    assert.is_false(is_good)
    check(nil, err)
  end)

  it("ends streams in the middle", function()
    local received = 0
    local is_good, err = cut_off(function()
      loop.wait_until(function() return received > 0 end)
    end, function()
      return pcall(function()
        for bytes in client.bytes.get:stream "100000000" do
          received = received + #bytes
          moonrest.sleep(0.001)
        end
      end)
    end)
    assert.is_false(is_good)
    check(nil, err)
  end)

  for _, options in ipairs { {}, { prefetch = 2 } } do
    it("ends loops over pages, which raise it" .. (options.prefetch and ", pages ahead too" or ""), function()
      local count = 0
      local is_good, err = pcall(function()
        for _ in client.items:each({}, options) do
          count = count + 1
          if count == 150 then client:close() end
        end
      end)
      assert.is_false(is_good)
      check(nil, err)
      assert.equal(200, count)
      assert.equal("the client was closed before page 3", err.message)
      assert.is_string(err.resume)
    end)
  end

  it("ends :all", function()
    local slow <close> = slow_server.start { latency = 0.05, pages = 4 }
    client = slow.client
    check(cut_off(function()
      loop.wait_until(function() return slow:look().seen >= 2 end)
    end, function() return client.items:all() end))
  end)

  for _, place in ipairs { "in a task", "outside of tasks" } do
    it("ends waits between two polls, " .. place, function()
      local data, err
      local function wait() data, err = client.things:wait("a", "ready") end
      local function close()
        loop.wait_until(function() return server:look().seen >= 1 end)
        moonrest.sleep(0.01)
        client:close()
      end
      local began = core.clock.now()
      moonrest.spawn(place == "in a task" and wait or close)
      if place == "in a task" then close() else wait() end
      moonrest.run()
      check(data, err)
      assert.equal("ready", err.waiter)
      assert.is_true(core.clock.now() - began < 10, "it slept to the next poll")
    end)
  end

  it("leaves those of others alone", function()
    local own = moonrest.spawn(function() return client.held:get "a" end)
    local other = moonrest.spawn(function() return server.client.held:get "b" end)
    moonrest.run(function()
      wait_until_held(2)
      client:close()
      check(own:await())
      server:release()
      assert.equal("b", assert(other:await()).id)
    end)
  end)

  it("ends calls through all of its views, also where it leaves a block", function()
    local view = client:with { timeout = 20 }
    local task = moonrest.spawn(function() return view.held:get "a" end)
    moonrest.run(function()
      local _ <close> = client
      wait_until_held(1)
    end)
    check(task:await())
  end)
end)
