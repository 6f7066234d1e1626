-- What a bad day brings: each ends in a clear error that names the operation and tells what to do, quickly, and leaves
-- nothing half-written behind.

local core = require "moonrest.core"
local moonrest = require "moonrest"
local raw_server = require "spec.support.raw_server"
local sandbox = require "moonrest.sandbox"
local slow_server = require "spec.support.slow_server"

local function definition(fields)
  local base = {
    name = "tested",
    servers = { production = "https://api.tested.example" },
    auth = { header = "Authorization", prefix = "Bearer " },
    pages = { style = "page", page = "page", size = "limit", has_next = "has_next" },
    resources = {
      things = {
        list = { "GET /things", "Lists things.", items = "data", paged = true },
        get = { "GET /things/{id}", "One thing." },
        export = { "GET /export", "All things as a file.", returns = "file" },
      },
    },
  }
  for name, value in pairs(fields or {}) do base[name] = value end
  return base
end

local function open(server, options)
  options = options or {}
  options.base_url = options.base_url or server.url
  options.token, options.retry = "t", false
  return moonrest.open(definition(), options)
end

-- The error of one call to a server that answers so; checks what every error must have.
local function failure(answer, options, call_options)
  local server <close> = raw_server.start { answer }
  local data, err = open(server, options).things:get({ id = "1" }, call_options)
  assert.is_nil(data)
  assert.is_string(err.message)
  assert.matches("tested.things:get", tostring(err), 1, true)
  return err
end

local function gzip(text)
  local name = os.tmpname()
  local file = assert(io.open(name, "wb"))
  file:write(text)
  file:close()
  local pipe <close> = assert(io.popen("gzip -c " .. name))
  local packed = pipe:read "a"
  os.remove(name)
  return packed
end

describe("a body", function()
  it("that is not JSON is told with its place", function()
    local err = failure(raw_server.response(200, '{"id": tru}'))
    assert.equal("decode", err.kind)
    assert.matches("line 1", err.message, 1, true)
  end)

  it("that is a proxy's HTML page is told as one", function()
    local page = "<html><head><title>Bad Gateway</title></head></html>"
    local err = failure(raw_server.response(502, page):gsub("application/json", "text/html"), nil)
    assert.equal("http", err.kind)
    assert.equal(502, err.status)
    assert.matches("Bad Gateway", err.message, 1, true)
  end)

  it("that is a part nobody asked for is an error, also for a file, which is not written", function()
    local function part(range, options)
      local server <close> = raw_server.start { { ('HTTP/1.1 206 Partial Content\r\nContent-Type: application/json\r\n'
        .. 'Content-Range: %s\r\nContent-Length: 7\r\n\r\n{"a":1}'):format(range), close = true } }
      options.retry = false
      return open(server).things:get({ id = "1" }, options)
    end
    local path <const> = os.tmpname()
    local file <close> = assert(io.open(path, "w"))
    finally(function() os.remove(path) end)
    file:write("old"):close()
    for _, range in ipairs { "bytes 0-6/100", "bytes 0-6/*", "bytes 93-99/100", "bytes */100", "Bytes 0-" } do
      local data, err = part(range, {})
      assert.is_nil(data, range)
      assert.equal("truncated", err.kind)
      assert.matches("only a part of the whole, which was not asked for", err.message, 1, true)
      assert.equal("truncated", select(2, part(range, { to = path })).kind)
    end
    assert.equal("old", assert(io.open(path)):read "a")
    assert.same({ a = 1 }, (part("bytes 0-6/100", { headers = { range = "bytes=0-6" } })))
    assert.same({ a = 1 }, (part("bytes 0-6/7", {})))
    assert.same({ a = 1 }, (part("0-24/3573", {})))
  end)

  it("that is cut off is an error, also for a file, which is not written", function()
    local whole = raw_server.response(200, ('{"id":"%s"}'):format(("x"):rep(2000)))
    local cut = { whole:sub(1, -1000), close = true }
    assert.equal("truncated", failure(cut).kind)
    local server <close> = raw_server.start { cut }
    local target = os.tmpname()
    os.remove(target)
    local data, err = open(server).things:export({}, { to = target })
    assert.is_nil(data)
    assert.equal("truncated", err.kind)
    assert.is_nil(io.open(target))
    local pipe <close> = assert(io.popen("ls " .. target .. "* 2>/dev/null"))
    assert.equal("", pipe:read "a")
  end)

  it("in another charset is refused where its bytes are no UTF-8", function()
    assert.equal("decode", failure(raw_server.response(200, '{"name":"caf\xe9"}')).kind)
  end)

  it("over the bound is refused, announced or not", function()
    local big = '"' .. ("x"):rep(5000) .. '"'
    assert.equal("too_large", failure(raw_server.response(200, big), { max_body = 4096 }).kind)
    local unannounced = { "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" .. big, close = true }
    assert.equal("too_large", failure(unannounced, { max_body = 4096 }).kind)
  end)

  it("that is a gzip bomb stops at the bound", function()
    local bomb = gzip(("0"):rep(8 * 1024 * 1024))
    assert.is_true(#bomb < 10000)
    local err = failure(raw_server.response(200, bomb, { "Content-Encoding: gzip" }), { max_body = 1024 * 1024 })
    assert.equal("too_large", err.kind)
  end)

  it("that is too deep is refused", function()
    local err = failure(raw_server.response(200, ("["):rep(5000) .. ("]"):rep(5000)))
    assert.equal("decode", err.kind)
    assert.matches("deep", err.message, 1, true)
  end)

  it("of a 204 is not read", function()
    local server <close> = raw_server.start { { "HTTP/1.1 204 No Content\r\n\r\n", close = true } }
    assert.is_true((open(server).things:get "1"))
  end)

  it("with a wrong Content-Type is read as what it is", function()
    local answer = raw_server.response(200, '{"id":7}'):gsub("application/json", "text/plain")
    local server <close> = raw_server.start { answer }
    assert.equal(7, assert(open(server).things:get "1").id)
  end)
end)

describe("headers", function()
  it("that are too large are refused", function()
    local lines = {}
    for place = 1, 40 do lines[place] = ("X-Filler-%d: %s"):format(place, ("y"):rep(4000)) end
    assert.equal("too_large", failure(raw_server.response(200, "{}", lines)).kind)
  end)
end)

describe("a server", function()
  it("that is not there is told with its address", function()
    local port
    do
      local server <close> = raw_server.start { "" }
      port = server.port
    end
    local _, err = open({ url = "http://127.0.0.1:" .. port }).things:get "1"
    assert.equal("network", err.kind)
    assert.matches("127.0.0.1:" .. port, err.message, 1, true)
    assert.is_true(err.retryable)
  end)

  it("that closes without an answer is a network error", function()
    assert.equal("network", failure { "", close = true }.kind)
  end)

  it("that speaks something else is told so", function()
    local err = failure { "SSH-2.0-OpenSSH_9.2\r\n", close = true }
    assert.is_true(err.kind == "network" or err.kind == "decode")
  end)

  it("whose certificate nobody vouches for is refused", function()
    local folder = os.tmpname()
    os.remove(folder)
    os.execute(("mkdir %s && openssl req -x509 -newkey rsa:2048 -nodes -keyout %s/key -out %s/cert -days 2 "
      .. "-subj /CN=localhost 2>/dev/null"):format(folder, folder, folder))
    local pipe = assert(io.popen(("exec env -u LD_PRELOAD sh -c 'echo $$; exec openssl s_server -accept 127.0.0.1:0 "
      .. "-key %s/key -cert %s/cert -www 2>&1'"):format(folder, folder)))
    local pid = pipe:read "n"
    local port
    repeat port = (pipe:read "l" or error "openssl s_server did not start"):match "ACCEPT 127.0.0.1:(%d+)" until port
    local _, err = open({ url = "https://127.0.0.1:" .. port }).things:get "1"
    os.execute("kill " .. pid)
    pipe:close()
    os.execute("rm -r " .. folder)
    assert.equal("network", err.kind)
    assert.matches("certificate", err.message, 1, true)
    assert.is_false(err.retryable)
  end)
end)

describe("a list", function()
  it("that never ends stops when a page is repeated", function()
    local page = raw_server.response(200, '{"data":[{"id":1},{"id":2}],"has_next":true}')
    local server <close> = raw_server.start { page }
    local seen = 0
    local ok, err = pcall(function()
      for _ in open(server).things:each() do seen = seen + 1 end
    end)
    assert.is_false(ok)
    assert.is_true(seen <= 4)
    assert.matches("never end", tostring(err), 1, true)
  end)

  it("without a sign of its end is not silently short", function()
    local server <close> = raw_server.start { raw_server.response(200, '{"data":[{"id":1}]}') }
    local ok, err = pcall(function()
      for _ in open(server).things:each() do end
    end)
    assert.is_false(ok)
    assert.equal("truncated", err.kind)
  end)
end)

describe("a target file", function()
  it("in a folder that is not there or cannot be written is an io error", function()
    local server <close> = raw_server.start { raw_server.response(200, "a,b\n") }
    for _, target in ipairs { "/nonexistent/folder/file.csv", "/proc/file.csv" } do
      local data, err = open(server).things:export({}, { to = target })
      assert.is_nil(data)
      assert.equal("io", err.kind)
      assert.matches(target, err.message, 1, true)
    end
  end)
end)

describe("a credential", function()
  local variable <const> = "MOONREST_SURELY_UNSET"

  it("that is missing is told with the variable to set", function()
    local client = moonrest.open(definition {
      servers = { production = "https://api.tested.example" }, auth = { header = "Authorization", env = { variable } },
    })
    local data, err = client.things:get "1"
    assert.is_nil(data)
    assert.equal("auth", err.kind)
    assert.matches(variable, err.message, 1, true)
  end)

  it("that is empty or has line breaks within is refused", function()
    for _, bad in ipairs { "", "a\nb", "a\0b", "a\r\nX: y" } do
      assert.has_error(function() moonrest.open(definition(), { token = bad, base_url = "https://127.0.0.1" }) end)
    end
  end)

  it("of a file may end in a line break", function()
    local name = os.tmpname()
    local file = assert(io.open(name, "w"))
    file:write "secret-value\n"
    file:close()
    os.execute("chmod 600 " .. name)
    local server <close> = raw_server.start { raw_server.response(200, "{}") }
    local client = moonrest.open(definition { auth = { header = "Authorization", prefix = "Bearer " } },
      { base_url = server.url, token = moonrest.file(name) })
    assert(client.things:get "1")
    os.remove(name)
    assert.matches("\r\nAuthorization: Bearer secret-value\r\n", server:requests()[1], 1, true)
  end)
end)

describe("moonrest.open", function()
  local function message_of(...)
    local ok, problem = pcall(moonrest.open, ...)
    assert.is_false(ok)
    return problem
  end

  it("names the nearest definition, server and option", function()
    assert.matches("edgegap", message_of "edgegab", 1, true)
    assert.matches("staging", message_of("template", { server = "stagging", token = "t" }), 1, true)
    assert.matches("base_url", message_of("edgegap", { base_ulr = "https://x", token = "t" }), 1, true)
  end)

  it("tells a wrong field of a definition with its path", function()
    assert.matches("resources.things.get", message_of(definition {
      resources = { things = { get = { "GET /x", "One.", query = { a = "intger" } } } } }), 1, true)
  end)
end)

describe("the sandbox", function()
  it("says so when its port is in use", function()
    local server <close> = assert(sandbox.start())
    local second, message = sandbox.start { port = server.port }
    assert.is_nil(second)
    assert.matches(tostring(server.port), message, 1, true)
  end)
end)

describe("Ctrl-C", function()
  it("ends what it interrupts: a call that waited for its slot is not sent later", function()
    local server <close> = slow_server.start()
    local ten_in_an_hour = { default = "account", buckets = { account = { "10/h" } } }
    local limited = slow_server.open(server.url, { account = server.url }, ten_in_an_hour)
    for _ = 1, 10 do limited.things:get "a" end
    local calls = {
      function() limited.things:get "quick" end,
      function() limited.posted:send({}, { body = "text" }) end,
      function() limited.bytes.get:stream(10) end,
    }
    for _, call in ipairs(calls) do
      local when = core.clock.now() + 0.02
      debug.sethook(function() -- as lua5.4 raises it
        if core.clock.now() < when then return end
        debug.sethook()
        error("interrupted!", 0)
      end, "", 1)
      local _, problem = pcall(call)
      debug.sethook()
      assert.matches("interrupted!", problem, 1, true)
      assert.equal(0, core.engine():pending())
    end
  end)
end)

describe("a 429 without end", function()
  local limited <const> = { limits = { default = "account", buckets = { account = { "40/s" } } } }

  for _, word in ipairs { "-1", "1e300", "soon", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT",
    "99999999999999999999", "" } do
    it(("with Retry-After '%s' is neither a hang nor a flood"):format(word), function()
      local server <close> = raw_server.start { raw_server.response(429, "{}", { "Retry-After: " .. word }) }
      local client = moonrest.open(definition(limited), { base_url = server.url, token = "t", account = word })
      local started = os.time()
      for _ = 1, 3 do
        local data, err = client.things:get("1", {}, { timeout = 0.5 })
        assert.is_nil(data)
        assert.is_true(err.kind == "http" or err.kind == "throttled" or err.kind == "timeout", err.kind)
      end
      assert.is_true(os.time() - started <= 5)
      local count = #server:requests()
      assert.is_true(count >= 1 and count <= 12, count .. " requests")
    end)
  end
end)

describe("a connection that breaks", function()
  local function broken(options, method)
    local server <close> = raw_server.start { { "", close = true } }
    local client = moonrest.open(definition(), { base_url = server.url, token = "t", retry = options })
    local data, err = client:request(method, "/things", method == "POST" and { json = {} } or nil)
    assert.is_nil(data)
    assert.equal("network", err.kind)
    return err
  end

  it("under a write leaves it open whether that was carried out, and says so", function()
    local err = broken(nil, "POST")
    assert.matches("closed the connection without an answer; it may have been carried out, so it was not repeated$",
      err.message)
    assert.is_false(err.retryable)
    assert.not_matches("carried out", broken(false, "GET").message, 1, true)
  end)

  it("says when the retries of the host are used up", function()
    local said = 0
    for _ = 1, 30 do -- a tenth of the calls before may be repeated, too, and so of these every tenth
      local message = broken({ attempts = 2, backoff = 0.001 }, "GET").message
      if message:find "; not tried again: too many retries to this host in the last minute$" then said = said + 1 end
    end
    assert.is_true(said > 0)
  end)
end)

describe("too few descriptors", function()
  it("are told as what they are", function()
    local server <close> = slow_server.start { latency = 0.1 }
    local script <const> = [[ulimit -n 20; exec lua5.4 -e '
      local client = require "spec.support.slow_server".open("%s", { retry = false })
      local ids = {}
      for id = 1, 64 do ids[id] = id end
      local get = function(id) return client.things:get(id) end
      local _, failures = require "moonrest".map(ids, get, { concurrency = 64 })
      local _, err = next(failures)
      print(err.message)
      print(client.things:get "after".id)' 2>&1]]
    local pipe <close> = assert(io.popen(script:format(server.url)))
    assert.matches("too many open files; allow more %(ulimit %-n%), or make fewer calls at once$", pipe:read "l")
    assert.equal("after", pipe:read "l")
  end)
end)

describe("closed standard streams", function()
  it("let nothing that the program prints into connections, downloads and the shared limits", function()
    local server <close> = slow_server.start()
    local folder, log = os.tmpname(), os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir -m 700 " .. folder))
    local script <const> = [[export XDG_RUNTIME_DIR=%s; exec lua5.4 -e '
      local moonrest = require "moonrest"
      local words = {}
      moonrest.on("limiter", function(event) words[#words + 1] = event.reason end)
      local client = require "spec.support.slow_server".open("%s", { account = "closed", retry = false },
        { default = "account", buckets = { account = { "100/s" } } })
      for _ = 1, 3 do
        local id = assert(client.things:get "a").id
        local bytes = assert(client.bytes:get({ count = 9 }, { to = "%s/file" })).bytes
        words[#words + 1] = id .. bytes
        print(("x"):rep(99))
        io.stdout:flush()
        io.stderr:write(("y"):rep(99))
      end
      assert(io.open("%s", "w")):write(table.concat(words, " "))' %s]]
    for _, streams in ipairs { ">&- 2>/dev/null", ">&- 2>&- <&-", ">/dev/null 2>&1" } do
      assert(os.execute(script:format(folder, server.url, folder, log, streams)))
      local file <close> = assert(io.open(log))
      assert.equal("a9 a9 a9", file:read "a")
      local download <close> = assert(io.open(folder .. "/file"))
      assert.equal(("x"):rep(9), download:read "a")
    end
    os.execute("rm -rf " .. folder .. " " .. log)
  end)
end)

describe("a place for a download", function()
  local bad = { "/no/such/folder/file", "/tmp", "/dev/null", "/etc/passwd/file" }

  it("that cannot be written is told before anything is sent", function()
    local server <close> = raw_server.start { raw_server.response(200, "{}") }
    local client = open(server)
    for _, place in ipairs(bad) do
      local data, err = client.things:export({}, { to = place })
      assert.is_nil(data)
      assert.equal("io", err.kind)
      assert.matches(place, err.message, 1, true)
      assert.matches("tested.things:export", tostring(err), 1, true)
    end
    assert.equal(0, #server:requests())
  end)
end)

describe("a proxy", function()
  it("that wants a password is told as such, and is not asked again", function()
    local server <close> = raw_server.start { {
      'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n',
      close = true,
    } }
    local client = moonrest.open(definition(), { token = "t-123", proxy = server.url })
    local data, err = client.things:get "1"
    assert.is_nil(data)
    assert.equal("network", err.kind)
    assert.is_false(err.retryable)
    assert.matches("refused the tunnel with status 407", err.message, 1, true)
    assert.equal(1, #server:requests())
    assert.is_nil(server:requests()[1]:find("t-123", 1, true))
  end)

  local refused <const> = {
    { "that refuses the password", "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n", "user:hidden@",
      "the user or the password in its URL is wrong" },
    { "that says so with 401", "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "user:hidden@",
      "refused the tunnel with status 401; the user or the password in its URL is wrong" },
    { "that has no way on", "HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n", "",
      "refused the tunnel with status 502; it cannot reach that host: ask whoever runs the proxy" },
    { "that hangs up", "", "", "does its URL begin with what it speaks, http:// or https://?" },
  }
  for _, case in ipairs(refused) do
    it(case[1] .. " is told as such", function()
      local server <close> = raw_server.start { { case[2], close = true } }
      local proxy = server.url:gsub("//", "//" .. case[3])
      local client = moonrest.open(definition(), { token = "t", proxy = proxy, retry = false })
      local data, err = client.things:get "1"
      assert.is_nil(data)
      assert.equal("network", err.kind)
      assert.matches("the proxy on the way to api.tested.example:443", err.message, 1, true)
      assert.matches(case[4], err.message, 1, true)
      assert.is_nil(tostring(err):find("hidden", 1, true))
    end)
  end

  it("that is not there is told as such", function()
    local client = moonrest.open(definition(), { token = "t", proxy = "http://127.0.0.1:1", retry = false })
    local _, err = client.things:get "1"
    assert.matches("through the proxy: connection refused; is the proxy running?", err.message, 1, true)
  end)

  it("of an unknown kind is told without its password", function()
    local client = moonrest.open(definition(), { token = "t", proxy = "gopher://user:hidden@127.0.0.1:1" })
    local data, err = client.things:get "1"
    assert.is_nil(data)
    assert.matches("its URL begins with a scheme", err.message, 1, true)
    assert.is_nil(tostring(err):find("hidden", 1, true))
  end)
end)

describe("a header that HTTP does not allow", function()
  it("is not taken for another protocol", function()
    local err = failure("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}")
    assert.equal("network", err.kind)
    assert.matches("answered with status 200 and a header", err.message, 1, true)
  end)
end)

describe("headers of a request", function()
  it("that are too long are told with the operation", function()
    local data, err = moonrest.open(definition(), { token = "t" }).things:get("1", nil,
      { headers = { ["X-Long"] = ("x"):rep(70000) } })
    assert.is_nil(data)
    assert.equal("too_large", err.kind)
    assert.matches("tested.things:get: too_large: the request headers exceed 65536 bytes", tostring(err), 1, true)
  end)
end)

describe("options of the connection", function()
  it("that would be passed over are refused", function()
    assert.has_error(function() moonrest.open(definition(), { token = "t", client_key = "key.pem" }) end)
    assert.has_error(function() moonrest.open(definition(), { token = "t", unix_socket = "/" .. ("x"):rep(107) }) end)
    moonrest.open(definition(), { token = "t", unix_socket = "/" .. ("x"):rep(106) })
  end)
end)

describe("two clients of one account", function()
  it("with different plans are told of, once", function()
    local told = {}
    local stop = moonrest.on("limiter", function(event) told[#told + 1] = event.reason end)
    local first <close> = moonrest.open("cygni", { token = "two-plans", plan = "free" })
    local second <close> = moonrest.open("cygni", { token = "two-plans", plan = "pro" })
    local third <close> = moonrest.open("cygni", { token = "another", plan = "pro" })
    for _ = 1, 2 do
      for _, client in ipairs { first, second, third } do client:limits() end
    end
    stop()
    assert.equal(1, #told)
    assert.matches("'free' and 'pro': 'pro' counts from now on", told[1], 1, true)
  end)
end)
