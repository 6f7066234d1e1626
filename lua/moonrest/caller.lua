-- Who called. Mistakes are reported at the user's own line, however deep inside the
-- library they are found, so the first frame outside of it is searched. Costs
-- nothing until something is wrong.

local caller = {}

-- "@/usr/share/lua/5.4/moonrest/": what the chunk names of this library begin with.
local own = debug.getinfo(1, "S").source:match "^(.*[/\\])[^/\\]*$" or "=moonrest"

local function is_outside(info)
  return info.what ~= "C" and info.source:sub(1, #own) ~= own
end

-- "script.lua:12", or nil when nobody outside is on the stack (a host calls directly).
function caller.where()
  local level = 2
  local info = debug.getinfo(level, "Sl")
  while info do
    if is_outside(info) then return ("%s:%d"):format(info.short_src, info.currentline) end
    level = level + 1
    info = debug.getinfo(level, "Sl")
  end
  return nil
end

-- Raises misuse as a string: "script.lua:12: message".
function caller.raise(format, ...)
  local message = select("#", ...) > 0 and format:format(...) or format
  local where = caller.where()
  error(where and ("%s: %s"):format(where, message) or message, 0)
end

return caller
