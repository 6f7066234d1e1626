-- A recipe is an operation of one opened definition, prepared on its first call: parsed path,
-- known parameters, envelope, limits, and the endpoint of the core that it goes through.
-- Whatever every call would otherwise work out again is worked out here.
--
-- Fields of a recipe:
--   label          "edgegap.apps:get", for messages
--   method, site, declaration
--   literals, path the path's fixed pieces and the fields between them
--   query, header, body   fields in a fixed order
--   fields         field by Lua name, by wire name, and by "place:name"
--   also           second and further fields that a name fills: lists by name
--   positional     the path fields that leading strings fill, in order; nil: those of 'path'
--   required       fields that must be given; nil: those of 'path'
--   quick          a read whose only field is one path parameter: its calls take the short way
--   plain, keeps_body, bare   how its answers are read: a success is its body; parts of the body are kept for the
--                  response; neither envelope nor such parts
--   secrets        set of names that are never shown, or nil
-- A field is { name, wire, place, descriptor } and perhaps query_name (the encoded wire name, where it differs),
-- secret, encode, slashes; it is shared between the recipes that declare it alike.

local core = require "moonrest.core"
local limits = require "moonrest.limits"
local types = require "moonrest.types"
local words = require "moonrest.words"

local recipe = {}

local stream_idle <const> = 90 -- seconds: three of the usual heartbeats of an event stream

local default_repeat = { GET = "safe", HEAD = "safe", OPTIONS = "safe", PUT = "idempotent", DELETE = "gone" }
local expects_body = { POST = true, PUT = true, PATCH = true }

-- The name that Lua users write: "fleet-name" is fleet_name, "api_key_id[]" is api_key_id.
function recipe.lua_name(wire)
  return (wire:gsub("%[%]$", ""):gsub("[^%w_]", "_"))
end

-- {========================================================================
-- Fields
-- =========================================================================

local known_fields = { path = {}, query = {}, header = {}, body = {} }

local function make_field(key, specification, place, secret)
  local descriptor = types.describe(specification)
  local field = {
    name = recipe.lua_name(key), wire = descriptor.wire or key, place = place, descriptor = descriptor,
  }
  if secret or descriptor.secret then field.secret = true end
  if descriptor.encode then field.encode = descriptor.encode end
  local encoded = place == "query" and core.url.query(field.wire) or field.wire
  if encoded ~= field.wire then field.query_name = encoded end
  return field
end

-- Fields by place and name; 'another' is the next one of that name, with another specification.
local function shared_field(key, specification, place, secret)
  if type(specification) ~= "string" then return make_field(key, specification, place, secret) end
  local descriptor, known = types.describe(specification), known_fields[place]
  local is_secret = (secret or descriptor.secret) and true or nil
  local field = known[key]
  while field and (field.descriptor ~= descriptor or field.secret ~= is_secret) do field = field.another end
  if not field then
    field = make_field(key, specification, place, secret)
    field.another, known[key] = known[key], field
  end
  return field
end

local slashed_fields = {}

local function path_field(key, specification, secret)
  if specification ~= "slashes" then return shared_field(key, specification or "string!", "path", secret) end
  if not slashed_fields[key] then
    slashed_fields[key] = make_field(key, "string!", "path", secret)
    slashed_fields[key].slashes = true
  end
  return slashed_fields[key]
end

-- Later fields of a name that is taken go to 'also': one value fills them all.
local function add_name(self, name, field)
  local taken = self.fields[name]
  if not taken then
    self.fields[name] = field
  elseif taken ~= field then
    self.also = self.also or {}
    local list = self.also[name] or {}
    list[#list + 1] = field
    self.also[name] = list
  end
end

local function add_field(self, list, field)
  list[#list + 1] = field
  add_name(self, field.name, field)
  if field.wire ~= field.name then add_name(self, field.wire, field) end
  if field.descriptor.kind.required or field.place == "path" then self.required[#self.required + 1] = field end
  if field.secret then
    self.secrets = self.secrets or {}
    self.secrets[field.name], self.secrets[field.wire] = true, true
  end
end

local function read_path(self, route, secret)
  local position = 1
  for start, key, finish in route:gmatch "(){([%w_%-]+)}()" do
    self.literals[#self.literals + 1] = route:sub(position, start - 1)
    local path = self.declaration.path
    add_field(self, self.path, path_field(key, path and path[key], secret[key]))
    position = finish
  end
  self.literals[#self.literals + 1] = route:sub(position)
end

local function add_place(self, place, secret)
  local declared = self.declaration[place]
  for _, key in ipairs(words.sorted(declared)) do
    add_field(self, self[place], shared_field(key, declared[key], place, secret[key]))
  end
end

local page_types = { page = "integer", offset = "integer", cursor = "any", size = "integer" }

-- The parameters that pages are asked with are always known, whether the API documents them or not.
local function add_page_fields(self, secret)
  local pages = self.pages
  if not pages then return end
  local place = pages.in_body and "body" or "query"
  for _, role in ipairs { "page", "offset", "cursor", "size" } do
    local key = pages[role]
    if key and not self.fields[key] then
      add_field(self, self[place], shared_field(key, page_types[role], place, secret[key]))
    end
  end
end

local function find_positional(self)
  local positional = {}
  for _, field in ipairs(self.path) do
    if self.site.tenant[field.wire] == nil then positional[#positional + 1] = field end
  end
  self.positional = #positional == #self.path and self.path or positional
end

local none = {} -- the list of all recipes that have nothing in it

-- A client has many recipes: what is empty or the same is kept once.
local function share_lists(self)
  local path, required = self.path, self.required
  if #required == #path and required[#path] == path[#path] then self.required = path end
  for _, name in ipairs { "path", "query", "header", "body", "positional", "required" } do
    if #self[name] == 0 then self[name] = none end
  end
  for _, name in ipairs { "literals", "query", "body", "required" } do -- without the room to grow
    if #self[name] > 2 and self[name] ~= path then self[name] = { table.unpack(self[name]) } end
  end
end

local contexts = setmetatable({}, { __mode = "k" })

-- What values are checked against, once for each definition.
local function context_of(at)
  contexts[at] = contexts[at] or { shapes = at.shapes }
  return contexts[at]
end

-- One path parameter is all that a call needs to say, and nothing must be asked before it is sent.
local function is_single(self)
  return #self.path == 1 and #self.positional == 1 and #self.required == 1 and not self.path[1].slashes
    and not self.path[1].secret and self.path[1].descriptor == types.describe "string!" and not self.also
    and not self.per and not self.confirm and next(self.site.tenant) == nil and not self.expects_body
    and not self.default_key and not self.writes
end

local read_otherwise = { text = true, file = true, auto = true, events = true } -- by call.finish, in these 'returns'

-- A success is its body, or what the envelope holds, whatever stands in it: no failure to look for, nothing to hide.
local function is_plain(self)
  local declaration, envelope, site = self.declaration, self.envelope, self.site
  return not (declaration.failure or declaration.partial or declaration.deprecated or self.secrets or site.codec
    or site.traces_body or envelope and envelope.success or read_otherwise[declaration.returns])
end

-- }========================================================================

-- {========================================================================
-- What surrounds the fields
-- =========================================================================

local function merge(base, over)
  if not over then return base end
  local merged = {}
  for key, value in pairs(base or {}) do merged[key] = value end
  for key, value in pairs(over) do merged[key] = value end
  return merged
end

local metatables = setmetatable({}, { __mode = "k" })

-- One whose tables have what 'base' has, where they have nothing of their own.
local function metatable_over(base)
  metatables[base] = metatables[base] or { __index = base }
  return metatables[base]
end

-- The page style of an operation: its own over the definition's; nil when it is no list.
function recipe.pages_of(at, declaration)
  local paged = declaration.paged
  if not paged or paged == "none" then return nil end
  local pages = paged == true and at.pages or merge(at.pages, paged)
  if type(paged) == "table" and paged.style and at.pages and paged.style ~= at.pages.style then pages = paged end
  if not declaration.items and not declaration.key then return pages end
  return setmetatable({ items = declaration.items, key = declaration.key }, metatable_over(pages))
end

local function add_result_secrets(self)
  local at, declaration = self.site.definition, self.declaration
  local name = declaration.returns and declaration.returns:gsub("%[%]$", "")
  local result = name and at.results and at.results[name]
  for _, list in ipairs { words.list(declaration.secret), words.list(result and result.secret) } do
    for _, word in ipairs(list) do
      self.secrets = self.secrets or {}
      self.secrets[word] = true
    end
  end
end

local function accept_of(self)
  local returns = self.declaration.returns
  if self.declaration.accept then return self.declaration.accept end
  if returns == "events" then return "text/event-stream" end
  if returns == "file" or returns == "text" then return "*/*" end
  return self.site.definition.accept or "application/json"
end

local function repeatable_of(self)
  if self.declaration.repeatable then return self.declaration.repeatable end
  if self.declaration.read then return "safe" end
  return default_repeat[self.method] or "never"
end

-- The codes that the definition gives that meaning: "final" (no matter of time) or "rights" (a 401 about what the
-- credential may do, and not about who it is).
local function codes_of(errors, meaning)
  local codes = { table.unpack(words.list(errors[meaning])) }
  for _, code in ipairs(words.sorted(errors.codes)) do
    if errors.codes[code][meaning] then codes[#codes + 1] = code end
  end
  return #codes > 0 and codes or nil
end

local function make_endpoint(self)
  local site, declaration = self.site, self.declaration
  local retry, errors, deprecation = site.retry, self.errors or {}, site.definition.deprecation or {}
  return core.endpoint {
    label = self.label, literals = self.quick and self.literals or nil,
    engine = site.engine, route = site.route, method = self.method, base = site:base(declaration.server),
    headers = site:header_lines(accept_of(self)),
    credentials = declaration.auth ~= false and site.credentials or {},
    buckets = self.buckets, repeatable = self.repeatable,
    attempts = retry.attempts, backoff = retry.backoff, max_backoff = retry.max_backoff,
    retry_statuses = retry.statuses,
    idle_timeout = declaration.returns == "events" and stream_idle or nil,
    timeout = declaration.timeout, max_body = site.max_body,
    max_wait = site.max_wait or limits.max_wait(site, declaration),
    insecure_http = site.insecure_http,
    final = codes_of(errors, "final"), right_codes = codes_of(errors, "rights"),
    code_paths = words.list(errors.code), retry_after_paths = words.list(errors.retry_after),
    deprecation = words.list(deprecation.headers),
  }
end

local function read_shape(self)
  local at, declaration = self.site.definition, self.declaration
  self.errors = merge(at.errors, declaration.errors)
  self.envelope = declaration.envelope or at.envelope
  self.pages = recipe.pages_of(at, declaration)
  self.body_type = declaration.body_type or "json"
  self.expects_body = declaration.body ~= nil and expects_body[self.method] or false
  self.repeatable = repeatable_of(self)
  self.writes = not (self.method == "GET" or self.method == "HEAD" or declaration.read)
  self.confirm = declaration.confirm
  self.open = declaration.open
  self.opens_query = declaration.open and (self.method == "GET" or self.method == "HEAD") or nil
  self.context = context_of(at)
  self.idempotency_header = at.retry and at.retry.idempotency_header
  self.default_key = self.idempotency_header ~= nil and self.repeatable == "never"
end

-- }========================================================================

local function set_of(given)
  local set = {}
  for _, word in ipairs(words.list(given)) do set[word] = true end
  return set
end

local function read(site, declaration, label)
  local method, route = declaration[1]:match "^(%u+) (/%S*)$"
  local self = {
    label = label, method = method, site = site, declaration = declaration,
    literals = {}, path = {}, query = {}, header = {}, body = {}, fields = {}, required = {},
  }
  local secret = set_of(declaration.secret)
  read_shape(self)
  read_path(self, route, secret)
  for _, place in ipairs { "query", "header", "body" } do add_place(self, place, secret) end
  add_page_fields(self, secret)
  find_positional(self)
  share_lists(self)
  return self
end

-- What most recipes of a site have in common.
local function usual_of(site)
  local at = site.definition
  return {
    site = site, method = "GET", repeatable = "safe", body_type = "json", errors = at.errors, envelope = at.envelope,
    context = context_of(at), idempotency_header = at.retry and at.retry.idempotency_header,
    path = none, query = none, header = none, body = none,
    quick = false, plain = true, keeps_body = false, bare = at.envelope == nil, writes = false, default_key = false,
    expects_body = false,
  }
end

-- The metatable of a site's recipes of one method; those that read have the fewest fields of their own.
local function type_of(site, method)
  local types_of_site = site.recipe_types
  if not types_of_site then
    types_of_site = { GET = { __index = usual_of(site) } }
    site.recipe_types = types_of_site
  end
  if not types_of_site[method] then
    local usual = {
      method = method, repeatable = default_repeat[method] or "never", writes = method ~= "HEAD",
      expects_body = expects_body[method] or false,
    }
    types_of_site[method] = { __index = setmetatable(usual, types_of_site.GET) }
  end
  return types_of_site[method]
end

-- The same recipe with that in a table behind it: with all operations in use this is a third of a client's memory.
local function slim(self)
  local recipe_type, own = type_of(self.site, self.method), {}
  local usual = recipe_type.__index
  if self.positional == self.path then self.positional = nil end
  if self.required == self.path then self.required = nil end
  for name, value in pairs(self) do
    if usual[name] ~= value then own[name] = value end
  end
  return setmetatable(own, recipe_type)
end

-- Prepares 'declaration' of an opened definition. 'label' names it in messages.
function recipe.prepare(site, declaration, label)
  local self = read(site, declaration, label)
  add_result_secrets(self)
  self.buckets, self.per = limits.of(site, declaration)
  self.plain = is_plain(self)
  self.keeps_body = site.traces_body or self.envelope ~= nil and self.envelope.meta ~= nil
  self.bare = not self.envelope and not self.keeps_body
  self.quick = self.plain and declaration.auth ~= false and is_single(self)
  self.endpoint = make_endpoint(self)
  return slim(self)
end

-- As much of a recipe as documentation needs; no client, nothing is opened.
function recipe.describe(at, declaration, label)
  return read({ definition = at, tenant = {} }, declaration, label)
end

return recipe
