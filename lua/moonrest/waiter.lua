-- Waiting for a state: polls an operation until an acceptor of the definition fits. The engine's limits hold for polls
-- as for everything else, and a poll goes before other calls of its priority.

local arguments = require "moonrest.arguments"
local call = require "moonrest.call"
local caller = require "moonrest.caller"
local core = require "moonrest.core"
local errors = require "moonrest.errors"
local lookup = require "moonrest.lookup"
local nearest = require "moonrest.nearest"
local operation = require "moonrest.operation"
local options = require "moonrest.options"
local wait = require "moonrest.wait"
local words = require "moonrest.words"

local waiter = {}

local usual = { delay = 2, factor = 1.5, max_delay = 10, timeout = 300 } -- seconds; the factor between delays

-- {========================================================================
-- Arguments: what to poll, the state, options
-- =========================================================================

local function find_declared(self, name)
  local declared = self[1].declared.waiters or {}
  if not declared[name] then
    local known = next(declared) and " (it has: " .. nearest.list(declared) .. ")" or ""
    caller.raise("%s:wait knows no state '%s'%s%s", self[1].label, tostring(name), nearest.hint(name, declared), known)
  end
  return declared[name]
end

-- The state is the last string before the options.
local function split(self, ...)
  local list = table.pack(...)
  local given
  if list.n > 1 and (type(list[list.n]) == "table" or list[list.n] == nil) then
    given = list[list.n]
    list.n = list.n - 1
  end
  local name = list[list.n]
  if type(name) ~= "string" then
    caller.raise("%s:wait needs what to wait for and the state: %s:wait(id, 'ready', { timeout = 60 })", self[1].label,
      self[1].label)
  end
  list.n = list.n - 1
  return list, name, given
end

-- An object that another operation returned stands for the parameter that it carries.
local function unpack_object(declared, recipe, list)
  local object = list[1]
  if list.n ~= 1 or type(object) ~= "table" or not declared.argument then return end
  for name in pairs(object) do
    if not recipe.fields[name] then
      local value = object[declared.argument]
      if value ~= nil then list[1] = value end
      return
    end
  end
end

-- }========================================================================

-- {========================================================================
-- Acceptors
-- =========================================================================

local function contains(value, text)
  return tostring(value):lower():find(text:lower(), 1, true) ~= nil
end

local function is_one_of(value, expected)
  for _, word in ipairs(words.list(expected)) do
    if tostring(value):lower() == tostring(word):lower() then return true end
  end
  return false
end

local function fits_field(acceptor, data)
  local value = lookup.at(data, acceptor.field)
  if value == nil then return false end
  if acceptor.matches then return contains(value, acceptor.matches) end
  if acceptor.one_of then return is_one_of(value, acceptor.one_of) end
  return value == acceptor.equals
end

-- 'data' is what the poll returned, or 'err' what it failed with.
local function fits(acceptor, data, status, err)
  if acceptor.status and acceptor.status ~= status then return false end
  if acceptor.code and not (err and err.code == acceptor.code) then return false end
  if acceptor.field then return not err and fits_field(acceptor, data) end
  return acceptor.status ~= nil or acceptor.code ~= nil
end

local function judge(declared, data, status, err)
  for _, acceptor in ipairs(declared.accept) do
    if fits(acceptor, data, status, err) then return acceptor.state, acceptor end
  end
  return "retry"
end

-- }========================================================================

local function describe(acceptor, data)
  if not acceptor.field then return acceptor.code or ("status %d"):format(acceptor.status) end
  return ("%s = %s"):format(acceptor.field, tostring(lookup.at(data, acceptor.field)))
end

-- What the last poll saw, of the fields that the definition looks at; "" when that is nothing.
local function describe_last(declared, data)
  for _, acceptor in ipairs(declared.accept) do
    local value = acceptor.field and data ~= nil and lookup.at(data, acceptor.field)
    if value ~= nil and value ~= false then return ", last seen: " .. describe(acceptor, data) end
  end
  return ""
end

local function elapsed(attempt)
  return attempt.clock.now() - attempt.began
end

-- Whatever ends a wait says which one it was: in 'waiter' and 'waited' (seconds).
local function mark(attempt, err)
  err.waiter, err.waited = attempt.name, elapsed(attempt)
  return err
end

local function polls_of(attempt)
  return ("%d poll%s of %s"):format(attempt.polls, attempt.polls == 1 and "" or "s", attempt.recipe.label)
end

-- The err of a wait; 'data' and 'reply' are what a poll returned, nil where none did.
local function error_of(attempt, kind, message, data, reply)
  local err
  if reply then
    local secrets = call.secrets(attempt.recipe, attempt.values, attempt.given)
    err = errors.of_content(attempt.recipe, reply, kind, message, data, secrets)
  else
    err = errors.make { kind = kind, message = message }
  end
  err.operation = attempt.label
  return mark(attempt, err)
end

local function failed(attempt, acceptor, data, reply)
  local message = ("will not become '%s': %s after %.3g s (%s)"):format(attempt.name, describe(acceptor, data),
    elapsed(attempt), polls_of(attempt))
  return error_of(attempt, "http", message, data, reply)
end

local function timed_out(attempt, seconds)
  local last = attempt.last
  local message = ("not '%s' after %g s (%s)%s"):format(attempt.name, seconds, polls_of(attempt),
    last.err and (", the last failed: " .. last.err.message) or describe_last(attempt.declared, last.data))
  local err = error_of(attempt, "timeout", message, last.data, last.reply)
  err.retryable = true
  return err
end

local function copy_values(values)
  local copy = {}
  for field, value in pairs(values) do copy[field] = value end
  return copy
end

-- One poll: the verdict, the acceptor that gave it, then data and response, or nil and the err.
local function poll(attempt, given, extra)
  local recipe, values = attempt.recipe, copy_values(attempt.values)
  attempt.polls = attempt.polls + 1
  local request, err = call.start(recipe, values, given, extra)
  if not request then return "retry", nil, nil, err end
  local data, reply = call.finish(recipe, request, given, values)
  local state, acceptor = judge(attempt.declared, data, reply.status, data == nil and reply or nil)
  return state, acceptor, data, reply
end

-- With 10% more or less, so that many waits do not poll in step.
local function jitter(delay)
  return delay * (0.9 + 0.2 * core.engine():random())
end

-- What the wait returns after this poll; nothing when it goes on.
local function outcome(attempt, state, acceptor, data, reply)
  if state == "success" then
    if data == nil then return true, reply.response end
    return data, reply
  end
  if state == "failure" and data ~= nil then return nil, failed(attempt, acceptor, data, reply) end
  local is_final = state == "failure" or (data == nil and not acceptor and not reply.retryable)
  if is_final then return nil, mark(attempt, reply) end
end

local real_time = { now = core.clock.now, sleep = wait.sleep }

-- Between two polls nothing is in flight, but the wait is.
local function closed(attempt)
  return mark(attempt, errors.of_start(attempt.recipe, "cancelled",
    ("%s between two polls"):format(attempt.recipe.site.closed)))
end

local function poll_until(attempt, given)
  local declared, clock, site = attempt.declared, attempt.clock, attempt.recipe.site
  local seconds = given and given.timeout or declared.timeout or usual.timeout
  local delay, deadline = declared.delay or usual.delay, attempt.began + seconds
  while true do
    local extra = { jump = attempt.polls > 0, timeout = math.max(deadline - clock.now(), 0.001) }
    local state, acceptor, data, reply = poll(attempt, given, extra)
    local result = table.pack(outcome(attempt, state, acceptor, data, reply))
    if result.n > 0 then return result[1], result[2] end
    if data ~= nil then
      attempt.last = { data = data, reply = reply }
    else
      attempt.last.err = reply
    end
    local pause = math.max(jitter(delay), data == nil and reply.retry_after or 0)
    if clock.now() + math.max(delay, pause) >= deadline then return nil, timed_out(attempt, seconds) end
    clock.sleep(pause, function() return site.is_closed end)
    if site.is_closed then return nil, closed(attempt) end
    delay = math.min(delay * (declared.factor or usual.factor), declared.max_delay or usual.max_delay)
  end
end

-- That of Ctrl-C tells the wait, and not only the poll or the pause in it. Other errors go on as they are.
local function raise(attempt, problem)
  local interruption = require "moonrest.interruption"
  if type(problem) == "string" and problem:find("interrupted!", 1, true) then
    local seen = describe_last(attempt.declared, attempt.last.data)
    interruption.raise(("%s for '%s'"):format(attempt.label, attempt.name),
      ("%s in %.3g s%s; what was waited for goes on at the server"):format(polls_of(attempt), elapsed(attempt), seen))
  end
  error(problem, 0)
end

local function run(attempt, given)
  local is_good, data, reply = pcall(poll_until, attempt, given)
  if not is_good then raise(attempt, data) end
  return data, reply
end

-- deployments:wait(id, "ready", { timeout = 120 }); 'self' is the resource. The first arguments are those of the
-- operation that is polled, or the object that another operation returned.
function waiter.wait(self, ...)
  local list, name, given = split(self, ...)
  local declared = find_declared(self, name)
  local polled = self[declared.poll]
  local recipe = operation.recipe(polled)
  unpack_object(declared, recipe, list)
  local values = arguments.read(recipe, "call", nil, table.unpack(list, 1, list.n))
  if given then options.check(given, recipe.label, "call") end
  given = options.merge(self[1].view.defaults, given)
  if given and given.to then
    caller.raise("%s:wait: option 'to' is not for :wait, which looks into each answer", self[1].label)
  end
  local clock = recipe.site.clock or real_time
  local attempt = {
    name = name, label = self[1].label .. ":wait", recipe = recipe, declared = declared, values = values,
    given = given, clock = clock, began = clock.now(), polls = 0, last = {},
  }
  return call.deliver(given, run(attempt, given))
end

return waiter
