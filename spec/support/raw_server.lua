-- A server that answers with exactly the bytes that a test wants and keeps exactly the bytes that it got: what
-- really left this library, seen from outside. It runs in a process of its own (the tests block on their calls),
-- listens on 127.0.0.1 and ends by itself after a minute.
--
--   local server <close> = raw_server.start { raw_server.response(200, "{}") }
--   ... requests to server.url ...
--   server:requests()[1]     -- "GET / HTTP/1.1\r\nHost: ..."
--
-- Answers are given in the order of requests; the last one is repeated. An answer is a string, or a table
-- { bytes, close = true } that ends the connection behind the bytes.

local raw_server = {}

local Server = { __name = "raw_server" }
Server.__index = Server

local child <const> = [[
local socket = require "socket"
local answers, log_name = dofile(arg[1]), arg[2]
local listener = assert(socket.bind("127.0.0.1", 0))
local _, port = listener:getsockname()
io.stdout:write(port, "\n")
io.stdout:flush()
local log = assert(io.open(log_name, "ab"))
local served, clients, deadline = 0, { listener }, socket.gettime() + 60

local function read_request(client)
  local head = {}
  repeat
    local line = client:receive("*l")
    if not line then return nil end
    head[#head + 1] = line
  until line == ""
  local text = table.concat(head, "\r\n") .. "\r\n"
  local size = tonumber(text:lower():match("\ncontent%-length: *(%d+)"))
  return text .. (size and size > 0 and client:receive(size) or "")
end

local function drop(client)
  client:close()
  for place, other in ipairs(clients) do
    if other == client then table.remove(clients, place) end
  end
end

local function serve(client)
  local request = read_request(client)
  if not request then return drop(client) end
  log:write(#request, "\n", request, "\n")
  log:flush()
  served = math.min(served + 1, #answers)
  local answer = answers[served]
  if type(answer) == "string" then answer = { answer } end
  client:send(answer[1])
  if answer.close then drop(client) end
end

while socket.gettime() < deadline do
  for _, ready in ipairs((socket.select(clients, nil, 1))) do
    if ready == listener then
      local client = listener:accept()
      client:settimeout(5)
      clients[#clients + 1] = client
    else
      serve(ready)
    end
  end
end
]]

-- A whole response with its Content-Length; headers is a list of lines.
function raw_server.response(status, body, headers)
  local lines = { ("HTTP/1.1 %d Status"):format(status), "Content-Type: application/json" }
  for _, line in ipairs(headers or {}) do lines[#lines + 1] = line end
  lines[#lines + 1] = "Content-Length: " .. #body
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. body
end

local function write_file(name, text)
  local file <close> = assert(io.open(name, "wb"))
  file:write(text)
end

local function answer_source(answer)
  if type(answer) == "string" then return ("%q"):format(answer) end
  return ("{ %q, close = %s }"):format(answer[1], tostring(answer.close == true))
end

function raw_server.start(answers)
  local sources = {}
  for place, answer in ipairs(answers) do sources[place] = answer_source(answer) end
  local self = setmetatable({ script = os.tmpname(), answers = os.tmpname(), log = os.tmpname() }, Server)
  write_file(self.script, child)
  write_file(self.answers, "return { " .. table.concat(sources, ", ") .. " }")
  self.pipe = assert(io.popen(("exec env -u LD_PRELOAD -u LUA_INIT sh -c 'echo $$; exec lua5.4 %s %s %s'")
    :format(self.script, self.answers, self.log)))
  self.pid = assert(self.pipe:read "n", "the server did not start")
  self.port = assert(self.pipe:read "n", "the server did not start")
  self.url = ("http://127.0.0.1:%d"):format(self.port)
  return self
end

-- What came in so far: whole requests, byte for byte. The last one may be on its way into the log: it comes in pieces.
function Server:requests()
  local list = {}
  local file <close> = assert(io.open(self.log, "rb"))
  for size in function() return file:read "n" end do
    local text = file:read(size + 2) -- between the ends of two lines
    if not text or #text < size + 2 then break end
    list[#list + 1] = text:sub(2, -2)
  end
  return list
end

function Server:stop()
  if not self.pid then return end
  os.execute(("kill %d 2>/dev/null"):format(self.pid))
  self.pid = nil
  self.pipe:close()
  os.remove(self.script)
  os.remove(self.answers)
  os.remove(self.log)
end
Server.__close = Server.stop
Server.__gc = Server.stop

return raw_server
