local budget = require "moonrest.budget"
local core = require "moonrest.core"

describe("the division of a budget", function()
  local order, finds, round

  local function sort(name)
    return function()
      order[#order + 1] = name
      return finds[name] == true
    end
  end

  before_each(function()
    order, finds = {}, {}
    round = budget.divide(sort "network", sort "tasks", sort "slices")
  end)

  it("has every sort work while there is time, and tells whether one found anything", function()
    assert.is_false(round(core.clock.now(), core.clock.now() + 60, 60, true))
    assert.same({ "network", "tasks", "slices" }, order)
    finds.tasks = true
    assert.is_true(round(core.clock.now(), core.clock.now() + 60, 60, true))
  end)

  it("does something however short the time is, and goes on with the next sort", function()
    finds = { network = true, tasks = true, slices = true }
    for _ = 1, 4 do
      local time = core.clock.now()
      assert.is_false(round(time, time, 0, true))
    end
    assert.same({ "network", "tasks", "slices", "network" }, order)
  end)

  it("begins nothing without time when something was done before", function()
    local time = core.clock.now()
    assert.is_false(round(time, time, 0, false))
    assert.same({}, order)
  end)

  it("remembers what the turns of tasks took, within a step's own, and forgets it slowly", function()
    budget.note_run(true, 5, 2)
    assert.is_true(budget.fits_first_run(0, 2))
    assert.is_false(budget.fits_first_run(0, 1.9))
    budget.note_run(true, 0, 2)
    assert.is_true(budget.fits_first_run(0, 1.91))
    assert.is_false(budget.fits_first_run(0, 1.8))
    for _ = 1, 1000 do budget.note_run(true, 0, 2) end
    assert.is_true(budget.fits_first_run(0, 1e-6))
    budget.note_run(false, 0.5, 2)
    assert.is_false(budget.fits_next_run(0, 0.4))
    for _ = 1, 1000 do budget.note_run(false, 0, 2) end
  end)
end)
