-- COUNT small GETs with LuaSocket, each decoded by lua-cjson; it has no concurrency.
--   get_luasocket.lua URL COUNT request|kept
-- "request" is socket.http.request, which opens a connection each time; "kept" is one connection and just enough HTTP
-- written by hand, which is what people do when they need the speed.

local cjson = require "cjson"
local http = require "socket.http"
local ltn12 = require "ltn12"
local socket = require "socket"

local url, count, way = arg[1], tonumber(arg[2]), arg[3]
local authorization <const> = "Bearer 0123456789abcdef"

local ways = {}

function ways.request()
  for _ = 1, count do
    local pieces = {}
    local ok, status = http.request {
      url = url, headers = { accept = "application/json", authorization = authorization },
      sink = ltn12.sink.table(pieces),
    }
    assert(ok and status == 200)
    assert(cjson.decode(table.concat(pieces)).id == 12345)
  end
end

local function read_answer(connection)
  assert(connection:receive "*l":find " 200 ")
  local size
  repeat
    local line = assert(connection:receive "*l")
    size = size or line:lower():match "^content%-length: *(%d+)"
  until line == ""
  local body = assert(connection:receive(tonumber(size)))
  return body
end

function ways.kept()
  local host, port, path = url:match "^http://([^:/]+):(%d+)(/.*)$"
  local connection = assert(socket.connect(host, tonumber(port)))
  connection:setoption("tcp-nodelay", true)
  local question = table.concat({
    "GET " .. path .. " HTTP/1.1", "Host: " .. host .. ":" .. port, "Accept: application/json",
    "Authorization: " .. authorization, "User-Agent: bench", "", "",
  }, "\r\n")
  for _ = 1, count do
    assert(connection:send(question))
    assert(cjson.decode(read_answer(connection)).id == 12345)
  end
  connection:close()
end

ways[way]()
