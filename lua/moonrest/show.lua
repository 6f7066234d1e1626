-- Things as people want to see them: tables of rows, and what clients, resources and operations print as.

local core = require "moonrest.core"
local definition = require "moonrest.definition"
local nearest = require "moonrest.nearest"
local redact = require "moonrest.redact"

local show = {}

local widest <const> = 200 -- characters of a cell where there is no terminal to fit
local narrowest <const> = 8 -- a column is not cut further, however small the terminal is
local gap <const> = 2 -- spaces between columns

-- {========================================================================
-- Tables
-- =========================================================================

local function width_of(text)
  return utf8.len(text) or #text
end

-- The text in at most so many characters, and whether it was cut for that.
local function shorten(text, width)
  if width_of(text) <= width then return text, false end
  local stop = utf8.len(text) and utf8.offset(text, width - 2) or width - 2
  return text:sub(1, stop - 1) .. "...", true
end

local function plain(value)
  if value == nil then return "" end
  if value == core.null then return "null" end
  if math.type(value) == "float" then return ("%.6g"):format(value) end
  if type(value) == "table" and not getmetatable(value) or core.json.is_array(value) then
    return core.json.encode(value, { sorted = true }) or "{...}"
  end
  return tostring(value)
end

-- One line, printable.
local function cell(value)
  return (plain(value):gsub("%c", " "))
end

local function columns_of(rows)
  local known, columns = {}, {}
  for _, row in ipairs(rows) do
    for name in pairs(row) do
      if type(name) == "string" and not known[name] then
        known[name] = true
        columns[#columns + 1] = name
      end
    end
  end
  table.sort(columns)
  return columns
end

local function is_numeric(rows, column)
  local any = false
  for _, row in ipairs(rows) do
    if row[column] ~= nil and type(row[column]) ~= "number" then return false end
    any = any or row[column] ~= nil
  end
  return any
end

local function pad(text, width, right)
  local space = (" "):rep(width - width_of(text))
  return right and space .. text or text .. space
end

local function measure(rows, columns)
  local cells, widths = {}, {}
  for index, column in ipairs(columns) do widths[index] = width_of(column) end
  for line, row in ipairs(rows) do
    cells[line] = {}
    for index, column in ipairs(columns) do
      local text = cell(row[column])
      cells[line][index], widths[index] = text, math.max(widths[index], width_of(text))
    end
  end
  return cells, widths
end

local function total_of(widths)
  local total = (#widths - 1) * gap
  for _, width in ipairs(widths) do total = total + width end
  return total
end

-- Takes from the widest columns, as evenly as can be, until the line fits into so many characters.
local function fit(widths, room)
  local excess = total_of(widths) - room
  local bound = narrowest
  for _, width in ipairs(widths) do bound = math.max(bound, width) end
  while excess > 0 and bound > narrowest do
    bound = bound - 1
    for index, width in ipairs(widths) do
      if width > bound and excess > 0 then widths[index], excess = bound, excess - 1 end
    end
  end
end

-- Makes the columns as narrow as the terminal needs, without one as bounded as is sensible.
local function bound_widths(widths)
  local room = core.terminal "stdout"
  for index, width in ipairs(widths) do widths[index] = room and width or math.min(width, widest) end
  if room then fit(widths, room) end
end

-- 'columns' became too narrow for some of their cells.
local function cut_note(columns)
  return ("(cut: %s; moonrest.show(rows, { \"name\", ... }) shows fewer columns)"):format(table.concat(columns, ", "))
end

-- Shortens what is too wide, and returns the names of the columns where that was so.
local function cut_cells(cells, columns, widths)
  local cut = {}
  for index, column in ipairs(columns) do
    local any = false
    for _, texts in ipairs(cells) do
      local text, is_cut = shorten(texts[index], widths[index])
      texts[index], any = text, any or is_cut
    end
    if any then cut[#cut + 1] = column end
  end
  return cut
end

local function rules_of(widths)
  local rules = {}
  for index, width in ipairs(widths) do rules[index] = ("-"):rep(width) end
  return rules
end

-- A list of records as aligned text. 'columns' are field names in order; all of them, sorted, when not given.
function show.table(rows, columns)
  columns = columns or columns_of(rows)
  local cells, widths = measure(rows, columns)
  bound_widths(widths)
  local cut = cut_cells(cells, columns, widths)
  local right, lines = {}, {}
  for index, column in ipairs(columns) do right[index] = is_numeric(rows, column) end
  local function add(texts)
    local parts = {}
    for index, text in ipairs(texts) do parts[index] = pad(text, widths[index], right[index]) end
    lines[#lines + 1] = (table.concat(parts, (" "):rep(gap)):gsub("%s+$", ""))
  end
  local heads = {}
  for index, column in ipairs(columns) do heads[index] = shorten(column, widths[index]) end
  add(heads)
  add(rules_of(widths))
  for _, texts in ipairs(cells) do add(texts) end
  if #cut > 0 then lines[#lines + 1] = cut_note(cut) end
  return table.concat(lines, "\n")
end

-- The fields of one record, a line each.
function show.record(record, columns)
  local rows = {}
  for _, name in ipairs(columns or columns_of { record }) do
    rows[#rows + 1] = { field = name, value = record[name] }
  end
  return show.table(rows, { "field", "value" })
end

local function is_rows(list)
  for _, row in ipairs(list) do
    if type(row) ~= "table" then return false end
  end
  return list[1] ~= nil
end

-- A response's: as plain as a record, but for how its fields are found.
local function is_headers(value)
  return getmetatable(value).__name == "moonrest.headers"
end

-- The text that show() prints. Fields that the definition marks as secret are masked. 'columns' is a list of field
-- names; what calls return beside their data (a response, a list's reason to end, an err) may stand in its place.
function show.text(value, columns)
  value = redact.shown(value)
  if value == nil then return tostring(columns) end -- a call that failed: nil, err
  if type(columns) ~= "table" or getmetatable(columns) then columns = nil end
  if type(value) ~= "table" or (getmetatable(value) and not core.json.is_array(value) and not is_headers(value)) then
    return plain(value)
  end
  if next(value) == nil then return "(nothing)" end
  if is_rows(value) then return show.table(value, columns) end
  if value[1] ~= nil then return plain(value) end
  return show.record(value, columns)
end

-- Prints data for people: a list of records as a table, one record as its fields, anything else as it is.
function show.show(value, columns)
  print(show.text(value, columns))
end

-- }========================================================================

-- {========================================================================
-- Clients, resources, operations
-- =========================================================================

local narrow_label <const> = 23 -- characters of a resource's name, at least

-- The names of the children in order: operations first.
local function names_of(resources)
  local operations, nested = {}, {}
  for name, value in pairs(resources) do
    if definition.is_operation(value) then
      operations[#operations + 1] = name
    elseif type(value) == "table" and name ~= "waiters" then
      nested[#nested + 1] = name
    end
  end
  table.sort(operations)
  table.sort(nested)
  return operations, nested
end
show.names = names_of

local function add_resources(rows, resources, prefix)
  local _, nested = names_of(resources)
  for _, name in ipairs(nested) do
    rows[#rows + 1] = { prefix .. name, table.concat(names_of(resources[name]), " ") }
    add_resources(rows, resources[name], prefix .. name .. ".")
  end
end

-- The resources of a definition, a line each with the names of their operations.
function show.resources(resources)
  local rows, operations = {}, names_of(resources)
  if #operations > 0 then rows[1] = { "", table.concat(operations, " ") } end
  add_resources(rows, resources, "")
  local width, lines = narrow_label, {}
  for _, row in ipairs(rows) do width = math.max(width, #row[1]) end
  for index, row in ipairs(rows) do lines[index] = ("  %s  %s"):format(pad(row[1], width), row[2]) end
  return table.concat(lines, "\n")
end

function show.client(client)
  local site = client[1].site
  local at = site.definition
  return ("moonrest client of %s at %s\n%s"):format(at.title or at.name, site.base_url, show.resources(at.resources))
end

local function summary_of(operation)
  return operation[2] .. (operation.deprecated and " (deprecated)" or "")
end

-- Routes and summaries of the operations of one resource, and the states that its :wait knows.
function show.operations(resource)
  local operations, nested = names_of(resource)
  local lines = {}
  for _, name in ipairs(operations) do
    lines[#lines + 1] = ("  %-21s %s\n  %-21s   %s"):format(name, summary_of(resource[name]), "", resource[name][1])
  end
  for _, name in ipairs(nested) do
    lines[#lines + 1] = ("  %-21s %s"):format(name, table.concat((names_of(resource[name])), " "))
  end
  if resource.waiters then lines[#lines + 1] = "States to :wait for: " .. nearest.list(resource.waiters) end
  return table.concat(lines, "\n")
end

function show.resource(resource)
  local inner = resource[1]
  local summary = type(inner.declared.summary) == "string" and ": " .. inner.declared.summary or ""
  return ("moonrest resource %s%s\n%s"):format(inner.label, summary, show.operations(inner.declared))
end

function show.operation(operation)
  local declared = operation.declaration
  return ("moonrest operation %s  (%s)  %s"):format(operation.label, declared[1], declared[2])
end

-- }========================================================================

return show
