-- moonrest.map(items, fn, options): fn(item) for every item, some at once, results in the order of the items.

local caller = require "moonrest.caller"
local current = require "moonrest.current"
local nearest = require "moonrest.nearest"
local parking = require "moonrest.parking"
local ready = require "moonrest.ready"
local task = require "moonrest.task"
local task_life = require "moonrest.task_life"
local tasks = require "moonrest.tasks"
local unheard = require "moonrest.unheard"

local map = {}

local default_concurrency <const> = 16
local first_workers <const> = 64 -- of an iterator, whose length nobody knows; more come with the items

local known = { concurrency = true, progress = true }

local function check_options(options)
  if options == nil then return {} end
  if type(options) ~= "table" then
    caller.raise("moonrest.map: options must be a table, got a %s", type(options))
  end
  for name in pairs(options) do
    if not known[name] then
      caller.raise("moonrest.map: unknown option '%s'%s", tostring(name), nearest.hint(tostring(name), known))
    end
  end
  local concurrency, progress = options.concurrency, options.progress
  if concurrency ~= nil and not (math.type(concurrency) == "integer" and concurrency >= 1) then
    caller.raise("moonrest.map: option 'concurrency' must be an integer of at least 1, got %s", tostring(concurrency))
  end
  if progress ~= nil and not task.callable(progress) then
    caller.raise("moonrest.map: option 'progress' must be a function(done, total), got a %s", type(progress))
  end
  return options
end

-- A table that could only be done in part is a mistake: one with holes, and one without items, as most answers are.
local function check_list(items, count)
  local meta, found = getmetatable(items), 0
  if type(meta) == "table" and (meta.__index or meta.__len) then return end
  for key in next, items do
    if math.type(key) == "integer" then
      found = found + 1
    elseif count == 0 and key ~= "n" then
      caller.raise("moonrest.map: a list is needed, got a table with the field '%s' and without [1]", tostring(key))
    end
  end
  if found ~= count or count > 0 and items[1] == nil then
    caller.raise "moonrest.map: the list has holes: leave nil values out of it, or put false there"
  end
end

-- An operation can be called as an iterator is, and would be, without end.
local no_items = { ["moonrest.operation"] = "an operation", ["moonrest.resource"] = "a resource",
  ["moonrest.client"] = "a client" }

local function check_kind(items)
  local meta = getmetatable(items)
  local kind = type(meta) == "table" and no_items[meta.__name]
  if kind then caller.raise("moonrest.map: %s is no list: map what its :each() gives", kind) end
end

-- A function that gives the next item (nil at the end), and how many there are when that is known. What a list's :each
-- returns is such a function too.
local function source_of(items)
  check_kind(items)
  local iterate = task.callable(items)
  if iterate then return iterate, nil end
  if type(items) ~= "table" then
    caller.raise("moonrest.map: a table or an iterator is needed, got a %s", type(items))
  end
  local place, count = 0, #items
  check_list(items, count)
  return function()
    place = place + 1
    return items[place]
  end, count
end

-- {========================================================================
-- Running
-- =========================================================================

local job_type = { __name = "moonrest.map", __close = function(job)
  local source = job.items
  local meta = type(source) == "table" and getmetatable(source)
  job.is_over = true -- for the worker that runs, if it is one that ends the job
  for _, worker in ipairs(job.workers) do task_life.cancel(worker) end
  if type(meta) == "table" and meta.__call and meta.__close then meta.__close(source) end
end }

-- A worker's place in its job, closed when it ends. One that ends otherwise than by its last item (a function yields by
-- itself, the state has no memory) ends the job too: nobody else would do the work that it took.
local desk_type = { __name = "moonrest.map.desk", __close = function(desk)
  local job = desk.job
  job.is_broken = job.is_broken or not desk.is_through
  job.running = job.running - 1
  ready.wake(job.coordinator)
end }

local function set_result(job, index, ok, value, err)
  local problem
  if not ok then
    problem = value == nil and "an error without a value" or value
  elseif not value and err ~= nil then
    problem = err
  end
  if problem ~= nil then
    job.failures = job.failures or {}
    job.failures[index] = problem
    job.results[index] = false
  else
    job.results[index] = value == nil and true or value
  end
end

local function wake_idle(job)
  local idle = job.idle
  job.idle = {}
  for _, worker in ipairs(idle) do ready.wake(worker) end
end

-- The next item and its number; nothing when there are no more. An iterator may wait, and nobody else calls it
-- meanwhile.
local function take(job, worker)
  while job.is_asking do
    job.idle[#job.idle + 1] = worker
    parking.park(worker)
  end
  if job.is_over then return nil end
  job.is_asking = true
  local is_good, item = pcall(job.source)
  job.is_asking = false
  if job.idle[1] then wake_idle(job) end
  if is_good and item ~= nil then
    job.taken = job.taken + 1
    return job.taken, item
  end
  job.is_over, job.has_failed, job.problem = true, not is_good, item
  return nil
end

local start -- below: it and the work need each other

-- One task for many items: making one costs as much as half a small request.
local function work(desk)
  local _ <close> = desk
  local job, worker = desk.job, current.task
  local index, item = take(job, worker)
  while index do
    if job.count < job.most then start(job, 1) end
    set_result(job, index, pcall(job.fn, item))
    job.done = job.done + 1
    if job.progress then ready.wake(job.coordinator) end
    index, item = take(job, worker)
  end
  desk.is_through = true
end

function start(job, count)
  for _ = 1, count do
    local desk = setmetatable({ job = job }, desk_type)
    job.workers[job.count + 1] = task.new(work, { desk, n = 1 })
    job.count, job.running = job.count + 1, job.running + 1
  end
end

local function tell(job)
  local progress = job.progress
  while progress and job.told < job.done do
    job.told = job.told + 1
    progress(job.told, job.total)
  end
end

-- Raises what ended the first worker that ended too early.
local function raise_broken(job)
  local broken
  for _, worker in ipairs(job.workers) do
    if worker.state == "failed" then
      unheard.forget(worker)
      broken = broken or worker
    end
  end
  if broken then task.outcome(broken) end
  error("moonrest.map: a task of the loop was cancelled", 0)
end

local function run(items, source, total, fn, options)
  local job <close> = setmetatable({
    items = items, source = source, fn = fn, total = total, progress = options.progress,
    coordinator = current.task, workers = {}, idle = {}, results = {},
    count = 0, running = 0, taken = 0, done = 0, told = 0,
    is_over = false, is_broken = false, has_failed = false, -- there may be no memory for a field when one is set
  }, job_type)
  job.most = math.min(options.concurrency or default_concurrency, total or math.huge)
  start(job, math.min(job.most, total or first_workers))
  while job.running > 0 and not job.has_failed and not job.is_broken do
    parking.park(job.coordinator)
    tell(job)
  end
  if job.is_broken then raise_broken(job) end
  if job.has_failed then error(job.problem, 0) end
  return job.results, job.failures
end

-- }========================================================================

-- Calls fn(item) for every item of a list or an iterator, at most options.concurrency (16) at once. Returns the first
-- results in the order of the items, and the failures by the same numbers: what fn raised, or the err where it
-- returned nil, err. A failed place holds false; without any the second value is nil. options.progress(done, total) is
-- called when one has ended; for iterators the total is nil. What ends the loop itself (the iterator's error, a
-- cancelled task) cancels those that run.
function map.map(items, fn, options)
  options = check_options(options)
  local runs = task.callable(fn)
  if not runs then caller.raise("moonrest.map: a function is needed, got a %s", type(fn)) end
  local source, total = source_of(items)
  return tasks.within("moonrest.map", run, items, source, total, runs, options)
end

return map
