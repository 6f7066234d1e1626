-- Reads CSV files line by line (RFC 4180, but for line ends within quotes).

local csv = {}

-- The quoted field that begins at 'position': a quote within it is written twice. Returns where it ends, too.
local function quoted_field(line, position)
  local parts = {}
  repeat
    local part, after = line:match('^"([^"]*)"()', position)
    parts[#parts + 1], position = assert(part, "a quote is not closed: " .. line), after
  until line:sub(position, position) ~= '"'
  return table.concat(parts, '"'), position
end

local function fields_of(line)
  local fields, position = {}, 1
  repeat
    local field, after = line:match("^([^,\r]*)()", position)
    if field:sub(1, 1) == '"' then field, after = quoted_field(line, position) end
    fields[#fields + 1], position = field, after + 1
  until line:sub(after, after) ~= ","
  return fields
end

--- for record in csv.records(path): a table for each line after the first, which names the fields.
function csv.records(path)
  local next_line = io.lines(path)
  local names = fields_of(assert(next_line(), path .. " is empty"))
  return function()
    local line, record = next_line(), {}
    if not line then return nil end
    for index, field in ipairs(fields_of(line)) do record[names[index]] = field end
    return record
  end
end

return csv
