local core = require "moonrest.core"
local time = require "moonrest.time"

describe("time.parse", function()
  local cases = {
    { "2026-04-22T12:00:46Z", 1776859246 },
    { "2026-04-22T12:00:46.444265Z", 1776859246.444265 },
    { "2026-04-22T12:00:46.444265123Z", 1776859246.444265123 },
    { "2026-04-22t12:00:46z", 1776859246 },
    { "2026-04-22T14:00:46+02:00", 1776859246 },
    { "2026-04-22T14:00:46+0200", 1776859246 },
    { "2026-04-22T14:00:46+02", 1776859246 },
    { "2026-04-22T06:30:46-05:30", 1776859246 },
    { "2026-04-22 12:00:46.444265", 1776859246.444265 },
    { "2026-04-22 12:00:46", 1776859246 },
    { "2026-04-22 12:00:46 UTC", 1776859246 },
    { "2026-04-22T12:00", 1776859200 },
    { "2026-04-22", 1776816000 },
    { " 2026-04-22 ", 1776816000 },
    { "1970-01-01", 0 },
    { "1969-12-31T23:59:59Z", -1 },
    { "2000-02-29", 951782400 },
    { "2026-06-30T23:59:60Z", 1782863999 },
    { "Wed, 22 Apr 2026 12:00:46 GMT", 1776859246 },
    { "1776859246", 1776859246 },
    { 1776859246, 1776859246 },
    { 1776859246444, 1776859246.444 },
    { 1776859246000, 1776859246 },
    { 1776859246.5, 1776859246.5 },
    { 0, 0 },
  }

  for _, case in ipairs(cases) do
    it("reads " .. tostring(case[1]), function()
      local moment, problem = time.parse(case[1])
      assert.is_nil(problem)
      assert.is_true(moment ~= nil and math.abs(moment - case[2]) < 1e-6, tostring(moment))
      if math.type(case[2]) == "integer" then assert.equal("integer", math.type(moment)) end
    end)
  end

  it("gives nil without complaint for never and nothing", function()
    for _, value in ipairs { "0001-01-01T00:00:00Z", "0001-01-01", core.null } do
      assert.same({ n = 1 }, table.pack(time.parse(value)))
    end
    assert.same({ n = 1 }, table.pack(time.parse(nil)))
  end)

  it("refuses what is no moment", function()
    for _, bad in ipairs { "", "yesterday", "2026-13-01", "2026-02-29", "2026-04-31", "2026-00-01", "2026-4-2",
      "2026-04-22T25:00:00Z", "2026-04-22T12:60:00Z", "2026-04-22T12:00:61Z", "2026-04-22T12:00:00+2",
      "2026-04-22T", "2026-04-22X12:00", "2026-04-22T12:00:46.Z", "1900-02-29" } do
      local moment, problem = time.parse(bad)
      assert.is_nil(moment, bad)
      assert.matches("no moment", problem)
    end
    assert.is_nil((time.parse {}))
    assert.is_nil((time.parse(0 / 0)))
    assert.is_nil((time.parse(math.huge)))
  end)
end)

describe("time.iso", function()
  it("has a point in every locale", function()
    finally(require "spec.support.comma_locale".enter())
    assert.equal("2026-04-22T12:00:46.5Z", time.iso(1776859246.5))
    assert.equal(1776859246.5, time.parse "2026-04-22T12:00:46.5Z")
  end)

  it("says what it needs", function()
    for _, value in ipairs { "2026-04-22", true, {}, 0 / 0, 1e300 } do
      assert.error_matches(function() time.iso(value) end, "moonrest.time.iso: a number of seconds is needed")
    end
  end)

  it("is the inverse of parse", function()
    assert.equal("2026-04-22T12:00:46Z", time.iso(1776859246))
    assert.equal("2026-04-22T12:00:46Z", time.iso(1776859246.0))
    assert.equal("2026-04-22T12:00:46.5Z", time.iso(1776859246.5))
    assert.equal("1970-01-01T00:00:00Z", time.iso(0))
    assert.equal("1969-12-31T23:59:59Z", time.iso(-1))
    assert.equal("2000-02-29T00:00:00Z", time.iso(951782400))
    for day = -200000, 200000, 997 do assert.equal(day * 86400, time.parse(time.iso(day * 86400))) end
  end)

  it("agrees with os.date", function()
    for moment = 0, 4102444800, 86400 * 367 + 12345 do
      assert.equal(os.date("!%Y-%m-%dT%H:%M:%SZ", moment), time.iso(moment))
    end
  end)

  it("writes now when nothing is given", function()
    local moment = time.parse(time.iso())
    assert.is_true(math.abs(moment - os.time()) <= 2)
    assert.is_true(math.abs(time.now() - os.time()) <= 2)
  end)

  it("keeps a fraction that rounds up below the next second", function()
    assert.equal("1970-01-01T00:00:01.999999Z", time.iso(1.9999999))
  end)
end)

describe("time.age", function()
  it("is in seconds", function()
    assert.equal(7 * time.day, time.age("2026-04-15T12:00:46Z", 1776859246))
    assert.equal(-time.hour, time.age("2026-04-22T13:00:46Z", 1776859246))
    assert.is_true(math.abs(time.age(time.now())) < 2)
    assert.is_nil((time.age(nil)))
    assert.same({ nil, "'x' is no moment in a known form" }, { time.age "x" })
    assert.equal(7 * time.day, time.week)
    assert.equal(60 * time.minute, time.hour)
  end)
end)
