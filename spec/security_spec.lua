-- The invariants of the library, each seen from outside: by servers that keep every byte they got.

local moonrest = require "moonrest"
local raw_server = require "spec.support.raw_server"

local token <const> = "canary-7f3a91"

local function definition(fields)
  local base = {
    name = "tested",
    servers = { production = "https://api.tested.example" },
    auth = { header = "Authorization", prefix = "Bearer ", env = { "MOONREST_TESTED_TOKEN" } },
    resources = {
      things = {
        list = { "GET /things", "Lists things.", query = { name = "string" } },
        get = { "GET /things/{id}", "One thing." },
        create = { "POST /things", "Makes a thing.", body = { name = "string!" }, example = { name = "a" } },
        delete = { "DELETE /things/{id}", "Removes a thing." },
      },
    },
  }
  for name, value in pairs(fields or {}) do base[name] = value end
  return base
end

local function open(server, options, fields)
  options = options or {}
  options.base_url = options.base_url or server.url
  options.token = options.token or token
  options.retry = false
  return moonrest.open(definition(fields), options)
end

local ok <const> = raw_server.response(200, '{"id":1}')

local function redirect(status, to)
  return raw_server.response(status, "", { "Location: " .. to })
end

describe("a credential", function()
  it("goes to its own server", function()
    local server <close> = raw_server.start { ok }
    assert(open(server).things:get "1")
    assert.matches("\r\nAuthorization: Bearer " .. token .. "\r\n", server:requests()[1], 1, true)
  end)

  it("follows a redirect on its own origin", function()
    local server <close> = raw_server.start { redirect(302, "/elsewhere"), ok }
    assert(open(server).things:get "1")
    assert.matches("GET /elsewhere ", server:requests()[2], 1, true)
    assert.matches(token, server:requests()[2], 1, true)
  end)

  it("is dropped on another origin, custom headers too, and never comes back", function()
    for _, header in ipairs { "Authorization", "X-Api-Key" } do
      local home <close> = raw_server.start { ok }
      local foreign <close> = raw_server.start { redirect(307, home.url .. "/back"), ok }
      local start <close> = raw_server.start { redirect(302, foreign.url .. "/away") }
      local client = open(start, { headers = { ["X-Tenant"] = "t-1" } }, { auth = { header = header, prefix = "" } })
      assert(client.things:get "1")
      assert.matches(token, start:requests()[1], 1, true)
      for _, server in ipairs { foreign, home } do
        assert.equal(1, #server:requests())
        assert.not_matches(token, server:requests()[1], 1, true)
        assert.not_matches("X-Tenant", server:requests()[1], 1, true)
      end
    end
  end)

  describe("of the query", function()
    local by_query <const> = { auth = { query = "api key" } }
    local pair <const> = "api%20key=" .. token

    it("follows to the addresses that a server gives on its own origin, once", function()
      for _, to in ipairs { "/other", "/other?page=2", "/other?api%20key=" .. token, "?a=1&" .. pair .. "&b=2" } do
        local server <close> = raw_server.start { redirect(302, to), ok }
        assert(open(server, nil, by_query).things:get "1")
        for _, request in ipairs(server:requests()) do
          local _, count = request:gsub(pair:gsub("%p", "%%%0"), "")
          assert.equal(1, count, request)
        end
      end
    end)

    it("is dropped on another origin, and never comes back", function()
      local home <close> = raw_server.start { ok }
      local foreign <close> = raw_server.start { redirect(307, home.url .. "/back"), redirect(307, "/again"), ok }
      local start <close> = raw_server.start { redirect(302, foreign.url .. "/away") }
      assert(open(start, nil, by_query).things:get "1")
      assert.matches(token, start:requests()[1], 1, true)
      assert.not_matches(token, foreign:requests()[1] .. home:requests()[1], 1, true)
    end)

    it("goes along through a list of next links, and into no token, error or address", function()
      local styles = {
        { style = "link", items = "data" }, { style = "url", next = "next", items = "data" },
      }
      for _, style in ipairs(styles) do
        local function page(number, after)
          local next_url = after and ("/things?%s&page=%d"):format(pair, after)
          local field = next_url and (',"next":"%s"'):format(next_url) or ""
          local headers = next_url and { ("Link: <%s>; rel=next"):format(next_url) }
          return raw_server.response(200, ('{"data":[%d]%s}'):format(number, field), headers)
        end
        local server <close> = raw_server.start { page(1, 2), page(2, 3), page(3) }
        local client = open(server, nil, { auth = by_query.auth, resources = { things = {
          list = { "GET /things", "Lists things.", paged = style } } } })
        local seen = {}
        for one in client.things:pages() do
          seen[#seen + 1] = one.items[1]
          assert.not_matches(token, tostring(one.resume) .. one.response.url, 1, true)
        end
        assert.same({ 1, 2, 3 }, seen)
        for _, request in ipairs(server:requests()) do
          local _, count = request:gsub(token:gsub("%p", "%%%0"), "")
          assert.equal(1, count, request)
        end
        assert.matches("^GET /things%?page=2&api%%20key=", server:requests()[2])
      end
    end)
  end)

  it("does not come back when a foreign origin sends the request home", function()
    local foreign <close> = raw_server.start { ok }
    local home <close> = raw_server.start { redirect(302, foreign.url .. "/away"), ok }
    local second <close> = raw_server.start { redirect(302, home.url .. "/home") }
    -- home -> second -> home: the same origin again, but by the word of another one
    local start <close> = raw_server.start { redirect(302, second.url .. "/x"), ok }
    assert(open(start).things:get "1")
    assert.not_matches(token, home:requests()[1], 1, true)
    assert.not_matches(token, foreign:requests()[1], 1, true)
  end)

  it("that was found by itself does not go to a foreign base URL", function()
    local server <close> = raw_server.start { ok }
    local script = ([[MOONREST_TESTED_TOKEN=%s lua5.4 -e '
      local moonrest = require "moonrest"
      local ok, problem = pcall(moonrest.open, {
        name = "tested", servers = { production = "https://api.tested.example" },
        auth = { header = "Authorization", prefix = "", env = { "MOONREST_TESTED_TOKEN" } },
        resources = { things = { get = { "GET /things/{id}", "One thing." } } } }, { base_url = "%s" })
      print(ok, problem)' 2>&1]]):format(token, server.url)
    local pipe <close> = assert(io.popen(script))
    local said = pipe:read "a"
    assert.matches("^false", said)
    assert.matches("MOONREST_TESTED_TOKEN", said, 1, true)
    assert.not_matches(token, said, 1, true)
    assert.equal(0, #server:requests())
  end)

  it("is not sent again after three refusals", function()
    local server <close> = raw_server.start { raw_server.response(401, '{"error":"no"}') }
    local client = open(server)
    for _ = 1, 3 do
      local _, err = client.things:get "1"
      assert.equal(401, err.status)
    end
    local _, err = client.things:get "1"
    assert.equal("auth", err.kind)
    assert.equal(3, #server:requests())
  end)

  it("is read again from its file on a 401, once", function()
    local server <close> = raw_server.start { raw_server.response(401, "{}"), ok }
    local name = os.tmpname()
    local function write(text)
      local file <close> = assert(io.open(name, "w"))
      file:write(text)
    end
    write "old-one\n"
    os.execute("chmod 600 " .. name)
    local client = open(server, { token = moonrest.file(name) })
    write "new-one\n"
    assert(client.things:get "1")
    os.remove(name)
    assert.matches("old-one", server:requests()[1], 1, true)
    assert.matches("new-one", server:requests()[2], 1, true)
  end)

  it("appears in no error and no text", function()
    local server <close> = raw_server.start { raw_server.response(500, "<html>" .. token .. "</html>") }
    local client = open(server, { token = moonrest.secret(token) })
    local _, err = client.things:get "1"
    assert.not_matches(token, tostring(client), 1, true)
    assert.not_matches(token, tostring(client.things), 1, true)
    assert.not_matches(token, require "moonrest.help".text(client), 1, true)
    assert.equal(500, err.status)
  end)
end)

describe("a redirect", function()
  it("never repeats a write on another origin", function()
    local foreign <close> = raw_server.start { ok }
    for _, status in ipairs { 301, 302, 307, 308 } do
      local start <close> = raw_server.start { redirect(status, foreign.url) }
      local _, err = open(start).things:create { name = "a" }
      assert.equal("redirect", err.kind)
    end
    assert.equal(0, #foreign:requests())
  end)

  it("of 303 turns a write into a read", function()
    local server <close> = raw_server.start { redirect(303, "/made/1"), ok }
    assert(open(server).things:create { name = "a" })
    assert.matches("^GET /made/1 ", server:requests()[2])
  end)

  it("that goes in a circle ends", function()
    local server <close> = raw_server.start { redirect(302, "/things/1") }
    local _, err = open(server).things:get "1"
    assert.equal("redirect", err.kind)
    assert.equal(6, #server:requests())
  end)

  it("to other schemes is refused", function()
    for _, to in ipairs { "file:///etc/passwd", "ftp://127.0.0.1/", "http://example.com/", "gopher://127.0.0.1/" } do
      local server <close> = raw_server.start { redirect(302, to) }
      local _, err = open(server).things:get "1"
      assert.equal("redirect", err.kind, to)
    end
  end)
end)

describe("a path parameter", function()
  it("cannot leave its segment", function()
    local server <close> = raw_server.start { ok }
    local client = open(server)
    assert(client.things:get "a/../../b?c#d%2e")
    assert.matches("^GET /things/a%%2F%.%.%%2F%.%.%%2Fb%%3Fc%%23d%%252e HTTP", server:requests()[1])
    for _, bad in ipairs { "..", ".", "" } do
      assert.has_error(function() client.things:get(bad) end)
    end
    for _, bad in ipairs { "a\r\nX: y", "a\0b", "a\nb" } do
      assert.has_error(function() client.things:get(bad) end)
    end
    assert.equal(1, #server:requests())
  end)
end)

describe("line breaks and other control characters", function()
  it("are encoded in a query and refused in a header", function()
    local server <close> = raw_server.start { ok }
    assert(open(server).things:list { name = "a\r\nX-Injected: 1" })
    assert.matches("name=a%%0D%%0AX%-Injected%%3A%%201", server:requests()[1])
    assert.not_matches("\nX%-Injected: 1", server:requests()[1])
    assert.has_error(function() open(server, { headers = { ["X-A"] = "b\r\nX-Injected: 1" } }) end)
    assert.has_error(function() open(server, { headers = { ["X-A\r\nX-B"] = "b" } }) end)
    for code = 0, 127 do
      local is_good = code >= 32 and code < 127 or code == 9
      local text = ("b%cc"):format(code)
      assert.equal(is_good, (pcall(open, server, { headers = { ["X-A"] = text } })), code)
      assert.equal(is_good, (pcall(open(server).things.get, { id = "1" }, { headers = { ["X-A"] = text } })), code)
      assert.equal(is_good, (pcall(open(server).things.create, { name = "a" }, { idempotency_key = text })), code)
    end
    assert.has_error(function() open(server, { token = "a\r\nb" }) end)
  end)
end)

describe("plain http", function()
  it("is refused except to loopback", function()
    assert.has_error(function()
      moonrest.open(definition(), { base_url = "http://api.tested.example", token = token })
    end)
  end)

  it("to loopback never uses a proxy", function()
    local server <close> = raw_server.start { ok }
    local proxy <close> = raw_server.start { ok }
    local script = ([[http_proxy=%s ALL_PROXY=%s lua5.4 -e '
      local moonrest = require "moonrest"
      local client = moonrest.open({ name = "tested", servers = { production = "%s" },
        resources = { things = { get = { "GET /things/{id}", "One thing." } } } })
      print(client.things:get("1").id)']]):format(proxy.url, proxy.url, server.url)
    local pipe <close> = assert(io.popen(script))
    assert.equal("1\n", pipe:read "a")
    assert.equal(0, #proxy:requests())
  end)
end)

describe("read_only", function()
  it("refuses every write before it is sent", function()
    local server <close> = raw_server.start { ok }
    local client = open(server, { read_only = true })
    assert(client.things:get "1")
    assert.has_error(function() client.things:delete "1" end)
    assert.has_error(function() client.things:create { name = "a" } end)
    assert.equal(1, #server:requests())
  end)
end)

-- All texts that a reader of an error finds in it, names and what is made of them included.
local function texts_of(err)
  local texts, seen = {}, {}
  local function look(value)
    if type(value) == "string" then texts[#texts + 1] = value end
    if type(value) ~= "table" or seen[value] then return end
    seen[value] = true
    if (getmetatable(value) or {}).__tostring then texts[#texts + 1] = tostring(value) end
    for key, field in pairs(value) do
      look(key)
      look(field)
    end
    for key, field in next, value do
      look(key)
      look(field)
    end
  end
  local reply = err.response
  look(err)
  look { reply and reply.raw, reply and reply.meta, reply and reply.headers }
  return table.concat(texts, "\n")
end

describe("an echo of the credential", function()
  local function failure(answer, given, auth)
    local server <close> = raw_server.start { answer }
    local at = definition()
    at.trace, at.auth = { { header = "X-Request-Id" }, { body = "id" } }, auth or at.auth
    given = given or { token = moonrest.secret(token) }
    given.base_url, given.retry = server.url, false
    local data, err = moonrest.open(at, given).things:get "1"
    assert.is_nil(data)
    return err
  end

  it("is masked in every error", function()
    for _, answer in ipairs {
      raw_server.response(401, ('{"error":{"message":"bad key #","list":["#"]},"id":"#"}'):gsub("#", token), nil),
      raw_server.response(400, ('{"%s":{"%s":1}}'):format(token, token)),
      raw_server.response(400, ('"%s"'):format(token)),
      raw_server.response(502, "<html><title>" .. token .. "</title>"), raw_server.response(200, "{" .. token),
      raw_server.response(404, "{}", { "X-Echo: " .. token, "X-Request-Id: " .. token, token .. ": 1" }),
      raw_server.response(200, "{", { "X-Echo: Bearer " .. token }),
      raw_server.response(200, "{}", { "Content-Encoding: " .. token }),
      raw_server.response(302, "", { ("Location: http://%s.invalid/%s"):format(token, token) }),
      { ("HTTP/1.1 200 OK\r\nX-Echo: %s\r\nContent-Length: 99\r\n\r\n%s"):format(token, token), close = true },
    } do
      assert.not_matches(token, texts_of(failure(answer)), 1, true)
    end
  end)

  it("is masked without the prefix that it was given with, and as it stood in the query", function()
    local err = failure(raw_server.response(400, '{"message":"bad s3cr3t"}'), { token = "Bearer s3cr3t" })
    assert.equal("bad ***", err.message)
    local answer = raw_server.response(400, '{"message":"bad /things/1?key=a%20b%2Fc%3D"}')
    err = failure(answer, { token = "a b/c=" }, { query = "key" })
    assert.equal("bad /things/1?key=***", err.message)
  end)

  it("is masked where the server took a password out of it", function()
    local err = failure(raw_server.response(401, '{"message":"me has another password than hunter22"}'),
      { username = "me", password = "hunter22" }, { scheme = "basic" })
    assert.equal("me has another password than ***", err.message)
  end)
end)

describe("an echo of a secret parameter", function()
  -- What fails when the server repeats the whole request, in a message and as it came.
  local function failure(source, resource, operation, ...)
    local server <close> = raw_server.start { raw_server.response(200, "{}") }
    local arguments = table.pack(...)
    local function call(at)
      local client = moonrest.open(source, { base_url = at.url, token = moonrest.secret(token), retry = false })
      return client[resource][operation](table.unpack(arguments, 1, arguments.n))
    end
    call(server)
    local sent = server:requests()[1]
    local body = sent:match "\r\n\r\n(.*)$"
    local echo = moonrest.json.encode { message = "refused " .. sent, moreInfo = moonrest.json.decode(body) }
    local echoing <close> = raw_server.start { raw_server.response(400, echo) }
    local data, err = call(echoing)
    assert.is_nil(data)
    assert.equal("http", err.kind)
    return texts_of(err), sent
  end

  local function check(secrets, ...)
    local texts, sent = failure(...)
    for _, secret in ipairs(secrets) do
      assert.matches(secret, sent, 1, true)
      assert.not_matches(secret, texts, 1, true)
    end
    assert.matches("***", texts, 1, true)
  end

  it("is masked, whatever the parameter is made of", function()
    check({ "hunter2-prod", "//x/s3cr3t" }, "edgegap", "deployments", "create", {
      application = "app", version = "v1", users = { { user_type = "ip_address",
        user_data = { ip_address = "203.0.113.7" } } },
      environment_variables = { { key = "DB", value = "hunter2-prod", is_hidden = true } },
      webhook_on_ready = { url = "https://x/s3cr3t" },
    })
    check({ "80155" }, "edgegap", "relays", "revoke_user",
      { session_id = "s", authorization_token = 80155 })
    check({ "hunter2", "p@ss" }, "capgo", "builds", "request", { app_id = "com.example.app", platform = "ios",
      build_credentials = { KEY = "hunter2", nested = { "p@ss" } } })
  end)

  it("is masked where it travels as JSON text", function()
    local at = definition()
    at.resources.things.create = { "POST /things", "Makes a thing.", body = {
      key = { type = "any", encode = "json", secret = true } } }
    for _, key in ipairs { { api_key = 'hunter"12"' }, '{"api_key":"hunter\\"12\\""}' } do
      check({ "hunter" }, at, "things", "create", { key = key })
    end
  end)

  it("is masked where only the caller says that it is one", function()
    check({ "hunter2" }, definition(), "things", "create", { name = moonrest.secret "hunter2" })
    check({ "hunter2" }, definition(), "things", "create", { name = "a" },
      { headers = { ["X-Key"] = moonrest.secret "hunter2" } })
    check({ "hunter2" }, definition(), "things", "create", {}, { body = { name = { moonrest.secret "hunter2" } } })
  end)

  local function echo_of(secret)
    return raw_server.response(400, ('{"message":"bad %s","%s":1}'):format(secret, secret), { "X-Echo: " .. secret })
  end

  it("is masked in requests that no definition names", function()
    for _, parts in ipairs {
      { headers = { ["X-Key"] = moonrest.secret "hunter2" } }, { query = { key = moonrest.secret "hunter2" } },
      { json = { { key = moonrest.secret "hunter2" } } },
    } do
      local server <close> = raw_server.start { echo_of "hunter2" }
      local _, err = open(server):request("POST", "/x", parts)
      assert.equal(400, err.status)
      assert.not_matches("hunter2", texts_of(err), 1, true)
    end
  end)

  it("leaves no trace of a path that holds it, in successes neither", function()
    local server <close> = raw_server.start { ok, echo_of "hun:er2" }
    local client = open(server)
    local _, response = client.things:get(moonrest.secret "hun:er2")
    assert.equal(server.url .. "/things/{id}", response.url)
    local _, err = client.things:get(moonrest.secret "hun:er2")
    assert.equal(server.url .. "/things/{id}", err.url)
    assert.not_matches("hun:er2", texts_of(err), 1, true)
    assert.matches("GET /things/hun:er2 ", server:requests()[2], 1, true)
    assert.equal(server.url .. "/things/hun:er2", select(2, client.things:get "hun:er2").url)
  end)

  describe("of a list", function()
    local function list_of(style, secret)
      return { resources = { things = { list = { "GET /things", "Lists things.", paged = style,
        query = { token = { type = "string", secret = secret }, page = "integer" } } } } }
    end

    it("is masked in every way to walk through it", function()
      local style = { style = "page", page = "page", ends = "empty" }
      for secret, given in pairs { [true] = "hunter2", [false] = moonrest.secret "hunter2" } do
        local server <close> = raw_server.start { echo_of "hunter2" }
        local list = open(server, nil, list_of(style, secret)).things.list
        local _, err = list:all { token = given }
        assert.not_matches("hunter2", texts_of(err), 1, true)
        for _, walk in ipairs { list.each, list.pages } do
          local _, problem = pcall(walk(list, { token = given }))
          assert.equal(400, problem.status)
          assert.not_matches("hunter2", texts_of(problem), 1, true)
        end
      end
    end)

    it("goes along through next links, and into no token or address", function()
      local styles = { { style = "link", items = "data" }, { style = "url", next = "next", items = "data" } }
      for index, style in ipairs { styles[1], styles[2], styles[1], styles[2] } do
        local given = index > 2 and moonrest.secret "hunter/2" or "hunter/2"
        local link = "/things?token=hunter/2&page=%d"
        local function page(number)
          local next_url = link:format(number + 1)
          return raw_server.response(200, ('{"data":[%d],"next":"%s"}'):format(number, next_url),
            { ("Link: <%s>; rel=next"):format(next_url) })
        end
        local server <close> = raw_server.start { page(1), page(2), echo_of "hunter/2", page(3) }
        local list = open(server, nil, list_of(style, index <= 2)).things.list
        local data, err, before = list:all { token = given }
        assert.same({ nil, { 1, 2 } }, { data, before })
        assert.equal(server.url .. "/things", err.url)
        assert.not_matches("hunter", texts_of(err) .. err.resume, 1, true)
        for item, place in list:each({ token = given }, { resume = err.resume, max_items = 1 }) do
          assert.equal(3, item)
          assert.not_matches("hunter", place:resume(), 1, true)
        end
        for number, request in ipairs(server:requests()) do
          local _, count = request:gsub("token=hunter%%2F2", "")
          assert.equal(1, count, request)
          assert.equal(number > 1, request:find("page=", 1, true) ~= nil)
        end
      end
    end)

    it("goes along in the path of next links, too", function()
      for secret, given in pairs { [true] = "hunter/2", [false] = moonrest.secret "hunter/2" } do
        local function page(number)
          return raw_server.response(200, ('{"data":[%d],"next":"?page=%d"}'):format(number, number + 1))
        end
        local server <close> = raw_server.start { page(1), page(2), echo_of "hunter/2", page(3) }
        local declared = { "GET /of/{key}/things", "Lists things.", secret = secret and { "key" } or nil,
          paged = { style = "url", next = "next", items = "data" } }
        local list = open(server, nil, { resources = { things = { list = declared } } }).things.list
        local data, err = list:all(given)
        assert.is_nil(data)
        assert.equal(server.url .. "/of/{key}/things", err.url)
        assert.not_matches("hunter", texts_of(err) .. err.resume, 1, true)
        for one in list:pages(given, nil, { resume = err.resume, max_pages = 1 }) do
          assert.equal(3, one.items[1])
          assert.equal(server.url .. "/of/{key}/things", one.response.url)
        end
        for _, request in ipairs(server:requests()) do
          assert.matches("^GET /of/hunter%%2F2/things[? ]", request)
        end
        assert.equal(4, #server:requests())
      end
    end)
  end)
end)
