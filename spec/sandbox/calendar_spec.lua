local calendar = require "moonrest.sandbox.calendar"

describe("the sandbox's calendar", function()
  local TIME <const> = 1776859246.25 -- 2026-04-22 12:00:46.25 UTC

  it("writes", function()
    assert.equal("2026-04-22T12:00:46Z", calendar.iso(TIME))
    assert.equal("2026-04-22T12:00:46.250Z", calendar.iso_ms(TIME))
    assert.equal("2026-04-22T12:00:46.250000Z", calendar.iso_us(TIME))
    assert.equal("2026-04-22 12:00:46.250000", calendar.spaced(TIME))
    assert.equal("2026-04-22", calendar.day(TIME))
    assert.equal("Wed, 22 Apr 2026 12:00:46 GMT", calendar.http(TIME))
  end)

  it("reads what it writes", function()
    assert.equal(math.floor(TIME), calendar.parse(calendar.iso(TIME)))
    for _, form in ipairs { "iso_ms", "iso_us", "spaced" } do
      assert.equal(TIME, (calendar.parse(calendar[form](TIME))))
    end
    local day, has_time = calendar.parse "2026-04-22"
    assert.equal(1776816000, day)
    assert.is_false(has_time)
    assert.equal(0, (calendar.parse "1970-01-01"))
    assert.equal(951782400, (calendar.parse "2000-02-29T00:00:00Z"))
  end)

  it("reads zones", function()
    assert.equal(math.floor(TIME), (calendar.parse "2026-04-22T14:00:46+02:00"))
    assert.equal(math.floor(TIME), (calendar.parse "2026-04-22T07:30:46-0430"))
  end)

  it("refuses the rest", function()
    for _, text in ipairs { "", "now", "2026-13-01", "2026-00-01", "2026-01-32", "2026-04-22T12",
                            "2026-04-22T12:00:46X", "2026-04-22x" } do
      assert.is_nil((calendar.parse(text)), text)
    end
    assert.is_nil((calendar.parse(nil)))
  end)
end)
