-- Dates as the five systems write them. Times are seconds since the epoch, floats with fractions.

local calendar = {}

local function format(pattern, time) return os.date(pattern, math.floor(time)) end

local function fraction(time, digits)
  return ("%0" .. digits .. "d"):format(math.floor((time - math.floor(time)) * 10 ^ digits))
end

--- 2026-04-22T12:00:46Z
function calendar.iso(time) return format("!%Y-%m-%dT%H:%M:%SZ", time) end

--- 2026-04-22T12:00:46.444Z
function calendar.iso_ms(time) return format("!%Y-%m-%dT%H:%M:%S.", time) .. fraction(time, 3) .. "Z" end

--- 2026-04-22T12:00:46.444265Z
function calendar.iso_us(time) return format("!%Y-%m-%dT%H:%M:%S.", time) .. fraction(time, 6) .. "Z" end

--- 2026-04-22 12:00:46.444265, in UTC and without saying so
function calendar.spaced(time) return format("!%Y-%m-%d %H:%M:%S.", time) .. fraction(time, 6) end

--- 2026-04-22
function calendar.day(time) return format("!%Y-%m-%d", time) end

local days = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
local months = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }

--- Wed, 22 Apr 2026 12:00:46 GMT, whatever the locale
function calendar.http(time)
  local t = os.date("!*t", math.floor(time))
  return ("%s, %02d %s %d %02d:%02d:%02d GMT"):format(
    days[t.wday], t.day, months[t.month], t.year, t.hour, t.min, t.sec)
end

-- Days between 1970-01-01 and a day of the Gregorian calendar; years begin in March.
local function days_from_epoch(year, month, day)
  if month <= 2 then year, month = year - 1, month + 12 end
  local era = year // 400
  local year_of_era = year - era * 400
  local day_of_year = (153 * (month - 3) + 2) // 5 + day - 1
  return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468
end

local function zone_seconds(zone)
  if zone == "" or zone:upper() == "Z" then return 0 end
  local sign, hours, minutes = zone:match "^([+-])(%d%d):?(%d%d)$"
  if not sign then return nil end
  return (sign == "+" and 1 or -1) * (tonumber(hours) * 3600 + tonumber(minutes) * 60)
end

--- Any of the forms above but http's, with a zone offset too; nil for anything else. The second result
--- tells whether a time of day was given.
function calendar.parse(text)
  local year, month, day, rest = tostring(text):match "^(%d%d%d%d)%-(%d%d)%-(%d%d)(.*)$"
  month, day = tonumber(month), tonumber(day)
  if not year or month < 1 or month > 12 or day < 1 or day > 31 then return nil end
  local time = days_from_epoch(tonumber(year), month, day) * 86400
  if rest == "" then return time, false end
  local hour, minute, second, zone = rest:match "^[Tt ](%d%d):(%d%d):(%d%d%.?%d*)(.*)$"
  local offset = zone and zone_seconds(zone)
  if not offset then return nil end
  return time + tonumber(hour) * 3600 + tonumber(minute) * 60 + tonumber(second) - offset, true
end

return calendar
