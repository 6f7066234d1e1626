-- Places in a list as text: where a walk can go on later, in another process. Readable on purpose, so that a log of it
-- tells something: "1|edgegap.apps:list|3|17|i3" is page 3 of that list, after 17 items, asked for with the integer 3.

local resume_token = {}

local version <const> = "1"

local function write_position(position)
  if position == nil then return "n" end
  if math.type(position) == "integer" then return ("i%d"):format(position) end
  return "s" .. position
end

local function read_position(text)
  local kind, rest = text:sub(1, 1), text:sub(2)
  if kind == "n" and rest == "" then return true, nil end
  if kind == "i" then return math.tointeger(tonumber(rest)) ~= nil, math.tointeger(tonumber(rest)) end
  return kind == "s", rest
end

-- 'position' is what the list is asked with, 'number' the page's number, 'index' the items of it that are done.
function resume_token.write(label, position, number, index)
  return table.concat({ version, label, number, index, write_position(position) }, "|")
end

-- Returns { position, number, index }; nil and what is wrong with the token.
function resume_token.read(token, label)
  local found_version, of, number, index, position = token:match "^(%d+)|([^|]*)|(%d+)|(%d+)|(.+)$"
  local ok, where
  if position then ok, where = read_position(position) end
  number, index = math.tointeger(tonumber(number)), math.tointeger(tonumber(index))
  if not (ok and number and index) or found_version ~= version then
    return nil, "option 'resume' is no token of a place in a list"
  end
  if of ~= label then return nil, ("option 'resume' is a token of %s"):format(of) end
  return { position = where, number = number, index = index }
end

return resume_token
