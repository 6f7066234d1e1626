-- Rate limits as servers count them.
--
-- A bucket is one or more windows: { "100/min", "1000/h" }. Three ways of counting:
--   sliding  the requests of the last T seconds, exactly; a refused one does not count
--   fixed    a window opens with a request, lasts T seconds, and then all is forgotten
--   silence  a counter that is only forgotten after T seconds without any request, refused ones included

local limits = {}
limits.__index = limits
limits.__name = "moonrest.sandbox.limits"

local UNITS = { s = 1, sec = 1, min = 60, h = 3600, d = 86400 }

--- "100/min" -> 100, 60; "50/15min" -> 50, 900
function limits.parse(text)
  local count, multiple, unit = text:match "^(%d+)/(%d*)(%a+)$"
  if not count or not UNITS[unit] then error("bad limit '" .. tostring(text) .. "'") end
  return math.tointeger(tonumber(count)), UNITS[unit] * (math.tointeger(tonumber(multiple)) or 1)
end

local counters = {}

function counters.sliding(window, now)
  local times = window.times
  while window.first <= window.last and times[window.first] <= now - window.seconds do
    times[window.first] = nil
    window.first = window.first + 1
  end
  local used = window.last - window.first + 1
  return used, used > 0 and times[window.first] + window.seconds or now + window.seconds
end

function counters.fixed(window, now)
  if not window.opened or now >= window.opened + window.seconds then window.opened, window.used = now, 0 end
  return window.used, window.opened + window.seconds
end

function counters.silence(window, now)
  if not window.touched or now >= window.touched + window.seconds then window.used = 0 end
  return window.used, (window.touched or now) + window.seconds
end

local takers = {}

function takers.sliding(window, now, allowed)
  if not allowed then return end
  window.last = window.last + 1
  window.times[window.last] = now
end

function takers.fixed(window, _, allowed)
  if allowed then window.used = window.used + 1 end
end

function takers.silence(window, now)
  window.touched, window.used = now, window.used + 1
end

local function new_window(text, style)
  local count, seconds = limits.parse(text)
  return { limit = count, seconds = seconds, style = style, text = text,
           times = {}, first = 1, last = 0, used = 0 }
end

--- `style` is sliding, fixed or silence.
function limits.new(style) return setmetatable({ style = style, windows = {} }, limits) end

local function windows_of(self, key, words)
  local id = key .. "\0" .. table.concat(words, " ")
  if not self.windows[id] then
    local made = {}
    for i, word in ipairs(words) do made[i] = new_window(word, self.style) end
    self.windows[id] = made
  end
  return self.windows[id]
end

local function state_of(window, now)
  local used, reset = counters[window.style](window, now)
  return { limit = window.limit, used = used, remaining = math.max(window.limit - used, 0), reset = reset,
           seconds = window.seconds, retry_after = math.max(reset - now, 0), full = used >= window.limit }
end

--- Counts one request of the bucket `key` whose windows are `words`. Returns whether it is allowed,
--- the windows' states after it, and the state that refused (the one that lasts longest).
function limits:take(key, words, now)
  local windows, refusing = windows_of(self, key, words), nil
  for _, window in ipairs(windows) do
    local state = state_of(window, now)
    if state.full and (not refusing or state.reset > refusing.reset) then refusing = state end
  end
  local states = {}
  for i, window in ipairs(windows) do
    takers[window.style](window, now, not refusing)
    states[i] = state_of(window, now)
  end
  return not refusing, states, refusing
end

return limits
