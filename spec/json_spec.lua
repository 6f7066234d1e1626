local json = require "moonrest.json"

teardown(function()
  collectgarbage()
  collectgarbage()
end)

describe("json.array", function()
  it("marks a table and returns it", function()
    local list = {}
    assert.are.equal(list, json.array(list))
    assert.are.equal(list, json.array(list))
    assert.is_true(json.is_array(list))
    assert.is_false(json.is_array {})
    assert.is_false(json.is_array "x")
    assert.is_false(json.is_array(setmetatable({}, {})))
  end)

  it("does not take a table from another metatable", function()
    assert.error_matches(function() json.array(setmetatable({}, {})) end, "metatable of its own")
    assert.error_matches(function() json.array "x" end, "table expected")
  end)
end)

describe("the codec and the collector", function()
  -- Runs the function in a finalizer each time that the collector comes round.
  local function in_finalizers(work)
    local running = true
    local function arm()
      setmetatable({}, { __gc = function()
        work()
        if running then arm() end
      end })
    end
    arm()
    return function() running = false end
  end

  it("can be called from a finalizer in the midst of itself", function()
    local elements = {}
    for i = 1, 5000 do elements[i] = ('{"id":%d,"n\\n%d":["%d"]}'):format(i, i, i) end
    local text = "[" .. table.concat(elements, ",") .. "]"
    local expected = json.decode(text)
    local is_inside, calls = false, 0
    local stop = in_finalizers(function()
      if is_inside then calls = calls + 1 end
      assert(json.decode '{"id":[1,2,{"x\\n":"y\\n"}]}'.id[3]["x\n"] == "y\n")
      assert(json.encode({ b = { 1 }, a = 2 }, { sorted = true }) == '{"a":2,"b":[1]}')
    end)
    local rounds = 0
    repeat
      rounds = rounds + 1
      is_inside = true
      local value = json.decode(text)
      local again = json.encode(value, { sorted = true })
      is_inside = false
      if rounds % 20 == 1 then assert.are.same(expected, json.decode(again)) end
      assert.are.equal(#again, #json.encode(value))
    until calls > 10 or rounds > 2000
    stop()
    assert.is_true(calls > 10)
  end)

  it("keep nothing of what is gone", function()
    local text = '{"a":[1,2,{"b":"' .. ("x"):rep(100) .. '"}],"c":"\\n"}'
    local function work()
      for _ = 1, 200 do
        json.encode(json.decode(text), { sorted = true })
        json.decode "[1,"
        json.encode { print }
      end
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end
    work()
    local before = work()
    assert.is_true(work() - before < 1)
  end)
end)
