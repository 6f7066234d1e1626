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

-- How late requests started: each one's time less the moment from which the limiter's rule allowed it, given when
-- those before it started. The rule, without help from the code that is judged: a slot is held for the period, its
-- 10000th part for clocks that drift and a margin of 7.5 ms (the least; a larger one, after latencies that vary by
-- more, counts as lateness here), and who had to wait for room is followed by the others at even distances. The burst
-- before is left out. Returns the errors in seconds, in rising order.
function throttle_log.start_errors(arrivals, count, period)
  local hold <const>, errors = period + period / 10000 + 0.0075, {}
  local even_at = 0
  for index = count + 1, #arrivals do
    local room_at, before, at = arrivals[index - count].at + hold, arrivals[index - 1].at, arrivals[index].at
    if room_at > before then even_at = math.max(even_at, room_at) end
    errors[#errors + 1] = math.max(0, at - math.max(even_at, room_at, before))
    even_at = even_at + period / count
  end
  table.sort(errors)
  return errors
end

function throttle_log.percentile(sorted, share)
  return sorted[math.max(1, math.ceil(#sorted * share))]
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
