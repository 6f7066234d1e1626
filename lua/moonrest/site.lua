-- A site is an opened definition: server, credential, limits, engine, and whatever else was said to
-- moonrest.open. Clients and their views share one; recipes are prepared once in it.

local caller = require "moonrest.caller"
local core = require "moonrest.core"
local credential = require "moonrest.credential"
local header = require "moonrest.header"
local limits = require "moonrest.limits"
local nearest = require "moonrest.nearest"
local recipe = require "moonrest.recipe"
local types = require "moonrest.types"
local words = require "moonrest.words"

local site = {}
site.__index = site

-- Options of moonrest.open that every definition has. Others come from the definition: the credential,
-- tenant parameters, variables of the server's URL.
site.options = {
  server = "string", environment = "string", base_url = "string", account = "string", plan = "string",
  read_only = "boolean", timeout = "number", max_wait = "number", proxy = "string", ca_file = "string",
  client_cert = "string", client_key = "string", unix_socket = "string", insecure_http = "boolean", headers = "table",
  user_agent = "string", on_error = "string", json = "string", strict = "boolean", legacy = "boolean", retry = "any",
  max_body = "integer",
}

-- What an err of a closed one says.
site.closed = "the client was closed"

-- Those that are in use; what nobody holds any more is not.
site.opened = setmetatable({}, { __mode = "k" })

local route_options = { "proxy", "ca_file", "client_cert", "client_key", "unix_socket" }

local longest_socket <const> = 107 -- bytes of a unix socket's path, see unix(7)
local longest_account <const> = 256 -- bytes: part of the keys of the limits

-- {========================================================================
-- Checking the options
-- =========================================================================

local function known_options(at)
  local known = {}
  for name, kind in pairs(site.options) do known[name] = kind end
  for name in pairs(credential.option_names(at)) do known[name] = "any" end
  for name in pairs(at.tenant or {}) do known[name] = "tenant" end
  for name in pairs(at.variables or {}) do known[name] = "string" end
  return known
end

local function check_options(at, given)
  local known = known_options(at)
  for name, value in pairs(given) do
    local kind = known[name]
    if not kind then
      caller.raise("moonrest.open: %s has no option '%s'%s", at.name, tostring(name), nearest.hint(name, known))
    end
    local fits = kind == "any" or type(value) == kind or math.type(value) == kind
      or (kind == "tenant" and (type(value) == "string" or math.type(value) == "integer"))
    if not fits then
      local wanted = kind == "tenant" and "string" or kind
      caller.raise("moonrest.open: option '%s' must be %s%s", name, types.with_article(wanted), types.got(value))
    end
    if type(value) == "number" and (value ~= value or value < 0) then
      caller.raise("moonrest.open: option '%s' must not be negative%s", name, types.got(value))
    end
  end
end

-- What libcurl would pass over without a word, or tell as something else, and what would be no key of a limit.
local function check_texts(given)
  if given.client_key and not given.client_cert then
    caller.raise("moonrest.open: option 'client_key' is of no use without 'client_cert'")
  end
  if given.account and #given.account > longest_account then
    caller.raise("moonrest.open: option 'account' is longer than %d bytes", longest_account)
  end
  if given.unix_socket == "" then caller.raise("moonrest.open: option 'unix_socket' must not be empty") end
  if given.unix_socket and #given.unix_socket > longest_socket then
    caller.raise("moonrest.open: option 'unix_socket' is longer than the system takes, %d bytes", longest_socket)
  end
end

local function check_word(value, known, what)
  if value == nil then return end
  for _, word in ipairs(known) do
    if word == value then return end
  end
  caller.raise("moonrest.open: unknown %s '%s'%s (there are: %s)", what, value, nearest.hint(value, known),
    table.concat(known, ", "))
end

-- }========================================================================

-- {========================================================================
-- Servers
-- =========================================================================

local function expand(at, url, given)
  return (url:gsub("{([%w_]+)}", function(name)
    local variable = at.variables[name]
    local value = given[name] or variable.default
    if variable.enum and given[name] then check_word(value, variable.enum, name) end
    if not value:find "^%w[%w._-]*$" then
      caller.raise("moonrest.open: option '%s' stands in the server's URL: letters, digits, '.', '_', '-' only", name)
    end
    return value
  end))
end

local function server_name(at, given)
  local name = given.server or given.environment or at.default_server or next(at.servers)
  check_word(name, words.sorted(at.servers), "server")
  return name
end

local function is_own_origin(at, given, origin)
  for _, url in pairs(at.servers) do
    if core.url.origin(expand(at, url, given)) == origin then return true end
  end
  return false
end

-- The URL that stands for all servers of the definition, and where it comes from; nil for none. The variable counts
-- only where the caller names neither a URL nor a server.
local function foreign_base(at, given)
  if given.base_url then return given.base_url, "base_url" end
  local variable = not given.server and not given.environment and at.server_env
  local value = variable and os.getenv(variable)
  if value and value ~= "" then return value, variable end
  return nil
end

local function check_base(url, source, given)
  local origin, problem = core.url.origin(url)
  if not origin then caller.raise("moonrest.open: %s: %s", source, problem) end
  if url:find("[?#]") then caller.raise("moonrest.open: %s: the URL has a query or a fragment", source) end
  local is_plain = url:lower():find "^http:" and not core.url.is_loopback(url)
  if is_plain and not given.insecure_http and not given.unix_socket then
    caller.raise("moonrest.open: %s: %s is not https; pass insecure_http = true if that is meant", source, url)
  end
  return origin
end

-- Sets where the site's requests go, and whether that is a server of the definition's own.
local function choose_server(self, given)
  local at = self.definition
  self.server_name = server_name(at, given)
  local url, source = foreign_base(at, given)
  if not url then
    url, source = expand(at, at.servers[self.server_name], given), "server " .. self.server_name
    self.is_own = true
  end
  local origin = check_base(url, source, given)
  self.is_own = self.is_own or is_own_origin(at, given, origin)
  self.base_url = url:gsub("/+$", "")
  self.variables = {} -- and nothing else of the options, among which credentials are
  for name in pairs(at.variables or {}) do self.variables[name] = given[name] end
end

-- The base URL of the site, or of another of the definition's servers. A foreign base URL stands for all of them.
function site:base(name)
  if not name or name == self.server_name or self.is_foreign then return self.base_url end
  return (expand(self.definition, self.definition.servers[name], self.variables):gsub("/+$", ""))
end

-- }========================================================================

-- {========================================================================
-- Headers, tenants, the rest
-- =========================================================================

local function add_headers(lines, order, headers)
  for name, value in pairs(headers or {}) do
    local line = header.line(name, value, "moonrest.open")
    local key = name:lower()
    if not lines[key] then order[#order + 1] = key end
    lines[key] = line
  end
end

local function own_headers(at, given)
  local plain = {}
  for name, value in pairs(given.headers or {}) do
    if not types.is_secret(value) then plain[name] = value end
  end
  local lines, order = {}, {}
  local agent = given.user_agent or ("moonrest/%s (%s)"):format(core.version, _VERSION)
  add_headers(lines, order, { ["User-Agent"] = agent })
  add_headers(lines, order, at.headers)
  add_headers(lines, order, plain)
  return lines, order
end

-- Complete header lines for an endpoint: Accept, then the site's own, which may replace it.
function site:header_lines(accept)
  local list = {}
  if not self.header_by_name.accept then list[1] = "Accept: " .. accept end
  for _, key in ipairs(self.header_order) do list[#list + 1] = self.header_by_name[key] end
  return list
end

-- Headers whose value is a secret are credentials: they stay with the server's origin.
local function secret_headers(self, given)
  for name, value in pairs(given.headers or {}) do
    if types.is_secret(value) then
      self.credentials[#self.credentials + 1] = { header = name, prefix = "", secret = value }
    end
  end
end

-- Raises for a header that carries a credential of this client: two of them would go out.
function site:check_header(name, label)
  for _, one in ipairs(self.credentials) do
    if one.header and type(name) == "string" and one.header:lower() == name:lower() then
      caller.raise("%s: header '%s' carries the credential already; open the client without one to write it yourself",
        label, name)
    end
  end
end

local function tenant_values(at, given)
  local values = {}
  for option, tenant in pairs(at.tenant or {}) do
    local value = given[option]
    for _, variable in ipairs(words.list(tenant.env)) do
      if value == nil then value = os.getenv(variable) end
    end
    if value ~= nil and value ~= "" then values[tenant.parameter] = value end
  end
  return values
end

local function read_plan(at, given)
  local declared = at.limits or {}
  if given.plan and not declared.plans then caller.raise("moonrest.open: %s has no plans", at.name) end
  if declared.plans then check_word(given.plan, declared.plans, "plan") end
  return given.plan or declared.default_plan or (declared.plans and declared.plans[1])
end

local retry_fields = { attempts = "number", backoff = "number", max_backoff = "number", statuses = "table" }

local function read_retry(at, given)
  local retry = given.retry
  if retry == nil then return at.retry or {} end
  if retry == false then return { attempts = 1 } end
  if math.type(retry) == "integer" and retry >= 1 then return { attempts = retry } end
  if type(retry) ~= "table" then
    caller.raise("moonrest.open: option 'retry' must be false, a number of attempts, or a table%s", types.got(retry))
  end
  for name, value in pairs(retry) do
    if type(value) ~= retry_fields[name] then
      caller.raise("moonrest.open: retry.%s %s", tostring(name),
        retry_fields[name] and "must be a " .. retry_fields[name] or "is unknown" .. nearest.hint(name, retry_fields))
    end
  end
  if retry.attempts and not (math.type(retry.attempts) == "integer" and retry.attempts >= 1) then
    caller.raise("moonrest.open: retry.attempts must be an integer of at least 1%s", types.got(retry.attempts))
  end
  return retry
end

local function make_route(given)
  local route = {}
  for _, name in ipairs(route_options) do route[name] = given[name] end
  local ok, made = pcall(core.route, route)
  if not ok then caller.raise("moonrest.open: %s", made) end
  return made
end

-- Who shares the limits: the named account, else whoever has the same credential, told by its fingerprint. That loads
-- libcrypto, so it is made when the first limit is needed: the first request will load it all the same.
function site:account()
  if not self.account_name then
    local first = self.credentials[1]
    self.account_name = first and core.fingerprint(first.secret, "moonrest.account", first.prefix)
      or core.url.origin(self.base_url)
  end
  return self.account_name
end

-- Whether the request's id may stand in the body, which is then kept with the response.
local function traces_body(trace)
  if type(trace) ~= "table" then return false end
  if trace.body then return true end
  for _, one in ipairs(trace) do
    if traces_body(one) then return true end
  end
  return false
end

-- }========================================================================

-- Opens a checked definition with the options of moonrest.open; raises when they are wrong.
function site.open(at, given)
  check_options(at, given)
  check_texts(given)
  check_word(given.on_error, { "raise", "return" }, "value of on_error:")
  local self = setmetatable({ definition = at, buckets = {}, chosen = limits.none_chosen(), recipes = {} }, site)
  choose_server(self, given)
  self.is_foreign = foreign_base(at, given) ~= nil
  self.credentials, self.missing = credential.find(at, given, self.is_own)
  for name in pairs(given.headers or {}) do self:check_header(name, "moonrest.open") end
  secret_headers(self, given)
  self.header_by_name, self.header_order = own_headers(at, given)
  self.tenant, self.plan, self.retry = tenant_values(at, given), read_plan(at, given), read_retry(at, given)
  self.engine, self.route = core.engine(), make_route(given)
  self.account_name = given.account
  self.codec = given.json and require "moonrest.codec".of(given.json) or nil
  self.read_only, self.strict, self.max_wait = given.read_only, given.strict, given.max_wait
  self.insecure_http, self.max_body = given.insecure_http, given.max_body
  self.traces_body = traces_body(at.trace)
  site.opened[self] = true
  return self
end

-- Ends what is in flight; from then on calls raise.
function site:close()
  self.is_closed = true
  self.engine:cancel_route(self.route, site.closed)
end

-- The recipe of an operation, prepared when first asked for.
function site:recipe(declaration, label)
  local known = self.recipes[declaration]
  if not known then
    known = recipe.prepare(self, declaration, label)
    self.recipes[declaration] = known
  end
  return known
end

return site
