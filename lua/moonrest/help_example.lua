-- The example of an operation as Lua source that can be pasted: `edgegap` is a client of the definition "edgegap".

local example = {}

local widest_line <const> = 80 -- characters of a table that stands on one line

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
  if #text <= widest_line then return text end
  return ("{\n    %s,\n  }"):format(table.concat(write_fields(value), ",\n    "))
end

-- The path parameters in their order, by name where there is no example of them, and the others by the names that Lua
-- knows them by.
local function split(described, values, tenant)
  local parts, rest = {}, {}
  for name, value in pairs(values) do rest[name] = value end
  for _, field in ipairs(described.path) do
    local value = rest[field.name] or rest[field.wire]
    rest[field.name], rest[field.wire] = nil, nil
    if not tenant[field.wire] then parts[#parts + 1] = value == nil and field.name or write_value(value) end
  end
  for _, place in ipairs { "query", "header", "body" } do
    for _, field in ipairs(described[place]) do
      if field.wire ~= field.name and rest[field.wire] ~= nil then
        rest[field.name], rest[field.wire] = rest[field.wire], nil
      end
    end
  end
  return parts, rest
end

local function needs_confirm(declared)
  local confirm = declared.confirm
  if type(confirm) ~= "table" or not declared.example then return confirm ~= nil end
  local value = declared.example[confirm.without or confirm.empty]
  return value == nil or (type(value) == "table" and next(value) == nil)
end

-- What the call needs besides its parameters.
local function options_of(declared)
  local given = {}
  if needs_confirm(declared) then given.confirm = true end
  if declared.body_type == "raw" then given.upload = "path/of/file" end
  if declared.returns == "file" then given.to = "export." .. ((declared.example or {}).format or "json") end
  return next(given) and write_table(given)
end

local function write_arguments(described, declared, tenant)
  local parts, rest = split(described, declared.example or {}, tenant)
  local given, count = options_of(declared), #parts
  if next(rest) then
    parts[#parts + 1] = write_parameters(rest)
  elseif given then
    parts[#parts + 1] = "nil"
  end
  if given then
    parts[#parts + 1] = given
  elseif count == 0 and #parts == 1 then
    return " " .. parts[1]
  end
  return ("(%s)"):format(table.concat(parts, ", "))
end

-- "item.id": what is worth printing of one item of a list.
local function item_text(at, declared)
  local fields = at.results and at.results[declared.returns and declared.returns:gsub("%[%]$", "") or ""]
  local name = type(declared.key) == "string" and declared.key or fields and fields[1]
  if not name then return "moonrest.show(item)" end
  return name:find "^[%a_][%w_]*$" and "item." .. name or ("item[%q]"):format(name)
end

-- 'label' is "edgegap.deployments:create", 'described' the operation's recipe, 'tenant' the options of open by the
-- parameters that they fill.
function example.text(at, label, described, declared, tenant)
  local arguments = write_arguments(described, declared, tenant)
  local path = label:gsub(":list$", ""):gsub(":", ".") -- a resource's own :each is that of its list
  if described.pages then
    return ("for item in %s:each%s do print(%s) end"):format(path, arguments, item_text(at, declared))
  end
  if declared.returns == "events" then
    return ("for event in %s:stream%s do print(event.data) end"):format(path, arguments)
  end
  return ("assert(%s%s)"):format(label, arguments)
end

-- The same of a :wait for 'state': what is polled is 'declared'.
function example.wait(label, state, described, declared, tenant)
  local parts, rest = split(described, declared.example or {}, tenant)
  if next(rest) then parts[#parts + 1] = write_parameters(rest) end
  parts[#parts + 1] = write_value(state)
  return ("assert(%s:wait(%s))"):format(label, table.concat(parts, ", "))
end

return example
