-- Who may wait where, and what misuse says.

local loop = require "spec.support.loop"
local moonrest = require "moonrest"
local slow_server = require "spec.support.slow_server"
local stderr_of = require "spec.support.stderr_of"

describe("calls", function()
  after_each(loop.close)

  it("wait through pcall, metamethods and iterators", function()
    local server <close> = slow_server.start()
    local things = server.client.things
    moonrest.run(function()
      local ok, thing = pcall(things.get, things, "a")
      assert.equal("a", ok and thing.id)
      local lazy = setmetatable({}, { __index = function(_, name) return things:get(name).id end })
      assert.equal("b", lazy.b)
      local function once(_, last) return not last and things:get "c".id or nil end
      for id in once do assert.equal("c", id) end
    end)
  end)

  it("say clearly where they cannot wait", function()
    local server <close> = slow_server.start()
    local get = server.client.things.get
    local function failing(fn)
      local ok, problem = pcall(moonrest.run, fn)
      assert.is_false(ok)
      return problem
    end
    assert.matches("table.sort", failing(function()
      table.sort({ 1, 2, 3 }, function(a, b) get "a" return a < b end)
    end))
    assert.matches("string.gsub", failing(function() return ("a"):gsub("a", function() get "a" end) end))
    assert.matches("moonrest.wrap", failing(function() coroutine.wrap(function() get "a" end)() end))
    assert.matches("table.sort", failing(function()
      local inner = moonrest.wrap(function() get "a" end)
      table.sort({ 1, 2 }, function(a, b) inner() return a < b end)
    end))
    assert.matches("a task yielded by itself", failing(function() coroutine.yield(1) end))
    assert.matches("a run inside a task", failing(function() moonrest.run() end))
    assert.matches("a step within a step", failing(function() moonrest.step(0) end))
    local lazy = setmetatable({}, { __index = function() return coroutine.yield(1) end })
    assert.matches("a task yielded by itself", failing(function() return pcall(function() return lazy.a end) end))
    assert.equal(0, server:look().seen)
  end)

  it("raise outside of tasks where the program must not block", function()
    local server <close> = slow_server.start()
    moonrest.set_blocking(false)
    local ok, problem = pcall(function() server.client.things:get "a" end)
    local ran, run_problem = pcall(moonrest.run)
    moonrest.set_blocking(true)
    assert.is_false(ok)
    assert.matches("does not let calls block", problem)
    assert.is_false(ran)
    assert.matches("does not let calls block", run_problem)
    assert.error_matches(function() moonrest.set_blocking(1) end, "true or false")
  end)

  describe("of variables that are closed with their task", function()
    local server, seen

    before_each(function() server, seen = slow_server.start(), {} end)
    after_each(function() server:stop() end)

    local function cleaning(clean)
      local one = moonrest.spawn(function()
        local _ <close> = setmetatable({}, { __close = clean })
        moonrest.sleep(3600)
      end)
      loop.step_until(function() return one:status() == "waiting" end)
      return one
    end

    local function call()
      local ok, got = pcall(server.client.things.get, "a")
      seen[#seen + 1] = ok and got.id or got
    end

    it("says that they cannot wait", function()
      local one = cleaning(call)
      moonrest.run(function() one:cancel() end)
      moonrest.spawn(function()
        local _ <close> = setmetatable({}, { __close = call })
        error("on purpose", 0)
      end)
      stderr_of(moonrest.run)
      assert.equal(2, #seen)
      for _, problem in ipairs(seen) do
        assert.matches("current_spec.lua:%d+: a task that was cancelled or has failed cannot wait", problem)
        assert.matches("moonrest.spawn", problem, 1, true)
      end
      assert.equal(0, server:look().seen)
    end)

    it("lets them spawn a task", function()
      local one = cleaning(function() moonrest.spawn(call) end)
      moonrest.run(function() one:cancel() end)
      assert.same({ "a" }, seen)
    end)

    it("lets them wait where whoever cancels can block", function()
      cleaning(call):cancel()
      assert.same({ "a" }, seen)
    end)
  end)

  it("cannot wait in what is closed, where the canceller is a task", function()
    local server <close> = slow_server.start()
    local problem, cleaned
    local function loser()
      local _ <close> = setmetatable({}, { __close = function()
        problem = select(2, pcall(function() server.client.things:get "a" end))
        moonrest.spawn(function() cleaned = server.client.things:get("a").id end)
      end })
      moonrest.sleep(3600)
    end
    moonrest.race { loser, function() moonrest.sleep(0.001) end }
    assert.matches("cannot wait any more .* make the call in a task of its own", problem)
    moonrest.run()
    assert.equal("a", cleaned)
  end)
end)
