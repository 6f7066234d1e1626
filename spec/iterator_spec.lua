-- What loops get, taken for a list.

local test_api = require "spec.support.test_api"

describe("what a loop steps through", function()
  local shop, core

  before_each(function()
    shop, core = test_api.open { org_id = "o" }
    core.handle(function() return { status = 200, json = { data = test_api.rows(1, 3), meta = { pages = 1 } } } end)
  end)

  local function refused(misuse)
    for _, method in ipairs { "each", "pages" } do
      local is_good, problem = pcall(misuse, shop.items[method](shop.items))
      assert.is_false(is_good)
      assert.matches("^spec/iterator_spec%.lua:%d+: .*for item in list:each%(%) do.*list:all%(%) gives one$", problem)
    end
    assert.equal(0, #core.sent)
  end

  it("is refused as a list", function()
    refused(function(walk) for index in ipairs(walk) do print(index) end end)
    refused(function(walk) for key in pairs(walk) do print(key) end end)
    refused(function(walk) return #walk end)
    refused(function(walk) return walk[1] end)
    refused(function(walk) return table.unpack(walk) end)
    refused(function(walk) return table.concat(walk) end)
    refused(function(walk) table.sort(walk) end)
  end)

  it("is refused as a list when it is a stream", function()
    core.handle(function() return { status = 200, body = "" } end)
    local stream <close> = shop.items.watch:stream()
    assert.error_matches(function() return ipairs(stream)(stream, 0) end, "is no list for ipairs")
    assert.error_matches(function() return #stream end, "is no list for ipairs")
  end)

  it("works in loops and by hand", function()
    local names = {}
    for item, place in shop.items:each() do names[#names + 1] = tostring(place):match "%a+" .. item.id end
    assert.same({ "moonrest1", "moonrest2", "moonrest3" }, names)
    local walk <close> = shop.items:each { limit = 1 }
    assert.equal(1, walk().id)
    assert.is_string(walk:resume())
    assert.is_nil(walk.of_nobody)
  end)
end)
