-- Ctrl-C in real processes: it ends at once whatever waits, names the operation and what to do, and leaves nothing
-- behind. What each is interrupted in is a wait that would take a minute.

local core = require "moonrest.core"
local interrupted = require "spec.support.interrupted"
local moonrest = require "moonrest"
local slow_server = require "spec.support.slow_server"

local function is_held(count)
  return function(look) return look.held >= count end
end

local function was_seen(look) return look.seen >= 1 end

local reads <const> = "It had no answer yet; it only reads, so call it again"
local writes <const> = "It had no answer yet; the server may have carried it out, so look before you call it again"

local cases = {
  { "a call of the short way", [[client.held:get "a"]], is_held(1), "slow.held:get: interrupted! " .. reads },
  { "a call of the short way beside tasks", [[
      moonrest.spawn(function() client.held:get "b" end)
      local _ <close> = setmetatable({}, { __close = function() require "moonrest.task_life".cancel_all() end })
      client.held:get "a"]], is_held(2), "slow.held:get: interrupted! " .. reads },
  { "a call in a coroutine of one's own", [[coroutine.wrap(function() client.held:get "a" end)()]], is_held(1),
    "slow.held:get: interrupted! " .. reads },
  { "a call in a coroutine that follows the signal", [[
      coroutine.wrap(function()
        io.popen "kill -INT $PPID":close()
        client.held:get "a"
      end)()]], nil, "slow.held:get: interrupted! " },
  { "a call with options", [[client.held:get({ id = "a" }, { timeout = 50 })]], is_held(1),
    "slow.held:get: interrupted! " .. reads },
  { "a write", [[client.held:create "a"]], is_held(1), "slow.held:create: interrupted! " .. writes },
  { "a request that no definition names", [[client:request("GET", "/held/x")]], is_held(1),
    "slow:request GET /held/x: interrupted! " .. reads },
  { "a walk over pages", [[for _ in client.held:each() do end]], is_held(1), "slow.held:list: interrupted! " .. reads },
  { "a stream", [[for _ in client.held.export:stream() do end]], is_held(1),
    "slow.held:export: interrupted! " .. reads },
  { "a wait, in a poll", [[client.held:wait("a", "ready")]], is_held(1),
    "slow.held:wait for 'ready': interrupted! 1 poll of slow.held:get in " },
  { "a wait, between two polls", [[client.things:wait("a", "ready")]], was_seen,
    "slow.things:wait for 'ready': interrupted! 1 poll of slow.things:get in " },
  { "a pause", [[
      local task <close> = moonrest.spawn(function() client.held:get "a" end)
      moonrest.sleep(60)]], is_held(1), "moonrest.sleep: interrupted! Without an answer yet: slow.held:get" },
  { "a run", [[
      moonrest.run(function()
        for _ = 1, 3 do moonrest.spawn(function() client.held:get "a" end) end
        client.held:create "b"
      end)]], is_held(4), "moonrest.run: interrupted! Without an answer yet: slow.held:create, slow.held:get (3 times);"
    .. " the server may have carried out slow.held:create, so look before you call it again" },
  { "a map", [[moonrest.map({ 1, 2 }, function(id) return client.held:get(id) end)]], is_held(2),
    "moonrest.map: interrupted! Without an answer yet: slow.held:get (2 times)" },
  { "a task that is awaited", [[
      local task <close> = moonrest.spawn(function() client.held:get "a" end)
      task:await()]], is_held(1), "task:await: interrupted! Without an answer yet: slow.held:get" },
  { "a task that only computes", [[
      moonrest.on("task_failed", function() end)
      moonrest.run(function()
        moonrest.spawn(function() client.held:get "a" end)
        for _ = 1, 10 do moonrest.sleep(0) end
        local sum = 0
        while true do sum = sum + #{ sum } end
      end)]], is_held(1), "moonrest.run: interrupted! Without an answer yet: slow.held:get" },
  { "a coroutine of one's own in a task", [[
      moonrest.on("task_failed", function() end)
      moonrest.run(function()
        moonrest.spawn(function() client.held:get "a" end)
        for _ = 1, 10 do moonrest.sleep(0) end
        local sum = 0
        coroutine.wrap(function() while true do sum = sum + #{ sum } end end)()
      end)]], is_held(1), "moonrest.run: interrupted! Without an answer yet: slow.held:get" },
  { "the command of a credential",
    [[moonrest.command "read -r _ _ _ above _ </proc/$PPID/stat; kill -INT $above; sleep 60"]], nil,
    "moonrest.command: interrupted! This was killed: read -r" },
  { "the first of several", [[moonrest.race { function() client.held:get "a" end }]], is_held(1),
    "moonrest.race: interrupted! Without an answer yet: slow.held:get" },
}

describe("Ctrl-C", function()
  for _, io_way in ipairs { "inline", "thread" } do
    for _, case in ipairs(cases) do
      it(("ends %s (io = %q)"):format(case[1], io_way), function()
        local server <close> = slow_server.start()
        local told = interrupted.run(server, ("moonrest.configure { io = %q }\n%s"):format(io_way, case[2]), case[3])
        assert.matches("^/tmp/%S+:%d+: ", told.problem)
        assert.matches(case[4], told.problem, 1, true)
        assert.equal(0, told.pending)
        assert.equal("after", told.after)
      end)
    end
  end

  it("ends a call in a terminal", function()
    local server <close> = slow_server.start()
    local script <const> = [[
      local moonrest = require "moonrest"
      local server = require "spec.support.slow_server"
      server.open(arg[1]).held:get "a"]]
    local name = os.tmpname()
    local file <close> = assert(io.open(name, "w"))
    file:write(script)
    file:close()
    local log = os.tmpname()
    local shell = ("exec timeout -k 1 40 script -qec 'exec lua5.4 %s %s' %s >/dev/null 2>&1"):format(name, server.url,
      log)
    local terminal = assert(io.popen(shell, "w"))
    local deadline = core.clock.now() + 20
    while server:look().held == 0 and core.clock.now() < deadline do os.execute "sleep 0.01" end
    terminal:write "\3"
    terminal:flush()
    local _, how, code = terminal:close()
    local shown <close> = assert(io.open(log))
    local text = shown:read "a"
    os.remove(name)
    os.remove(log)
    assert.matches("slow.held:get: interrupted! " .. reads, text, 1, true)
    assert.same({ "exit", 1 }, { how, code })
  end)
end)

-- Within a describe: what ends a request is not the collector, and no hook outlives its test.
local function without_collector()
  before_each(function() collectgarbage "stop" end)
  after_each(function()
    debug.sethook()
    collectgarbage "restart"
    collectgarbage()
  end)
end

describe("an error between the start of a request and its wait", function()
  -- Raises when the function of that name returns, as a hook does whose signal came while it ran.
  local function raise_behind(name)
    debug.sethook(function()
      if debug.getinfo(2, "n").name ~= name then return end
      debug.sethook()
      error("interrupted!", 0)
    end, "r")
  end

  without_collector()

  for _, case in ipairs { { "the short way", "start_single" }, { "the long way", "start" } } do
    it("ends the request with its task: " .. case[1], function()
      local server <close> = slow_server.start()
      require "moonrest.operation".recipe(server.client.held.get) -- the first call of all takes the long way
      local parameters = case[2] == "start" and { id = "a" } or "a"
      local task = moonrest.spawn(function()
        raise_behind(case[2])
        server.client.held:get(parameters)
      end)
      local is_good, problem = pcall(task.await, task)
      assert.same({ false, "interrupted!" }, { is_good, problem })
      assert.equal(0, core.engine():pending())
    end)
  end

  it("spares the request of another task", function()
    local server <close> = slow_server.start()
    local held = moonrest.spawn(function() return server.client.held:get "a".id end)
    local broken = moonrest.spawn(function() error "broken" end)
    assert.has_error(function() broken:await() end)
    assert.equal(1, core.engine():pending())
    while server:look().held == 0 do moonrest.sleep(0) end
    server:release()
    assert.equal("a", held:await())
  end)

  for name, go_on in pairs {
    ["the next start"] = function(server) server.client.things:get { id = "b" } end,
    ["the next call of the short way"] = function(server) server.client.things:get "b" end,
    ["the next pause"] = function() moonrest.sleep(0.001) end,
  } do
    it("ends the request outside of tasks at " .. name, function()
      local server <close> = slow_server.start()
      server.client.things:get "a"
      raise_behind "start"
      assert.has_error(function() server.client.held:get { id = "a" } end)
      go_on(server)
      assert.equal(0, core.engine():pending())
    end)
  end
end)

describe("Ctrl-C while a request is started", function()
  local main = coroutine.running()

  -- As a signal's handler does it in the middle of that function: a hook whose turn the main thread comes to later.
  local function interrupts()
    debug.sethook(main, function()
      debug.sethook()
      error("interrupted!", 0)
    end, "", coroutine.running() == main and 1 << 30 or 1)
  end

  local function interrupt_start(client)
    local recipe = require "moonrest.operation".recipe(client.held.get)
    local real = recipe.endpoint
    recipe.endpoint = {
      start_single = function() end,
      await_single = function() end,
      start = function(_, where, _, ...) return real:start(where, setmetatable({}, { __index = interrupts }), ...) end,
    }
  end

  without_collector()

  it("ends it at once, and names the operation", function()
    local server <close> = slow_server.start()
    interrupt_start(server.client)
    local is_good, problem = pcall(server.client.held.get, { id = "a" })
    assert.is_false(is_good)
    assert.matches("slow.held:get: interrupted! It waited for its turn and was not sent", problem, 1, true)
    assert.equal(0, core.engine():pending())
  end)

  it("is left to the main thread in a task", function()
    local server <close> = slow_server.start()
    interrupt_start(server.client)
    local is_good, problem = pcall(moonrest.run, function() server.client.held:get { id = "a" } end)
    assert.is_false(is_good)
    assert.matches("moonrest.run: interrupted! Without an answer yet: slow.held:get", problem, 1, true)
    assert.equal(0, core.engine():pending())
  end)
end)
