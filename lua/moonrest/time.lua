-- Moments in the forms that APIs write them, and back. A moment is a number: seconds since 1970-01-01 UTC, an
-- integer where there is no fraction.
--
--   time.parse "2026-04-22T12:00:46.444265Z"    RFC 3339 with any fraction and zone
--   time.parse "2026-04-22 12:00:46.444265"     with a space; without a zone it is UTC
--   time.parse "2026-04-22"                     midnight UTC
--   time.parse(1776859246), (1776859246444)     epoch seconds; milliseconds from 10^11 on
--   time.parse "0001-01-01T00:00:00Z"           nil: some APIs say "never" so
--   time.age(app.last_updated) > 7 * time.day

local caller = require "moonrest.caller"
local core = require "moonrest.core"

local time = { minute = 60, hour = 3600, day = 86400, week = 7 * 86400 }

local milliseconds_from <const> = 100000000000 -- as seconds this is the year 5138

-- Days since 1970-01-01 in the proleptic Gregorian calendar; months count from March, so that the leap day is last.
local function days_of(year, month, day)
  if month <= 2 then year = year - 1 end
  local era = year // 400
  local year_of_era = year - era * 400
  local day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
  local day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
  return era * 146097 + day_of_era - 719468
end

local function date_of(days)
  days = days + 719468
  local era = days // 146097
  local day_of_era = days - era * 146097
  local year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
  local day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
  local month_from_march = (5 * day_of_year + 2) // 153
  local month = (month_from_march + 2) % 12 + 1
  local year = year_of_era + era * 400 + (month <= 2 and 1 or 0)
  return year, month, day_of_year - (153 * month_from_march + 2) // 5 + 1
end

local month_days = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function is_date(year, month, day)
  if month < 1 or month > 12 or day < 1 or day > month_days[month] then return false end
  local is_leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  return month ~= 2 or day <= 28 or is_leap
end

-- Seconds east of UTC; nil for what is no zone.
local function zone_of(text)
  if text == "" or text == "Z" or text == "z" or text == " UTC" then return 0 end
  local sign, hours, minutes = text:match "^ ?([+-])(%d%d):?(%d?%d?)$"
  if not sign or #minutes == 1 then return nil end
  local seconds = hours * 3600 + (minutes == "" and 0 or minutes * 60)
  if seconds > 24 * 3600 then return nil end
  return math.tointeger(sign == "-" and -seconds or seconds)
end

-- "12:00:46.444265Z" -> seconds of the day in UTC and the fraction; nil for what is no time.
local function clock_of(text)
  local hour, minute, rest = text:match "^(%d%d):(%d%d)(.*)$"
  if not hour then return nil end
  local second, fraction, zone = rest:match "^:(%d%d)[.,](%d+)(.*)$"
  if not second then second, zone = rest:match "^:(%d%d)(.*)$" end
  local offset = zone_of(zone or rest)
  if not offset then return nil end
  hour, minute, second = math.tointeger(hour), math.tointeger(minute), math.tointeger(second or "0")
  if hour > 23 or minute > 59 or second > 60 then return nil end
  local seconds = hour * 3600 + minute * 60 + math.min(second, 59) - offset
  return seconds, fraction and tonumber("0." .. fraction) or 0
end

local function parse_text(text)
  local year, month, day, rest = text:match "^%s*(%d%d%d%d)%-(%d%d)%-(%d%d)(.-)%s*$"
  if not year then return nil end
  year, month, day = math.tointeger(year), math.tointeger(month), math.tointeger(day)
  if not is_date(year, month, day) then return nil end
  local seconds, fraction = 0, 0
  if rest ~= "" then
    local clock = rest:match "^[Tt ](.+)$"
    if clock then seconds, fraction = clock_of(clock) end
    if not clock or not seconds then return nil end
  end
  if year == 1 then return nil, true end
  local moment = days_of(year, month, day) * 86400 + seconds
  return fraction > 0 and moment + fraction or moment
end

local function parse_number(number)
  if number ~= number or number == math.huge or number == -math.huge then return nil, "no moment" end
  if math.abs(number) < milliseconds_from then return math.tointeger(number) or number end
  return number % 1000 == 0 and math.tointeger(number // 1000) or number / 1000
end

-- The moment as seconds; nil for nil, null and the year 1; nil and why for what is none.
function time.parse(value)
  if value == nil or value == core.null then return nil end
  if type(value) == "number" then return parse_number(value) end
  if type(value) ~= "string" then return nil, ("a %s is no moment"):format(type(value)) end
  local moment, is_never = parse_text(value)
  if moment or is_never then return moment end
  if value:find "^%s*%-?%d+%.?%d*%s*$" then return parse_number(tonumber(value)) end
  moment = value:find "^%a%a%a" and core.date.parse(value)
  if moment then return math.tointeger(moment) or moment end
  return nil, ("'%s' is no moment in a known form"):format(#value > 40 and value:sub(1, 40) .. "..." or value)
end

local function fraction_of(moment)
  local microseconds = math.min(math.tointeger((moment % 1 * 1e6 + 0.5) // 1), 999999)
  return microseconds == 0 and "" or ("." .. ("%06d"):format(microseconds):gsub("0+$", ""))
end

-- "2026-04-22T12:00:46Z": a moment as RFC 3339 in UTC, with its fraction if it has one; now by default.
function time.iso(moment)
  moment = moment or core.clock.wall() // 1
  local seconds = math.type(moment) and math.tointeger(moment // 1)
  if not seconds then
    caller.raise("moonrest.time.iso: a number of seconds is needed, got '%s'; moonrest.time.parse reads texts",
      tostring(moment))
  end
  local year, month, day = date_of(seconds // 86400)
  local rest = seconds % 86400
  local hour, minute, second = rest // 3600, rest % 3600 // 60, rest % 60
  local fraction = fraction_of(moment)
  return ("%04d-%02d-%02dT%02d:%02d:%02d%sZ"):format(year, month, day, hour, minute, second, fraction)
end

-- Now, in seconds with a fraction.
function time.now() return core.clock.wall() end

-- Seconds since a moment in any form that parse reads; nil where that gives nil.
function time.age(value, now)
  local moment, problem = time.parse(value)
  if not moment then return nil, problem end
  return (now or core.clock.wall()) - moment
end

return time
