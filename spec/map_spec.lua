local loop = require "spec.support.loop"
local moonrest = require "moonrest"
local slow_server = require "spec.support.slow_server"
local task_life = require "moonrest.task_life"

describe("map", function()
  after_each(loop.close)

  it("keeps the order, whatever ends first", function()
    local results, failures = moonrest.map({ 3, 1, 2 }, function(place)
      moonrest.sleep(place / 500)
      return place * 10
    end)
    assert.same({ 30, 10, 20 }, results)
    assert.is_nil(failures)
  end)

  it("puts false where it failed, and why into the second value", function()
    local err = { kind = "http" }
    local results, failures = moonrest.map({ 1, 2, 3, 4, 5 }, function(number)
      if number == 2 then error("raised", 0) end
      if number == 3 then return nil, err end
      if number == 4 then error() end
      if number == 5 then return nil end
      return number
    end)
    assert.same({ 1, false, false, false, true }, results)
    assert.same({ [2] = "raised", [3] = err, [4] = "an error without a value" }, failures)
  end)

  it("refuses operations, which it could call without end, and what holds them", function()
    local client = slow_server.open "http://127.0.0.1:1"
    for _, items in ipairs { client.things.get, client.things, client } do
      assert.error_matches(function() moonrest.map(items, function() error "called" end) end,
        "moonrest.map: an? %a+ is no list: map what its :each%(%) gives")
    end
  end)

  it("refuses a table of which it would do nothing, or a part", function()
    local function refused(items, message)
      assert.error_matches(function() moonrest.map(items, function() error "called" end) end, message)
    end
    refused({ applications = { 1, 2 }, total = 2 }, "moonrest.map: a list is needed, got a table with the field '%a+'")
    refused({ 1, 2, nil, 4 }, "moonrest.map: the list has holes")
    refused({ [2] = 1 }, "moonrest.map: the list has holes")
    assert.same({}, (moonrest.map({}, print)))
    assert.same({}, (moonrest.map(table.pack(), print)))
    assert.same({ 1, 2 }, (moonrest.map({ 1, 2, name = "two" }, function(item) return item end)))
    assert.same({ false, 2 }, (moonrest.map({ false, 2 }, function(item) return item end)))
    local behind = setmetatable({}, { __index = { 5, 6 }, __len = function() return 2 end })
    assert.same({ 5, 6 }, (moonrest.map(behind, function(item) return item end)))
  end)

  it("has at most so many at once", function()
    local running, most = 0, 0
    local function count(number)
      running = running + 1
      most = math.max(most, running)
      moonrest.sleep(0.001)
      running = running - 1
      return number
    end
    local list = {}
    for index = 1, 50 do list[index] = index end
    assert.same(list, (moonrest.map(list, count, { concurrency = 3 })))
    assert.equal(3, most)
    most = 0
    moonrest.map(list, count)
    assert.equal(16, most)
  end)

  it("takes iterators, and calls none while it waits", function()
    local number = 0
    local function next_number()
      number = number + 1
      moonrest.sleep(0.001)
      return number <= 20 and number or nil
    end
    local results = moonrest.map(next_number, function(value) return value end, { concurrency = 4 })
    assert.equal(20, #results)
    for index, value in ipairs(results) do assert.equal(index, value) end
  end)

  it("takes lists of the API, and operations", function()
    local server <close> = slow_server.start { latency = 0.001, pages = 3 }
    local results = moonrest.map(server.client.items:each { limit = 50 }, function(item) return item.id end)
    assert.equal(300, #results)
    assert.equal(300, results[300])
    local things = moonrest.map({ "a", "b" }, server.client.things.get)
    assert.equal("b", things[2].id)
  end)

  it("tells progress", function()
    local told = {}
    local function progress(done, total) told[#told + 1] = ("%d/%s"):format(done, total) end
    moonrest.map({ 1, 2, 3 }, function() end, { progress = progress })
    assert.same({ "1/3", "2/3", "3/3" }, told)
    told = {}
    local left = 2
    moonrest.map(function()
      left = left - 1
      return left >= 0 or nil
    end, function() end, { progress = progress })
    assert.same({ "1/nil", "2/nil" }, told)
  end)

  it("cancels what runs when it is cancelled, or the iterator fails", function()
    local begun, ended = 0, 0
    local function work()
      local _ <close> = setmetatable({}, { __close = function() ended = ended + 1 end })
      begun = begun + 1
      moonrest.sleep(3600)
    end
    local one = moonrest.spawn(function() moonrest.map({ 1, 2, 3 }, work) end)
    loop.step_until(function() return begun == 3 end)
    one:cancel()
    assert.equal(3, ended)
    local calls = 0
    assert.error_matches(function()
      moonrest.map(function()
        calls = calls + 1
        moonrest.sleep(0.001)
        if calls == 3 then error "no more" end
        return calls
      end, work)
    end, "no more")
    assert.equal(5, ended)
  end)

  it("ends as cancelled when an item's function or the iterator cancels the task of the loop", function()
    local reached, closed, started = 0, 0, 0
    local own
    local function work()
      local _ <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
      started = started + 1
      if started == 2 then own:cancel() end
      moonrest.sleep(3600)
      reached = reached + 1
    end
    own = moonrest.spawn(function() return moonrest.map({ 1, 2, 3 }, work) end)
    local results, err = own:await()
    assert.is_nil(results)
    assert.equal("cancelled", err.kind)
    while moonrest.step(0) > 0 do assert.equal(0, reached) end
    assert.same({ 2, 2, 0 }, { started, closed, reached })
    own = moonrest.spawn(function()
      return moonrest.map(function() own:cancel() return 1 end, function() reached = reached + 1 end)
    end)
    assert.equal("cancelled", select(2, own:await()).kind)
    assert.equal(0, moonrest.step(0))
  end)

  it("raises when a function or the iterator yields by itself, and waits for nobody", function()
    local closed = 0
    local function yielding(item)
      local _ <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
      if item == 2 then coroutine.yield() end
      moonrest.sleep(3600)
    end
    local other = moonrest.spawn(moonrest.sleep, 3600) -- with it nobody can see that the loop stands still
    local _, problem = pcall(moonrest.map, { 1, 2, 3 }, yielding)
    assert.matches("^spec/map_spec.lua:%d+: a task yielded by itself", problem)
    assert.equal(3, closed)
    assert.error_matches(function() moonrest.map(function() coroutine.yield(1) end, error) end,
      "a task yielded by itself")
    other:cancel()
    assert.equal(0, task_life.live)
  end)

  it("makes no more tasks than an iterator has items for, however many there may be", function()
    local running, most, wanted = 0, 0, 300
    local function count(number)
      running = running + 1
      most = math.max(most, running)
      local turns = 0
      while most < wanted and turns < 1000 do
        moonrest.sleep(0)
        turns = turns + 1
      end
      running = running - 1
      return number
    end
    local function up_to(last)
      local number = 0
      return function()
        number = number + 1
        return number <= last and number or nil
      end
    end
    assert.equal(500, #moonrest.map(up_to(500), count, { concurrency = 300 }))
    assert.equal(300, most)
    most, wanted = 0, 4
    assert.same({ 1, 2, 3 }, (moonrest.map(up_to(3), count, { concurrency = math.maxinteger })))
    assert.equal(3, most)
  end)

  it("does nothing for nothing", function()
    assert.same({}, (moonrest.map({}, error)))
  end)

  it("refuses what makes no sense", function()
    assert.error_matches(function() moonrest.map(5, print) end, "a table or an iterator is needed, got a number")
    assert.error_matches(function() moonrest.map({}, 5) end, "a function is needed")
    assert.error_matches(function() moonrest.map({}, print, 16) end, "moonrest.map: options must be a table")
    assert.error_matches(function() moonrest.map({}, print, { concurency = 1 }) end, "did you mean 'concurrency'")
    for _, bad in ipairs { 0, 1.5, "3" } do
      assert.error_matches(function() moonrest.map({}, print, { concurrency = bad }) end, "an integer of at least 1")
    end
    assert.error_matches(function() moonrest.map({}, print, { progress = true }) end, "must be a function")
  end)
end)
