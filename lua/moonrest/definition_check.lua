-- What a definition may say: checks a table against that, with the field's path in every message. The definitions that
-- come with the library are checked by its tests, so that a program which uses those alone never loads this file.

local definition = require "moonrest.definition"
local nearest = require "moonrest.nearest"
local schema = require "moonrest.definition_schema"
local types = require "moonrest.types"

local definition_check = {}

local body_types = { json = true, form = true, multipart = true, raw = true }
local repeats = { safe = true, idempotent = true, gone = true, never = true }
local result_words = {
  nothing = true, file = true, text = true, events = true, object = true, array = true, any = true, auto = true,
}
local page_styles = { page = true, offset = true, cursor = true, link = true, url = true, single = true }
local page_ends = { short = true, empty = true, no_new = true, missing = true }
local page_needs = { page = { "page" }, offset = { "offset" }, cursor = { "cursor", "next" }, url = { "next" } }

local header_name <const> = "^[%w!#$%%&'*+.^_`|~-]+$" -- RFC 9110 section 5.6.2

-- A problem travels as a table, so that a mistake of this file's own is not taken for one.
local problem_type = {}

local function fail(path, format, ...)
  error(setmetatable({ path = path, text = format:format(...) }, problem_type), 0)
end

local function join(path, key)
  if type(key) == "number" then return ("%s[%d]"):format(path, key) end
  if not tostring(key):find "^[%a_][%w_]*$" then return ("%s[%q]"):format(path, tostring(key)) end
  return path == "" and key or path .. "." .. key
end

-- {========================================================================
-- Records: keys and the kinds of their values
-- =========================================================================

local kinds = {}
local check_record

function kinds.any() return true end
function kinds.string(value) return type(value) == "string" end
function kinds.boolean(value) return type(value) == "boolean" end
function kinds.number(value) return type(value) == "number" end
function kinds.integer(value) return math.type(value) == "integer" end
function kinds.table(value) return type(value) == "table" end
function kinds.map(value) return type(value) == "table" and value[1] == nil end
function kinds.name(value) return type(value) == "string" and value:find "^[%a_][%w_]*$" ~= nil end

function kinds.words(value)
  if type(value) == "string" then return true end
  if type(value) ~= "table" then return false end
  for key, word in pairs(value) do
    if math.type(key) ~= "integer" or type(word) == "table" then return false end
  end
  return true
end
kinds.paths = kinds.words

function kinds.strings(value)
  if type(value) ~= "table" then return false end
  for key, text in pairs(value) do
    if type(key) ~= "string" or type(text) ~= "string" then return false end
  end
  return true
end

local wanted = {
  words = "a string or a list of strings", paths = "a path or a list of paths", strings = "a table of strings by name",
  map = "a table with named fields", name = "a Lua identifier", table = "a table",
}

local function check_kind(value, kind, path)
  if type(kind) == "table" then
    if type(value) ~= "table" then fail(path, "must be a table, got a %s", type(value)) end
    return check_record(value, kind, path)
  end
  local word = kind:match "^%a+"
  if not kinds[word](value) then fail(path, "must be %s, got a %s", wanted[word] or "a " .. word, type(value)) end
end

function check_record(record, keys, path)
  for key, value in pairs(record) do
    local kind = keys[key]
    if not kind then fail(join(path, key), "is unknown%s", nearest.hint(key, keys)) end
    check_kind(value, kind, join(path, key))
  end
  for key, kind in pairs(keys) do
    if record[key] == nil and type(kind) == "string" and kind:sub(-1) == "!" then
      fail(join(path, key), "is required%s", key == 2 and ": a line that tells what it does" or "")
    end
  end
end

local function check_word(value, words, path)
  if value ~= nil and not words[value] then
    if next(words) == nil then fail(path, "names '%s', but the definition has none", tostring(value)) end
    fail(path, "must be one of %s, got '%s'%s", nearest.list(words), tostring(value), nearest.hint(value, words))
  end
end

-- }========================================================================

-- {========================================================================
-- Parts of a definition
-- =========================================================================

local function check_type(specification, at, path)
  local kind = type(specification) == "string" and types.parse(specification)
  if not kind then fail(path, "'%s' is no type", tostring(specification)) end
  if types.words[kind.base] or (at.shapes and at.shapes[kind.base]) then return end
  local known = {}
  for word in pairs(types.words) do known[word] = true end
  for word in pairs(at.shapes or {}) do known[word] = true end
  fail(path, "unknown type '%s'%s", kind.base, nearest.hint(kind.base, known))
end

local function check_parameter(specification, at, path)
  if type(specification) == "string" then return check_type(specification, at, path) end
  if type(specification) ~= "table" then fail(path, "must be a type or a table, got a %s", type(specification)) end
  if specification[1] ~= nil then return check_kind(specification, "words", path) end
  for key, value in pairs(specification) do
    local kind = types.details[key]
    if not kind then fail(join(path, key), "is unknown%s", nearest.hint(key, types.details)) end
    if kind ~= "any" and kind ~= "list" and type(value) ~= kind then fail(join(path, key), "must be a %s", kind) end
  end
  if specification.type then check_type(specification.type, at, join(path, "type")) end
  if specification.encode and specification.encode ~= "json" then fail(join(path, "encode"), "must be 'json'") end
  if specification.min and specification.max and specification.min > specification.max then
    fail(join(path, "min"), "is greater than max")
  end
end

local function check_parameters(parameters, at, path)
  for name, specification in pairs(parameters or {}) do
    if type(name) ~= "string" then fail(join(path, name), "parameters need a name") end
    check_parameter(specification, at, join(path, name))
  end
end

local function check_server_url(url, path)
  if not url:find "^https?://[^/%s]+" then fail(path, "must be an http or https URL, got '%s'", url) end
end

local function check_servers(at)
  local count = 0
  for name, url in pairs(at.servers) do
    count = count + 1
    check_server_url(url, join("servers", name))
    for variable in url:gmatch "{([%w_]+)}" do
      if not (at.variables and at.variables[variable]) then
        fail(join("servers", name), "uses {%s}, which 'variables' does not have", variable)
      end
    end
  end
  if count == 0 then fail("servers", "needs at least one server") end
  if at.default_server and not at.servers[at.default_server] then
    fail("default_server", "there is no server '%s'%s", at.default_server, nearest.hint(at.default_server, at.servers))
  end
  if count > 1 and not at.default_server then fail("default_server", "is required when there are several servers") end
end

local function check_header_name(name, path)
  if name and not (type(name) == "string" and name:find(header_name)) then
    fail(path, "'%s' is no header name", (tostring(name):gsub("%c", "?")))
  end
end

local function check_auth(auth)
  check_kind(auth, schema.auth, "auth")
  check_header_name(auth.header, "auth.header")
  for option, name in pairs(auth.extra or {}) do check_header_name(name, join("auth.extra", option)) end
  if auth.prefix and auth.prefix:find "%c" then fail("auth.prefix", "must not contain control characters") end
  if auth.scheme and auth.scheme ~= "basic" then
    fail("auth.scheme", "must be 'basic', got '%s'; everything else is header and prefix, or query", auth.scheme)
  end
  if auth.header and auth.query then fail("auth.query", "excludes header: a credential goes to one place") end
end

local function check_trace(trace, path)
  if type(trace) == "string" then return check_header_name(trace, path) end
  if type(trace) == "table" and trace[1] ~= nil then
    for index, one in ipairs(trace) do check_trace(one, join(path, index)) end
  else
    check_kind(trace, schema.trace, path)
    check_header_name(trace.header, join(path, "header"))
  end
end

local function check_map(map, keys, path)
  for name, record in pairs(map or {}) do check_kind(record, keys, join(path, name)) end
end

local function check_limit_words(words, path)
  for key, word in pairs(words) do
    if math.type(key) == "integer" and not definition.parse_limit(word) then
      fail(join(path, key), "must be a limit such as '40/s' or '100/min', got '%s'", tostring(word))
    end
  end
end

local function check_bucket(bucket, plans, path)
  if type(bucket) ~= "table" then fail(path, "must be a list of limits, or limits by plan") end
  check_limit_words(bucket, path)
  for key, value in pairs(bucket) do
    if key == "per" then
      check_kind(value, "words", join(path, key))
    elseif type(key) == "string" then
      if not plans[key] then fail(join(path, key), "is no plan%s", nearest.hint(key, plans)) end
      check_kind(value, "table", join(path, key))
      check_limit_words(value, join(path, key))
    end
  end
end

local function set_of(words)
  local set = {}
  if type(words) == "string" then words = { words } end
  for _, word in ipairs(words or {}) do set[word] = true end
  return set
end

local function check_limits(limits)
  check_record(limits, schema.limits, "limits")
  local plans = set_of(limits.plans)
  if limits.default_plan then check_word(limits.default_plan, plans, "limits.default_plan") end
  for name, bucket in pairs(limits.buckets or {}) do check_bucket(bucket, plans, join("limits.buckets", name)) end
  if limits.default and limits.default ~= "" then check_word(limits.default, limits.buckets or {}, "limits.default") end
end

local function check_end_errors(at, path)
  for code, rule in pairs(at or {}) do
    local here = join(path, code)
    if type(rule) == "table" then
      check_record(rule, schema.end_error, here)
    elseif rule ~= true and math.type(rule) ~= "integer" then
      fail(here, "must be true, a status, or a table of status, message and absent, got a %s", type(rule))
    end
  end
end

local function check_pages(pages, at, path)
  check_kind(pages, schema.pages, path)
  local style = pages.style or (at.pages and at.pages.style)
  if not style then fail(join(path, "style"), "is required") end
  check_word(style, page_styles, join(path, "style"))
  check_word(pages.ends, page_ends, join(path, "ends"))
  check_end_errors(pages.end_errors, join(path, "end_errors"))
  local inherited = at.pages and at.pages.style == style and at.pages or {}
  for _, name in ipairs(page_needs[style] or {}) do
    if pages[name] == nil and inherited[name] == nil then
      fail(join(path, name), "is required: pages of the style '%s' have it", style)
    end
  end
end

-- }========================================================================

-- {========================================================================
-- Resources and operations
-- =========================================================================

local function check_route(operation, path)
  local method, route = operation[1]:match "^(%u+) (/%S*)$"
  if not method then fail(join(path, 1), "must be 'METHOD /path', got '%s'", operation[1]) end
  if not definition.methods[method] then
    fail(join(path, 1), "'%s' is no method%s", method, nearest.hint(method, definition.methods))
  end
  local names = {}
  for name in route:gmatch "{([%w_%-]+)}" do
    if names[name] then fail(join(path, 1), "has {%s} twice", name) end
    names[name] = true
  end
  local is_bad = route:gsub("{[%w_%-]+}", ""):find "[{}?#]" or (route .. "/"):find "/%.%.?/"
  if is_bad then fail(join(path, 1), "'%s' is no path template", route) end
  for name, specification in pairs(operation.path or {}) do
    if not names[name] then fail(join(join(path, "path"), name), "is not in the path%s", nearest.hint(name, names)) end
    if specification ~= "slashes" then check_parameter(specification, {}, join(join(path, "path"), name)) end
  end
end

local function check_returns(operation, at, path)
  local word = operation.returns and operation.returns:gsub("%[%]$", "")
  if not word or result_words[word] or (at.results and at.results[word]) then return end
  local known = {}
  for name in pairs(result_words) do known[name] = true end
  for name in pairs(at.results or {}) do known[name] = true end
  fail(join(path, "returns"), "there is no result '%s'%s", word, nearest.hint(word, known))
end

local function check_buckets(operation, at, path)
  local buckets = at.limits and at.limits.buckets or {}
  for word in pairs(set_of(operation.bucket)) do
    if word ~= "" then check_word(word, buckets, join(path, "bucket")) end
  end
end

-- Fields that are of one kind or another.
local function check_loose(operation, path)
  local paged, confirm, deprecated = type(operation.paged), type(operation.confirm), type(operation.deprecated)
  if paged ~= "nil" and paged ~= "boolean" and paged ~= "table" and operation.paged ~= "none" then
    fail(join(path, "paged"), "must be true or a table, got a %s", paged)
  end
  if confirm ~= "nil" and confirm ~= "string" and confirm ~= "table" then
    fail(join(path, "confirm"), "must be a text that says what cannot be undone, or a table, got a %s", confirm)
  end
  if deprecated ~= "nil" and deprecated ~= "boolean" and deprecated ~= "string" then
    fail(join(path, "deprecated"), "must be true or a text, got a %s", deprecated)
  end
end

local function check_operation(operation, at, path)
  check_record(operation, schema.operation, path)
  check_loose(operation, path)
  check_route(operation, path)
  for name in pairs(operation.header or {}) do check_header_name(name, join(join(path, "header"), name)) end
  for _, place in ipairs { "query", "header", "body" } do check_parameters(operation[place], at, join(path, place)) end
  check_word(operation.body_type, body_types, join(path, "body_type"))
  check_word(operation.repeatable, repeats, join(path, "repeatable"))
  check_returns(operation, at, path)
  check_buckets(operation, at, path)
  if type(operation.paged) == "table" then check_pages(operation.paged, at, join(path, "paged")) end
  if operation.paged == true and not at.pages then
    fail(join(path, "paged"), "is true, but the definition has no 'pages'")
  end
  if type(operation.confirm) == "table" then check_kind(operation.confirm, schema.confirm, join(path, "confirm")) end
  if operation.server then check_word(operation.server, at.servers, join(path, "server")) end
end

local places <const> = { "path", "query", "header", "body" }

-- The names that a call's table may have, by the wire's name and by Lua's; whether each must be there.
local function parameter_names(operation)
  local names = {}
  for name in operation[1]:gmatch "{([%w_%-]+)}" do names[name] = true end
  for _, place in ipairs(places) do
    for name, specification in pairs(operation[place] or {}) do
      local word = type(specification) == "table" and specification.type or specification
      names[name] = names[name] or (type(word) == "string" and word:sub(-1) == "!")
    end
  end
  return names
end

local function lua_name(wire)
  return (wire:gsub("%[%]$", ""):gsub("[^%w_]", "_")) -- as recipe.lua has it
end

local function check_example(operation, tenant, path)
  local names, known = parameter_names(operation), {}
  local example = operation.example
  for name, is_required in pairs(names) do
    known[name], known[lua_name(name)] = true, true
    if is_required and example[name] == nil and example[lua_name(name)] == nil and not tenant[name] then
      fail(path, "lacks the required parameter '%s'", name)
    end
  end
  for name in pairs(example) do
    if not known[name] and not operation.open then
      fail(join(path, name), "is no parameter%s", nearest.hint(name, known))
    end
  end
end

local function tenant_parameters(at)
  local names = {}
  for _, tenant in pairs(at.tenant or {}) do names[tenant.parameter] = true end
  return names
end

local function check_examples(at)
  local tenant, seen = tenant_parameters(at), {}
  definition.each_operation(at.resources, function(operation, name)
    if operation.example then check_example(operation, tenant, ("resources.%s.example"):format(name)) end
    for parameter in pairs(parameter_names(operation)) do
      seen[parameter], seen[lua_name(parameter)] = true, true
    end
  end)
  for option, one in pairs(at.tenant or {}) do
    if not seen[one.parameter] and not at.legacy then -- whose operations may have it
      fail(join(join("tenant", option), "parameter"), "'%s' is a parameter of no operation%s", one.parameter,
        nearest.hint(one.parameter, seen))
    end
  end
end

local function check_webhooks(webhooks, path)
  if webhooks[1] ~= nil then
    for index, one in ipairs(webhooks) do check_kind(one, schema.webhook, join(path, index)) end
  else
    check_kind(webhooks, schema.webhook, path)
  end
end

local function check_waiter(waiter, resource, path)
  check_kind(waiter, schema.waiter, path)
  if not definition.is_operation(resource[waiter.poll]) then
    fail(join(path, "poll"), "there is no operation '%s'%s", waiter.poll, nearest.hint(waiter.poll, resource))
  end
  if #waiter.accept == 0 then fail(join(path, "accept"), "needs at least one state") end
  for index, acceptor in ipairs(waiter.accept) do
    local at = join(join(path, "accept"), index)
    check_kind(acceptor, schema.acceptor, at)
    check_word(acceptor.state, { success = true, failure = true, retry = true }, join(at, "state"))
  end
end

-- 'above' has the resources that this one is in.
local function check_resource(resource, at, path, above)
  if above[resource] then fail(path, "is a resource that contains itself") end
  above[resource] = true
  for name, value in pairs(resource) do
    local here = join(path, name)
    if not kinds.name(name) then fail(here, "must be a Lua identifier") end
    if name == "waiters" then
      for state, waiter in pairs(value) do check_waiter(waiter, resource, join(here, state)) end
    elseif definition.is_operation(value) then
      check_operation(value, at, here)
    elseif type(value) == "table" then
      check_resource(value, at, here, above)
    elseif name ~= "summary" or type(value) ~= "string" then
      fail(here, "must be an operation { 'GET /path', ... } or a resource, got a %s", type(value))
    end
  end
  above[resource] = nil
end

-- }========================================================================

local function check_all(at)
  check_record(at, schema.definition, "")
  check_servers(at)
  check_map(at.variables, schema.variable, "variables")
  check_map(at.tenant, schema.tenant, "tenant")
  check_map(at.errors and at.errors.codes, schema.error_code, "errors.codes")
  if at.auth then check_auth(at.auth) end
  if at.trace then check_trace(at.trace, "trace") end
  if at.retry then check_record(at.retry, schema.retry, "retry") end
  if at.limits then check_limits(at.limits) end
  if at.pages then check_pages(at.pages, at, "pages") end
  for name, shape in pairs(at.shapes or {}) do
    check_kind(shape, "map", join("shapes", name))
    check_parameters(shape, at, join("shapes", name))
  end
  check_resource(at.resources, at, "resources", {})
  check_examples(at)
  if at.webhooks then check_webhooks(at.webhooks, "webhooks") end
end

-- nil when the table is a good definition, else what is wrong, with the field's path.
function definition_check.problem(at)
  if type(at) ~= "table" then return ("a definition must be a table, got a %s"):format(type(at)) end
  local ok, problem = pcall(check_all, at)
  if ok then return nil end
  if getmetatable(problem) ~= problem_type then error(problem, 0) end
  local name = type(at.name) == "string" and at.name or "?"
  return ("definition '%s': %s %s"):format(name, problem.path, problem.text)
end

return definition_check
