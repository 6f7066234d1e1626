local client = require "spec.support.sandbox_client"
local sandbox_server = require "moonrest.sandbox_server"
local socket = require "socket"

local function start(more)
  local options = { module = "spec.support.sandbox_app", options = "of the test" }
  for name, value in pairs(more or {}) do options[name] = value end
  return assert(sandbox_server.start(options))
end

-- Asks again until `command` answers `wanted`: what happens in another thread has no other bell.
local function await(server, command, wanted)
  local deadline = socket.gettime() + 10
  local answer
  repeat
    answer = server:call(command)
    if answer == wanted then return end
    socket.sleep(0.005)
  until socket.gettime() > deadline
  error(("%s: '%s' instead of '%s'"):format(command, answer, wanted))
end

local function resident_kib()
  for line in io.lines "/proc/self/status" do
    local size = line:match "^VmRSS:%s*(%d+)"
    if size then return tonumber(size) end
  end
end

describe("the sandbox server", function()
  local server, base

  before_each(function()
    server = start()
    base = "http://127.0.0.1:" .. server:port()
  end)

  after_each(function()
    server:stop()
    server = nil
    collectgarbage()
    collectgarbage()
  end)

  local function connect()
    local connection = assert(socket.connect("127.0.0.1", server:port()))
    connection:settimeout(10)
    return connection
  end

  describe("requests", function()
    it("arrive as they were sent", function()
      local answer = client.request(base .. "/echo/a%2Fb%00c/..%2f/%2e?x=%20&y[]=1",
        { method = "DELETE", body = "bytes", headers = { ["X-One"] = "1" } })
      assert.equal(200, answer.status)
      local method, uri, headers, body = answer.body:match "^(.-)\n(.-)\n(.-)\n(.*)$"
      assert.equal("DELETE", method)
      assert.equal("/echo/a%2Fb%00c/..%2f/%2e?x=%20&y[]=1", uri)
      assert.truthy(headers:find("X-One|1", 1, true))
      assert.equal("bytes", body)
      assert.equal("of the test", answer.headers["x-options"])
    end)

    it("may have a body whatever their method", function()
      for _, method in ipairs { "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" } do
        local answer = client.request(base .. "/size", { method = method, body = ("b"):rep(70000) })
        assert.equal("70000", answer.body)
      end
    end)

    it("may come in chunks", function()
      local connection = connect()
      connection:send "POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
      connection:send "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
      assert.truthy(connection:receive "*a":find("\r\n\r\n7$"))
      connection:close()
    end)

    it("go one after the other over one connection", function()
      local connection = connect()
      for count = 1, 3 do
        connection:send("POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: " .. count .. "\r\n\r\n" .. ("x"):rep(count))
        repeat local line = assert(connection:receive "*l") until line == ""
        assert.equal(tostring(count), connection:receive(1))
      end
      connection:close()
    end)

    it("have a bounded body", function()
      local small <close> = start { max_body = 100 }
      local url = "http://127.0.0.1:" .. small:port() .. "/size"
      assert.equal("100", client.request(url, { body = ("x"):rep(100) }).body)
      assert.equal(413, client.request(url, { body = ("x"):rep(101) }).status)
      local connection = assert(socket.connect("127.0.0.1", small:port()))
      connection:settimeout(10)
      connection:send "POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
      connection:send("65\r\n" .. ("x"):rep(101) .. "\r\n0\r\n\r\n")
      assert.truthy(connection:receive "*l":find " 413 ")
      connection:close()
    end)
  end)

  describe("answers", function()
    it("may break off after some bytes", function()
      local connection = connect()
      connection:send "GET /cut HTTP/1.1\r\nHost: x\r\n\r\n"
      local _, _, text = connection:receive(100000)
      assert.truthy(text:find("Content-Length: 10\r\n", 1, true))
      assert.equal("0123", text:match "\r\n\r\n(.*)$")
      connection:close()
    end)

    it("may not come at all", function()
      local connection = connect()
      connection:send "GET /drop HTTP/1.1\r\nHost: x\r\n\r\n"
      local text, problem, partial = connection:receive(1)
      assert.same({ nil, "closed", "" }, { text, problem, partial })
      connection:close()
    end)

    it("tell of mistakes in the application", function()
      local answer = client.request(base .. "/fail")
      assert.equal(500, answer.status)
      assert.truthy(answer.body:find("this page always fails", 1, true))
      assert.equal(500, client.request(base .. "/bad_header").status)
      assert.equal(404, client.request(base .. "/nothing").status)
    end)

    it("that wait do not hold up others", function()
      local waiting = {}
      for i = 1, 20 do waiting[i] = client.send(base .. "/sleep") end
      await(server, "sleeping", "20")
      assert.equal("3", client.request(base .. "/size", { body = "abc" }).body)
      assert.equal("20", server:call "wake")
      for i = 1, 20 do assert.equal("awake", waiting[i]:finish().body) end
    end)
  end)

  describe("streams", function()
    it("come in chunks, or with their length", function()
      assert.equal(("x"):rep(3000), client.request(base .. "/stream/3/1000").body)
      local answer = client.request(base .. "/stream/3/1000?")
      assert.equal("3000", answer.headers["content-length"])
      assert.equal(3000, #answer.body)
      assert.equal("", client.request(base .. "/stream/0/0").body)
      await(server, "streams", "0")
    end)

    it("take parts of any size", function()
      assert.equal(3000000, #client.request(base .. "/stream/3/1000000").body)
      assert.equal(5000, #client.request(base .. "/stream/5000/1").body)
    end)

    it("need memory for one part only", function()
      client.request(base .. "/stream/100/65536")
      local before = resident_kib()
      local connection = connect()
      connection:send "GET /stream/2000/65536 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
      local total = 0
      repeat
        local part, _, rest = connection:receive(1000000)
        total = total + #(part or rest)
      until not part
      connection:close()
      assert.is_true(total > 2000 * 65536)
      if not os.getenv "MOONREST_SANITIZED" then assert.is_true(resident_kib() - before < 16 * 1024) end
    end)

    it("may sleep between parts", function()
      local exchange = client.send(base .. "/drip"):head()
      for _ = 1, 3 do
        await(server, "sleeping", "1")
        server:call "wake"
        assert.equal("drop", exchange:chunk())
      end
      await(server, "sleeping", "1")
      server:call "wake"
      assert.is_nil(exchange:chunk())
      exchange:close()
    end)

    it("end when they break", function()
      local connection = connect()
      connection:send "GET /broken HTTP/1.1\r\nHost: x\r\n\r\n"
      local _, problem = connection:receive(100000)
      assert.equal("closed", problem)
      connection:close()
    end)

    it("are closed when the receiver leaves", function()
      local exchange = client.send(base .. "/stream/1000000/65536"):head()
      await(server, "streams", "1")
      exchange:close()
      await(server, "streams", "0")
    end)
  end)

  describe("commands", function()
    it("go there and back", function()
      assert.equal("a\0b", server:call("echo", "a\0b"))
      assert.equal("", server:call "echo")
      assert.has_error(function() server:call "fail" end)
      assert.has_error(function() server:call "no such command" end)
      assert.equal("again", server:call("echo", "again"))
    end)

    it("wake the timer", function()
      await(server, "sleeping", "0")
      local ticks = tonumber(server:call "ticks")
      local deadline = socket.gettime() + 10
      repeat until tonumber(server:call "ticks") > ticks + 2 or socket.gettime() > deadline
      assert.is_true(tonumber(server:call "ticks") > ticks)
    end)
  end)

  describe("webhooks", function()
    local request = "POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n{\"a\":1}"

    it("are sent, and their answers come back", function()
      local receiver = client.receiver()
      local port = receiver.url:match ":(%d+)/"
      assert.equal("queued", server:call("post", "127.0.0.1 " .. port .. " " .. request))
      assert.equal('{"a":1}', receiver:take(202).body)
      await(server, "delivered",
        "1 HTTP/1.1 202 Status\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
      receiver:close()
    end)

    it("go to loopback addresses only", function()
      for _, address in ipairs { "192.0.2.1", "10.0.0.1", "0.0.0.0", "2001:db8::1", "localhost", "128.0.0.1" } do
        assert.equal("not a loopback address", server:call("post", address .. " 9 x"))
      end
    end)

    it("tell when nobody listens", function()
      local receiver = client.receiver()
      local port = receiver.url:match ":(%d+)/"
      receiver:close()
      assert.equal("queued", server:call("post", "127.0.0.1 " .. port .. " x"))
      await(server, "delivered", "1 failed: nobody listens there")
    end)

    it("are bounded in number", function()
      local receiver = client.receiver()
      local port = receiver.url:match ":(%d+)/"
      local last
      for _ = 1, 1005 do last = server:call("post", "127.0.0.1 " .. port .. " x") end
      assert.equal("too many webhooks are waiting", last)
      receiver:close()
    end)
  end)

  describe("stopping", function()
    it("happens once", function()
      assert.truthy(tostring(server):find "port %d+")
      server:stop()
      server:stop()
      assert.truthy(tostring(server):find "stopped")
      assert.has_error(function() server:call "echo" end)
      assert.has_error(function() server:port() end)
    end)

    it("breaks what is being sent to the same thread", function()
      local connections = {}
      for i = 1, 5 do
        connections[i] = connect()
        connections[i]:send "GET /stream/1000000/65536 HTTP/1.1\r\nHost: x\r\n\r\n"
        assert(connections[i]:receive(1000))
      end
      server:stop()
      for i = 1, 5 do connections[i]:close() end
    end)

    it("breaks what sleeps", function()
      local waiting = {}
      for i = 1, 10 do waiting[i] = client.send(base .. (i % 2 == 0 and "/sleep" or "/drip")) end
      await(server, "sleeping", "10")
      server:stop()
      for i = 1, 10 do waiting[i]:close() end
    end)

    it("breaks a webhook whose receiver does not answer", function()
      local receiver = client.receiver()
      local port = receiver.url:match ":(%d+)/"
      server:call("post", "127.0.0.1 " .. port .. " x")
      local connection = assert(receiver.listener:accept())
      local before = socket.gettime()
      server:stop()
      assert.is_true(socket.gettime() - before < 5)
      connection:close()
      receiver:close()
    end)

    it("comes with the end of a scope, and with the collector", function()
      local port
      do
        local scoped <close> = start()
        port = scoped:port()
      end
      local again = start { port = port }
      assert.equal(port, again:port())
      again = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      start({ port = port }):stop()
    end)
  end)

  it("says what keeps it from starting", function()
    local none, message = sandbox_server.start { module = "spec.support.sandbox_app", port = server:port() }
    assert.is_nil(none)
    assert.truthy(message:find(("port %d on 127.0.0.1 is in use"):format(server:port()), 1, true))
    none, message = sandbox_server.start { module = "no.such.module" }
    assert.is_nil(none)
    assert.truthy(message:find("no.such.module", 1, true))
    assert.has_error(function() sandbox_server.start {} end)
    assert.has_error(function() sandbox_server.start { module = "x", port = 65536 } end)
    assert.has_error(function() sandbox_server.start { module = "x", port = "80" } end)
    assert.has_error(function() sandbox_server.start { module = "x", max_body = -1 } end)
  end)
end)
