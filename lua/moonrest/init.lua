-- moonrest: REST management APIs as Lua tables.
--
--   local moonrest = require "moonrest"
--   local edgegap = moonrest.open "edgegap"              -- credential from EDGEGAP_API_TOKEN
--   for app in edgegap.apps:each() do print(app.name) end
--
-- Loading this file is cheap: each part is loaded when it is first used.

-- Parts by the name they have here: a module, or a module and the path of a value in it.
local parts = {
  open = { "moonrest.open", "open" },
  configure = { "moonrest.open", "configure" },
  definition = { "moonrest.open", "definition" },
  definitions = { "moonrest.open", "definitions" },
  secret = { "moonrest.secret", "literal" },
  env = { "moonrest.secret", "env" },
  file = { "moonrest.secret", "file" },
  command = { "moonrest.secret", "command" },
  json = { "moonrest.json" },
  null = { "moonrest.core", "null" },
  array = { "moonrest.json", "array" },
  time = { "moonrest.time" },
  spawn = { "moonrest.task", "spawn" },
  map = { "moonrest.map", "map" },
  all = { "moonrest.tasks", "all" },
  race = { "moonrest.tasks", "race" },
  sleep = { "moonrest.tasks", "sleep" },
  run = { "moonrest.tasks", "run" },
  step = { "moonrest.tasks", "step" },
  prepare = { "moonrest.prepare", "prepare" },
  set_blocking = { "moonrest.tasks", "set_blocking" },
  wrap = { "moonrest.wrap" },
  on = { "moonrest.events", "on" },
  is_error = { "moonrest.errors", "is" },
  show = { "moonrest.show", "show" },
  help = { "moonrest.help", "help" },
  version = { "moonrest.core", "version" },
}

local metatable = { __name = "moonrest" }

function metatable.__index(moonrest, name)
  local part = parts[name]
  if not part then return nil end
  require "moonrest.core" -- first: it brings the others along, compiled
  local value = require(part[1])
  if part[2] then value = value[part[2]] end
  rawset(moonrest, name, value)
  return value
end

-- All parts are loaded by this: it is for people who look around.
function metatable.__pairs(moonrest)
  for name in pairs(parts) do local _ = moonrest[name] end
  return next, moonrest, nil
end

function metatable.__tostring(moonrest)
  return ("moonrest %s: moonrest.help() tells more"):format(moonrest.version)
end

return setmetatable({}, metatable)
