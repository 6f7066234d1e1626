-- Every wait of the library goes through here. In a task a wait lets the others run; outside of all tasks it blocks,
-- and drives the tasks meanwhile. Slices are short for the sake of what looks between them, and of Ctrl-C where a
-- signal goes to another thread than this one.

local wait = {}

local slice <const> = 0.1 -- seconds
local task_look <const> = 0.5 -- seconds between the looks of a task that sleeps

local known_engine
local scheduler, current, parking -- from when tasks are used in this lua_State

local function engine()
  known_engine = known_engine or require "moonrest.core".engine()
  return known_engine
end

-- The task as which the caller would wait, whether that is possible there or not. Outside of all tasks nil, and the
-- seconds that a request may be waited for before anything else has its turn; nil when that is tasks.
function wait.claim() return nil, slice end

-- The scheduler calls this when it is loaded: programs without tasks never load it.
function wait.use(given_scheduler, given_current, given_parking)
  scheduler, current, parking = given_scheduler, given_current, given_parking
  wait.claim, wait.finish_for = parking.claim, parking.finish_for
end

-- The task that a request which is started now belongs to, nil outside of tasks. Raises where its answer could not be
-- waited for.
function wait.task()
  return current and current.waiter()
end

local patience -- loaded when there is something to be patient about

-- Between two slices of a wait that blocks.
function wait.remark()
  patience = patience or require "moonrest.patience"
  patience.look()
end

local function pass(seconds)
  if scheduler and scheduler.is_left() then
    scheduler.turn(seconds)
  else
    engine():step(seconds)
  end
end

local function is_finished(request)
  if not scheduler or not scheduler.is_left() then return request:wait(slice) end
  if not request:finished() then scheduler.turn(slice) end
  return request:finished()
end

local function finish_in_task(task, request, watch)
  parking.wait_request(task, request, watch and slice)
  while not request:finished() do
    watch(request)
    parking.wait_request(task, request, slice)
  end
end

local function block(request, watch)
  while not is_finished(request) do
    wait.remark()
    if watch then watch(request) end
  end
end

-- That of Ctrl-C becomes one that names the operation. Other errors go on as they are.
local function name(problem, request, label)
  local interruption = require "moonrest.interruption"
  if interruption.is(problem) then interruption.raise_for(request, label) end
  error(problem, 0)
end

-- Returns when the request is finished, whatever its end. 'watch', when given, is called
-- between slices with the request. An error (of 'watch', of Ctrl-C) ends the request; that of Ctrl-C names the
-- operation, as 'label' does where it is given.
function wait.finish(request, watch, label)
  local task = current and current.waiter()
  local _ <close> = request
  if task then
    finish_in_task(task, request, watch)
  else
    local is_good, problem = pcall(block, request, watch)
    if not is_good then name(problem, request, label) end
  end
  if watch then watch(request) end
end

-- What endpoint:await_single does with a request that takes longer, and endpoint:start too with one that Ctrl-C's error
-- ends.
function wait.go_on(request, problem)
  if problem then name(problem, request) end
  wait.finish(request)
end

-- One slice of a wait for something new on a request that is read while it runs.
function wait.activity(request)
  local task = current and current.waiter()
  if task then return parking.wait_news(task, request) end
  local is_good, problem = pcall(pass, slice)
  if not is_good then name(problem, request) end
end

-- Lets time pass, in seconds, while all that is in flight goes on. Ends earlier, within half a second, when 'is_enough'
-- (may be nil) says so.
function wait.sleep(seconds, is_enough)
  local clock = require "moonrest.core".clock
  local task = current and current.waiter()
  local deadline, look = clock.now() + seconds, task and is_enough and task_look or math.huge
  local remaining = seconds
  while (task or remaining > 0) and not (is_enough and is_enough()) do -- in a task the others have their turn always
    if task then
      parking.wait_until(task, math.min(deadline, clock.now() + look))
    else
      pass(math.min(remaining, slice))
    end
    remaining = deadline - clock.now()
    if remaining <= 0 then return end
  end
end

-- Whether a step with a budget runs: it paces the collector.
function wait.is_in_step() return current ~= nil and current.deadline ~= false end

-- request:decode, which in a step with a budget is spread over as many steps as it needs.
function wait.decode(request, keep_null)
  local task = current and current.deadline and current.waiter()
  if not task then return request:decode(keep_null) end
  while true do
    local is_done, value, problem, kind = request:decode_until(current.deadline or math.huge, keep_null)
    if is_done then
      parking.catch_breath(task)
      return value, problem, kind
    end
    parking.give_way(task, value)
  end
end

return wait
