-- moonrest.open: from a definition and options to a client.

local caller = require "moonrest.caller"
local client = require "moonrest.client"
local definition = require "moonrest.definition"
local nearest = require "moonrest.nearest"
local site = require "moonrest.site"
local types = require "moonrest.types"

local open = {}

-- What moonrest.configure may set for every client that is opened later.
local configurable = {
  json = "string", on_error = "string", timeout = "number", max_wait = "number", proxy = "string",
  ca_file = "string", user_agent = "string", insecure_http = "boolean", strict = "boolean", retry = "any",
  max_body = "integer", limiter = "string", io = "string",
}

local configured = {}

-- Who shares the limits: "shared" (all processes of this user), "local" (this process), or a Redis by its URL. Not a
-- default of clients but a choice for the whole process, made before the first call.
local function configure_limiter(value)
  if type(value) ~= "string" then
    caller.raise("moonrest.configure: 'limiter' must be a string%s", types.got(value))
  end
  local ok, problem = require "moonrest.sharing".choose(value)
  if not ok then caller.raise("moonrest.configure: limiter: %s", problem) end
end

-- Who drives the network: "inline" (calls and steps), or "thread" (a thread of the library's own). A choice for the
-- whole Lua state, made before its first request.
local function configure_io(value)
  if value ~= "inline" and value ~= "thread" then
    caller.raise("moonrest.configure: 'io' must be 'inline' or 'thread'%s", types.got(value))
  end
  local ok, _, problem = require "moonrest.core".engine():io(value)
  if not ok then caller.raise("moonrest.configure: io: %s", problem) end
end

-- Choices, not defaults of clients.
local choices = { limiter = configure_limiter, io = configure_io }

-- Sets defaults for the options of moonrest.open. Clients that are open already keep theirs.
function open.configure(defaults)
  if type(defaults) ~= "table" then caller.raise("moonrest.configure needs a table, got a %s", type(defaults)) end
  for name, value in pairs(defaults) do
    local kind = configurable[name]
    if not kind then
      caller.raise("moonrest.configure has no '%s'%s (it has: %s)", tostring(name), nearest.hint(name, configurable),
        nearest.list(configurable))
    end
    if kind ~= "any" and type(value) ~= kind and math.type(value) ~= kind then
      caller.raise("moonrest.configure: '%s' must be %s%s", name, types.with_article(kind), types.got(value))
    end
    if choices[name] then
      choices[name](value)
    else
      configured[name] = value
    end
  end
end

local function with_configured(given)
  local whole = {}
  for name, value in pairs(configured) do whole[name] = value end
  for name, value in pairs(given) do whole[name] = value end
  return whole
end

-- The open options that are defaults of the calls' own.
local function call_defaults(given)
  if given.timeout == nil and given.on_error == nil then return nil end
  return { timeout = given.timeout, on_error = given.on_error }
end

-- moonrest.open("edgegap", { token = ... }): a client of a built-in definition, of a module that returns one, or of a
-- table. Raises when the definition or an option is wrong. A missing credential is told by the first call that needs
-- one.
function open.open(source, given)
  if type(source) ~= "string" and type(source) ~= "table" then
    caller.raise("moonrest.open needs a definition's name or table, got a %s", type(source))
  end
  if given ~= nil and type(given) ~= "table" then
    caller.raise("moonrest.open: options must be a table, got a %s", type(given))
  end
  given = with_configured(given or {})
  local at = definition.read(source, given.legacy)
  return client.new(site.open(at, given), call_defaults(given))
end

-- A copy of a definition, to be changed and opened.
function open.definition(name)
  return definition.copy(definition.find(name))
end

-- The names of the definitions that come with the library.
function open.definitions()
  return { table.unpack(definition.built_in) }
end

return open
