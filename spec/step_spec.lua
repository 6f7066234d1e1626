-- Programs with a loop of their own: steps that never wait, keep their time and are fair; progress and cancel from
-- them; pages ahead; Ctrl-C.

local core = require "moonrest.core"
local loop = require "spec.support.loop"
local moonrest = require "moonrest"
local slow_server = require "spec.support.slow_server"
local task_life = require "moonrest.task_life"

local now = core.clock.now

describe("step", function()
  after_each(loop.close)

  it("returns how many tasks there are, and does nothing for none", function()
    assert.equal(0, moonrest.step(0.001))
    local one = moonrest.spawn(function() moonrest.sleep(3600) end)
    assert.equal(1, moonrest.step())
    one:cancel()
    assert.equal(0, moonrest.step(0))
  end)

  it("allocates nothing when idle, nor while nothing is ready", function()
    local server <close> = slow_server.start()
    local function bytes_of_steps()
      collectgarbage()
      collectgarbage "stop"
      moonrest.step(0.001)
      local before = collectgarbage "count"
      for _ = 1, 100 do moonrest.step(0.001) end
      local used = collectgarbage "count" - before
      collectgarbage "restart"
      return used
    end
    assert.equal(0, bytes_of_steps())
    for index = 1, 10 do moonrest.spawn(function() server.client.held:get(index) end) end
    loop.step_until(function() return server:look().held == 10 end)
    assert.equal(0, bytes_of_steps())
  end)

  it("never waits", function()
    local server <close> = slow_server.start()
    moonrest.spawn(function() server.client.held:get "a" end)
    loop.step_until(function() return server:look().held == 1 end)
    local spans = {}
    for index = 1, 101 do
      local begin = now()
      moonrest.step(10)
      spans[index] = now() - begin
    end
    table.sort(spans)
    assert.is_true(spans[51] < 0.005) -- the system may take the processor away from some, but not from half of them
    assert.is_true(spans[101] < 5)
  end)

  it("decodes a large body over many steps, the same as at one go", function()
    local server <close> = slow_server.start()
    local whole = assert(server.client.sized:get(1000000))
    local sliced
    local one = moonrest.spawn(function() sliced = assert(server.client.sized:get(1000000)) end)
    local steps, deadline = 0, now() + 20
    while not sliced do
      assert(now() < deadline, "it never came about")
      steps = steps + 1
      moonrest.step(0)
    end
    assert.equal("done", one:status())
    assert.is_true(steps > 1000000 // 16384)
    assert.same(whole, sliced)
    assert.same(getmetatable(whole.items), getmetatable(sliced.items))
  end)

  -- All answers are here before anything is decoded, so that neither the server nor the clock has a say in the order.
  it("gives small bodies their turn beside large ones", function()
    local server <close> = slow_server.start()
    local order, started = {}, 0
    local function ask(name, bytes)
      moonrest.spawn(function()
        started = started + 1
        assert(server.client.sized:get(bytes))
        order[#order + 1] = name
      end)
    end
    for _ = 1, 5 do ask("large", 1000000) end
    ask("small", 20000)
    while started < 6 do moonrest.step(0) end
    local deadline = now() + 20
    while core.engine():pending() > 0 do
      assert(now() < deadline, "it never came about")
      core.engine():step(0.01)
    end
    while #order < 6 do
      assert(now() < deadline, "it never came about")
      moonrest.step(0)
    end
    assert.equal("small", order[1])
  end)

  it("keeps the collector up with what it decodes, and leaves it as it was", function()
    local server <close> = slow_server.start()
    local mode = collectgarbage("incremental", 200, 4, 10)
    local done, most = 0, 0
    for _ = 1, 4 do
      moonrest.spawn(function()
        for _ = 1, 5 do assert(server.client.sized:get(300000)) end
        done = done + 1
      end)
    end
    collectgarbage()
    local before, deadline = collectgarbage "count", now() + 20
    while done < 4 do
      assert(now() < deadline, "it never came about")
      moonrest.step(0.0005)
      most = math.max(most, collectgarbage "count")
    end
    assert.is_true(collectgarbage "isrunning")
    assert.is_true(most - before < 12000) -- KB; with the collector stopped it is 16,000
    collectgarbage "stop"
    moonrest.spawn(function() assert(server.client.sized:get(10000)) end)
    while moonrest.step(0.001) > 0 do assert.is_false(collectgarbage "isrunning") end
    collectgarbage "restart"
    collectgarbage(mode)
  end)

  it("leaves the collector to the step while a list is walked in one", function()
    local server <close> = assert(require "moonrest.sandbox".start { systems = { "cygni" }, limits = false })
    local client <close> = server:open "cygni"
    local real, asked, count = collectgarbage, 0, 0
    local function walk()
      for _ in client.deployments:each({ limit = 2 }, { max_pages = 3 }) do count = count + 1 end
    end
    local _ <close> = setmetatable({}, { __close = function() _G.collectgarbage = real end })
    _G.collectgarbage = function(option, ...)
      if option == nil or option == "collect" or option == "step" then asked = asked + 1 end
      return real(option, ...)
    end
    local walker = moonrest.spawn(walk)
    loop.step_until(function() return task_life.is_over(walker) end)
    walker:await()
    assert.same({ 6, 0 }, { count, asked })
    walk()
    assert.same({ 12, 3 }, { count, asked })
  end)

  it("takes one bit of each sort of work at least, however small the budget", function()
    local server <close> = slow_server.start()
    local done = 0
    for index = 1, 20 do
      moonrest.spawn(function()
        assert(server.client.sized:get(index * 1000))
        done = done + 1
      end)
    end
    local deadline = now() + 10
    while done < 20 do
      assert(now() < deadline, "it never came about")
      moonrest.step(0)
    end
  end)

  it("starts what many tasks ask for over many steps", function()
    local server <close> = slow_server.start()
    for index = 1, 50 do moonrest.spawn(function() server.client.held:get(index) end) end
    moonrest.step(0)
    assert.is_true(core.engine():pending() < 50)
    loop.step_until(function() return server:look().held == 50 end)
  end)

  it("reports what is no JSON from a sliced body as well", function()
    local server <close> = slow_server.start({}, nil)
    local err
    local definition = slow_server.definition()
    definition.resources.bytes.get[1], definition.resources.bytes.get.returns = "GET /bytes/{count}", nil
    local client = moonrest.open(definition, { base_url = server.url })
    moonrest.spawn(function() err = select(2, client.bytes:get(100000)) end)
    loop.step_until(function() return err end)
    assert.equal("decode", err.kind)
    assert.matches("line 1", err.message)
  end)

  it("tells progress of downloads and uploads, which can be cancelled", function()
    local server <close> = slow_server.start()
    local target, source = os.tmpname(), os.tmpname()
    local file <close> = assert(io.open(source, "wb"))
    file:write(("x"):rep(3000000))
    file:close()
    local received, size, sent, to_send
    moonrest.run(function()
      local saved = assert(server.client.bytes:get("5000000", nil, { to = target,
        progress = function(bytes) received = bytes end }))
      assert.equal(5000000, saved.bytes)
      size = assert(server.client.posted:send(nil, { upload = source,
        progress = function(_, _, ...) sent, to_send = ... end })).size
    end)
    assert.equal(5000000, received)
    assert.same({ 3000000, 3000000, 3000000 }, { size, sent, to_send })
    os.remove(target)
    local calls = 0
    local one = moonrest.spawn(function()
      server.client.held:get("a", nil, { progress = function() calls = calls + 1 end })
    end)
    loop.step_until(function() return calls > 1 end)
    assert.is_true(one:cancel())
    assert.equal(0, core.engine():pending())
    os.remove(source)
  end)

  it("refuses budgets that are none, and a step inside of it", function()
    for _, bad in ipairs { -1, 0 / 0, "1", {}, false } do
      assert.error_matches(function() moonrest.step(bad) end, "must be a number of seconds")
    end
    local problem
    moonrest.spawn(function() problem = select(2, pcall(moonrest.step, 0)) end)
    moonrest.spawn(function() moonrest.sleep(0.001) end)
    loop.step_until(function() return problem end)
    assert.matches("a step within a step", problem)
  end)
end)

describe("prefetch", function()
  local function count(server, options)
    local seen = 0
    for item in server.client.items:each({ limit = 10 }, options) do
      seen = seen + 1
      assert.equal(seen, item.id)
    end
    return seen
  end

  it("asks for so many pages at once, and gives them in order", function()
    local server <close> = slow_server.start { latency = 0.01, pages = 2 }
    assert.equal(200, count(server, { prefetch = 6 }))
    assert.equal(6, server:look().most)
    assert.equal(20, server:look().seen)
  end)

  it("asks for no more than is wanted", function()
    local server <close> = slow_server.start { pages = 2 }
    assert.equal(25, count(server, { prefetch = 8, max_items = 25 }))
    assert.equal(3, server:look().seen)
    assert.equal(30, count(server, { prefetch = 8, max_pages = 3 }))
    assert.equal(6, server:look().seen)
  end)

  it("cancels what is on its way when the loop is left", function()
    local server <close> = slow_server.start { latency = 0.05, pages = 2 }
    for item in server.client.items:each({ limit = 10 }, { prefetch = 8 }) do
      if item.id == 12 then
        assert.is_true(core.engine():pending() > 0)
        break
      end
    end
    assert.equal(0, core.engine():pending())
    assert.error_matches(function()
      for _ in server.client.items:each({ limit = 10 }, { prefetch = 8 }) do error "left" end
    end, "left")
    assert.equal(0, core.engine():pending())
  end)

  it("refuses what is no number of pages", function()
    local server <close> = slow_server.start()
    for _, bad in ipairs { 0, 65, 1.5 } do
      assert.error_matches(function() count(server, { prefetch = bad }) end, "a number of pages, 1 to 64")
    end
  end)
end)

describe("Ctrl-C", function()
  -- The seconds that a run went on after it.
  local function interrupt()
    local script, log = os.tmpname(), os.tmpname()
    local file <close> = assert(io.open(script, "w"))
    file:write(([[
      local log = assert(io.open(%q, "w"))
      log:setvbuf "no"
      local moonrest, core = require "moonrest", require "moonrest.core"
      local server = require "spec.support.slow_server".start()
      local closed = 0
      local ok, problem = pcall(moonrest.run, function()
        for index = 1, 20 do
          moonrest.spawn(function()
            local _ <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
            server.client.held:get(index)
          end)
        end
        while server:look().held < 20 do moonrest.sleep(0.01) end
        log:write("ready\n")
        moonrest.sleep(60)
      end)
      log:write(tostring(ok), " ", tostring(problem), " ", closed, " ", core.engine():pending(), "\n")
      log:write(core.clock.now(), " ", server.client.things:get "after".id, "\n")
      server:stop()
    ]]):format(log))
    file:close()
    local pipe <close> = assert(io.popen(("exec sh -c 'echo $$; exec lua5.4 %s'"):format(script)))
    local pid = pipe:read "n"
    -- The last line may still lack its end: what the script writes comes in pieces.
    local function lines()
      local list = {}
      local log_file <close> = assert(io.open(log))
      for line in log_file:read "a":gmatch "([^\n]*)\n" do list[#list + 1] = line end
      return list
    end
    local deadline = now() + 20
    while not lines()[1] and now() < deadline do os.execute "sleep 0.05" end
    local begin = now()
    os.execute(("kill -INT %d"):format(pid))
    while not lines()[3] and now() < deadline do os.execute "sleep 0.02" end
    local told = lines()
    os.remove(script)
    os.remove(log)
    assert.matches("^false .*moonrest%.run: interrupted! Without an answer yet: slow%.held:get %(20 times%) 20 0$",
      told[2])
    local ended, after = told[3]:match "^(%S+) (%a+)$"
    assert.equal("after", after)
    return tonumber(ended) - begin
  end

  it("ends a run in time, with everything closed", function()
    local least = interrupt()
    for _ = 1, 4 do -- a busy machine makes it later, never sooner
      if least < 0.25 then break end
      least = math.min(least, interrupt())
    end
    assert.is_true(least < 0.25)
  end)
end)
