-- Paths and queries: from checked values to the encoded text that follows the base URL.
-- Secrets are left to the core as they are: a target with secrets is a list of pieces.

local caller = require "moonrest.caller"
local core = require "moonrest.core"
local types = require "moonrest.types"

local target = {}

local segment, segments, encode_query = core.url.segment, core.url.segments, core.url.query

-- The shortest text that reads back as the same number, as JSON has it: a whole one without its ".0", and the
-- program's locale changes nothing (string.format writes a decimal comma in some).
local function float_text(value, label)
  if value ~= value or value == math.huge or value == -math.huge then
    caller.raise("%s: a number that is not finite (%s) cannot be sent", label, value)
  end
  return value == 0 and "0" or (core.json.encode(value))
end

-- A value as it is written in a URL, a header or a form. 'label' begins the messages here: the operation's name.
local function text_of(value, label)
  if math.type(value) == "float" then return float_text(value, label) end
  if types.is_secret(value) then
    caller.raise("%s: a secret cannot stand in a form: it goes into paths, queries, headers and JSON only", label)
  end
  if type(value) == "userdata" or type(value) == "table" or type(value) == "function" then
    caller.raise("%s: a %s cannot be sent as text", label, type(value))
  end
  return tostring(value)
end
target.text_of = text_of

-- JSON text inside something else than a JSON body.
function target.json(field, value, label)
  local text, problem = core.json.encode(value)
  if not text then caller.raise("%s: parameter '%s': %s", label, field.name, problem) end
  return text
end

-- What a definition marks as secret is kept as one, so that no message shows it.
local function hide(field, text, label)
  if not field.secret then return text end
  local secret, problem = core.secret(text)
  if not secret then caller.raise("%s: parameter '%s': %s", label, field.name, problem) end
  return secret
end

-- The value as the field wants it on the wire: text, or a secret.
function target.value(field, value, label)
  if type(value) == "userdata" then return value end
  if type(value) == "table" and (field.encode == "json" or field.place ~= "query") then
    return hide(field, target.json(field, value, label), label)
  end
  return hide(field, text_of(value, label), label)
end

-- What is told of a value that must not be shown.
local no_segment <const> = "it is empty, too long, '.' or '..', or has a line break or NUL"

-- Encoded text or a secret; nil and why when the value cannot stand in a path.
local function encode_segment(field, value, label)
  local text = value
  if type(text) ~= "string" then
    if type(text) == "userdata" then return text end
    text = text_of(text, label)
  end
  local encoded, problem = (field.slashes and segments or segment)(text)
  if not encoded then return nil, field.secret and no_segment or problem end
  return field.secret and hide(field, text, label) or encoded
end

-- Appends pieces; texts that follow each other become one.
local function append(pieces, piece)
  local last = pieces[#pieces]
  if type(piece) == "string" and type(last) == "string" then
    pieces[#pieces] = last .. piece
  else
    pieces[#pieces + 1] = piece
  end
end

local function append_pair(pieces, name, value)
  local separator = pieces.has_query and "&" or "?"
  pieces.has_query = true
  append(pieces, separator .. name .. "=")
  append(pieces, type(value) == "string" and encode_query(value) or value)
end

-- Visits the values of a list that goes out piece by piece. What would go out in part, or not at all, is refused.
local function each_item(list, name, label, visit)
  local count = 0
  for key in pairs(list) do
    if math.type(key) ~= "integer" then
      caller.raise("%s: '%s' is a table with named fields ('%s'), which a query or a form cannot say: send a text, "
        .. "such as moonrest.json.encode gives", label, name, tostring(key))
    end
    count = count + 1
  end
  for index = 1, count do
    if list[index] == nil then
      caller.raise("%s: '%s' is a list with a hole at [%d]: leave nil values out of it", label, name, index)
    end
    visit(list[index])
  end
end

target.each_item = each_item

local function append_query(pieces, field, value, label)
  local name = field.query_name or field.wire
  if type(value) == "table" and field.encode ~= "json" then
    each_item(value, field.name, label, function(item)
      append_pair(pieces, name, target.value(field, item, label))
    end)
  else
    append_pair(pieces, name, target.value(field, value, label))
  end
end

-- Visits name and single value of a table of plain values and lists, in the order of the names.
local function each_pair(parameters, label, visit)
  local function visit_one(name, value)
    if value == core.null then
      caller.raise("%s: '%s' is null, which a query or a form cannot say: leave it out, or send ''", label, name)
    end
    visit(encode_query(name), value)
  end
  local names = {}
  for name in pairs(parameters) do
    if type(name) ~= "string" then
      caller.raise("%s: parameters need names: { name = value }, got a value at [%s]", label, tostring(name))
    end
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = parameters[name]
    if type(value) == "table" then
      each_item(value, name, label, function(item) visit_one(name, item) end)
    else
      visit_one(name, value)
    end
  end
end

local function append_all(pieces, parameters, label)
  each_pair(parameters, label, function(name, value)
    append_pair(pieces, name, types.is_secret(value) and value or text_of(value, label))
  end)
end

-- The path and query of a call. 'values' holds the checked values by field. Returns text or a list of pieces, whose
-- field hides_path is true when a secret stands in the path; nil, the field's name and why, when a value cannot stand
-- there.
function target.build(recipe, values)
  local pieces = { recipe.literals[1] }
  for index, field in ipairs(recipe.path) do
    local encoded, problem = encode_segment(field, values[field], recipe.label)
    if not encoded then return nil, field.name, problem end
    append(pieces, encoded)
    append(pieces, recipe.literals[index + 1])
    if type(encoded) == "userdata" then pieces.hides_path = true end
  end
  for _, field in ipairs(recipe.query) do
    if values[field] ~= nil then append_query(pieces, field, values[field], recipe.label) end
  end
  if recipe.opens_query and values.open then append_all(pieces, values.open, recipe.label) end
  if #pieces == 1 then return pieces[1] end
  pieces.has_query = nil
  return pieces
end

local function is_hidden(field, value)
  return value ~= nil and (field.secret or types.is_secret(value))
end

local function without_parameter(url, name)
  local path, query = url:match "^([^?]*)%?(.*)$"
  if not path then return url end
  local kept = {}
  for pair in query:gmatch "[^&]+" do
    if pair:match "^[^=]*" ~= name then kept[#kept + 1] = pair end
  end
  return #kept > 0 and path .. "?" .. table.concat(kept, "&") or path
end

-- In the place of a secret segment its name, in braces, which no URL has.
local function without_segments(recipe, values, url)
  for _, field in ipairs(recipe.path) do
    local value = values[field]
    if is_hidden(field, value) then
      local secret = type(value) == "userdata" and value or text_of(value, recipe.label)
      local path, query = url:match "^([^?]*)(.*)$"
      url = path:gsub("[^/]+", function(part)
        return core.mask(part, secret) == "***" and ("{%s}"):format(field.wire) or nil
      end) .. query
    end
  end
  return url
end

local function append_path(pieces, recipe, values, url)
  for _, field in ipairs(recipe.path) do
    local first, last = url:find(("{%s}"):format(field.wire), 1, true)
    if first and is_hidden(field, values[field]) then
      append(pieces, url:sub(1, first - 1))
      append(pieces, (encode_segment(field, values[field], recipe.label)))
      url, pieces.hides_path = url:sub(last + 1), true
    end
  end
  append(pieces, url)
end

-- The URL that a server gave without the secrets that go along with every request: the credentials of the query, which
-- the core adds, and the call's own, for target.with_secrets.
function target.without_secrets(recipe, values, url)
  for _, one in ipairs(recipe.site.credentials or {}) do
    if one.query then url = without_parameter(url, encode_query(one.query)) end
  end
  for _, field in ipairs(recipe.query) do
    if is_hidden(field, values[field]) then url = without_parameter(url, field.query_name or field.wire) end
  end
  return without_segments(recipe, values, url)
end

-- Such a URL as a target.
function target.with_secrets(recipe, values, url)
  local pieces = { has_query = url:find("?", 1, true) ~= nil }
  append_path(pieces, recipe, values, url)
  for _, field in ipairs(recipe.query) do
    if is_hidden(field, values[field]) then append_query(pieces, field, values[field], recipe.label) end
  end
  if #pieces == 1 then return url end
  pieces.has_query = nil
  return pieces
end

-- "a=1&b=2", for form bodies. Secrets cannot stand in one: its text is built here.
function target.form(parameters, label)
  local parts = {}
  each_pair(parameters, label, function(name, value)
    parts[#parts + 1] = name .. "=" .. encode_query(text_of(value, label))
  end)
  return table.concat(parts, "&")
end

-- A written path and its query parameters, as a target.
function target.with_query(path, parameters, label)
  local pieces = { path, has_query = path:find("?", 1, true) ~= nil }
  append_all(pieces, parameters or {}, label)
  if #pieces == 1 then return pieces[1] end
  pieces.has_query = nil
  return pieces
end

return target
