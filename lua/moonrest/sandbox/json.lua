-- JSON of the sandbox: the library's own codec, with both kinds of failure as nil, message.

local core_json = require "moonrest.core".json

local json = { null = core_json.null, array = core_json.array, encode = core_json.encode }

--- A JSON text as a value; nil and a message for what is not JSON.
function json.decode(text)
  local fine, value, failure = pcall(core_json.decode, text)
  if not fine then return nil, tostring(value) end
  if value == nil then return nil, tostring(failure) end
  return value
end

return json
