-- Which JSON codec a client uses: the library's own, or lua-cjson by { json = "cjson" }. With cjson, integers become
-- floats where the installed one makes them so, and [] comes back as a table that does not know it was one.

local caller = require "moonrest.caller"
local core = require "moonrest.core"

local codec = {}

-- Null in an object is an absent field, as with the library's own codec.
local function drop_nulls(value)
  if type(value) ~= "table" then return end
  for key, field in pairs(value) do
    if field == core.null and type(key) == "string" then
      value[key] = nil
    else
      drop_nulls(field)
    end
  end
end

-- Marked arrays as the installed cjson marks them, where it can; the caller's tables stay as they are.
local function translate(value, cjson)
  if type(value) ~= "table" then return value end
  if next(value) == nil then return core.json.is_array(value) and cjson.empty_array or value end
  local copy = {}
  for key, field in pairs(value) do copy[key] = translate(field, cjson) end
  return copy
end

local function decode_with(safe)
  return function(text, keep_null)
    if not text:find "[^ \t\r\n]" then return nil end
    local value, problem = safe.decode(text)
    if value == nil then return nil, problem end
    if not keep_null then drop_nulls(value) end
    return value
  end
end

local function encode_with(safe)
  return function(value, label)
    local text, problem = safe.encode(safe.empty_array and translate(value, safe) or value)
    if not text then caller.raise("%s: json = 'cjson' cannot encode the body: %s", label, problem) end
    return text
  end
end

local function load_cjson()
  local ok, safe = pcall(require, "cjson.safe")
  if not ok then caller.raise "json = 'cjson' needs lua-cjson (apt: lua-cjson, luarocks: lua-cjson)" end
  local own = safe.new()
  return { encode = encode_with(own), decode = decode_with(own) }
end

local known = {}

-- The codec of that name: nil for the library's own, which works inside the core.
function codec.of(name)
  if name == "moonrest" then return nil end
  if name ~= "cjson" then caller.raise("unknown JSON codec '%s'; there are 'moonrest' and 'cjson'", tostring(name)) end
  known.cjson = known.cjson or load_cjson()
  return known.cjson
end

return codec
