-- A real redis-server on a loopback port of its own, and a client that blocks: for tests of limits in Redis.
--
--   local server <close> = redis_server.start "--requirepass secret"
--   server:call("PING")        -- "PONG"; integers as numbers, lists as tables, nil; errors raise
--   local server <close> = redis_server.start_tls("--tls-cert-file ...")     -- speaks TLS on server.tls_port, too

local free_port = require "spec.support.free_port"
local socket = require "socket"

local redis_server = {}

local Server = { __name = "redis_server" }
Server.__index = Server

function redis_server.is_installed()
  return os.execute "command -v redis-server >/dev/null" == true
end

local function connect(port)
  for _ = 1, 100 do
    local client = socket.connect("127.0.0.1", port)
    if client then return client end
    socket.sleep(0.02)
  end
  error "redis-server does not listen"
end

-- What starts it.
function Server:command()
  return ("redis-server --bind 127.0.0.1 --port %d --save '' --appendonly no --dir /tmp %s"):format(self.port,
    self.options)
end

function Server:run()
  local pipe = assert(io.popen(("%s >/dev/null 2>&1 & echo $!"):format(self:command())))
  self.id = pipe:read "n"
  pipe:close()
  self.client = connect(self.port)
  self.client:setoption("tcp-nodelay", true)
  if self.password then self:call("AUTH", self.password) end
end

function redis_server.start(options, password)
  local server = setmetatable({ port = free_port(), options = options or "", password = password }, Server)
  server.url = ("redis://127.0.0.1:%d"):format(server.port)
  server:run()
  return server
end

-- It speaks TLS on 'tls_port' and, for this client, plainly on 'port'.
function redis_server.start_tls(options, password)
  local tls_port = free_port()
  local server = redis_server.start(("--tls-port %d %s"):format(tls_port, options), password)
  server.tls_port = tls_port
  return server
end

function Server:kill(signal)
  self.client:close()
  os.execute(("kill -%s %d 2>/dev/null"):format(signal or "KILL", self.id))
  socket.sleep(0.05)
end

function Server:__close()
  self:kill()
end

local readers = {}

local function read(client)
  local line = assert(client:receive "*l")
  return readers[line:sub(1, 1)](line:sub(2), client)
end

readers["+"] = function(text) return text end
readers["-"] = function(text) error("redis: " .. text, 0) end
readers[":"] = function(text) return math.tointeger(tonumber(text)) end

readers["$"] = function(text, client)
  local size = tonumber(text)
  if size < 0 then return nil end
  return assert(client:receive(size + 2)):sub(1, size)
end

readers["*"] = function(text, client)
  local list = {}
  for index = 1, tonumber(text) do list[index] = read(client) end
  return list
end

function Server:call(...)
  local words = { ("*%d\r\n"):format(select("#", ...)) }
  for _, word in ipairs { ... } do
    word = tostring(word)
    words[#words + 1] = ("$%d\r\n%s\r\n"):format(#word, word)
  end
  assert(self.client:send(table.concat(words)))
  return read(self.client)
end

return redis_server
