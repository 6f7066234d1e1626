-- Mistakes that were found by attacking the library, each with what a server or the caller must see instead.

local moonrest = require "moonrest"
local raw_server = require "spec.support.raw_server"

local canary <const> = "canary-5d20c8"
local ok <const> = raw_server.response(200, '{"id":1}')

local function definition(change)
  local at = {
    name = "tested",
    servers = { production = "https://{region}.tested.example" },
    variables = { region = { default = "eu" } },
    auth = { header = "Authorization", prefix = "Bearer ", env = { "MOONREST_TESTED_TOKEN" } },
    pages = { style = "page", page = "page", has_next = "has_next" },
    resources = {
      things = {
        list = { "GET /things", "Lists things.", paged = true, items = "data",
          query = { page = "integer", offset = "integer", cursor = "any", name = "string" } },
        get = { "GET /things/{id}", "One thing." },
        create = { "POST /things", "Makes a thing.", body = { name = "string!" } },
        use = { "POST /use/{key}", "Uses a key.", body = { token = "string" }, secret = { "key", "token" } },
        send = { "PUT /things/{id}", "Sends bytes.", body_type = "raw" },
        form = { "POST /form", "Sends a form.", body_type = "multipart", body = { file = "any" } },
        export = { "GET /export", "Exports.", returns = "file" },
        delete = { "DELETE /things/{id}", "Removes a thing." },
        watch = { "POST /watch", "Watches.", returns = "events", body = { token = "string" }, secret = { "token" } },
      },
    },
  }
  for name, value in pairs(change or {}) do at[name] = value end
  return at
end

local function open(server, options, change)
  options = options or {}
  options.base_url, options.retry = server.url, false
  if options.token == nil then options.token = "secret-token" end
  return moonrest.open(definition(change), options)
end

local function refused(pattern, action, ...)
  local is_good, problem = pcall(action, ...)
  assert.is_false(is_good)
  assert.matches(pattern, problem)
  assert.matches("^spec/regressions_spec.lua:%d+: ", problem)
end

describe("a secret", function()
  it("cannot leave its segment of the path", function()
    local server <close> = raw_server.start { ok }
    local client = open(server)
    for _, text in ipairs { ".", ".." } do
      local data, err = client.things:get(moonrest.secret(text))
      assert.is_nil(data)
      assert.equal("decode", err.kind)
    end
    assert.equal(0, #server:requests())
    assert(client.things:get(moonrest.secret "a/../b?c"))
    assert.matches("^POST /use/", (client.things:use(moonrest.secret "k", {}) and server:requests()[2]))
    assert.matches("^GET /things/a%%2F%.%.%%2Fb%%3Fc ", server:requests()[1])
  end)

  it("is not shown when it cannot stand in a path", function()
    local server <close> = raw_server.start { ok }
    refused("tested.things:use: parameter 'key': ", function() open(server).things:use(canary .. "\1", {}) end)
    local is_good, problem = pcall(open(server).things.use, canary .. "\n", {})
    assert.is_false(is_good)
    assert.not_matches(canary, problem, 1, true)
  end)

  it("among the parameters is masked wherever the answer repeats it", function()
    local bodies = {
      raw_server.response(200, "<html><title>" .. canary .. "</title>"),
      raw_server.response(200, "{" .. canary),
      raw_server.response(400, ('{"error":{"code":"%s","message":"%s","details":[["%s"]]}}')
        :format(canary, canary, canary)),
      raw_server.response(207, ('[{"status":400,"message":"m","other":{"x":"%s"}}]'):format(canary)),
    }
    for _, bytes in ipairs(bodies) do
      local server <close> = raw_server.start { bytes }
      local data, err = open(server).things:use("key", { token = canary })
      assert.is_nil(data)
      local shown = { tostring(err), err.message, tostring(err.code) }
      for _, value in ipairs { err.data or {}, err.details or {} } do
        shown[#shown + 1] = moonrest.json.encode(value)
      end
      assert.not_matches(canary, table.concat(shown, "\n"), 1, true)
    end
  end)

  it("stands in no table of an open client", function()
    local server <close> = raw_server.start { ok }
    local client = open(server, { token = canary })
    assert(client.things:get "1")
    local seen = {}
    local function look(value)
      if type(value) == "string" then assert.not_matches(canary, value, 1, true) end
      if type(value) ~= "table" or seen[value] then return end
      seen[value] = true
      for key, field in next, value do
        look(key)
        look(field)
      end
    end
    look(client)
  end)

  it("as a raw body goes out as its bytes", function()
    local server <close> = raw_server.start { ok }
    assert(open(server).things:send("1", {}, { body = moonrest.secret "abc" }))
    assert.matches("\r\n\r\nabc$", server:requests()[1])
  end)
end)

describe("what is sent", function()
  it("holds no number that is none", function()
    local server <close> = raw_server.start { ok }
    local client = open(server)
    for _, number in ipairs { 0 / 0, math.huge, -math.huge } do
      refused("must be a string", function() client.things:get(number) end)
      refused("must be a string", function() client.things:list { name = number } end)
      refused("not finite", function() client:request("GET", "/x", { query = { a = number } }) end)
    end
    assert(client.things:get(0.1))
    assert.matches("^GET /things/0.1 ", server:requests()[1])
  end)

  it("has one credential, and the length that the library counted", function()
    local server <close> = raw_server.start { ok }
    local client = open(server)
    refused("carries the credential", function() client.things:get("1", {}, { headers = { authorization = "x" } }) end)
    refused("carries the credential", function() open(server, { headers = { AUTHORIZATION = "x" } }) end)
    for _, name in ipairs { "Content-Length", "transfer-encoding", "Connection" } do
      refused("set by the library", function()
        client.things:create({ name = "a" }, { headers = { [name] = "0" } })
      end)
    end
    assert.equal(0, #server:requests())
    assert(open(server, { token = false, headers = { Authorization = "mine" } }).things:get "1")
    assert.matches("\r\nAuthorization: mine\r\n", server:requests()[1])
  end)

  it("says once what a body is", function()
    local server <close> = raw_server.start { ok }
    assert(open(server).things:create { name = "a" })
    local client = open(server, { headers = { ["content-type"] = "application/b+json" } })
    assert(client.things:create({ name = "a" }, { headers = { ["Content-Type"] = "application/a+json" } }))
    assert(client.things:form { file = { data = "x" } })
    assert(client:request("POST", "/things", { json = { 1 } }))
    local types = {}
    for index, bytes in ipairs(server:requests()) do
      local count = 0
      for kind in bytes:lower():gmatch "\r\ncontent%-type: ([^;\r]+)" do
        if count == 0 then types[index] = kind end
        count = kind:find "octet" and count or count + 1
      end
      assert.equal(1, count)
    end
    assert.same({ "application/json", "application/a+json", "multipart/form-data", "application/b+json" }, types)
  end)

  it("is not cut at a NUL, and misuse is told at the caller's line", function()
    local server <close> = raw_server.start { ok }
    local client = open(server)
    for _, text in ipairs { "a\0b", "a\r\nX: y", "" } do
      refused("idempotency_key", function() client.things:create({ name = "a" }, { idempotency_key = text }) end)
      refused("content_type", function() client.things:send("1", {}, { body = "x", content_type = text }) end)
      refused("option 'to'", function() client.things:export({}, { to = text }) end)
      refused("option 'upload'", function() client.things:send("1", {}, { upload = text }) end)
    end
    refused("option 'to' must be a string", function()
      client.things:export({}, { to = moonrest.secret "/tmp/x" })
    end)
    refused("exclude each other", function() client.things:send("1", {}, { body = "x", upload = "/etc/hostname" }) end)
    refused("need names", function() client:request("GET", "/x", { query = { 1, a = 2 } }) end)
    assert.equal(0, #server:requests())
  end)

  it("is a file and nothing else where a form has one", function()
    local server <close> = raw_server.start { ok }
    local client = open(server)
    for pattern, file in pairs {
      ["'file.path' must be a string"] = { path = 5 },
      ["'file.path' must not contain"] = { path = "a\0b" },
      ["'file.content_type' must not contain"] = { data = "x", content_type = "a\r\nX: y" },
      ["'file.nope' is unknown"] = { nope = 1 },
      ["needs either path"] = { filename = "x" },
    } do
      refused(pattern, function() client.things:form { file = file } end)
    end
    local data, err = client.things:form { file = { path = "/tmp" } }
    assert.is_nil(data)
    assert.equal("io", err.kind)
    assert.equal(0, #server:requests())
  end)

  it("waits for no pipe", function()
    local server <close> = raw_server.start { ok }
    local name = os.tmpname()
    assert(os.execute(("rm %s && mkfifo %s"):format(name, name)))
    local data, err = open(server).things:send("1", {}, { upload = name })
    os.remove(name)
    assert.is_nil(data)
    assert.equal("io", err.kind)
  end)

  it("goes to a server that a variable of the URL cannot change", function()
    for _, region in ipairs { "evil.example/", "evil.example?", "a@b", "a:1", "" } do
      refused("stands in the server's URL", function()
        moonrest.open(definition(), { region = region, token = "x" })
      end)
    end
  end)
end)

local function redirect(status, to)
  return raw_server.response(status, "", { "Location: " .. to })
end

describe("a redirect", function()
  it("is no attempt", function()
    local server <close> = raw_server.start { redirect(302, "/other"), raw_server.response(400, "{}") }
    local _, err = open(server).things:get "1"
    assert.not_matches("attempt", tostring(err))
    assert.same({ "redirect" }, { err.attempts[1].reason, err.attempts[2].reason })
  end)

  it("deletes nothing: a 404 behind it is one", function()
    local server <close> = raw_server.start { redirect(307, "/other"), raw_server.response(404, "{}") }
    local data, err = open(server).things:delete "1"
    assert.is_nil(data)
    assert.equal(404, err.status)
  end)
end)

describe("a redirect of a write", function()
  it("that is not followed is told with its address, and without what its query says", function()
    for address, shown in pairs {
      ["/things/?key=" .. canary] = "/things/",
      ["http://[::1]:4711/new"] = "http://[::1]:4711/new",
      ["/" .. ("a"):rep(400)] = "aaa...",
    } do
      local server <close> = raw_server.start { raw_server.response(301, "", { "Location: " .. address }) }
      local _, err = open(server).things:create { name = "a" }
      assert.equal("redirect", err.kind)
      assert.matches("^301 redirect to http://%S+ not followed: it would ", err.message)
      assert.matches(shown .. " not followed", err.message, 1, true)
      assert.not_matches(canary, err.message, 1, true)
    end
  end)

  it("that becomes a read takes along nothing that describes the body", function()
    local server <close> = raw_server.start { raw_server.response(303, "", { "Location: /things/1" }), ok }
    assert(open(server).things:create({ name = "a" }, { headers = { ["X-Kept"] = "1", ["Content-Language"] = "en" } }))
    local read = server:requests()[2]
    assert.matches("^GET /things/1 ", read)
    assert.not_matches("\r\n[Cc]ontent%-", read)
    assert.matches("\r\nX-Kept: 1\r\n", read, 1, true)
  end)
end)

describe("a redirect that leads nowhere", function()
  it("is told as what it is", function()
    local server <close> = raw_server.start { raw_server.response(302, ""), redirect(302, "http://["),
      redirect(302, "file:///etc/passwd") }
    local client = open(server)
    assert.matches("302 Found: a redirect that does not say where to", tostring(select(2, client.things:get "1")))
    for _ = 1, 2 do
      local _, err = client.things:get "1"
      assert.equal("redirect", err.kind)
      assert.matches("^302 redirect not followed: its Location makes no sense: the URL", err.message)
    end
  end)
end)

describe("a download", function()
  -- /dev/shm is a tmpfs, which has files without names.
  local function files_in(folder)
    local pipe <close> = assert(io.popen("ls -A " .. folder))
    return pipe:read "a"
  end

  it("leaves nothing behind when the process is killed in the middle", function()
    local begun = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"
    local server <close> = raw_server.start { begun }
    local pipe = assert(io.popen "mktemp -d /dev/shm/moonrest-XXXXXX")
    local folder = pipe:read "l"
    pipe:close()
    local script = ([[
      local client = require "moonrest".open({ name = "tested", servers = { production = "%s" },
        resources = { things = { export = { "GET /export", "Exports.", returns = "file" } } } })
      client.things:export({}, { to = "%s/all.csv", progress = function(received)
        if received == 4 then io.stdout:write "half\n" io.stdout:flush() end
      end })]]):format(server.url, folder)
    pipe = assert(io.popen(("exec sh -c 'echo $$; exec lua5.4 -e \"$0\"' '%s'"):format(script)))
    local pid = pipe:read "n"
    pipe:read "l"
    assert.equal("half", pipe:read "l")
    os.execute("kill -9 " .. pid)
    pipe:close()
    local left = files_in(folder)
    os.execute("rm -r " .. folder)
    assert.equal("", left)
  end)
end)

describe("a call", function()
  it("asks no value of the caller's for equality", function()
    local server <close> = raw_server.start { ok }
    local parameters = setmetatable({ id = "1" }, { __eq = function() error "asked" end })
    assert(open(server).things.get(parameters))
  end)
end)

describe("an answer", function()
  it("of 207 is partial with lua-cjson too, and codes are integers", function()
    local server <close> = raw_server.start {
      raw_server.response(207, '[{"status":200},{"status":404}]'),
      raw_server.response(400, '{"code":17,"message":"no"}'),
    }
    local client = open(server, { json = "cjson" })
    local data, err = client.things:get "1"
    assert.is_nil(data)
    assert.equal("partial", err.kind)
    data, err = client.things:get "1"
    assert.is_nil(data)
    assert.equal("integer", math.type(err.code))
  end)

  it("of 304 is named, and control characters do not reach a terminal", function()
    local server <close> = raw_server.start {
      "HTTP/1.1 304 X\r\n\r\n", raw_server.response(400, '{"message":"a\\u001b[31mred"}'),
    }
    local client = open(server)
    local _, err = client.things:get "1"
    assert.matches("304 Not Modified", tostring(err))
    _, err = client.things:get "1"
    assert.not_matches("\27", tostring(err), 1, true)
  end)

  it("of 101 fails at once", function()
    local server <close> = raw_server.start { "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" }
    local data, err = open(server).things:get({ id = "1" }, { timeout = 20 })
    assert.is_nil(data)
    assert.equal("decode", err.kind)
    assert.matches("changes to another protocol (101)", err.message, 1, true)
    assert.is_true(err.attempts[1].took < 10)
  end)

  it("of a length that is none is refused, for nobody could see where it is cut", function()
    for _, length in ipairs { "99999999999999999999", "2x", "" } do
      local answer = ("HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n{}"):format(length)
      local server <close> = raw_server.start { { answer, close = true } }
      local data, err = open(server).things:get "1"
      assert.is_nil(data)
      assert.is_true(err.kind == "decode" or err.kind == "network", err.kind)
    end
  end)

  it("of white space alone has no body", function()
    for _, codec in ipairs { "moonrest", "cjson" } do
      for _, text in ipairs { "\n", " \t\r\n", (" "):rep(20000) } do
        local server <close> = raw_server.start { raw_server.response(200, text) }
        assert.is_true((open(server, { json = codec }).things:get "1"))
      end
      for _, text in ipairs { "\0", "\f", " x" } do
        local server <close> = raw_server.start { raw_server.response(200, text) }
        local _, err = open(server, { json = codec }).things:get "1"
        assert.equal("decode", err.kind)
      end
    end
  end)

  it("of newline-delimited JSON is no JSON text", function()
    local answer = raw_server.response(200, '{"a":1}\n{"a":2}\n'):gsub("application/json", "application/x-ndjson")
    local server <close> = raw_server.start { answer }
    assert.equal('{"a":1}\n{"a":2}\n', (open(server):request("GET", "/lines")))
  end)

  it("shows no piece of a secret, wherever its text is cut", function()
    local secret = "canary-0123456789-0123456789-0123456789-end"
    local bodies = { '{"a":' .. secret .. "}", '["' .. secret .. '" "' .. secret .. '"]', secret:rep(20) }
    for length = 440, 520, 7 do bodies[#bodies + 1] = ("x"):rep(length) .. secret end
    for _, body in ipairs(bodies) do
      for _, status in ipairs { 200, 400 } do
        local server <close> = raw_server.start { raw_server.response(status, body),
          raw_server.response(status, body), raw_server.response(status, ("%q"):format(body)) }
        local client = open(server, { token = secret })
        local problems = { select(2, client.things:get "1"), select(2, client.things:use("k", { token = secret })) }
        if status == 400 then problems[3] = select(2, client.things:get "1") end
        for _, err in ipairs(problems) do
          for _, piece in ipairs { "canary", "0123", "-end" } do assert.not_matches(piece, tostring(err), 1, true) end
        end
      end
    end
  end)

  it("to a stream shows no secret either", function()
    local server <close> = raw_server.start { raw_server.response(400, '{"message":"no ' .. canary .. '"}') }
    local is_good, err = pcall(function()
      for _ in open(server).things.watch:stream { token = canary } do error "no event was sent" end
    end)
    assert.is_false(is_good)
    assert.equal("no ***", err.message)
  end)

  it("with a cursor that is none does not end the list in silence", function()
    for _, cursor in ipairs { "true", '{"a":1}' } do
      local server <close> = raw_server.start { raw_server.response(200, ('{"data":[1],"next":%s}'):format(cursor)) }
      local client = open(server, {}, { pages = { style = "cursor", cursor = "cursor", next = "next" } })
      local items, err = client.things:all()
      assert.is_nil(items)
      assert.equal("decode", err.kind)
    end
  end)
end)

describe("a resume token", function()
  it("that was changed leads to no other server and to no error of ours", function()
    local foreign <close> = raw_server.start { ok }
    local server <close> = raw_server.start { ok }
    local styles = { { style = "link" }, { style = "url", next = "next" }, { style = "page", page = "page" },
      { style = "offset", offset = "offset" } }
    for _, style in ipairs(styles) do
      for _, rest in ipairs { "2|0|-|-|s" .. foreign.url .. "/x", "99999999999999999999|0|-|-|n", "2|0|-|-|s\r\n",
        "2|99999999999999999999|-|-|n", "2|0|99999999999999999999|-|n", "2|0|-1|-|n" } do
        local client = open(server, {}, { pages = style })
        refused("option 'resume' is no token", function()
          client.things:all({}, { resume = "1|tested.things:list|" .. rest })
        end)
      end
    end
    assert.equal(0, #foreign:requests())
  end)
end)

describe("a list of empty pages", function()
  it("does not go on for ever", function()
    local server <close> = raw_server.start { raw_server.response(200, '{"data":[],"has_next":true}') }
    local items, err = open(server).things:all()
    assert.is_nil(items)
    assert.equal("limit", err.kind)
    assert.matches("100 pages without an item", err.message)
    assert.equal(100, #server:requests())
    assert.same({}, (open(server).things:all(nil, { max_pages = 110 })))
  end)
end)

describe("a client", function()
  it("is opened with a time that there is", function()
    for _, option in ipairs { "timeout", "max_wait", "max_body" } do
      for _, bad in ipairs { -1, option ~= "max_body" and 0 / 0 or -2 } do
        refused("option '" .. option .. "' must not be negative", function()
          moonrest.open(definition(), { token = "x", [option] = bad })
        end)
      end
    end
  end)

  it("is opened with a credential that is more than blanks", function()
    local name = os.tmpname()
    local file <close> = assert(io.open(name, "w"))
    file:write "  \n"
    file:close()
    refused("the credential is empty; check the file", function() moonrest.file(name) end)
    os.remove(name)
  end)

  it("knows the methods that there are", function()
    local at = definition()
    at.resources.things.get = { "GTE /things/{id}", "One thing." }
    refused("resources.things.get%[1%] 'GTE' is no method; did you mean 'GET'", function() moonrest.open(at) end)
  end)
end)

describe("show", function()
  it("prints the err of a call that failed", function()
    local server <close> = raw_server.start { raw_server.response(404, '{"message":"gone"}') }
    assert.matches("things:get: 404 Not Found: gone$", require "moonrest.show".text(open(server).things:get "1"))
  end)

  it("prints lists of rows and other values", function()
    local show = require "moonrest.show"
    assert.equal('[{"a":1},5]', show.text { { a = 1 }, 5 })
  end)
end)
