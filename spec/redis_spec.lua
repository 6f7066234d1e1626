-- Limits in Redis: the script on virtual time, a fleet, and what happens when Redis does not feel well. Every Redis
-- here is a real one, on a port of its own.

local fleet_worker = require "spec.support.fleet_worker"
local redis_server = require "spec.support.redis_server"

local minute <const>, second <const> = 60 * 1000000, 1000000

describe("limits in Redis", function()
  local found, redis = pcall(require, "moonrest.redis")
  if not found or not redis_server.is_installed() then
    pending "are not tested: SKIPPED, moonrest.redis or redis-server is missing"
    return
  end

  -- {======================================================================
  -- The script
  -- =======================================================================

  local server, sha

  setup(function()
    server = redis_server.start()
    sha = server:call("SCRIPT", "LOAD", redis.script)
  end)

  teardown(function() server:kill() end)

  before_each(function() server:call "FLUSHALL" end)

  local function margin(period) return period + period // 50 end

  -- Slots (absolute, on the virtual clock) and the wait. 'windows' is a list of { count, period, burst }.
  local function reserve(now, units, windows, more)
    more = more or {}
    local words = { "EVALSHA", sha, 2 * #windows + 1 }
    local function add(word) words[#words + 1] = word end
    for index, window in ipairs(windows) do
      add((window.key or index) .. ":held")
      add((window.key or index) .. ":state")
    end
    add "sharers"
    for _, word in ipairs { now, units, more.horizon or windows[1][2], more.pause or 0, more.careful and 1 or 0,
      more.who or "", more.cells or 2048 } do add(word) end
    for _, window in ipairs(windows) do
      add(window[1])
      add(margin(window[2]))
      add(window[3] or window[1])
    end
    local reply, slots = server:call(table.unpack(words)), {}
    for index = 4, #reply do slots[index - 3] = math.tointeger(tonumber(reply[index])) end
    return slots, math.tointeger(tonumber(reply[3])), tonumber(reply[2])
  end

  local function most_in(slots, period)
    local most, first = 0, 1
    for last, at in ipairs(slots) do
      while at - slots[first] >= period do first = first + 1 end
      most = math.max(most, last - first + 1)
    end
    return most
  end

  it("gives a burst, then spaces", function()
    local slots = reserve(second, 6, { { 4, second } }, { horizon = 10 * second })
    assert.same({ second, second, second, second, second + margin(second), second + margin(second) * 5 // 4 }, slots)
  end)

  it("gives nothing beyond the horizon, and says how long", function()
    local slots, wait = reserve(second, 10, { { 4, second } }, { horizon = 0 })
    assert.equal(4, #slots)
    assert.equal(margin(second), wait)
    assert.equal(0, #reserve(second + wait - 1, 1, { { 4, second } }, { horizon = 0 }))
    assert.equal(1, #reserve(second + wait, 1, { { 4, second } }, { horizon = 0 }))
  end)

  it("keeps every window of several, in any schedule", function()
    math.randomseed(4711)
    for round = 1, 20 do
      server:call "FLUSHALL"
      local windows = { { math.random(1, 40), second, math.random(1, 40) },
        { math.random(20, 200), minute // math.random(2, 10) } }
      windows[1][3] = math.min(windows[1][3], windows[1][1])
      local now, all, cells = 1000 * second, {}, round % 2 == 0 and 2048 or 16
      for _ = 1, 150 do
        now = now + math.random(0, 3) * math.random(0, 200000)
        local slots = reserve(now, math.random(1, 12), windows, { horizon = math.random(0, 2) * second, cells = cells })
        for _, at in ipairs(slots) do
          assert.is_true(at >= now and at >= (all[#all] or 0))
          all[#all + 1] = at
        end
      end
      for _, window in ipairs(windows) do
        assert.is_true(most_in(all, window[2]) <= window[1])
      end
    end
  end)

  it("shares a window between sets of buckets", function()
    local account, device = { 10, second, key = "account" }, { 2, second, key = "device" }
    assert.equal(2, #reserve(second, 5, { account, device }, { horizon = 0 }))
    assert.equal(8, #reserve(second, 20, { account }, { horizon = 0 }))
  end)

  it("pauses for all", function()
    reserve(second, 0, { { 10, second } }, { pause = 5 * second })
    local slots = reserve(second, 2, { { 10, second } }, { horizon = 10 * second })
    assert.is_true(slots[1] >= 6 * second and slots[2] > slots[1])
  end)

  it("counts everything anew when the clock was set back, and goes on when it was set forward", function()
    reserve(100 * second, 10, { { 10, second } })
    local slots, wait = reserve(50 * second, 1, { { 10, second } }, { horizon = 0 })
    assert.equal(0, #slots)
    assert.is_true(wait <= margin(second))
    assert.equal(1, #reserve(5000 * second, 1, { { 10, second } }, { horizon = 0 }))
  end)

  it("begins without a burst where it may have forgotten", function()
    assert.equal(0, #reserve(second, 5, { { 10, second } }, { careful = true, horizon = 0 }))
    assert.equal(5, #reserve(second, 5, { { 10, second } }, { careful = true }))
  end)

  it("counts who shares", function()
    local sharers
    for index = 1, 3 do sharers = select(3, reserve(index * second, 1, { { 10, second } }, { who = index })) end
    assert.equal(3, sharers)
    assert.equal(1, (select(3, reserve(100 * second, 1, { { 10, second } }, { who = "x" }))))
  end)

  -- }======================================================================

  -- {======================================================================
  -- A fleet: 1,000 workers on 100 machines, 1,000 a minute, one hour of virtual time. A machine asks as
  -- limiter_remote.c does: for what its queue can use, again when its slots are used up or the wait is over.
  -- =======================================================================

  it("is used up by a fleet, fairly, and never exceeded", function()
    math.randomseed(1)
    local windows <const>, stop <const> = { { 1000, minute } }, 3600 * second
    local events, arrivals, sent_by = {}, {}, {}

    local function schedule(at, act) -- a binary heap
      local place = #events + 1
      events[place] = { at, act }
      while place > 1 and events[place // 2][1] > at do
        events[place], events[place // 2] = events[place // 2], events[place]
        place = place // 2
      end
    end

    local function next_event()
      local first, last = events[1], table.remove(events)
      if not first or #events == 0 then return first end
      local place = 1
      while true do
        local child = 2 * place
        if child > #events then break end
        if child < #events and events[child + 1][1] < events[child][1] then child = child + 1 end
        if events[child][1] >= last[1] then break end
        events[place], place = events[child], child
      end
      events[place] = last
      return first
    end

    local function ask(machine, now)
      if machine.asked or #machine.waiting <= machine.reserved or now < machine.again then return end
      machine.asked = true
      local slots, wait = reserve(now, math.min(#machine.waiting - machine.reserved, 63), windows)
      schedule(now + math.random(500, 5000), function(heard)
        machine.asked, machine.again = false, heard + wait
        machine.reserved = machine.reserved + #slots
        for _, at in ipairs(slots) do
          schedule(math.max(at, heard), function(due)
            local worker = table.remove(machine.waiting, 1)
            machine.reserved = machine.reserved - 1
            arrivals[#arrivals + 1] = due + math.random(5000, 25000)
            sent_by[worker] = (sent_by[worker] or 0) + 1
            schedule(due + math.random(50000, 150000), function(free)
              machine.waiting[#machine.waiting + 1] = worker
              ask(machine, free)
            end)
          end)
        end
        if wait > 0 then schedule(heard + wait, function(later) ask(machine, later) end) end
      end)
    end

    for index = 0, 99 do
      local machine = { waiting = {}, reserved = 0, again = 0 }
      for worker = 1, 10 do machine.waiting[worker] = index * 10 + worker end
      schedule(second + math.random(0, second), function(now) ask(machine, now) end)
    end
    local event = next_event()
    while event and event[1] < stop do
      event[2](event[1])
      event = next_event()
    end

    table.sort(arrivals)
    local least, greatest = math.huge, 0
    for worker = 1, 1000 do
      least, greatest = math.min(least, sent_by[worker] or 0), math.max(greatest, sent_by[worker] or 0)
    end
    local mean = #arrivals / 1000
    print(("fleet: %d requests in an hour, %.1f%% of the limit; at most %d in a minute; a worker had %d to %d"):format(
      #arrivals, #arrivals / 600, most_in(arrivals, minute), least, greatest))
    assert.is_true(most_in(arrivals, minute) <= 1000)
    assert.is_true(#arrivals >= 0.95 * 60000)
    assert.is_true(least >= 0.9 * mean and greatest <= 1.1 * mean)
  end)

  -- }======================================================================

  -- {======================================================================
  -- Processes
  -- =======================================================================

  local run <const> = fleet_worker.run

  it("hold in a process", function()
    local said = run([[get(15); print(elapsed() > 1)]], server.url)
    assert.equal("true\n", said)
    assert.is_true(#server:call("KEYS", "moonrest:fleet/one/account:1000:*") >= 2)
  end)

  it("hold over two processes", function()
    assert.equal("10\n", run([[get(10); print(10)]], server.url, "10/min"))
    local said = run([[
      local _, err = client.things:get("1", {}, { timeout = 1 })
      print(err.kind)]], server.url, "10/min")
    assert.matches("throttled", said)
  end)

  it("say what a call that came too late waited for, without Redis", function()
    local said = run([[
      get(1)
      local _, err = client.things:get("1", {}, { timeout = 1 })
      print(err.kind, err.message, err.retry_after > 1)]], "redis://127.0.0.1:1", "100/min")
    assert.matches("throttled\tredis, which shares the limits, is away; the 1/16 of them", said, 1, true)
    assert.matches("at the earliest, and it may wait [01]%.%d s.*\ttrue\n$", said)
  end)

  it("go on at a part of the limit, told by an event, without Redis", function()
    local said = run([[get(3); print(elapsed() > 0.1)]], "redis://127.0.0.1:1", "100/s")
    assert.matches("told: Redis at 127.0.0.1:1 cannot be reached: Connection refused; requests go on", said, 1, true)
    assert.matches("\ntrue\n", said)
    assert.equal(1, select(2, said:gsub("told:", "")))
  end)

  it("tell a wrong password, without the password", function()
    local guarded <close> = redis_server.start("--requirepass right", "right")
    local url = ("redis://:%s@127.0.0.1:%d/1")
    local said = run("get(1)", url:format("wr%6Fng", guarded.port), "100/s")
    assert.matches("refuses: ", said)
    assert.not_matches("wrong@", said, 1, true)
    assert.equal("", run("get(1)", url:format("right", guarded.port), "100/s"))
    guarded:call("SELECT", 1)
    assert.is_true(#guarded:call("KEYS", "moonrest:*") > 0)
  end)

  it("survive what is foreign under their keys, and a Redis without memory", function()
    server:call("SET", "moonrest:fleet/one/account:1000:held", "a string")
    assert.matches("told: Redis at [%d.:]+ refuses: .*WRONGTYPE", run("get(2)", server.url, "100/s"))
    server:call "FLUSHALL"
    server:call("CONFIG", "SET", "maxmemory", "1")
    local said = run("get(2)", server.url, "100/s")
    server:call("CONFIG", "SET", "maxmemory", "0")
    assert.matches("told: Redis at [%d.:]+ refuses: .*OOM", said)
  end)

  it("do not wait for a Redis that is slow", function()
    server:call("CLIENT", "PAUSE", 60000, "WRITE") -- scripts count as such
    local said = run([[get(1); print(elapsed() < 20)]], server.url, "100/s")
    server:call("CLIENT", "UNPAUSE")
    assert.matches("told: Redis at [%d.:]+ does not answer", said)
    assert.matches("\ntrue\n", said)
  end)

  it("come back when Redis does", function()
    local restarted <close> = redis_server.start()
    local said = run(([[
      get(3)
      os.execute "kill -9 %d"
      get_until "go on"
      os.execute "redis-server --bind 127.0.0.1 --port %d --save '' --dir /tmp --daemonize yes >/dev/null"
      get_until "again"
      print "done"]]):format(restarted.id, restarted.port), restarted.url, "20/s")
    os.execute(("redis-cli -p %d shutdown nosave 2>/dev/null"):format(restarted.port))
    assert.matches("told: Redis at [%d.:]+ [^;]-; requests go on", said)
    assert.matches("told: the limits are shared through redis again", said)
    assert.matches("done\n$", said)
  end)

  it("are configured with a URL that is right", function()
    for url, problem in pairs {
      ["redis://127.0.0.1:99999"] = "is not redis://",
      ["redis://127.0.0.1/x"] = "is not redis://",
      ["redis://[::1"] = "is not redis://",
      ["redis://nowhere.invalid"] = "cannot find the host",
      ["redis:/127.0.0.1"] = "give 'shared', 'local', 'redis://host:port' or 'rediss://host:port', got 'redis:/",
      ["redis:/:s3cret@127.0.0.1"] = "got something else",
      ["redis://127.0.0.1?ca_file=/etc/hosts"] = "is not redis://",
    } do
      local said = run("", url)
      assert.matches(problem, said, 1, true)
      assert.not_matches("s3cret", said, 1, true)
    end
  end)

  -- }======================================================================
end)
