-- Header lines as the core takes them: "Name: value", or a list of a text and a secret. Control characters but the tab
-- are refused (RFC 9110 section 5.5): CR, LF and NUL would begin another header or end this one, others are invalid.

local caller = require "moonrest.caller"
local target = require "moonrest.target"
local types = require "moonrest.types"

local header = {}

-- What tells where a message ends, and how its bytes travel, is the library's own business.
local framing = { ["content-length"] = true, ["transfer-encoding"] = true, te = true, trailer = true, upgrade = true,
  connection = true, expect = true }

header.unfit = "[%z\1-\8\10-\31\127]" -- a pattern for what no value may contain

-- 'label' begins the message when the name or the value will not do.
function header.line(name, value, label)
  if type(name) ~= "string" or not name:find "^[%w!#$%%&'*+.^_`|~-]+$" then
    caller.raise("%s: '%s' is no header name", label, tostring(name))
  end
  if framing[name:lower()] then caller.raise("%s: header '%s' is set by the library alone", label, name) end
  if types.is_secret(value) then return { name .. ": ", value } end
  if type(value) == "table" or type(value) == "userdata" or type(value) == "function" then
    caller.raise("%s: header '%s' must be a string, a number or a secret, got a %s", label, name, type(value))
  end
  local text = target.text_of(value, label)
  if text:find(header.unfit) then
    caller.raise("%s: header '%s' must not contain CR, LF, NUL or other control characters", label, name)
  end
  return ("%s: %s"):format(name, text)
end

return header
