-- A port of 127.0.0.1 where nobody listens at the moment, for servers that want to be told theirs.

local socket = require "socket"

return function()
  local listener = assert(socket.bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  listener:close()
  return math.tointeger(tonumber(port))
end
