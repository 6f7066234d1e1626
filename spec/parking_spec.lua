-- What tasks do while others wait, against a real server whose answers take their time.

local current = require "moonrest.current"
local loop = require "spec.support.loop"
local moonrest = require "moonrest"
local parking = require "moonrest.parking"
local slow_server = require "spec.support.slow_server"
local task_life = require "moonrest.task_life"

describe("tasks that wait", function()
  after_each(loop.close)

  it("run at once inside tasks, one by one outside", function()
    local server <close> = slow_server.start()
    local ids = {}
    for index = 1, 32 do ids[index] = "thing-" .. index end
    for index = 1, 2 do assert.equal(ids[index], server.client.things:get(ids[index]).id) end
    assert.equal(1, server:look().most)
    moonrest.spawn(function()
      for _ = 1, 2 do
        loop.wait_until(function() return server:look().held == 16 end)
        server:release()
      end
    end)
    local things, failures = moonrest.map(ids, function(id) return server.client.held:get(id) end)
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

  -- How often each task came to wait for news while 'action' ran: once more than it was woken.
  local function count_waits(action)
    local counts, wait_news = {}, parking.wait_news
    function parking.wait_news(waiting, request)
      counts[waiting] = (counts[waiting] or 0) + 1
      return wait_news(waiting, request)
    end
    local _ <close> = setmetatable({}, { __close = function() parking.wait_news = wait_news end })
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
          quiet[index] = current.task
          for _ in client.held.get:stream(index) do error "it was not released" end
        end)
      end
      moonrest.spawn(function()
        busy = current.task
        while server:look().held < 20 do moonrest.sleep(0.001) end
        for bytes in client.bytes.get:stream "5000000" do received = received + #bytes end
      end)
      while received < 5000000 do moonrest.step(0.001) end
    end)
    task_life.cancel_all()
    assert.is_true(counts[busy] >= 5)
    for index = 1, 20 do assert.is_true(counts[quiet[index]] <= 3, "waited " .. counts[quiet[index]] .. " times") end
  end)
end)
