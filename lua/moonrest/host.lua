-- What a host program asks for through moonrest.h, where that is easier said in Lua.

local events = require "moonrest.events"
local reserve = require "moonrest.reserve"
local tasks = require "moonrest.tasks"
local unheard = require "moonrest.unheard"

local host = { step = tasks.step, set_blocking = tasks.set_blocking, reserve = reserve }

local fields <const> = { "operation", "message", "task", "error", "attempt", "status", "reason", "bucket", "field",
  "limit", "server_limit", "wait", "traceback" }

-- "attempt: 2, status: 503, wait: 0.5": one line, unless there is a traceback in it.
local function describe(details)
  local parts = {}
  for _, field in ipairs(fields) do
    if details[field] ~= nil then parts[#parts + 1] = ("%s: %s"):format(field, unheard.text(details[field])) end
  end
  return table.concat(parts, ", ")
end

local endings = {}

-- Calls sink(event, line) for every event of moonrest.on, in place of the sink before; nil ends it.
function host.log(sink)
  for _, stop in ipairs(endings) do stop() end
  endings = {}
  if not sink then return end
  local function hear(details, name) sink(name, describe(details)) end
  for name in pairs(events.names) do endings[#endings + 1] = events.on(name, hear) end
end

return host
