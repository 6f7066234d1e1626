-- One request as a handler sees it.
--   method, uri (as received), path (raw, below the system's prefix), params, query, headers, body, raw, time, client
-- `query.name` is the first value as text; `query["name[]"]` is always a list; request.list(name) gives
-- all values of any name. `headers` has lower-cased names; a repeated field is joined with ", ".
-- `body` is the decoded JSON (nil if there is none), `body_error` says why a JSON body cannot be read. As in the real
-- systems' frameworks, what does not say that it is JSON is not read as such.

local json = require "moonrest.sandbox.json"
local decode_percent = require "moonrest.sandbox.router".decode

local request = {}

local function decode_query(text) return decode_percent((text:gsub("+", " "))) end

--- name -> list of values, out of a=b&c=d
function request.pairs(text)
  local lists = {}
  for part in text:gmatch "[^&]+" do
    local name, value = part:match "^([^=]*)=?(.*)$"
    name = decode_query(name)
    lists[name] = lists[name] or {}
    table.insert(lists[name], decode_query(value))
  end
  return lists
end

local function first_values(lists)
  local query = {}
  for name, values in pairs(lists) do
    query[name] = name:sub(-2) == "[]" and values or values[1]
  end
  return query
end

local function header_map(flat)
  local headers = {}
  for i = 1, #flat, 2 do
    local name = flat[i]:lower()
    headers[name] = headers[name] and headers[name] .. ", " .. flat[i + 1] or flat[i + 1]
  end
  return headers
end

local function decode_body(made)
  local content_type = made.headers["content-type"] or ""
  if made.raw == "" or not content_type:lower():find("json", 1, true) then return end
  made.body, made.body_error = json.decode(made.raw)
end

--- Splits "/edgegap/v1/apps?page=2" into "edgegap", "/v1/apps", "page=2".
function request.split(uri)
  local path, query = uri:match "^([^?]*)%??(.*)$"
  local mount, rest = path:match "^/([^/]*)(.*)$"
  return mount or "", rest or "", query
end

function request.new(method, uri, flat_headers, raw)
  local mount, path, query_text = request.split(uri)
  local lists = request.pairs(query_text)
  local made = {
    method = method, uri = uri, mount = mount, path = path, query_text = query_text,
    query = first_values(lists), headers = header_map(flat_headers), raw = raw, params = {},
    client = "127.0.0.1",
    list = function(name) return lists[name] or {} end,
  }
  decode_body(made)
  return made
end

return request
