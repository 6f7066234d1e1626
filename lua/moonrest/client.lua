-- Clients: what moonrest.open returns. The resources of the definition stand in the client as fields; beside them
-- it has :with, :request, :limits and :close. A name of the API that is one of these gets a trailing underscore.

local call = require "moonrest.call"
local caller = require "moonrest.caller"
local credential = require "moonrest.credential"
local definition = require "moonrest.definition"
local nearest = require "moonrest.nearest"
local options = require "moonrest.options"
local recipe = require "moonrest.recipe"
local resource = require "moonrest.resource"
local open_options = require "moonrest.site".options
local target = require "moonrest.target"

local client = {}

local methods = {}
local metatable = { __name = "moonrest.client" }

-- A client of an opened definition. Its view, at [1], is the site with default options for calls:
-- { site, defaults, sent }, 'sent' being what of the defaults goes to the core.
function client.new(site, defaults)
  local view = { site = site, defaults = defaults, sent = options.apply(defaults, nil) }
  return setmetatable({ view }, metatable)
end

function client.is(value)
  return getmetatable(value) == metatable
end

-- The opened definition behind a client.
function client.site(self)
  return rawget(self, 1).site
end

function metatable.__index(self, name)
  if methods[name] then return methods[name] end
  if type(name) ~= "string" or name:find "^__" then return nil end
  local view = rawget(self, 1)
  local at = view.site.definition
  return resource.child(self, view, at.resources, at.name, name, methods)
end

-- What stands in a client is its definition's; a field of one's own (a stub, for a test) may replace it. An option
-- that is set here would be heard by nobody, which is no way to treat read_only = true.
function metatable.__newindex(self, name, value)
  local at = rawget(self, 1).site.definition
  if not at.resources[name] and (open_options[name] or options.known[name] or credential.option_names(at)[name]) then
    caller.raise("%s: '%s' is an option, which cannot be set here: give it to moonrest.open%s", at.name, name,
      options.known[name] and (", or to client:with { %s = ... }"):format(name) or "")
  end
  rawset(self, name, value)
end

function metatable.__pairs(self)
  return next, resource.children(self, self[1].site.definition.resources, methods), nil
end

function metatable.__tostring(self)
  return require "moonrest.show".client(self)
end

function metatable.__close(self)
  methods.close(self)
end

local function check_self(self, method)
  if getmetatable(self) ~= metatable then caller.raise("call %s with a colon: client:%s(...)", method, method) end
  return rawget(self, 1)
end

-- The same client with these options in every call.
function methods.with(self, given)
  local view = check_self(self, "with")
  if type(given) ~= "table" then caller.raise("client:with needs a table of options, got a %s", type(given)) end
  options.check(given, "client:with", "list")
  return client.new(view.site, options.merge(view.defaults, given))
end

-- The limits of this client as they stand now, a row for each window; prints as a table.
function methods.limits(self)
  return require "moonrest.limits".report(check_self(self, "limits").site)
end

-- No further call is possible, through no view of it. Calls that are in flight, or wait for their limits, end with an
-- err of kind "cancelled"; loops over pages and streams raise it.
function methods.close(self)
  check_self(self, "close").site:close()
end

-- {========================================================================
-- Requests that no definition names
-- =========================================================================

local parts_known = {
  query = "table", json = "any", body = "string", form = "table", headers = "table", upload = "string",
  content_type = "string",
}

local function split_parts(label, parts)
  local request, given = {}, {}
  for name, value in pairs(parts or {}) do
    local kind = parts_known[name]
    if kind and kind ~= "any" and type(value) ~= kind then
      caller.raise("%s: '%s' must be a %s, got a %s%s", label, name, kind, type(value),
        name == "body" and "; what is sent as JSON is called 'json'" or "")
    elseif kind then
      request[name] = value
    elseif options.known[name] then
      given[name] = value
    else
      local known = {}
      for known_name in pairs(parts_known) do known[known_name] = true end
      for known_name in pairs(options.known) do known[known_name] = true end
      caller.raise("%s: unknown field '%s'%s", label, tostring(name), nearest.hint(name, known))
    end
  end
  options.check(given, label, "call")
  return request, given
end

local function check_path(label, path)
  if type(path) ~= "string" or path:sub(1, 1) ~= "/" then
    caller.raise("%s: the path must begin with '/'; it follows the server's URL", label)
  end
  if path:find "[%c %z\127#]" then
    caller.raise("%s: the path must not contain spaces, control characters or '#'", label)
  end
  for segment in path:match("^[^?]*"):gmatch "[^/]+" do
    local plain = segment:gsub("%%2[eE]", ".")
    if plain == "." or plain == ".." then caller.raise("%s: the path must not contain '%s'", label, segment) end
  end
end

local function body_options(label, request, given)
  local count = 0
  for _, name in ipairs { "json", "body", "form", "upload" } do
    if request[name] ~= nil then count = count + 1 end
  end
  if count > 1 then caller.raise("%s: takes one of json, body, form and upload", label) end
  given.body = request.json
  if type(request.json) == "string" then given.body = target.json({ name = "json" }, request.json, label) end
  if request.body then given.body = request.body end
  if request.form then
    given.body, given.content_type = target.form(request.form, label), "application/x-www-form-urlencoded"
  end
  given.upload, given.headers = request.upload, request.headers
  given.content_type = request.content_type or given.content_type
  return given
end

local function generic_recipe(site, method)
  local key = "request " .. method
  if not site.recipes[key] then
    local declaration = { method .. " /", "A request that no definition names.", returns = "auto" }
    site.recipes[key] = recipe.prepare(site, declaration, "")
    site.recipes[key].told_paths = { count = 0 } -- see deprecation.lua
  end
  return site.recipes[key]
end

local function labelled(base, label)
  return setmetatable({ label = label }, { __index = base })
end

-- client:request("GET", "/v1/locations", { query = { page = 2 } }): the same pipeline for any path below the server's
-- URL. The table may hold query, headers, and one of json, body (bytes), form, upload (a file's path); and options.
function methods.request(self, method, path, parts)
  local view = check_self(self, "request")
  local label = ("%s:request %s %s"):format(view.site.definition.name, tostring(method), tostring(path))
  if not definition.methods[method] then
    caller.raise("%s: unknown method%s", label, nearest.hint(tostring(method):upper(), definition.methods))
  end
  check_path(label, path)
  if parts ~= nil and type(parts) ~= "table" then
    caller.raise("%s: a table is needed, got a %s", label, type(parts))
  end
  local request, given = split_parts(label, parts)
  given = options.merge(view.defaults, body_options(label, request, given))
  local generic = labelled(generic_recipe(view.site, method), label:match "^[^?]*")
  local started, err = call.start(generic, {}, given, nil, target.with_query(path, request.query, label))
  if not started then return call.deliver(given, nil, err) end
  local data, reply = call.finish(generic, started, given, { open = request.query })
  return call.deliver(given, data, reply)
end

-- }========================================================================

client.methods = methods
client.generic_recipe = generic_recipe

return client
