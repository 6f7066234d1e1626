-- What programs do with tasks.

local loop = require "spec.support.loop"
local moonrest = require "moonrest"
local stderr_of = require "spec.support.stderr_of"

describe("tasks", function()
  after_each(loop.close)

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
      collectgarbage()
      local order, processor = {}, os.clock()
      for _, pause in ipairs { 0.5, 0.1, 0.3, 0.1 } do
        moonrest.spawn(function()
          moonrest.sleep(pause)
          order[#order + 1] = pause
        end)
      end
      moonrest.run()
      assert.same({ 0.1, 0.1, 0.3, 0.5 }, order)
      assert.is_true(os.clock() - processor < 0.25)
    end)

    it("refuse what is no time", function()
      for _, bad in ipairs { -1, 0 / 0, "1", {} } do
        assert.error_matches(function() moonrest.sleep(bad) end, "must be a number of seconds")
      end
    end)
  end)
end)
