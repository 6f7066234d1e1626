-- HTTP/2 with a real nginx: what its connections carry, what is sent again when it closes them, and what is not.

local certificates = require "spec.support.certificates"
local h2_server = require "spec.support.h2_server"
local loop = require "spec.support.loop"
local moonrest = require "moonrest"

if not h2_server.is_installed() or not certificates.is_possible() then
  print "SKIPPED: HTTP/2 needs nginx with its echo module (nginx-light) and openssl"
  return
end

local function names(count)
  local list = {}
  for index = 1, count do list[index] = tostring(index) end
  return list
end

-- Makes 'count' calls in tasks; returns their failures, in a list.
local function call_many(resource, verb, count, concurrency)
  local list = {}
  local _, failures = moonrest.map(names(count), function(name) return resource[verb](resource, name) end,
    { concurrency = concurrency })
  for _, err in pairs(failures or {}) do list[#list + 1] = err end
  return list
end

local function kinds(failures)
  local set = {}
  for _, err in ipairs(failures) do set[err.kind] = true end
  return set
end

-- How often each path was answered, at most.
local function most_answers(lines)
  local counts, most = {}, 0
  for _, line in ipairs(lines) do
    counts[line.path] = (counts[line.path] or 0) + 1
    most = math.max(most, counts[line.path])
  end
  return most
end

describe("HTTP/2", function()
  local made, server

  setup(function() made = certificates.make() end)
  teardown(function() getmetatable(made).__close(made) end)

  local function start(options)
    server = h2_server.start(made, options)
    assert(server.client.things:get "first")
    return server
  end

  -- nginx writes its log when an answer is through, which its client may know before.
  local function wait_for_lines(count)
    loop.wait_until(function() return #server:lines() >= count end)
    return server:lines()
  end

  local function wait_until_busy(count)
    loop.step_until(function()
      for _ = 1, 20 do moonrest.step(0.001) end
      return server:busy() >= count
    end)
  end

  after_each(function()
    loop.close()
    server:stop()
  end)

  it("carries many calls on one connection", function()
    start()
    assert.same({}, call_many(server.client.slow, "get", 90, 90))
    assert.equal(1, server:connections())
    for _, line in ipairs(wait_for_lines(91)) do assert.equal("HTTP/2.0", line.protocol) end
  end)

  it("opens as many as calls need that begin at once, a hundred for each", function()
    server = h2_server.start(made)
    assert.same({}, call_many(server.client.slower, "get", 200, 200))
    assert.equal(1, most_answers(wait_for_lines(200)))
    assert.equal(2, server:connections())
  end)

  it("opens all at once where the server has HTTP/1.1 alone", function()
    server = h2_server.start(made, {}, "HTTP/1.1")
    assert.same({}, call_many(server.client.slower, "get", 40, 40))
    for _, line in ipairs(wait_for_lines(40)) do assert.equal("HTTP/1.1", line.protocol) end
    assert.equal(40, server:connections())
  end)

  it("opens more where a connection carries only so many", function()
    for _, most in ipairs { 10, 1 } do
      start { http2_max_concurrent_streams = most }
      assert.same({}, call_many(server.client.slow, "get", 100, 100))
      assert.equal(1, most_answers(wait_for_lines(101)))
      if most == 10 then server:stop() end
    end
  end)

  it("sends what a closing connection did not take on another, writes too, and nothing twice", function()
    start { keepalive_requests = 100 }
    assert.same({}, call_many(server.client.things, "send", 1000, 50))
    local lines = wait_for_lines(1001)
    assert.equal(1001, #lines)
    assert.equal(1, most_answers(lines))
    assert.is_true(server:connections() >= 10)
  end)

  it("goes on while the server is reloaded", function()
    start()
    local failures
    local task = moonrest.spawn(function() failures = call_many(server.client.slow, "send", 300, 60) end)
    for count = 60, 180, 60 do
      loop.step_until(function() return #server:lines() > count end)
      server:signal "reload"
    end
    task:await()
    assert.same({}, failures)
    assert.equal(1, most_answers(wait_for_lines(301)))
  end)

  it("has the answers that a server still gives when it quits", function()
    start()
    local failures
    local task = moonrest.spawn(function() failures = call_many(server.client.slower, "send", 60, 60) end)
    wait_until_busy(60)
    server:signal "quit"
    task:await()
    assert.same({}, failures)
    assert.equal(1, most_answers(server:lines()))
  end)

  it("repeats reads, and no write, when a connection breaks", function()
    start()
    local reads, writes
    local task = moonrest.spawn(function()
      local reading = moonrest.spawn(function() reads = call_many(server.client.slower, "get", 30, 30) end)
      writes = call_many(server.client.slower, "send", 30, 30)
      reading:await()
    end)
    wait_until_busy(60)
    server:kill_worker()
    task:await()
    assert.same({}, reads)
    assert.equal(30, #writes)
    for _, err in ipairs(writes) do assert.matches("may have been carried out, so it was not repeated", err.message) end
    assert.is_nil(kinds(writes).timeout)
    for _, line in ipairs(wait_for_lines(31)) do assert.not_equal("POST", line.method) end
  end)

  it("uploads, and hears a server that answers before it has the body", function()
    start()
    local body = ("0123456789abcdef"):rep(200000)
    local function send(resource)
      return resource:send({}, { body = body, content_type = "application/octet-stream" })
    end
    local results, failures = moonrest.map({ "upload", "early", "upload", "early" },
      function(name) return send(server.client[name]) end)
    assert.same({ 1, 1 }, { results[1].id, results[3].id })
    assert.same({ 413, 413 }, { failures[2].status, failures[4].status })
  end)

  it("keeps the bodies of its streams apart when some are cancelled", function()
    start()
    for index = 1, 10 do
      server:serve(index, ('{"id":%d,"fill":"%s"}'):format(index, string.char(96 + index):rep(200000 + index)))
    end
    local good, wrong = 0, {}
    local function run(index)
      local document, err = server.client.documents:get(index)
      if document and document.id == index and document.fill == string.char(96 + index):rep(200000 + index) then
        good = good + 1
      else
        wrong[#wrong + 1] = document or tostring(err)
      end
    end
    local tasks, begun = {}, 0
    while good < 200 and not wrong[1] do
      while #tasks < 20 do
        begun = begun + 1
        tasks[#tasks + 1] = moonrest.spawn(run, begun % 10 + 1)
      end
      for _ = 1, 5 do moonrest.step(0.0005) end
      table.remove(tasks, begun * 7 % #tasks + 1):cancel()
    end
    assert.same({}, wrong)
  end)

  -- Begins to read a stream of 8 MiB, a piece in ten milliseconds: its 'pieces' so far; 'finish' reads on at once, and
  -- sees that all has come.
  local function read_slowly()
    local text, reading, is_over = ("0123456789abcdef"):rep(1 << 19), { pieces = {} }, false
    server:serve("large", text)
    local task = moonrest.spawn(function()
      for bytes in server.client.bytes.get:stream { name = "large" } do
        table.insert(reading.pieces, bytes)
        if not is_over then moonrest.sleep(0.01) end
      end
    end)
    function reading.finish()
      is_over = true
      task:await()
      assert.is_true(table.concat(reading.pieces) == text)
    end
    return reading
  end

  it("has a slow reader of a stream hold up nobody, and no more than its window", function()
    start()
    local reading = read_slowly()
    assert.same({}, call_many(server.client.things, "get", 100, 10))
    reading.finish()
    for _, line in ipairs(wait_for_lines(102)) do
      assert.equal(line.path == "/bytes/large" and "HTTP/1.1" or "HTTP/2.0", line.protocol)
    end
  end)

  it("keeps calls off the connection of a stream that began before them", function()
    server = h2_server.start(made)
    local reading = read_slowly()
    loop.step_until(function() return #reading.pieces > 1 end)
    assert.same({}, call_many(server.client.things, "get", 100, 10))
    reading.finish()
    wait_for_lines(101)
    assert.equal(2, server:connections())
  end)

  -- Both of nginx's times are cut to milliseconds.
  it("keeps strict limits", function()
    start()
    local limited = server:open { default = "account", buckets = { account = { "20/s" } } }
    assert.same({}, call_many(limited.things, "get", 50, 50))
    local lines = wait_for_lines(51)
    table.sort(lines, function(a, b) return a.at < b.at end)
    for index = 22, #lines do
      assert.is_true(lines[index].at - lines[index - 20].at >= 0.997, "more than 20 in a second")
    end
    limited:close()
  end)
end)
