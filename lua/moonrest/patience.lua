-- Why a program stands still: when a request has waited for a slot of its limits for some seconds, a line on stderr
-- says so, if that is a terminal. Programs ask moonrest.on("queue") and client:limits().

local core = require "moonrest.core"

local patience = {
  after = 5, -- seconds of waiting before the first line
  again = 60, -- seconds between two lines: a job that keeps to its limits for hours is no news
  every = 1, -- seconds between two looks
}

local look_at = 0 -- on core.clock

-- "edgegap/acme/account" -> "edgegap's limit 'account'"
local function describe(key)
  local name, bucket = key:match "^([^/]*)/.*/([^/]*)$"
  if not name then return ("the limit '%s'"):format(key) end
  return ("%s's limit '%s'"):format(name, bucket)
end

local function line(count, longest, key)
  local who = count == 1 and "a request waits" or ("%d requests wait"):format(count)
  return ("moonrest: %s for %s, up to %.0f s so far (option max_wait bounds it, client:limits() tells more)\n")
    :format(who, describe(key), longest)
end

-- Blocking waits call this between their slices.
function patience.look()
  local time = core.clock.now()
  if time < look_at then return end
  look_at = time + patience.every
  local count, longest, key = core.engine():waits()
  if count == 0 or longest < patience.after or not core.terminal "stderr" then return end
  look_at = time + patience.again
  io.stderr:write(line(count, longest, key))
end

return patience
