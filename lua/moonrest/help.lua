-- moonrest.help(x): the documentation of a client, a resource, an operation, a definition's name,
-- "edgegap.apps.create", or an error, out of the definition itself. Made for a plain `lua5.4 -i`.

local caller = require "moonrest.caller"
local definition = require "moonrest.definition"
local nearest = require "moonrest.nearest"
local recipe = require "moonrest.recipe"
local show = require "moonrest.show"
local types = require "moonrest.types"

local help = {}

local widest_example <const> = 80 -- characters of a table that stands on one line

local general = [[
moonrest: REST management APIs as Lua tables.

  local client = moonrest.open "NAME"        NAME is one of: %s
  local data, response = client.resource:operation("path parameter", { parameters }, { options })
  for item in client.resource:each { parameters } do ... end
  local object = assert(client.resource:wait(id, "state", { timeout = 60 }))

Failures of the world return nil, err; print(err) reads well, err.kind, err.status and err.code are for programs.
Misuse raises. moonrest.help(client), help(client.resource) and help(client.resource.operation) tell more,
and so does help "edgegap.apps.create" without a client.

  moonrest.open  moonrest.env  moonrest.file  moonrest.command  moonrest.secret  moonrest.null  moonrest.array
  moonrest.json  moonrest.time  moonrest.show  moonrest.on  moonrest.configure  moonrest.definitions
  moonrest.spawn  moonrest.map  moonrest.all  moonrest.race  moonrest.sleep  moonrest.run  moonrest.step]]

-- {========================================================================
-- Operations
-- =========================================================================

local function add(lines, format, ...)
  lines[#lines + 1] = select("#", ...) > 0 and format:format(...) or format
end

-- "app_name, { name = , ... }": how the call is written.
local function call_shape(described, tenant)
  local parts, has_table = {}, #described.query + #described.header + #described.body > 0
  for _, field in ipairs(described.path) do
    if not tenant[field.wire] then parts[#parts + 1] = field.name end
  end
  if has_table or described.open then parts[#parts + 1] = "{ parameters }" end
  return ("(%s)"):format(table.concat(parts, ", "))
end

local function note_of(field, tenant)
  local notes = {}
  if field.descriptor.kind.required or field.place == "path" then notes[1] = "required" end
  if tenant[field.wire] then notes[1] = ("filled by moonrest.open { %s = }"):format(tenant[field.wire]) end
  if field.secret then notes[#notes + 1] = "secret" end
  if field.descriptor.default ~= nil then notes[#notes + 1] = "default " .. tostring(field.descriptor.default) end
  if field.descriptor.doc then notes[#notes + 1] = field.descriptor.doc end
  return table.concat(notes, ", ")
end

local function add_parameters(lines, described, tenant)
  local rows = {}
  for _, place in ipairs { "path", "query", "header", "body" } do
    for _, field in ipairs(described[place]) do
      rows[#rows + 1] = ("  %-28s %-7s %-30s %s"):format(field.name, place, types.text(field.descriptor),
        note_of(field, tenant)):gsub("%s+$", "")
    end
  end
  if #rows == 0 then return end
  add(lines, "\nParameters")
  for _, row in ipairs(rows) do lines[#lines + 1] = row end
  if described.open then add(lines, "  further body fields are sent as they are") end
end

local function shapes_used(described, shapes)
  local used, names = {}, {}
  local function visit(descriptor)
    local name = descriptor.kind.base
    if types.words[name] or used[name] or not (shapes and shapes[name]) then return end
    used[name], names[#names + 1] = true, name
    for _, specification in pairs(shapes[name]) do visit(types.describe(specification)) end
  end
  for _, place in ipairs { "query", "body" } do
    for _, field in ipairs(described[place]) do visit(field.descriptor) end
  end
  table.sort(names)
  return names
end

local function add_shapes(lines, described, shapes)
  for _, name in ipairs(shapes_used(described, shapes)) do
    add(lines, "\n%s", name)
    local fields = {}
    for field in pairs(shapes[name]) do fields[#fields + 1] = field end
    table.sort(fields)
    for _, field in ipairs(fields) do
      local descriptor = types.describe(shapes[name][field])
      local required = descriptor.kind.required and "required" or ""
      lines[#lines + 1] = ("  %-28s %-38s %s"):format(field, types.text(descriptor), required):gsub("%s+$", "")
    end
  end
end

local function words_of(words)
  return type(words) == "string" and { words } or words or {}
end

local function limit_text(at, name)
  local bucket = at.limits.buckets and at.limits.buckets[name]
  if not bucket then return name end
  local parts = {}
  if bucket[1] then parts[1] = table.concat(bucket, ", ") end
  for _, plan in ipairs(words_of(at.limits.plans)) do
    local words = bucket[plan]
    if words then parts[#parts + 1] = ("%s: %s"):format(plan, words[1] and table.concat(words, ", ") or "no limit") end
  end
  if bucket.per then parts[#parts + 1] = "for each " .. table.concat(words_of(bucket.per), ", ") end
  return ("%s (%s)"):format(name, table.concat(parts, "; "))
end

local function add_limits(lines, at, declared)
  if not at.limits then return end
  local texts = {}
  for _, name in ipairs(words_of(declared.bucket or at.limits.default)) do
    if name ~= "" then texts[#texts + 1] = limit_text(at, name) end
  end
  if #texts > 0 then add(lines, "\nLimits: %s", table.concat(texts, ", ")) end
end

local function result_fields(at, word)
  local name = word:gsub("%[%]$", "")
  local result = at.results and at.results[name]
  if not result then return "" end
  local names = {}
  for _, field in ipairs(result) do names[#names + 1] = tostring(field) end
  return (" { %s }"):format(table.concat(names, ", "))
end

local repeat_notes = {
  safe = "reads only", idempotent = "repeating it changes nothing", gone = "a repeat finds it gone",
  never = "never repeated by itself once it may have been carried out",
}

local function confirm_text(confirm)
  if type(confirm) ~= "table" then return confirm == true and "it is dangerous" or confirm end
  if confirm.without then return ("without '%s' it %s"):format(confirm.without, confirm.why) end
  return ("with no '%s' it %s"):format(confirm.empty, confirm.why)
end

local function add_notes(lines, at, declared, described)
  if declared.returns then add(lines, "\nReturns: %s%s", declared.returns, result_fields(at, declared.returns)) end
  if described.pages then add(lines, "List: has :each, :pages and :all (%s)", described.pages.style) end
  if declared.returns == "events" or declared.returns == "file" then add(lines, "Stream: has :stream") end
  add(lines, "Repeats: %s", repeat_notes[described.repeatable])
  if declared.confirm then add(lines, "Needs { confirm = true }: %s", confirm_text(declared.confirm)) end
  if declared.deprecated then
    add(lines, "Deprecated%s", declared.deprecated == true and "" or ": " .. declared.deprecated)
  end
  if declared.assumed then add(lines, "Assumed: the vendor names the resource only; this is the usual route") end
  if declared.undocumented then add(lines, "Undocumented: seen in the vendor's own code") end
end

-- {========================================================================
-- Examples as Lua source
-- =========================================================================

local write_value

local function write_fields(value)
  local parts, names = {}, {}
  for _, item in ipairs(value) do parts[#parts + 1] = write_value(item) end
  for name in pairs(value) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local key = name:find "^[%a_][%w_]*$" and name or ("[%q]"):format(name)
    parts[#parts + 1] = ("%s = %s"):format(key, write_value(value[name]))
  end
  return parts
end

local function write_table(value)
  local parts = write_fields(value)
  return #parts > 0 and ("{ %s }"):format(table.concat(parts, ", ")) or "{}"
end

function write_value(value)
  if type(value) == "table" then return write_table(value) end
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) == "userdata" then return "moonrest.null" end
  return tostring(value)
end

-- On one line where there is room, else a line for each field.
local function write_parameters(value)
  local text = write_table(value)
  if #text <= widest_example then return text end
  return ("{\n    %s,\n  }"):format(table.concat(write_fields(value), ",\n    "))
end

local function take_path(described, example, tenant)
  local parts, rest = {}, {}
  for name, value in pairs(example) do rest[name] = value end
  for _, field in ipairs(described.path) do
    local value = rest[field.name] or rest[field.wire]
    rest[field.name], rest[field.wire] = nil, nil
    if value ~= nil and not tenant[field.wire] then parts[#parts + 1] = write_value(value) end
  end
  return parts, rest
end

local function needs_confirm(declared)
  local confirm = declared.confirm
  if type(confirm) ~= "table" or not declared.example then return confirm ~= nil end
  local value = declared.example[confirm.without or confirm.empty]
  return value == nil or (type(value) == "table" and next(value) == nil)
end

local function example_text(label, described, declared, tenant)
  local parts, rest = take_path(described, declared.example or {}, tenant)
  local is_table_only = #parts == 0 and next(rest) ~= nil
  if next(rest) then parts[#parts + 1] = write_parameters(rest) end
  if needs_confirm(declared) then
    if not next(rest) then parts[#parts + 1] = "nil" end
    parts[#parts + 1] = "{ confirm = true }"
    is_table_only = false
  end
  local arguments = table.concat(parts, ", ")
  arguments = is_table_only and " " .. arguments or ("(%s)"):format(arguments)
  if described.pages then
    return ("for item in %s:each%s do ... end"):format(label:gsub(":", "."), arguments)
  end
  return ("assert(%s%s)"):format(label, arguments)
end

-- }========================================================================

local function tenant_names(at)
  local names = {}
  for option, tenant in pairs(at.tenant or {}) do names[tenant.parameter] = option end
  return names
end

local function operation_text(at, declared, label)
  local lines, tenant = {}, tenant_names(at)
  local described = recipe.describe(at, declared, label)
  add(lines, "%s%s", label, call_shape(described, tenant))
  add(lines, "%s\n\n%s", declared[1], declared[2])
  if declared.doc then add(lines, "%s", declared.doc) end
  add_parameters(lines, described, tenant)
  add_shapes(lines, described, at.shapes)
  add_limits(lines, at, declared)
  add_notes(lines, at, declared, described)
  add(lines, "\nExample\n  %s", example_text(label, described, declared, tenant))
  return table.concat(lines, "\n")
end

-- }========================================================================

-- {========================================================================
-- Everything else
-- =========================================================================

local function credential_text(at)
  local auth = at.auth
  if not auth then return "Credential: none" end
  local variables = table.concat(words_of(auth.env), " or ")
  local option = auth.scheme == "basic" and "username, password" or auth.option or "token"
  return ("Credential: option %s%s"):format(option, variables ~= "" and ", or the variable " .. variables or "")
end

local function servers_text(at)
  local names = {}
  for name, url in pairs(at.servers) do names[#names + 1] = ("  %-12s %s"):format(name, url) end
  table.sort(names)
  return table.concat(names, "\n")
end

local function definition_text(at)
  local lines = {}
  add(lines, "%s%s", at.title or at.name, at.summary and ": " .. at.summary or "")
  if at.home then add(lines, "%s", at.home) end
  add(lines, "\nServers\n%s\n%s", servers_text(at), credential_text(at))
  for option, tenant in pairs(at.tenant or {}) do
    add(lines, "Option %s: fills {%s}%s", option, tenant.parameter, tenant.doc and ", " .. tenant.doc or "")
  end
  if at.limits and at.limits.plans then add(lines, "Plans: %s", table.concat(words_of(at.limits.plans), ", ")) end
  add(lines, "\nResources\n%s", show.resources(at.resources))
  return table.concat(lines, "\n")
end

local function waiters_text(resource)
  if not resource.waiters then return "" end
  return ("\n\nStates to :wait for: %s"):format(nearest.list(resource.waiters))
end

local function resource_text(resource, label)
  local summary = type(resource.summary) == "string" and ": " .. resource.summary or ""
  return ("%s%s\n\n%s%s"):format(label, summary, show.operations(resource), waiters_text(resource))
end

-- "edgegap.apps.create" without a client.
local function path_text(path)
  local name, rest = path:match "^([%w_]+)[.:]?(.*)$"
  if not name then caller.raise("moonrest.help: '%s' is no name", path) end
  local at = definition.read(name)
  if rest == "" then return definition_text(at) end
  local here, label = at.resources, name
  for part in rest:gmatch "[%w_]+" do
    local child = here[part]
    if type(child) ~= "table" then
      caller.raise("moonrest.help: %s has no '%s'%s", label, part, nearest.hint(part, here))
    end
    label = label .. (definition.is_operation(child) and ":" or ".") .. part
    here = child
    if definition.is_operation(here) then return operation_text(at, here, label) end
  end
  return resource_text(here, label)
end

local function error_text(err)
  local meaning = require "moonrest.errors".kinds[err.kind]
  return ("%s\n\nkind '%s': %s%s"):format(tostring(err), err.kind, meaning or "unknown",
    err.retryable and "\nThe same call may succeed later." or "")
end

local readers = {
  ["moonrest"] = function() return general:format(table.concat(definition.built_in, ", ")) end,
  ["moonrest.client"] = function(client) return definition_text(client[1].site.definition) end,
  ["moonrest.resource"] = function(resource) return resource_text(resource[1].declared, resource[1].label) end,
  ["moonrest.operation"] = function(operation)
    return operation_text(operation.view.site.definition, operation.declaration, operation.label)
  end,
  ["moonrest.error"] = error_text,
}

-- }========================================================================

-- The text that help() prints.
function help.text(subject)
  if subject == nil then return readers.moonrest() end
  if type(subject) == "string" then return path_text(subject) end
  local metatable = getmetatable(subject)
  local reader = metatable and readers[metatable.__name]
  if reader then return reader(subject) end
  if type(subject) == "table" and type(subject.resources) == "table" then return definition_text(subject) end
  return ("moonrest has no help for a %s"):format(type(subject))
end

-- Prints the documentation of a client, a resource, an operation, an error, or a name such as "edgegap.apps.create".
function help.help(subject)
  print(help.text(subject))
end

return help
