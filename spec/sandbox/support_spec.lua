local json = require "moonrest.sandbox.json"
local support = require "moonrest.sandbox.support"

describe("a shelf", function()
  local shelf

  before_each(function()
    shelf = support.shelf()
    for _, key in ipairs { "a", "b", "c" } do shelf:add(key, { id = key }) end
  end)

  local function keys(list)
    return table.concat(support.map(list, function(row) return row.id end))
  end

  it("lists rows in the order they came, or the newest first", function()
    assert.equal("abc", keys(shelf:list()))
    assert.equal("cba", keys(shelf:list(nil, true)))
    assert.equal("ac", keys(shelf:list(function(row) return row.id ~= "b" end)))
  end)

  it("never gives a place twice", function()
    local place = shelf:place "c"
    assert.equal("c", shelf:remove("c").id)
    assert.is_nil(shelf:remove "c")
    shelf:add("c", { id = "c" })
    assert.is_true(shelf:place "c" > place)
    assert.equal(3, shelf.count)
    assert.equal("abc", keys(shelf:list()))
  end)

  it("finds rows by key and by what they are", function()
    assert.equal("b", shelf:get("b").id)
    assert.is_nil(shelf:get "z")
    assert.equal("b", shelf:find(function(row) return row.id > "a" end).id)
    assert.has_error(function() shelf:add("a", {}) end)
  end)
end)

describe("lists", function()
  it("are cut by what is skipped and counted", function()
    local list = { 1, 2, 3, 4, 5 }
    assert.same({ 1, 2 }, support.slice(list, 0, 2))
    assert.same({ 5 }, support.slice(list, 4, 2))
    assert.same({}, support.slice(list, 5, 2))
    assert.same({}, support.slice(list, 2, 0))
  end)

  it("are sorted without changing the order of equals", function()
    local rows = { { 2, "a" }, { 1, "b" }, { 2, "c" }, { nil, "d" } }
    local function text() return table.concat(support.map(rows, function(row) return row[2] end)) end
    support.sort(rows, function(row) return row[1] end)
    assert.equal("dbac", text())
    support.sort(rows, function(row) return row[1] end, true)
    assert.equal("acbd", text())
  end)

  it("are told from objects, also when empty", function()
    assert.is_true(support.is_array(json.decode "[]"))
    assert.is_false(support.is_array(json.decode "{}"))
    assert.is_true(support.is_object(json.decode "{}"))
    assert.is_false(support.is_object(json.decode "[1]"))
    assert.is_false(support.is_object(nil))
  end)
end)

describe("values", function()
  it("are integers only when they are", function()
    assert.equal(12, support.integer "12")
    assert.equal(12, support.integer(12.0))
    for _, value in ipairs { "1.5", "0x10", " 1", "", "1e3", 1.5, true, {} } do
      assert.is_nil(support.integer(value))
    end
    assert.is_nil(support.integer("0", 1))
    assert.is_nil(support.integer("9", 1, 8))
  end)

  it("are UUIDs only in their form", function()
    assert.is_true(support.is_uuid "209fee0d-c5bb-48e2-a175-6c3412bf6e44")
    assert.is_false(support.is_uuid "209fee0d-c5bb-48e2-a175-6c3412bf6e4")
    assert.is_false(support.is_uuid "209fee0dc5bb48e2a1756c3412bf6e44")
    assert.is_false(support.is_uuid(12))
  end)

  it("depend on the seed and on nothing else", function()
    assert.equal(support.mix(1, "a", 2), support.mix(1, "a", 2))
    assert.not_equal(support.mix(1, "a", 2), support.mix(2, "a", 2))
    assert.not_equal(support.mix(1, "a", 2), support.mix(1, "a", 3))
    assert.equal(support.uuid(1, "x"), support.uuid(1, "x"))
    assert.is_true(support.is_uuid(support.uuid(1, "x")))
    local seen = {}
    for index = 1, 1000 do seen[support.pick({ "a", "b", "c", "d" }, 1, index)] = true end
    assert.same({ a = true, b = true, c = true, d = true }, seen)
  end)

  it("are quoted in CSV where they must be", function()
    assert.equal('1,"a,b","say ""hi""",plain\r\n', support.csv_row { 1, "a,b", 'say "hi"', "plain" })
  end)
end)
