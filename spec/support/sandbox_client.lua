-- A bare HTTP client over LuaSocket for the specs of the sandbox: it shares no code with the library that the
-- sandbox is there to test, and sending and reading are apart, so that one thread can take a webhook in between.

local busted = require "busted"
local socket = require "socket"
local json = require "moonrest.core".json
local sandbox = require "moonrest.sandbox"

local TIMEOUT <const> = 10

local client = {}

local Exchange = { __name = "sandbox_client.exchange" }
Exchange.__index = Exchange

local function request_bytes(url, options)
  local authority, target = url:match "^http://([^/]+)(.*)$"
  local body = options.body
  local headers = { "Host: " .. authority, "Connection: close" }
  if type(body) == "table" then
    body = json.encode(body)
    headers[#headers + 1] = "Content-Type: application/json"
  end
  if body then headers[#headers + 1] = "Content-Length: " .. #body end
  for name, value in pairs(options.headers or {}) do headers[#headers + 1] = name .. ": " .. value end
  local line = ("%s %s HTTP/1.1"):format(options.method or "GET", target == "" and "/" or target)
  return authority, line .. "\r\n" .. table.concat(headers, "\r\n") .. "\r\n\r\n" .. (body or "")
end

-- options: method, headers, body (a text, or a table that is sent as JSON).
function client.send(url, options)
  local authority, bytes = request_bytes(url, options or {})
  local host, port = authority:match "^(.-):(%d+)$"
  local connection = assert(socket.connect(host, tonumber(port)))
  connection:settimeout(TIMEOUT)
  assert(connection:send(bytes))
  return setmetatable({ connection = connection, method = (options or {}).method or "GET" }, Exchange)
end

local function read_headers(connection)
  local headers = {}
  for line in function() return assert(connection:receive "*l") end do
    if line == "" then return headers end
    local name, value = line:match "^([^:]+): *(.*)$"
    headers[name:lower()] = value
  end
end

-- Status and headers; the body is still to come.
function Exchange:head()
  self.status = tonumber(assert(self.connection:receive "*l"):match "^HTTP/1%.1 (%d+)")
  self.headers = read_headers(self.connection)
  return self
end

-- One chunk of a chunked body; nil at its end.
function Exchange:chunk()
  local size = tonumber(assert(self.connection:receive "*l"), 16)
  local text = size > 0 and assert(self.connection:receive(size)) or nil
  assert(self.connection:receive "*l")
  return text
end

local function read_body(self)
  if self.method == "HEAD" or self.status == 204 then return "" end
  if self.headers["transfer-encoding"] ~= "chunked" then
    local size = tonumber(self.headers["content-length"] or "0")
    return size > 0 and assert(self.connection:receive(size)) or ""
  end
  local parts = {}
  for part in function() return self:chunk() end do parts[#parts + 1] = part end
  return table.concat(parts)
end

-- { status, headers, body, json }
function Exchange:finish()
  if not self.status then self:head() end
  self.body = read_body(self)
  self.connection:close()
  local is_json = (self.headers["content-type"] or ""):find("application/json", 1, true)
  if is_json and self.body ~= "" then self.json = assert(json.decode(self.body, { null = "keep" })) end
  return self
end

function Exchange:close() self.connection:close() end

function client.request(url, options) return client.send(url, options):finish() end

-- A caller with a base URL and headers: call(method, path, body) -> exchange.
function client.caller(base, headers)
  return function(method, path, body, more)
    local all = {}
    for name, value in pairs(headers or {}) do all[name] = value end
    for name, value in pairs(more or {}) do all[name] = value end
    return client.request(base .. path, { method = method, body = body, headers = all })
  end
end

-- Calls, and fails the test unless the status is the expected one. Returns the decoded body and the exchange.
function client.expect(status, call, method, path, body)
  local answer = call(method, path, body)
  if answer.status ~= status then error(("%s %s: %d %s"):format(method, path, answer.status, answer.body), 3) end
  return answer.json, answer
end

-- Calls, and fails the test unless that succeeds. Returns the decoded body and the exchange.
function client.good(call, method, path, body)
  local answer = call(method, path, body)
  if answer.status >= 300 then error(("%s %s: %d %s"):format(method, path, answer.status, answer.body), 2) end
  return answer.json, answer
end

-- Waits until something that other threads bring about has come about, and fails after TIMEOUT seconds.
function client.eventually(check)
  local deadline = socket.gettime() + TIMEOUT
  while not check() do
    if socket.gettime() > deadline then error("it never came about", 2) end
    socket.sleep(0.005)
  end
end

-- Within a describe: a sandbox on virtual time, which is as new before each test; begin(server) is called once.
function client.with_sandbox(options, begin)
  local server
  options.clock = "virtual"
  busted.setup(function()
    server = assert(sandbox.start(options))
    begin(server)
  end)
  busted.before_each(function() server:reset() end)
  busted.teardown(function()
    server:stop()
    collectgarbage()
    collectgarbage()
  end)
end

-- {========================================================================
-- A receiver of webhooks
-- =========================================================================

local Receiver = { __name = "sandbox_client.receiver" }
Receiver.__index = Receiver

-- Listens; what is sent waits until take() is called.
function client.receiver()
  local listener = assert(socket.bind("127.0.0.1", 0))
  listener:settimeout(TIMEOUT)
  local _, port = listener:getsockname()
  return setmetatable({ listener = listener, url = ("http://127.0.0.1:%d/hook"):format(port) }, Receiver)
end

-- The next webhook, which is answered with 'status': { line, headers, body, json }.
function Receiver:take(status)
  local connection = assert(self.listener:accept())
  connection:settimeout(TIMEOUT)
  local hook = { line = assert(connection:receive "*l"), headers = read_headers(connection) }
  hook.body = assert(connection:receive(tonumber(hook.headers["content-length"])))
  hook.json = assert(json.decode(hook.body))
  local answer = "HTTP/1.1 %d Status\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
  assert(connection:send(answer:format(status or 200)))
  connection:close()
  return hook
end

-- True when a webhook has come in, which take() then gets at once.
function Receiver:has_one()
  return #socket.select({ self.listener }, nil, 0) > 0
end

function Receiver:close() self.listener:close() end

-- }========================================================================

return client
