-- What happens beside the answers: retries, pauses, queueing, deprecations. Handlers are
-- called from calls and steps of this lua_State, never from inside the transport.

local caller = require "moonrest.caller"
local nearest = require "moonrest.nearest"

local events = {}

events.names = {
  queue = "a request waits for its limits: reason, wait",
  throttle = "the server refused a request because of a limit: bucket, status, reason, wait",
  pause = "a bucket stands still after a refusal: bucket, wait, reason",
  limit = "the server names another limit than the definition (bucket, limit, server_limit), "
    .. "or one that makes no sense (bucket, field)",
  limiter = "how limits are shared has changed: reason",
  retry = "a request is tried again: attempt, reason, status, wait",
  redirect = "a redirect is followed: reason, status",
  task_failed = "a task failed and nobody awaited it: error, traceback, task",
  deprecated = "an operation is going away, told once for each: operation, message",
}

local handlers = {}
local connected = false

local function connect()
  if connected then return end
  connected = true
  require "moonrest.core".engine():on_event(events.emit)
end

-- A handler's mistake must not end somebody else's request: it is told on stderr.
function events.emit(name, details)
  for _, handler in ipairs(handlers[name] or {}) do
    local ok, problem = pcall(handler, details, name)
    if not ok then
      local text = require "moonrest.unheard".text(problem)
      io.stderr:write("moonrest: a handler of '", name, "' failed: ", text, "\n")
    end
  end
end

function events.is_heard(name)
  return handlers[name] ~= nil and #handlers[name] > 0
end

-- Lists are replaced and never changed: a handler may add and remove handlers.
local function without(list, handler)
  local rest = {}
  for _, other in ipairs(list) do
    if other ~= handler then rest[#rest + 1] = other end
  end
  return rest
end

-- Calls handler(details, name) from now on; returns a function that ends it.
function events.on(name, handler)
  if not events.names[name] then
    caller.raise("moonrest.on: unknown event '%s'%s (there are: %s)", tostring(name), nearest.hint(name, events.names),
      nearest.list(events.names))
  end
  if type(handler) ~= "function" then
    caller.raise("moonrest.on: the handler must be a function, got a %s", type(handler))
  end
  connect()
  local list = without(handlers[name] or {}, handler)
  list[#list + 1] = handler
  handlers[name] = list
  return function() handlers[name] = without(handlers[name], handler) end
end

return events
