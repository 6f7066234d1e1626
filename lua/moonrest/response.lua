-- What came beside the data: the second value of a call. Fields are read from the finished request
-- when they are asked for, and kept:
--   status        integer
--   headers       by name, case-insensitive; a repeated field is a list of its values
--   meta          the envelope's other half, where the API has one
--   limits        what the server said about limits: limit, remaining, reset, retry_after; or nil
--   timings       seconds: queued, connected, first_byte, total, ...
--   attempts      list of { number, status, kind, reason, wait }
--   from_cache    boolean
--   raw           the body's bytes
--   url           after redirects, without secrets
--   request_id    where the definition says so

local lookup = require "moonrest.lookup"
local redact = require "moonrest.redact"

local response = {}

-- A call makes one of these whether it is looked at or not, so it is a list of what there is then, which costs Lua half
-- of what a table with names does. Everything else is read by its name, the first time. request:plain_single makes the
-- same list, with a record in place of the request, which has only :recall.
local REQUEST <const>, RECIPE <const>, STATUS <const> = 1, 2, 3

-- What responses must not show, by response, and the requests that have a secret in their path. Beside them and not in
-- them: whoever looks through all fields of an err must not find there what is masked everywhere else.
local hidden, secret_paths = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })

local readers = {}
local metatable = { __name = "moonrest.response" }

local headers_type = {
  __name = "moonrest.headers",
  __index = function(headers, name)
    return type(name) == "string" and rawget(headers, name:lower()) or nil
  end,
}

function readers.request(self) return self[REQUEST]:recall(self.recipe.endpoint) end
function readers.recipe(self) return self[RECIPE] end
function readers.status(self) return self[STATUS] end
function readers.headers(self) return setmetatable(self.request:headers(), headers_type) end
function readers.limits(self) return self.request:limits() end
function readers.timings(self) return self.request:timings() end
function readers.attempts(self) return self.request:attempts() end
function readers.raw(self) return self.request:body() end
function readers.request_id(self) return response.request_id(self) end
function readers.from_cache() return false end

-- A secret in the path is not shown, so the template stands for it.
function readers.url(self)
  local recipe, is_secret = self.recipe, secret_paths[self.request]
  for _, field in ipairs(recipe.path) do is_secret = is_secret or field.secret end
  if not is_secret then return self.request:url() end
  return recipe.site:base(recipe.declaration.server) .. recipe.declaration[1]:match " (.*)$"
end

-- What a server may repeat a credential in.
local echoes <const> = { headers = true, raw = true, url = true, request_id = true, meta = true, body = true }

function metatable.__index(self, name)
  local reader = readers[name]
  if not reader then return nil end
  local value = reader(self)
  local secrets = hidden[self]
  if secrets and echoes[name] then value = redact.texts(value, secrets) end
  rawset(self, name, value)
  return value
end

-- For a response that becomes part of an error: what the server repeats of these secrets is masked in all that is read
-- of it from now on.
function response.hide(self, secrets)
  hidden[self] = secrets
  for name in pairs(echoes) do rawset(self, name, redact.texts(rawget(self, name), secrets)) end
end

-- For a request with a secret in its path: no response of it shows that.
function response.hide_path(request)
  secret_paths[request] = true
end

local is_internal = { request = true, recipe = true, raw = true }

function metatable.__pairs(self)
  local view = { meta = self.meta }
  for name in pairs(readers) do
    if not is_internal[name] then view[name] = self[name] end
  end
  return next, view, nil
end

function metatable.__tostring(self)
  return ("moonrest.response: %s of %s"):format(self.status, self.recipe.label)
end

local function trace_value(self, trace)
  if type(trace) == "string" then return self.request:header(trace) end
  if trace.header then return self.request:header(trace.header) end
  return lookup.first(self.body, trace.body)
end

-- The server's name for this request, only from where the definition says.
function response.request_id(self)
  local trace = self.recipe.site.definition.trace
  if not trace then return nil end
  if type(trace) == "string" or trace.header or trace.body then return trace_value(self, trace) end
  for _, one in ipairs(trace) do
    local value = trace_value(self, one)
    if value then return value end
  end
  return nil
end

-- Keeps what the envelope and the trace field need of the decoded body.
function response.keep(self, recipe, body)
  local meta = recipe.envelope and recipe.envelope.meta
  if meta and type(body) == "table" then self.meta = lookup.first(body, meta) end
  if recipe.site.traces_body then self.body = body end
end

-- 'request' is the finished one, 'body' what the body was decoded to.
function response.new(recipe, request, status, body)
  local self = setmetatable({ request, recipe, status }, metatable)
  if recipe.keeps_body then response.keep(self, recipe, body) end
  return self
end

response.type = metatable

function response.is(value)
  return getmetatable(value) == metatable
end

return response
