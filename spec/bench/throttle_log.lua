-- What the judges of the throttle wrote down, and what it says.

local throttle_log = {}

-- Lines "MICROSECONDS STATUS" or "SECONDS.MILLISECONDS STATUS" (nginx) -> list of { at = seconds, status = }, in order.
function throttle_log.read(path)
  local arrivals = {}
  for line in io.lines(path) do
    local at, status = line:match "^([%d.]+) (%d+)"
    if at then
      arrivals[#arrivals + 1] = { at = at:find(".", 1, true) and tonumber(at) or tonumber(at) / 1e6,
        status = tonumber(status) }
    end
  end
  table.sort(arrivals, function(a, b) return a.at < b.at end)
  return arrivals
end

-- The most arrivals in any window of so many seconds.
function throttle_log.most(arrivals, window)
  local most, first = 0, 1
  for last, arrival in ipairs(arrivals) do
    while arrival.at - arrivals[first].at >= window do first = first + 1 end
    most = math.max(most, last - first + 1)
  end
  return most
end

local function percentile(sorted, share)
  return sorted[math.max(1, math.ceil(#sorted * share))]
end

-- By how much the gaps between arrivals exceed the even one: the given percentile, in seconds. The first 'skip'
-- arrivals, a burst, are left out.
function throttle_log.lateness(arrivals, skip, interval, share)
  local late = {}
  for index = skip + 2, #arrivals do
    late[#late + 1] = math.max(0, arrivals[index].at - arrivals[index - 1].at - interval)
  end
  table.sort(late)
  return percentile(late, share)
end

-- { accepted, refused, most (in any second), share (of what the limit allows within 'seconds') }
function throttle_log.judge(arrivals, rate, seconds)
  local accepted, refused = {}, 0
  local stop = #arrivals > 0 and arrivals[1].at + seconds or 0
  for _, arrival in ipairs(arrivals) do
    if arrival.status == 429 then
      refused = refused + 1
    elseif arrival.at < stop then
      accepted[#accepted + 1] = arrival
    end
  end
  return { accepted = #accepted, refused = refused, most = throttle_log.most(arrivals, 1),
    share = #accepted / (rate * seconds), arrivals = arrivals }
end

return throttle_log
