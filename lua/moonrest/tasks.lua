-- What programs do with tasks: run them to their end, step them from a loop of their own, wait for all of several or
-- for the first.

local caller = require "moonrest.caller"
local current = require "moonrest.current"
local parking = require "moonrest.parking"
local scheduler = require "moonrest.scheduler"
local task = require "moonrest.task"
local task_life = require "moonrest.task_life"
local unheard = require "moonrest.unheard"
local wait = require "moonrest.wait"

local tasks = {}

local default_budget <const> = 0.002 -- seconds

local function check_seconds(value, label)
  if type(value) ~= "number" or value ~= value or value < 0 then
    caller.raise("%s must be a number of seconds and not negative, got %s", label, tostring(value))
  end
end

-- {========================================================================
-- Driving
-- =========================================================================

local run_guard = setmetatable({}, { __name = "moonrest.run", __close = function(_, problem)
  if problem ~= nil then task_life.cancel_all() end
  unheard.report()
end })

-- Runs fn(...), if given, as a task, and returns its results when all tasks have ended. When it fails, or an error
-- like Ctrl-C's ends the run, all other tasks are cancelled and the error is raised.
function tasks.run(fn, ...)
  local runs = task.callable(fn)
  if fn ~= nil and not runs then caller.raise("moonrest.run: a function is needed, got a %s", type(fn)) end
  current.check_blocking()
  local _ <close> = run_guard
  if not runs then return scheduler.run(nil, "moonrest.run") end
  local main = task.new(runs, table.pack(...))
  scheduler.run(function() return main.state == "failed" end, "moonrest.run")
  return task.outcome(main)
end

-- Does what can be done within 'budget' seconds (2 ms when it is not given) and never waits: for programs that have a
-- loop of their own. Returns how many tasks there still are.
function tasks.step(budget)
  if budget == nil then budget = default_budget end
  if not (type(budget) == "number" and budget >= 0) then check_seconds(budget, "moonrest.step: the budget") end
  scheduler.step(budget)
  return task_life.live
end

-- Lets time pass: in a task for the others, which have their turn even when it is 0 seconds; outside of all with the
-- tasks running meanwhile.
function tasks.sleep(seconds)
  check_seconds(seconds, "moonrest.sleep: the time")
  local is_good, problem = pcall(wait.sleep, seconds)
  if not is_good then scheduler.raise(problem, "moonrest.sleep") end
end

-- moonrest.set_blocking(false): calls outside of tasks raise instead of blocking the program.
function tasks.set_blocking(allowed)
  if type(allowed) ~= "boolean" then caller.raise("moonrest.set_blocking: true or false is needed") end
  current.set_blocking(allowed)
end

-- Calls fn(...) in a task: in the one that runs, else in one of its own that ends with this call. 'label' is what the
-- user called.
function tasks.within(label, fn, ...)
  if current.waiter() then return fn(...) end
  local own <close> = task.new(fn, table.pack(...))
  return task.await(own, label)
end

-- }========================================================================

-- {========================================================================
-- Several at once
-- =========================================================================

local function unwatch(member, watcher)
  for place, waiter in ipairs(member.waiters or {}) do
    if waiter == watcher then
      table.remove(member.waiters, place)
      return
    end
  end
end

-- Tasks that end with a block. Nobody waits for them any more then: what fails in their closing is told as unheard, and
-- so is what has failed when the watcher is cancelled before it knows.
local group_type = { __name = "moonrest.group", __close = function(group)
  local watcher = group.watcher
  local is_cut_off = watcher and watcher.state == "cancelled"
  for _, member in ipairs(group) do
    unwatch(member, watcher)
    if is_cut_off then task_life.abandon(member) end
    task_life.cancel(member)
  end
end }

local function check_members(given, label)
  if type(given) ~= "table" then
    caller.raise("%s: a table of functions and tasks is needed, got a %s", label, type(given))
  end
  for key, value in pairs(given) do
    if not task.is(value) and not task.callable(value) then
      caller.raise("%s: [%s] must be a function or a task, got a %s", label, tostring(key), type(value))
    end
    if value == current.task then caller.raise("%s: a task cannot await itself", label) end
  end
end

-- Keys in an order that does not change from run to run: numbers first.
local function sorted_keys(given)
  local keys = {}
  for key in pairs(given) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if type(a) == "number" and type(b) == "number" then return a < b end
    if type(a) ~= type(b) then return type(a) == "number" end
    return tostring(a) < tostring(b)
  end)
  return keys
end

-- The members as tasks, in the order of their keys, which are in the second list.
local function make_group(given)
  local group, keys = setmetatable({}, group_type), sorted_keys(given)
  for place, key in ipairs(keys) do
    group[place] = task.is(given[key]) and given[key] or task.new(task.callable(given[key]))
  end
  return group, keys
end

-- Waits until some member that has not been seen has ended, and returns its place.
local function next_ended(group, seen)
  local self = current.task
  while true do
    for place, member in ipairs(group) do
      if not seen[place] and task_life.is_over(member) then
        seen[place] = true
        return place
      end
    end
    parking.park(self)
  end
end

-- Ends of members wake the task that runs, until the group is closed.
local function watch(group)
  local self = current.task
  group.watcher = self
  for _, member in ipairs(group) do
    if not task_life.is_over(member) then
      member.waiters = member.waiters or {}
      table.insert(member.waiters, self)
    end
  end
end

local function wait_for_all(given)
  local group <close>, keys = make_group(given)
  local results, seen = {}, {}
  watch(group)
  for _ = 1, #group do
    local place = next_ended(group, seen)
    local outcome = table.pack(task.outcome(group[place]))
    if outcome[1] == nil and outcome[2] ~= nil then return nil, outcome[2] end
    results[keys[place]] = outcome[1] == nil and true or outcome[1]
  end
  return results
end

-- Runs functions (or waits for tasks) at once and returns their first results under the same keys. All or nothing: at
-- the first that returns nil, err the others are cancelled and that is the answer; an error is raised likewise.
function tasks.all(given)
  check_members(given, "moonrest.all")
  return tasks.within("moonrest.all", wait_for_all, given)
end

local function wait_for_first(given)
  local group <close> = make_group(given)
  watch(group)
  return task.outcome(group[next_ended(group, {})])
end

-- Runs functions (or waits for tasks) at once and returns what the first one returned that ended; its error is raised.
-- The others are cancelled.
function tasks.race(given)
  check_members(given, "moonrest.race")
  if next(given) == nil then caller.raise "moonrest.race: at least one function or task is needed" end
  return tasks.within("moonrest.race", wait_for_first, given)
end

-- }========================================================================

return tasks
