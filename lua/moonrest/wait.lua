-- Every wait of the library goes through here, so that there is one place which knows
-- how to wait. Slices are short because Ctrl-C is noticed between them only.

local wait = {}

local slice <const> = 0.1 -- seconds

local known_engine

local function engine()
  known_engine = known_engine or require "moonrest.core".engine()
  return known_engine
end

-- Returns when the request is finished, whatever its end. 'watch', when given, is called
-- between slices with the request.
function wait.finish(request, watch)
  while not request:wait(slice) do
    if watch then watch(request) end
  end
  if watch then watch(request) end
end

-- One slice of a wait for something on a request that is read while it runs.
function wait.activity()
  engine():step(slice)
end

-- Lets time pass, in seconds, while all that is in flight goes on.
function wait.sleep(seconds)
  local clock = require "moonrest.core".clock
  local deadline = clock.now() + seconds
  local remaining = seconds
  while remaining > 0 do
    engine():step(math.min(remaining, slice))
    remaining = deadline - clock.now()
  end
end

return wait
