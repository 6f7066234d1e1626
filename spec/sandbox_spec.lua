local core = require "moonrest.core"
local moonrest = require "moonrest"
local client = require "spec.support.sandbox_client"
local sandbox = require "moonrest.sandbox"
local socket = require "socket"

local SYSTEMS = { "capgo", "cygni", "edgee", "edgegap", "template" }

local function app(name) return { name = name, is_active = true, image = "icon" } end

describe("the sandbox", function()
  local server, call

  local function start(options)
    server = assert(sandbox.start(options))
    call = client.caller(server:base "edgegap", { Authorization = "token " .. server:token "edgegap" })
  end

  after_each(function()
    if server then server:stop() end
    server, call = nil, nil
    collectgarbage()
    collectgarbage()
  end)

  it("plays all systems at once", function()
    start {}
    assert.equal(200, client.request(server.url .. "/").status)
    for _, name in ipairs(SYSTEMS) do
      assert.truthy(server:base(name):find("^" .. server.url .. "/" .. name), name)
      assert.is_string(server:token(name))
      local status = client.request(server:base(name) .. "/no/such/route").status
      assert.is_true(status == 404 or status == 401, name .. " " .. status)
    end
    assert.equal(404, client.request(server.url .. "/other/v1").status)
    assert.equal(server.url .. "/template-staging/v1", server:base("template", "staging"))
    assert.truthy(tostring(server):find(server.url, 1, true))
  end)

  it("can be restricted to some", function()
    start { systems = { "edgegap", "template" } }
    assert.equal(200, call("GET", "/v1/apps").status)
    assert.equal(404, client.request(server:base "capgo" .. "/app").status)
    assert.has_error(function() server:token "capgo" end)
  end)

  it("gives the same answers to the same requests under a seed", function()
    local function play(seed)
      start { systems = { "edgegap" }, seed = seed, clock = "virtual", sizes = { edgegap = { apps = 2 } } }
      local seen = { call("GET", "/v1/apps").body }
      for i = 1, 3 do
        seen[#seen + 1] = call("POST", "/v1/relays/sessions", { users = { { ip = "1.1.1." .. i } } }).body
      end
      server:stop()
      return table.concat(seen, "\n")
    end
    local first = play(7)
    assert.equal(first, play(7))
    assert.not_equal(first, play(8))
  end)

  describe("the clock", function()
    it("stands still when it is virtual", function()
      start { systems = { "edgegap" }, clock = "virtual" }
      assert.equal(1767225600, server:now())
      assert.equal(1767225610.5, server:advance(10.5))
      local answer = call("POST", "/v1/app", app "clock")
      assert.equal("2026-01-01 00:00:10.500000", answer.json.create_time)
      assert.equal("Thu, 01 Jan 2026 00:00:10 GMT", answer.headers.date)
    end)

    it("runs, and can be moved, when it is real", function()
      start { systems = { "edgegap" } }
      local before = server:now()
      assert.is_true(math.abs(before - socket.gettime()) < 5)
      server:advance(3600)
      local after = server:now()
      assert.is_true(after >= before + 3600 and after < before + 3700)
    end)

    it("takes seconds only", function()
      start { systems = { "edgegap" } }
      for _, wrong in ipairs { -1, "1", 0 / 0, math.huge, {} } do
        assert.has_error(function() server:advance(wrong) end)
      end
      assert.error_matches(function() server:advance(1e18) end, "ten years are the most")
    end)
  end)

  describe("the log", function()
    it("tells what was served, and no secret", function()
      start { systems = { "edgegap" }, clock = "virtual" }
      call("GET", "/v1/apps?page=1")
      client.request(server:base "edgegap" .. "/v1/app/a%2Fb", { method = "DELETE", body = "{}" })
      local log = server:log()
      assert.equal(2, #log)
      assert.equal("GET", log[1].method)
      assert.equal("/v1/apps", log[1].path)
      assert.equal("page=1", log[1].query)
      assert.equal(200, log[1].status)
      assert.equal("edgegap", log[1].system)
      assert.equal(1767225600, log[1].time)
      assert.equal("token ***", log[1].authorization)
      assert.same({ "authorization", "connection", "host" }, log[1].headers)
      assert.equal("/v1/app/a%2Fb", log[2].path)
      assert.equal("/edgegap/v1/app/a%2Fb", log[2].uri)
      assert.equal(401, log[2].status)
      assert.equal(2, log[2].body_size)
      assert.is_nil(log[2].authorization)
    end)

    it("has an end", function()
      start { systems = { "edgegap" }, limits = false }
      local connection = assert(socket.connect("127.0.0.1", server.port))
      connection:settimeout(20)
      local request = "GET /edgegap/monitor HTTP/1.1\r\nHost: x\r\n\r\n"
      for _ = 1, 110 do
        assert(connection:send(request:rep(100)))
        for _ = 1, 100 do
          local size
          for line in function() return assert(connection:receive "*l") end do
            if line == "" then break end
            size = line:match "^Content%-Length: (%d+)" or size
          end
          assert(connection:receive(tonumber(size)))
        end
      end
      connection:close()
      assert.equal(10000, #server:log())
    end)
  end)

  it("forgets everything on reset", function()
    start { systems = { "edgegap", "template" }, clock = "virtual", plan = "pro" }
    call("POST", "/v1/app", app "mine")
    server:advance(100)
    server:plan("template", "enterprise")
    server:fail { path = "/v1/apps", status = 500 }
    server:reset()
    assert.equal(1767225600, server:now())
    assert.equal(0, #server:log())
    assert.equal(1, call("GET", "/v1/apps").json.total_count) -- the example of the manual
    local headers = { Authorization = "Bearer " .. server:token "template" }
    local answer = client.request(server:base "template" .. "/resources", { headers = headers })
    assert.equal("1000", answer.headers["x-ratelimit-limit"])
  end)

  describe("for its own clients", function()
    local user = { user_type = "ip_address", user_data = { ip_address = "203.0.113.7" } }

    local function deploy(edgegap)
      return assert(edgegap.deployments:create { application = "my-game", version = "v2", users = { user } }).request_id
    end

    it("lets a wait move the virtual clock, and take no time", function()
      start { clock = "virtual" }
      local edgegap, began = server:open "edgegap", server:now()
      assert(edgegap.deployments:wait(deploy(edgegap), "ready"))
      local took = server:now() - began
      assert.is_true(took >= 5 and took < 15, took)
      local data, err = edgegap.deployments:wait(deploy(edgegap), "terminated", { timeout = 3600 })
      assert.is_nil(data)
      assert.equal("timeout", err.kind)
      assert.is_true(err.waited > 3000 and err.waited <= 3600)
    end)

    it("moves it once for all that wait", function()
      start { clock = "virtual", limits = false }
      local edgegap = server:open "edgegap"
      local ids = {}
      for place = 1, 8 do ids[place] = deploy(edgegap) end
      local began = server:now()
      local ready, failures = require "moonrest".map(ids, function(id) return edgegap.deployments:wait(id, "ready") end)
      assert.is_nil(failures)
      assert.equal(8, #ready)
      assert.is_true(server:now() - began < 60)
    end)

    it("renews the throttle of a client, too, when it is advanced", function()
      start { clock = "virtual" }
      local cygni = server:open("cygni", { max_wait = 0 })
      local function calls_until_refused()
        for count = 0, 5000 do
          local data, err = cygni.projects:list()
          if not data then
            assert.equal("throttled", err.kind)
            return count
          end
        end
      end
      assert.equal(100, calls_until_refused())
      server:advance(61)
      assert.equal(100, calls_until_refused())
      server:reset()
      assert.equal(100, calls_until_refused())
    end)

    it("lets calls go on that wait for the throttle when it is advanced", function()
      start { clock = "virtual" }
      local cygni = server:open "cygni"
      local began, answered = core.clock.now(), 0
      moonrest.run(function()
        for _ = 1, 103 do
          moonrest.spawn(function()
            assert(cygni.projects:list())
            answered = answered + 1
          end)
        end
        repeat moonrest.sleep(0.001) until answered == 100
        server:advance(61)
      end)
      assert.equal(103, answered)
      assert.is_true(core.clock.now() - began < 30)
    end)
  end)

  describe("faults", function()
    before_each(function() start { systems = { "edgegap", "template" }, clock = "virtual" } end)

    it("replace so many answers", function()
      server:fail { path = "/v1/apps", status = 503, count = 2, headers = { ["Retry-After"] = "7" },
                    body = { message = "down" } }
      for _ = 1, 2 do
        local answer = call("GET", "/v1/apps?page=1")
        assert.equal(503, answer.status)
        assert.equal("7", answer.headers["retry-after"])
        assert.same({ message = "down" }, answer.json)
      end
      assert.equal(200, call("GET", "/v1/apps").status)
    end)

    it("choose by path, method and system", function()
      server:fail { method = "POST", path = "/v1/app*", status = 500 }
      server:fail { system = "template", status = 502 }
      server:fail { path = "/edgegap/v1/locations", status = 504, body = "<html>bad</html>",
                    headers = { ["Content-Type"] = "text/html" } }
      assert.equal(200, call("GET", "/v1/apps").status)
      assert.equal(500, call("POST", "/v1/app", app "x").status)
      assert.equal(504, call("GET", "/v1/locations").status)
      assert.equal(200, call("GET", "/v1/locations").status)
      assert.equal(502, client.request(server:base "template" .. "/resources").status)
    end)

    it("cut and drop", function()
      local whole = call("GET", "/v1/locations/beacons").body
      server:fail { path = "/v1/locations/beacons", cut = 10 }
      local connection = assert(socket.connect("127.0.0.1", server.port))
      connection:settimeout(10)
      connection:send(("GET /edgegap/v1/locations/beacons HTTP/1.1\r\nHost: x\r\nAuthorization: token %s\r\n\r\n")
        :format(server:token "edgegap"))
      local _, _, text = connection:receive(1000000)
      connection:close()
      assert.truthy(text:find("Content-Length: " .. #whole, 1, true))
      assert.equal(whole:sub(1, 10), text:match "\r\n\r\n(.*)$")
      server:fail { drop = true }
      assert.has_error(function() call("GET", "/v1/apps") end)
      assert.equal(0, server:log()[3].status)
    end)

    it("delay one answer and no other", function()
      server:fail { path = "/v1/apps", delay = 0.3 }
      local began = socket.gettime()
      local slow = client.send(server:base "edgegap" .. "/v1/apps")
      assert.equal(200, call("GET", "/v1/locations").status)
      assert.equal(401, slow:finish().status)
      assert.is_true(socket.gettime() - began >= 0.3)
    end)

    it("are checked", function()
      assert.has_error(function() server:fail() end)
      for _, wrong in ipairs { { sttus = 500 }, { status = "500" }, { status = 99 }, { count = 0 }, { cut = -1 },
                               { delay = "1" }, { system = "other" }, { body = 1 }, { drop = 1 } } do
        assert.has_error(function() server:fail(wrong) end)
      end
    end)
  end)

  it("keeps every answer back for the latency", function()
    start { systems = { "edgegap" }, latency = 0.05 }
    local began, sent = socket.gettime(), {}
    for i = 1, 10 do sent[i] = client.send(server:base "edgegap" .. "/monitor") end
    for i = 1, 10 do assert.equal(200, sent[i]:finish().status) end
    assert.is_true(socket.gettime() - began >= 0.05)
  end)

  it("survives a reset and a stop while answers are kept back", function()
    start { systems = { "edgegap" }, latency = 0.2 }
    local sent = client.send(server:base "edgegap" .. "/monitor")
    server:reset()
    assert.equal(200, sent:finish().status)
    sent = client.send(server:base "edgegap" .. "/monitor")
    server:stop()
    sent:close()
  end)

  it("switches rate limits off", function()
    start { systems = { "edgegap" }, limits = false, clock = "virtual" }
    for _ = 1, 12 do assert.equal(200, call("GET", "/v1/deployments").status) end
  end)

  describe("misuse", function()
    it("is named", function()
      local cases = {
        { { prot = 1 }, "unknown option 'prot'" }, { { port = -1 }, "option 'port'" },
        { { port = 70000 }, "option 'port'" }, { { seed = 1.5 }, "option 'seed'" },
        { { latency = -1 }, "option 'latency'" }, { { clock = "fast" }, "option 'clock'" },
        { { systems = {} }, "option 'systems'" }, { { systems = { "other" } }, "option 'systems'" },
        { { plan = { other = "pro" } }, "option 'plan'" }, { { page_size = 0 }, "option 'page_size'" },
        { { sizes = { edgegap = 1 } }, "option 'sizes'" },
        { { sizes = { edgee = { log_rows = 1 } } }, "sizes.edgee.log_rows: there are rows, sessions" },
        { { sizes = { edgegap = { apps = "many" } } }, "sizes.edgegap.apps: there are apps, hosts, tags" },
        { { capgo = true }, "option 'capgo'" },
        { { plan = "gold" }, "no system has a plan 'gold'" },
        { { plan = { edgegap = "pro" } }, "edgegap has no plan 'pro' (it has: none)" },
      }
      for _, case in ipairs(cases) do
        local fine, message = pcall(sandbox.start, case[1])
        assert.is_false(fine)
        assert.truthy(message:find(case[2], 1, true), message)
      end
      assert.has_error(function() sandbox.start "options" end)
    end)

    it("of a server too", function()
      start { systems = { "edgegap" } }
      assert.has_error(function() server:base "other" end)
      assert.has_error(function() server:base("edgegap", "staging") end)
      assert.error_matches(function() server:plan("cygni", "gold") end,
        "no plan 'gold' %(it has: address, enterprise, ")
      assert.has_error(function() server:token("edgegap", "other") end)
      assert.has_error(function() server:plan("other", "pro") end)
    end)

    it("of a stopped one as well", function()
      start { systems = { "edgegap" } }
      server:stop()
      server:stop()
      assert.has_error(function() server:log() end)
    end)
  end)

  it("says when its port is in use", function()
    start { systems = { "edgegap" } }
    local other, message = sandbox.start { port = server.port, systems = { "edgegap" } }
    assert.is_nil(other)
    assert.truthy(message:find "is in use")
  end)

  it("ends with its scope", function()
    local port
    do
      local scoped <close> = assert(sandbox.start { systems = { "edgegap" } })
      port = scoped.port
    end
    start { systems = { "edgegap" }, port = port }
    assert.equal(port, server.port)
  end)
end)
