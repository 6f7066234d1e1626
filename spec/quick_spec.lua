-- The short way of a call (one path parameter, a plain answer) must not be told from the long one.

local moonrest = require "moonrest"
local raw_server = require "spec.support.raw_server"

local function answer(status, body, headers)
  return ("HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s"):format(status, #body, headers or "", body)
end

local json = "Content-Type: application/json\r\n"

local answers = {
  { "an object", answer("200 OK", '{"id":1,"name":"a"}', json) },
  { "an object without a type", answer("200 OK", '{"id":1}') },
  { "an array", answer("200 OK", "[1,2,3]", json) },
  { "a string", answer("200 OK", '"x"', json) },
  { "null", answer("200 OK", "null", json) },
  { "false", answer("200 OK", "false", json) },
  { "an envelope", answer("200 OK", '{"data":{"id":2},"meta":{"page":1}}', json) },
  { "an envelope with null in it", answer("200 OK", '{"data":null,"meta":{}}', json) },
  { "nothing", answer("200 OK", "", json) },
  { "201", answer("201 Created", '{"id":3}', json) },
  { "204", "HTTP/1.1 204 No Content\r\n\r\n" },
  { "207 with a failed item", answer("207 Multi-Status", '[{"status":500,"message":"no"}]', json) },
  { "what is not JSON", answer("200 OK", '{"id":', json) },
  { "a page", answer("200 OK", "<html><title>Gate</title></html>", "Content-Type: text/html\r\n") },
  { "a body above what is decoded in passing", answer("200 OK", '{"a":"' .. ("x"):rep(20000) .. '"}', json) },
  { "a deprecated one", answer("200 OK", '{"id":4}', json .. "Deprecation: true\r\n") },
  { "404", answer("404 Not Found", '{"message":"no such thing"}', json) },
  { "500", answer("500 Internal Server Error", "", json) },
}

local function definition()
  return {
    name = "tested",
    servers = { production = "https://tested.example" },
    auth = { header = "Authorization", prefix = "Bearer ", env = { "MOONREST_TESTED_TOKEN" } },
    envelope = { data = "data", meta = "meta" },
    errors = { message = "message" },
    deprecation = { headers = { "X-Older", "X-Old" }, message = "X-Note" },
    resources = {
      things = {
        get = { "GET /things/{id}", "One thing." },
        part = { "GET /things/{id}/part", "A part of one thing." },
      },
    },
  }
end

local function open(server)
  return moonrest.open(definition(), { base_url = server.url, token = "secret-token", retry = false })
end

-- What a caller can see of a call, without what differs from call to call.
local function seen(data, reply)
  local err = data == nil and reply or nil
  local response = err and reply.response or reply
  return {
    data = data, is_error = err ~= nil, kind = err and err.kind, message = err and err.message,
    code = err and err.code, body = err and err.data, status = response and response.status,
    meta = response and response.meta, type = response and response.headers["content-type"],
    attempts = response and #response.attempts, raw = response and response.raw,
  }
end

local function both(server, client)
  local short = seen(client.things:get "a b/c")
  local long = seen(client.things:get { id = "a b/c" })
  local requests = server:requests()
  assert.equal(2, #requests)
  assert.equal(requests[2], requests[1])
  assert.matches("^GET /things/a%%20b%%2[Ff]c HTTP", requests[1])
  return short, long
end

describe("the short way", function()
  before_each(function() moonrest.on("deprecated", function() end) end)

  for _, case in ipairs(answers) do
    it("reads " .. case[1] .. " as the long way does", function()
      local server <close> = raw_server.start { case[2], case[2] }
      local short, long = both(server, open(server))
      assert.same(long, short)
    end)

    it("reads " .. case[1] .. " in a task", function()
      local server <close> = raw_server.start { case[2], case[2] }
      local short, long = moonrest.run(both, server, open(server))
      assert.same(long, short)
    end)
  end

  it("tells of what is going away in the words of the definition", function()
    local plain = answer("200 OK", "{}", json .. "X-API-Deprecated: true\r\nX-Old: false\r\n")
    local old = answer("200 OK", "{}", json .. "x-old: yes\r\nX-Note: use parts\r\n")
    local server <close> = raw_server.start { plain, old, old }
    local client, heard = open(server), {}
    moonrest.on("deprecated", function(details) heard[#heard + 1] = details.message end)
    for _ = 1, 3 do assert(client.things:get "x") end
    assert.same({ "use parts" }, heard)
  end)

  it("takes integers, and what stands behind the parameter", function()
    local ok = answer("200 OK", "{}", json)
    local server <close> = raw_server.start { ok, ok, ok }
    local client = open(server)
    assert(client.things:part(42))
    assert(client.things.part "x")
    assert(client.things:part(0.5))
    local requests = server:requests()
    assert.matches("^GET /things/42/part ", requests[1])
    assert.matches("^GET /things/x/part ", requests[2])
    assert.matches("^GET /things/0.5/part ", requests[3])
  end)

  it("leaves what it cannot send to the long way's messages", function()
    local server <close> = raw_server.start {}
    local client = open(server)
    for _, word in ipairs { "", ".", "..", "a\0b", "a\nb" } do
      assert.has_error(function() client.things:get(word) end)
    end
    assert.has_error(function() client.things:get() end)
    assert.equal(0, #server:requests())
    client:close()
    local is_good, problem = pcall(client.things.get, client.things, "a")
    assert.is_false(is_good)
    assert.matches("closed", problem)
  end)

  it("heeds the options of a view", function()
    local body = answer("200 OK", '{"a":null}', json)
    local server <close> = raw_server.start { body, body }
    local client = open(server)
    assert.same({}, client.things:get "x")
    assert.equal(moonrest.null, client:with { null = "keep" }.things:get("x").a)
  end)

  -- Requests serve one call after the other, so what is kept of each must be its own.
  it("keeps for each response what came with it, whenever that is looked at", function()
    local first = answer("200 OK", '{"n":1}', json .. "X-Mark: one\r\nRetry-After: 7\r\n")
    local second = answer("201 Created", '{"n":2}', json .. "X-Mark: two\r\nX-Mark: three\r\n")
    local server <close> = raw_server.start { first, second, second }
    local client = open(server)
    local _, one = client.things:get "1"
    local _, two = client.things:get "2"
    collectgarbage()
    assert(client.things:get "3")
    assert.same({ 200, "one", '{"n":1}', { retry_after = 7 }, server.url .. "/things/1" },
      { one.status, one.headers["x-mark"], one.raw, one.limits, one.url })
    assert.same({ 201, { "two", "three" }, '{"n":2}', server.url .. "/things/2" },
      { two.status, two.headers["x-mark"], two.raw, two.url })
    assert.is_nil(two.limits)
    assert.equal(1, #one.attempts)
    assert.equal(200, one.attempts[1].status)
    assert.is_true(one.timings.total >= one.timings.first_byte)
  end)

  it("cancels a call whose request served another before", function()
    local server <close> = raw_server.start { answer("200 OK", '{"n":1}', json) }
    local client = open(server)
    assert(client.things:get "1") -- there is a request to use again
    local engine = require "moonrest.core".engine()
    local cancelled = moonrest.spawn(function() client.things:get "2" end)
    local most <const> = 2 -- one step may be the collector's alone
    for _ = 1, most do
      if engine:pending() == 0 then moonrest.step(0) end
    end
    assert.equal(1, engine:pending())
    cancelled:cancel()
    assert.equal(0, engine:pending())
  end)
end)
