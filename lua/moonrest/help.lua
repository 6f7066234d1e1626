-- moonrest.help(x): the documentation of a client, a resource, an operation, a definition's name,
-- "edgegap.apps.create", or an error, out of the definition itself. Made for a plain `lua5.4 -i`.

local caller = require "moonrest.caller"
local definition = require "moonrest.definition"
local example = require "moonrest.help_example"
local nearest = require "moonrest.nearest"
local recipe = require "moonrest.recipe"
local show = require "moonrest.show"
local types = require "moonrest.types"

local help = {}

local widest_column <const> = 34 -- characters; what is longer pushes its notes to the right
local widest_line <const> = 100 -- characters of a list of words

local beside <const> = "client:request(method, path, { ... }), client:with { options }, client:limits(), client:close()"

local general = [[
moonrest: REST management APIs as Lua tables.

  local client = moonrest.open "NAME"        NAME is one of: %s
  local data, response = client.resource:operation("path parameter", { parameters }, { options })
  for item in client.resource:each { parameters } do ... end
  local object = assert(client.resource:wait(id, "state", { timeout = 60 }))

Failures of the world return nil, err; print(err) reads well, err.kind, err.status and err.code are for programs.
Misuse raises. moonrest.help(client), help(client.resource) and help(client.resource.operation) tell more,
and so does help "edgegap.apps.create" without a client. help "options" tells how calls can be made, help "events"
what moonrest.on hears, help "open" what else a client can be told. Without an account: require "moonrest.sandbox".

%s]]

-- What each part of moonrest is for: how it is called, and a few words.
local module_parts = {
  { "open(name, { options })", "a client of a definition: its name, or its table" },
  { "configure { options }", "options for all clients that are opened later, and who shares the limits" },
  { "definitions()", "the names of the definitions that are built in" },
  { "definition(name)", "a copy of one, to be changed and opened" },
  { "env(name)", "a credential from the environment, which Lua never sees" },
  { "file(path)", "one from a file, read again when it is refused" },
  { "command(line)", "one that a command writes, run again when it is refused" },
  { "secret(text)", "a text that is shown nowhere" },
  { "show(value, { columns })", "prints data as a table" },
  { "help(x)", "prints this, or what x is: a client, a resource, an operation, an error, a name" },
  { "null", "what clears a field; JSON's null in a list" },
  { "array(list)", "a list that is sent as [] even when it is empty" },
  { "json", "decode, encode, decoder, array, is_array, null" },
  { "time", "now, parse, iso, age; second counts minute, hour, day, week" },
  { "on(event, handler)", "tells of retries, pauses, deprecations and more; returns what ends it" },
  { "is_error(value)", "whether it is an err" },
  { "map(list, f, { options })", "f for each of them, several at once" },
  { "all { name = f }", "the results of all, or the first failure" },
  { "race { f, g }", "the first that ends" },
  { "spawn(f, ...)", "a task: task:await(), task:cancel(), task:status()" },
  { "sleep(seconds)", "lets the other tasks have their turn meanwhile" },
  { "run(f, ...)", "f, and all tasks to their end" },
  { "wrap(f)", "a coroutine inside a task, in place of coroutine.wrap" },
  { "step(seconds)", "some of the work: for a game's loop" },
  { "set_blocking(false)", "makes calls outside of tasks raise" },
  { "prepare(client, ...)", "connects ahead of the first request" },
  { "version", "of the library" },
}

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

-- "required, secret, default 1, ...": what else is to be said about a parameter or a field of a shape.
local function note_of(descriptor, must, secret)
  local notes = { must }
  if secret then notes[#notes + 1] = "secret" end
  if descriptor.default ~= nil then notes[#notes + 1] = "default " .. tostring(descriptor.default) end
  if descriptor.doc then notes[#notes + 1] = descriptor.doc end
  return table.concat(notes, ", ")
end

local function parameter_note(field, tenant)
  local must = (field.descriptor.kind.required or field.place == "path") and "required" or nil
  if tenant[field.wire] then must = ("filled by moonrest.open { %s = }"):format(tenant[field.wire]) end
  return note_of(field.descriptor, must, field.secret)
end

-- Rows of texts, in columns as wide as they need to be.
local function add_rows(lines, rows)
  local widths = {}
  for _, row in ipairs(rows) do
    for column, text in ipairs(row) do
      if #text <= widest_column then widths[column] = math.max(widths[column] or 0, #text) end
    end
  end
  for _, row in ipairs(rows) do
    local cells = {}
    for column, text in ipairs(row) do
      cells[column] = text .. (" "):rep((widths[column] or 0) - #text)
    end
    add(lines, "%s", ("  " .. table.concat(cells, "  ")):gsub("%s+$", ""))
  end
end

local function body_text(declared)
  if declared.body_type ~= "raw" then return nil end
  local kind = declared.content_type and (" (%s)"):format(declared.content_type) or ""
  return "  the body is bytes" .. kind .. ": the option body, or upload = path of a file"
end

local function add_parameters(lines, declared, described, tenant)
  local rows = {}
  for _, place in ipairs { "path", "query", "header", "body" } do
    for _, field in ipairs(described[place]) do
      rows[#rows + 1] = { field.name, place, types.text(field.descriptor), parameter_note(field, tenant) }
    end
  end
  local body = body_text(declared)
  if #rows == 0 and not body then return end
  add(lines, "\nParameters")
  add_rows(lines, rows)
  if body then add(lines, "%s", body) end
  if described.opens_query then
    add(lines, "  further query parameters are sent as they are")
  elseif described.open then
    add(lines, "  further body fields are sent as they are")
  end
end

-- "Returns: a, b, ...", with further lines where one would be too long.
local function add_words(lines, line, separator, words, finish)
  for index, word in ipairs(words) do
    local text = word .. (index < #words and separator or finish)
    if #line + #text > widest_line then
      add(lines, "%s", (line:gsub("%s+$", "")))
      line = "  "
    end
    line = line .. text
  end
  add(lines, "%s", line)
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
    local rows = {}
    for field, specification in pairs(shapes[name]) do
      local descriptor = types.describe(specification)
      local must = descriptor.kind.required and "required" or nil
      rows[#rows + 1] = { field, types.text(descriptor), note_of(descriptor, must, descriptor.secret) }
    end
    table.sort(rows, function(a, b) return a[1] < b[1] end)
    add_rows(lines, rows)
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

local function add_result(lines, at, word)
  local result = at.results and at.results[word:gsub("%[%]$", "")]
  if not result then return add(lines, "\nReturns: %s", word) end
  add_words(lines, ("\nReturns: %s { "):format(word), ", ", result, " }")
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
  if declared.returns then add_result(lines, at, declared.returns) end
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
  add_parameters(lines, declared, described, tenant)
  add_shapes(lines, described, at.shapes)
  add_limits(lines, at, declared)
  add_notes(lines, at, declared, described)
  add(lines, "\nExample\n  %s", example.text(at, label, described, declared, tenant))
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

local function sorted_names(map)
  local names = {}
  for name in pairs(map or {}) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function add_servers(lines, at)
  add(lines, "\nServers")
  local names = sorted_names(at.servers)
  for _, name in ipairs(names) do
    local mark = #names > 1 and name == at.default_server and "   (the usual one)" or ""
    add(lines, "  %-12s %s%s", name, at.servers[name], mark)
  end
  if at.server_env then add(lines, "  or the URL in the variable %s", at.server_env) end
end

-- What of moonrest.open the definition itself has.
local function add_options(lines, at)
  add(lines, "%s", credential_text(at))
  local extra = at.auth and at.auth.extra
  for _, option in ipairs(sorted_names(extra)) do add(lines, "Option %s: sent as %s", option, extra[option]) end
  for _, option in ipairs(sorted_names(at.tenant)) do
    local tenant = at.tenant[option]
    local variables = tenant.env and "; or the variable " .. table.concat(words_of(tenant.env), " or ") or ""
    local doc = tenant.doc and ", " .. tenant.doc or ""
    add(lines, "Option %s: fills {%s}%s%s", option, tenant.parameter, doc, variables)
  end
  for _, option in ipairs(sorted_names(at.variables)) do
    local variable = at.variables[option]
    local words = variable.enum and ", one of " .. table.concat(words_of(variable.enum), ", ") or ""
    add(lines, "Option %s: fills {%s}%s, by default %s%s", option, option, words, variable.default,
      variable.doc and "; " .. variable.doc or "")
  end
  if at.legacy then add(lines, "Option legacy = true: adds the vendor's older operations") end
  local limits = at.limits or {}
  if limits.plans then
    local usual = limits.default_plan and ("; without the option plan: %s"):format(limits.default_plan) or ""
    add(lines, "Plans: %s%s", table.concat(words_of(limits.plans), ", "), usual)
  end
end

local function definition_text(at)
  local lines = {}
  add(lines, "%s%s", at.title or at.name, at.summary and ": " .. at.summary or "")
  if at.home then add(lines, "%s", at.home) end
  add_servers(lines, at)
  add_options(lines, at)
  add_words(lines, "Every client: ", ", ", sorted_names(require "moonrest.site".options), "")
  add(lines, "\nResources\n%s", show.resources(at.resources))
  add(lines, "\nBeside them: %s", beside)
  return table.concat(lines, "\n")
end

-- How each of the states is waited for.
local function add_waits(lines, at, resource, label)
  for _, state in ipairs(sorted_names(resource.waiters)) do
    local declared = resource[resource.waiters[state].poll]
    add(lines, "  %s", example.wait(label, state, recipe.describe(at, declared, label), declared, tenant_names(at)))
  end
end

local function resource_text(at, resource, label)
  local lines = {}
  add(lines, "%s%s\n", label, type(resource.summary) == "string" and ": " .. resource.summary or "")
  add(lines, "%s", show.operations(resource))
  add_waits(lines, at, resource, label)
  return table.concat(lines, "\n")
end

local function part_name(part)
  return part[1]:match "^[%w_]+"
end

local function part_names()
  local names = {}
  for _, part in ipairs(module_parts) do names[part_name(part)] = true end
  return names
end

local function part_text(part)
  return ("  moonrest.%-26s %s"):format(part[1], part[2])
end

local function general_text()
  local lines = {}
  for index, part in ipairs(module_parts) do lines[index] = part_text(part) end
  return general:format(table.concat(definition.built_in, ", "), table.concat(lines, "\n"))
end

-- The options of calls.
local function options_text()
  local lines, rows = { "Options of calls, in the table after the parameters, and of client:with" }, {}
  local known = require "moonrest.options".known
  for index, name in ipairs(sorted_names(known)) do
    local option = known[name]
    rows[index] = { name, (option.type:gsub(" ", " or ")), option.doc .. (option.use == "list" and " (lists)" or "") }
  end
  add_rows(lines, rows)
  return table.concat(lines, "\n")
end

local function events_text()
  local lines, rows = { "moonrest.on(event, function(details) ... end)" }, {}
  local names = require "moonrest.events".names
  for index, name in ipairs(sorted_names(names)) do rows[index] = { name, names[name] } end
  add_rows(lines, rows)
  return table.concat(lines, "\n")
end

local topics = { moonrest = general_text, options = options_text, events = events_text }

-- The options of moonrest.open; those of one definition are told by its own help.
local function open_text(part)
  local lines, rows = { part_text(part), "\nOptions of every definition" }, {}
  local docs = require "moonrest.help_open"
  for index, name in ipairs(sorted_names(docs)) do rows[index] = { name, docs[name] } end
  add_rows(lines, rows)
  add(lines, 'moonrest.help "NAME" tells those of a definition: its credential, plans, parameters of all calls.')
  return table.concat(lines, "\n")
end

-- "moonrest.map", or the function itself; nil for others.
local function find_part(subject)
  for _, part in ipairs(module_parts) do
    local name = part_name(part)
    if subject == "moonrest." .. name or subject == require "moonrest"[name] then
      return name == "open" and open_text(part) or part_text(part)
    end
  end
  return nil
end

-- "map" for moonrest.map, "timeout" for an option; nil for others.
local function word_text(word)
  local part = find_part("moonrest." .. word)
  if part then return part end
  local of_calls, of_open = require "moonrest.options".known[word], require "moonrest.help_open"[word]
  local lines = {}
  if of_calls then add(lines, '%s: %s (an option of calls: help "options")', word, of_calls.doc) end
  if of_open then add(lines, '%s: %s (an option of moonrest.open: help "open")', word, of_open) end
  return #lines > 0 and table.concat(lines, "\n") or nil
end

-- "edgegap.apps.create" without a client.
local function path_text(path)
  local name, rest = path:match "^([%w_]+)[.:]?(.*)$"
  if topics[path] then return topics[path]() end
  local word = word_text(path)
  if word then return word end
  if not name then caller.raise("moonrest.help: '%s' is no name", path) end
  if name == "moonrest" then
    caller.raise("moonrest.help: moonrest has no '%s'%s", rest, nearest.hint(rest, part_names()))
  end
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
  return resource_text(at, here, label)
end

local function error_text(err)
  local meaning = require "moonrest.errors".kinds[err.kind]
  return ("%s\n\nkind '%s': %s%s"):format(tostring(err), err.kind, meaning or "unknown",
    err.retryable and "\nThe same call may succeed later." or "")
end

local readers = {
  ["moonrest"] = general_text,
  ["moonrest.client"] = function(client) return definition_text(client[1].site.definition) end,
  ["moonrest.resource"] = function(resource)
    local inner = resource[1]
    return resource_text(inner.view.site.definition, inner.declared, inner.label)
  end,
  ["moonrest.operation"] = function(operation)
    return operation_text(operation.view.site.definition, operation.declaration, operation.label)
  end,
  ["moonrest.error"] = error_text,
}

-- }========================================================================

-- The text that help() prints.
function help.text(subject)
  if subject == nil then return general_text() end
  local part = find_part(subject)
  if part then return part end
  if type(subject) == "string" then return path_text(subject) end
  local metatable = getmetatable(subject)
  local reader = metatable and readers[metatable.__name]
  if reader then return reader(subject) end
  if type(subject) == "table" and type(subject.resources) == "table" then return definition_text(subject) end
  return ("moonrest has no help for a %s%s"):format(type(subject),
    type(subject) == "table" and "; moonrest.show(x) prints data" or "")
end

-- Prints the documentation of a client, a resource, an operation, an error, or a name such as "edgegap.apps.create".
function help.help(subject)
  print(help.text(subject))
end

return help
