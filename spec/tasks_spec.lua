-- Tasks against a real server whose answers take their time; and what misuse of them says.

local core = require "moonrest.core"
local loop = require "spec.support.loop"
local moonrest = require "moonrest"
local scheduler = require "moonrest.scheduler"
local slow_server = require "spec.support.slow_server"
local task = require "moonrest.task"

local now = core.clock.now

-- What a function prints on stderr, through the stream that the library writes to.
local function stderr_of(fn)
  local kept, parts = io.stderr, {}
  io.stderr = { write = function(_, ...) -- luacheck: ignore
    for _, part in ipairs { ... } do parts[#parts + 1] = tostring(part) end
  end }
  local ok, problem = pcall(fn)
  io.stderr = kept -- luacheck: ignore
  assert(ok, problem)
  return table.concat(parts)
end

describe("tasks", function()
  after_each(loop.close)

  describe("spawn and await", function()
    it("give results, nils included", function()
      local one = moonrest.spawn(function(...) return select("#", ...), nil, ... end, 1, nil, nil)
      assert.same({ n = 5, 3, nil, 1, nil, nil }, table.pack(one:await()))
      assert.equal("done", one:status())
      assert.equal(3, (one:await()))
    end)

    it("run in the order of spawning, not before the loop", function()
      local order = {}
      for index = 1, 3 do moonrest.spawn(function() order[#order + 1] = index end) end
      assert.same({}, order)
      moonrest.run()
      assert.same({ 1, 2, 3 }, order)
    end)

    it("raise the error of the task as it is, and tell of it nowhere else", function()
      local object = setmetatable({}, { __tostring = function() return "an object" end })
      for _, thrown in ipairs { object, "text", 7, false } do
        local text = stderr_of(function()
          local failing = moonrest.spawn(function() error(thrown, 0) end)
          local ok, problem = pcall(failing.await, failing)
          assert.is_false(ok)
          assert.equal(thrown, problem)
          assert.equal("failed", failing:status())
        end)
        collectgarbage()
        assert.equal("", text)
      end
    end)

    it("raise what is no error object at all as it is", function()
      local thrown = { nil, coroutine.create(print), io.stderr, {}, n = 4 }
      for place = 1, thrown.n do
        local failing = moonrest.spawn(function() error(thrown[place]) end)
        local ok, problem = pcall(failing.await, failing)
        assert.is_false(ok)
        assert.equal(thrown[place], problem)
      end
    end)

    it("that never wait have their one turn to the end, and the others come after", function()
      local order = {}
      for index = 1, 3 do
        moonrest.spawn(function()
          local finish = core.clock.now() + 0.005
          while core.clock.now() < finish do order[index] = true end
        end)
      end
      for left = 2, 0, -1 do
        local most <const> = 2 -- one of them may be the collector's alone
        local steps = 0
        repeat steps = steps + 1 until moonrest.step(0) == left or steps == most
        assert.equal(3 - left, #order)
      end
    end)

    it("tell once of an error that nobody awaited", function()
      local text = stderr_of(function()
        moonrest.spawn(function() error "lonely" end)
        moonrest.run()
        collectgarbage()
        collectgarbage()
      end)
      local _, count = text:gsub("lonely", "")
      assert.equal(1, count)
      assert.matches("nobody awaited", text)
    end)

    it("tell of all that failed, even when one cannot say what", function()
      local mute = setmetatable({}, { __tostring = function() error "no words" end })
      local text = stderr_of(function()
        moonrest.spawn(error, mute)
        moonrest.spawn(error, "the second", 0)
        moonrest.run()
      end)
      assert.matches("an error object whose __tostring fails.*the second", text)
    end)

    it("tell an event of it instead when somebody listens", function()
      local heard = {}
      local stop = moonrest.on("task_failed", function(details) heard[#heard + 1] = details.error end)
      local text = stderr_of(function()
        moonrest.spawn(function() error { code = 5 } end)
        moonrest.run()
      end)
      stop()
      assert.same({ { code = 5 } }, heard)
      assert.equal("", text)
    end)

    it("wait for each other in depth without nesting", function()
      local count = 100000
      local previous = moonrest.spawn(function() return 0 end)
      for _ = 1, count do
        local before = previous
        previous = moonrest.spawn(function() return before:await() + 1 end)
      end
      assert.equal(count, (previous:await()))
    end)

    it("refuse what makes no sense", function()
      assert.error_matches(function() moonrest.spawn(5) end, "a function is needed, got a number")
      assert.error_matches(function() task.spawn(function() end).await {} end, "call it with a colon")
      -- A task of another lua_State can only come as what a host makes of it.
      local foreign = setmetatable({ number = 1, state = "waiting", waiters = {} }, { __name = "moonrest.task" })
      assert.error_matches(function() task.spawn(function() end).await(foreign) end, "call it with a colon")
      assert.error_matches(function() moonrest.all { foreign } end, "must be a function or a task")
      local own
      own = moonrest.spawn(function() own:await() end)
      assert.error_matches(function() own:await() end, "a task cannot await itself")
      own = moonrest.spawn(function() own:cancel() end)
      assert.error_matches(function() own:await() end, "a task cannot cancel itself")
    end)

    it("raise when tasks wait for each other for ever", function()
      local first, second
      first = moonrest.spawn(function() return second:await() end)
      second = moonrest.spawn(function() return first:await() end)
      assert.error_matches(function() moonrest.run() end, "2 tasks wait for each other")
      assert.equal("cancelled", first:status())
    end)

    it("end although others wait for each other for ever", function()
      local first, second
      first = moonrest.spawn(function() return second:await() end)
      second = moonrest.spawn(function() return first:await() end)
      assert.equal(5, moonrest.spawn(function() return 5 end):await())
      assert.error_matches(function() second:await() end, "2 tasks wait for each other")
      first:cancel()
      assert.equal("cancelled", select(2, second:await()).kind)
    end)
  end)

  describe("cancel", function()
    it("ends a task where it waits, and closes its variables", function()
      local closed = 0
      local one = moonrest.spawn(function()
        local _ <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
        moonrest.sleep(3600)
      end)
      moonrest.step(0.01)
      assert.equal("waiting", one:status())
      assert.is_true(one:cancel())
      assert.is_false(one:cancel())
      assert.equal(1, closed)
      local data, err = one:await()
      assert.is_nil(data)
      assert.equal("cancelled", err.kind)
    end)

    it("never starts one that had not begun", function()
      local ran = false
      local one = moonrest.spawn(function() ran = true end)
      one:cancel()
      moonrest.run()
      assert.is_false(ran)
    end)

    it("makes a failure of an error while closing", function()
      local one = moonrest.spawn(function()
        local _ <close> = setmetatable({}, { __close = function() error("no close", 0) end })
        moonrest.sleep(3600)
      end)
      moonrest.step(0.01)
      one:cancel()
      assert.error_matches(function() one:await() end, "no close")
    end)

    describe("of a task whose variables make calls when they are closed", function()
      local server, seen

      before_each(function() server, seen = slow_server.start(), {} end)
      after_each(function() server:stop() end)

      local function cleaning(clean)
        local one = moonrest.spawn(function()
          local _ <close> = setmetatable({}, { __close = clean })
          moonrest.sleep(3600)
        end)
        moonrest.step(0.01)
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
          assert.matches("tasks_spec.lua:%d+: a task that was cancelled or has failed cannot wait", problem)
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

    it("releases the request", function()
      local server <close> = slow_server.start()
      local one = moonrest.spawn(function() server.client.held:get "a" end)
      repeat moonrest.step(0.01) until server:look().held == 1
      assert.equal(1, core.engine():pending())
      one:cancel()
      assert.equal(0, core.engine():pending())
      assert.equal("x", server.client.things:get "x".id)
    end)

    it("gives the slot of what never left back, and its place in the queue #inline", function()
      local server <close> = slow_server.start({}, nil, { default = "one", buckets = { one = { "1/h" } } })
      local first = moonrest.spawn(function() server.client.held:get "a" end)
      local second = moonrest.spawn(function() server.client.held:get "b" end)
      moonrest.run(function()
        assert.equal(2, core.engine():pending())
        second:cancel()
        first:cancel()
        assert.equal(0, core.engine():pending())
        assert.equal("x", server.client.things:get "x".id)
      end)
      assert.equal(1, server:look().seen)
    end)

    it("ends with a block", function()
      local one
      do
        local own <close> = moonrest.spawn(function() moonrest.sleep(3600) end)
        one = own
        moonrest.step(0.01)
      end
      assert.equal("cancelled", one:status())
    end)

    it("says that a call cannot wait in what it closes, where the canceller is a task", function()
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

    it("reaches who awaits", function()
      local inner = moonrest.spawn(function() moonrest.sleep(3600) end)
      local outer = moonrest.spawn(function() return inner:await() end)
      moonrest.step(0.01)
      inner:cancel()
      local data, err = outer:await()
      assert.is_nil(data)
      assert.equal("cancelled", err.kind)
    end)
  end)

  describe("calls", function()
    it("run at once inside tasks, one by one outside", function()
      local server <close> = slow_server.start { latency = 0.05 }
      local ids = {}
      for index = 1, 32 do ids[index] = "thing-" .. index end
      local begin = now()
      local things, failures = moonrest.map(ids, function(id) return server.client.things:get(id) end)
      assert.is_true(now() - begin < 0.05 * 16)
      assert.is_nil(failures)
      for index, thing in ipairs(things) do assert.equal(ids[index], thing.id) end
      assert.equal(16, server:look().most)
    end)

    it("let the others have their turn, sleeping for no time at all too", function()
      local order = {}
      local function work(name)
        for turn = 1, 2 do
          order[#order + 1] = name .. turn
          moonrest.sleep(0)
        end
      end
      moonrest.spawn(work, "a")
      moonrest.spawn(work, "b")
      moonrest.run()
      assert.same({ "a1", "b1", "a2", "b2" }, order)
    end)

    it("outside of tasks drive those that there are", function()
      local server <close> = slow_server.start { latency = 0.02 }
      local turns = 0
      local spinner <close> = moonrest.spawn(function()
        while true do
          turns = turns + 1
          moonrest.sleep(0)
        end
      end)
      assert.equal("a", server.client.things:get "a".id)
      assert.is_true(turns > 0)
      assert.not_equal("failed", spinner:status())
    end)

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
  end)

  describe("wrap", function()
    it("lets waits through and keeps what is yielded apart", function()
      local server <close> = slow_server.start { latency = 0.005 }
      moonrest.run(function()
        local generate = moonrest.wrap(function(first)
          local got = coroutine.yield(server.client.things:get(first).id)
          coroutine.yield(server.client.things:get(got).id)
          return "end"
        end)
        assert.equal("a", generate "a")
        assert.equal("b", generate "b")
        assert.equal("end", generate())
        assert.error_matches(generate, "cannot resume a dead coroutine")
      end)
      local own
      own = moonrest.wrap(function() return pcall(own) end)
      local _, problem = own()
      assert.matches("cannot resume a running coroutine", problem)
    end)

    it("nests, and works outside of tasks", function()
      local server <close> = slow_server.start()
      local function outer()
        local inner = moonrest.wrap(function() return server.client.things:get "deep".id end)
        return inner()
      end
      assert.equal("deep", moonrest.wrap(outer)())
      assert.equal("deep", moonrest.run(function() return moonrest.wrap(outer)() end))
    end)

    it("is closed with the task that waits in it, and nobody else's to resume", function()
      local closed = false
      local waiting = moonrest.wrap(function()
        local _ <close> = setmetatable({}, { __close = function() closed = true end })
        moonrest.sleep(3600)
      end)
      local one = moonrest.spawn(function() waiting() end)
      local two = moonrest.spawn(function() waiting() end)
      assert.error_matches(function() two:await() end, "waits for an answer")
      one:cancel()
      assert.is_true(closed)
    end)

    it("passes errors on", function()
      local failing = moonrest.wrap(function() error({ 1 }, 0) end)
      local ok, problem = pcall(failing)
      assert.is_false(ok)
      assert.same({ 1 }, problem)
      assert.error_matches(function() moonrest.wrap(1) end, "a function is needed")
    end)
  end)

  describe("all and race", function()
    it("all gives results under the keys of the functions", function()
      local results = moonrest.all {
        "no function" and function() return 1, "more" end,
        named = function() moonrest.sleep(0.001) return "n" end,
        nothing = function() end,
        given = moonrest.spawn(function() return "g" end),
      }
      assert.same({ 1, named = "n", nothing = true, given = "g" }, results)
      assert.same({}, moonrest.all {})
    end)

    it("all ends at the first failure and cancels the rest", function()
      local slow = moonrest.spawn(function() moonrest.sleep(3600) end)
      local results, err = moonrest.all { slow, function() return nil, "broken" end }
      assert.is_nil(results)
      assert.equal("broken", err)
      assert.equal("cancelled", slow:status())
      assert.error_matches(function() moonrest.all { function() error "raised" end } end, "raised")
    end)

    it("race gives the first, and cancels the rest", function()
      local slow = moonrest.spawn(function() moonrest.sleep(3600) end)
      assert.equal("fast", (moonrest.race { slow, function() moonrest.sleep(0.001) return "fast" end }))
      assert.equal("cancelled", slow:status())
    end)

    it("tell of what fails while the others are closed, for nobody awaits them", function()
      local function failing()
        local _ <close> = setmetatable({}, { __close = function() error("while closing", 0) end })
        moonrest.sleep(3600)
      end
      local text = stderr_of(function()
        assert.equal(1, moonrest.race { failing, function() moonrest.sleep(0.001) return 1 end })
        assert.is_nil((moonrest.all { failing, function() moonrest.sleep(0.001) return nil, "no" end }))
        moonrest.run()
      end)
      assert.equal(2, select(2, text:gsub("nobody awaited it: while closing", "")))
    end)

    it("work inside tasks too", function()
      assert.equal(3, moonrest.run(function()
        local results = moonrest.all { function() return 1 end, function() return 2 end }
        return results[1] + results[2]
      end))
    end)

    it("refuse what makes no sense", function()
      assert.error_matches(function() moonrest.all(1) end, "a table of functions and tasks is needed")
      assert.error_matches(function() moonrest.all { 1 } end, "%[1%] must be a function or a task")
      assert.error_matches(function() moonrest.race {} end, "at least one")
    end)
  end)

  describe("run and sleep", function()
    it("return what the function returned when all have ended", function()
      local last = false
      local a, b = moonrest.run(function(...)
        moonrest.spawn(function()
          moonrest.sleep(0.002)
          last = true
        end)
        return ...
      end, 1, 2)
      assert.same({ 1, 2, true }, { a, b, last })
    end)

    it("cancel the others when it fails", function()
      local other = moonrest.spawn(function() moonrest.sleep(3600) end)
      assert.error_matches(function() moonrest.run(function() error "main" end) end, "main")
      assert.equal("cancelled", other:status())
    end)

    it("sleep wakes in the order of time, without spinning", function()
      local order, processor = {}, os.clock()
      for _, pause in ipairs { 0.03, 0.01, 0.02, 0.01 } do
        moonrest.spawn(function()
          moonrest.sleep(pause)
          order[#order + 1] = pause
        end)
      end
      moonrest.run()
      assert.same({ 0.01, 0.01, 0.02, 0.03 }, order)
      assert.is_true(os.clock() - processor < 0.02)
    end)

    it("refuse what is no time", function()
      for _, bad in ipairs { -1, 0 / 0, "1", {} } do
        assert.error_matches(function() moonrest.sleep(bad) end, "must be a number of seconds")
      end
    end)
  end)

  -- Calls action(...), in which an error comes after so many instructions.
  local function interrupt(instructions, action, ...)
    local is_inside = false
    debug.sethook(function()
      if not is_inside then return end
      is_inside = false
      debug.sethook()
      error("interrupted!", 0)
    end, "", instructions)
    pcall(function(...)
      is_inside = true
      action(...)
      is_inside = false
    end, ...)
    debug.sethook()
  end

  it("survive an interrupted turn: nothing is lost", function()
    local count = 0
    for _ = 1, 10 do
      moonrest.spawn(function()
        moonrest.sleep(0.001)
        count = count + 1
      end)
    end
    local instructions = 0
    while scheduler.live() > 0 do
      instructions = instructions + 13
      interrupt(instructions, scheduler.turn, 0.001)
    end
    assert.equal(10, count)
  end)

  it("say what interrupted their end", function()
    local words = {}
    for instructions = 1, 500 do
      local one = moonrest.spawn(function(seven) return assert(seven == 7, "an argument is lost") end, 7)
      interrupt(instructions, scheduler.turn, 0)
      local ok, problem = pcall(one.await, one)
      if not ok then words[problem] = true end
    end
    assert.is_true(words["the loop was interrupted when this task ended: interrupted!"])
    words["the loop was interrupted when this task ended: interrupted!"], words["interrupted!"] = nil, nil
    assert.same({}, words)
  end)

  -- Want of memory comes at calls, which may need a larger stack.
  local function interrupt_call(number, action, ...)
    local is_inside = false
    debug.sethook(function()
      number = is_inside and number - 1 or number
      if number > 0 then return end
      is_inside, number = false, 1
      error("not enough memory", 0)
    end, "c")
    pcall(function(...)
      is_inside = true
      action(...)
    end, ...)
    is_inside = false
    debug.sethook()
  end

  it("end although there is no memory for a call while they are cancelled", function()
    for number = 1, 40 do
      local one = moonrest.spawn(moonrest.sleep, 60)
      scheduler.turn(0)
      interrupt_call(number, one.cancel, one)
      one:cancel()
      scheduler.turn(0)
      assert.equal("cancelled", one:status())
      assert.equal(0, scheduler.live())
    end
  end)
end)

describe("tasks that read streams", function()
  -- How often each task came to wait for news while 'action' ran: once more than it was woken.
  local function count_waits(action)
    local counts, wait_news = {}, scheduler.wait_news
    function scheduler.wait_news(waiting, request)
      counts[waiting] = (counts[waiting] or 0) + 1
      return wait_news(waiting, request)
    end
    local _ <close> = setmetatable({}, { __close = function() scheduler.wait_news = wait_news end })
    action()
    return counts
  end

  it("are woken by what comes for their own", function()
    local server <close> = slow_server.start()
    local definition = slow_server.definition()
    definition.resources.held.get.returns = "text"
    local client = moonrest.open(definition, { base_url = server.url })
    local quiet, received, busy = {}, 0, nil
    local counts = count_waits(function()
      for index = 1, 20 do
        moonrest.spawn(function()
          quiet[index] = scheduler.current()
          for _ in client.held.get:stream(index) do error "it was not released" end
        end)
      end
      moonrest.spawn(function()
        busy = scheduler.current()
        while server:look().held < 20 do moonrest.sleep(0.001) end
        for bytes in client.bytes.get:stream "5000000" do received = received + #bytes end
      end)
      while received < 5000000 do moonrest.step(0.001) end
    end)
    scheduler.cancel_all()
    assert.is_true(counts[busy] >= 5)
    for index = 1, 20 do assert.is_true(counts[quiet[index]] <= 3, "waited " .. counts[quiet[index]] .. " times") end
  end)
end)
