-- Request bodies: JSON (encoded in C, so that secrets may stand in it), form, multipart, raw
-- bytes, or a file that is streamed from disk.

local caller = require "moonrest.caller"
local core = require "moonrest.core"
local header = require "moonrest.header"
local target = require "moonrest.target"
local types = require "moonrest.types"

local body = {}

local writers = {}

-- The wire form of one body value: JSON text inside a JSON string where the API wants that.
local function wire_value(field, value, label)
  if field.encode == "json" and type(value) == "table" then return target.json(field, value, label) end
  return value
end

local function gather(recipe, values)
  local fields, any = {}, false
  for _, field in ipairs(recipe.body) do
    local value = values[field]
    if value ~= nil then fields[field.wire], any = wire_value(field, value, recipe.label), true end
  end
  return fields, any
end

-- Without a Content-Type many servers do not look at a body (RFC 9110 section 8.3 lets them guess).
local function set_json(call, value, codec, recipe, content_type)
  if codec then
    call.body = codec.encode(value, recipe.label)
  else
    call.json = value
  end
  local declared = recipe.body_type == "json" and recipe.declaration.content_type
  local usual = not recipe.site.header_by_name["content-type"] and "application/json" or nil
  call.content_type = content_type or declared or usual
end

-- A body without a field is sent as {} where the method expects one.
function writers.json(call, recipe, values, codec, content_type)
  local fields, any = gather(recipe, values)
  for name, value in pairs(not recipe.opens_query and values.open or {}) do fields[name], any = value, true end
  if any or recipe.expects_body then set_json(call, fields, codec, recipe, content_type) end
end

function writers.form(call, recipe, values, _, content_type)
  local fields, any = gather(recipe, values)
  if not any and not recipe.expects_body then return end
  call.body, call.content_type = target.form(fields, recipe.label), content_type or "application/x-www-form-urlencoded"
end

-- The bytes, or nil and what the system says.
local function read_file(path)
  local file <close>, problem = io.open(path, "rb")
  local bytes
  if file then bytes, problem = file:read "a" end
  if bytes then return bytes end
  return nil, ("cannot read '%s': %s"):format(path, (problem:gsub("^" .. path:gsub("%p", "%%%0") .. ": ", "")))
end

-- Quotes, line ends and backslashes would end the field's name (RFC 7578 section 2, WHATWG form data).
local function quote(name)
  return (tostring(name):gsub('[\r\n"]', { ["\r"] = "%0D", ["\n"] = "%0A", ['"'] = "%22" }))
end

local part_fields = { path = true, filename = true, content_type = true, data = true }
local unfit = { path = "%z", filename = "%z", content_type = header.unfit } -- quote takes care of line breaks in names

local function check_file(name, value, label)
  for field, text in pairs(value) do
    if not part_fields[field] then
      caller.raise("%s: '%s.%s' is unknown; a file is { path = } or { data = }, and may have filename and content_type",
        label, name, tostring(field))
    elseif type(text) ~= "string" then
      caller.raise("%s: '%s.%s' must be a string%s", label, name, field, types.got(text))
    elseif field ~= "data" and text:find(unfit[field]) then
      caller.raise("%s: '%s.%s' must not contain control characters such as a line break or NUL", label, name, field)
    end
  end
  if (value.path == nil) == (value.data == nil) then
    caller.raise("%s: '%s' needs either path, of a file to send, or data", label, name)
  end
end

-- A part is a plain value, or { path = , filename = , content_type = , data = } for a file. Returns why that cannot be
-- read, if so.
local function write_part(parts, boundary, name, value, label)
  local disposition = ('Content-Disposition: form-data; name="%s"'):format(quote(name))
  local kind = ""
  if type(value) == "table" then
    check_file(name, value, label)
    local filename = value.filename or (value.path and value.path:match "[^/\\]+$") or "file"
    disposition = ('%s; filename="%s"'):format(disposition, quote(filename))
    kind = "\r\nContent-Type: " .. (value.content_type or "application/octet-stream")
    local problem
    if value.path then
      value, problem = read_file(value.path)
    else
      value = value.data
    end
    if problem then return problem end
  end
  parts[#parts + 1] = ("--%s\r\n%s%s\r\n\r\n"):format(boundary, disposition, kind)
  parts[#parts + 1] = target.text_of(value, label)
  parts[#parts + 1] = "\r\n"
  return nil
end

-- A list has a part for each of its items, as it has a pair for each in a form.
local function write_parts(parts, boundary, field, value, label)
  value = wire_value(field, value, label)
  local is_list = type(value) == "table" and (field.descriptor.kind.list or value[1] ~= nil)
  if not is_list then return write_part(parts, boundary, field.wire, value, label) end
  local problem
  target.each_item(value, field.name, label, function(item)
    problem = problem or write_part(parts, boundary, field.wire, item, label)
  end)
  return problem
end

local function random_boundary()
  local engine = core.engine()
  local function half() return math.floor(engine:random() * 2 ^ 32) end
  return ("moonrest-%08x%08x"):format(half(), half())
end

local function refuse_type(recipe, what)
  caller.raise("%s: %s is set by the library here: it names the boundary of the parts", recipe.label, what)
end

function writers.multipart(call, recipe, values, _, content_type)
  if content_type then refuse_type(recipe, "option 'content_type'") end
  local parts, boundary = {}, random_boundary()
  for _, field in ipairs(recipe.body) do
    local value = values[field]
    local problem = value ~= nil and write_parts(parts, boundary, field, value, recipe.label)
    if problem then return problem end
  end
  parts[#parts + 1] = ("--%s--\r\n"):format(boundary)
  call.body, call.content_type = table.concat(parts), "multipart/form-data; boundary=" .. boundary
  return nil
end

function writers.raw() end

local function has_fields(recipe, values)
  for _, field in ipairs(recipe.body) do
    if values[field] ~= nil then return true end
  end
  return values.open ~= nil
end

-- options.body and options.upload: the caller brings the whole body.
local function write_whole(call, recipe, given, codec)
  if given.upload then
    call.upload = given.upload
  elseif type(given.body) == "string" or (recipe.body_type == "raw" and types.is_secret(given.body)) then
    call.body = given.body
  else
    return set_json(call, given.body, codec, recipe, given.content_type)
  end
  local usual = recipe.body_type == "json" and "application/json" or "application/octet-stream"
  call.content_type = given.content_type or recipe.declaration.content_type or usual
end

-- A Content-Type among the caller's headers goes out instead of ours; that of a multipart body has its boundary.
local function yield_type(call, recipe, headers)
  for name in pairs(call.content_type and headers or {}) do
    if name:lower() == "content-type" then
      if call.content_type:find "^multipart/" then refuse_type(recipe, ("header '%s'"):format(name)) end
      call.content_type = nil
    end
  end
end

local function write(call, recipe, values, given, codec)
  if given and (given.body ~= nil or given.upload) then
    if has_fields(recipe, values) then
      caller.raise("%s: the options bring a whole body, so no body field can be given as a parameter", recipe.label)
    end
    if given.body ~= nil and given.upload then
      caller.raise("%s: the options body and upload exclude each other", recipe.label)
    end
    write_whole(call, recipe, given, codec)
  else
    return writers[recipe.body_type](call, recipe, values, codec, given and given.content_type)
  end
  return nil
end

-- Adds the body of a call. 'given' are the options, may be nil. Returns what is wrong with a file that is to be
-- sent, nil when nothing is.
function body.write(call, recipe, values, given, codec)
  local problem = write(call, recipe, values, given, codec)
  if given and given.headers then yield_type(call, recipe, given.headers) end
  return problem
end

return body
