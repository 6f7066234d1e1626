local test_api = require "spec.support.test_api"

describe("stream", function()
  local shop, core

  before_each(function() shop, core = test_api.open() end)

  it("gives events as they come", function()
    core.answer { status = 200, events = { { event = "log", data = "one" }, false, { event = "log", data = "two" } } }
    local list = {}
    for event in shop.items.watch:stream() do list[#list + 1] = event.data end
    assert.same({ "one", "two" }, list)
    local sent = core.sent[1]
    assert.is_true(sent.options.stream)
    assert.is_true(sent.options.timeout > 86400)
    assert.equal("Accept: text/event-stream", sent.endpoint.headers[1])
    assert.equal(90, sent.endpoint.idle_timeout)
    assert.equal(1, core.closed)
  end)

  it("gives the bytes of a file, and keeps the caller's time limit", function()
    core.answer { status = 200, chunks = { "a,b\n", "", "1,2\n" } }
    local list = {}
    for bytes in shop.items.export:stream({}, { timeout = 9 }) do list[#list + 1] = bytes end
    assert.same({ "a,b\n", "1,2\n" }, list)
    assert.equal(9, core.sent[1].options.timeout)
  end)

  it("is cancelled by a break", function()
    core.answer { status = 200, events = { { data = "one" }, { data = "two" } } }
    for event in shop.items.watch:stream() do
      if event then break end
    end
    assert.equal(1, core.closed)
  end)

  it("is an iterator by its first value alone, too", function()
    core.answer { status = 200, events = { { data = "one" }, { data = "two" } } }
    local events = shop.items.watch:stream()
    assert.same({ "one", "two" }, { events().data, events().data })
    assert.is_nil(events())
    core.answer { status = 200, chunks = { "a", "", "b" } }
    assert.equal("a", (shop.items.export:stream())())
  end)

  it("raises the server's refusal", function()
    core.answer { status = 403, chunks = { '{"error":{"code":', '"NO","message":"not yours"}}' } }
    local ok, err = pcall(function() for _ in shop.items.watch:stream() do error "no event was sent" end end)
    assert.is_false(ok)
    assert.same({ "http", 403, "NO", "not yours" }, { err.kind, err.status, err.code, err.message })
    local request = err.response.request
    assert.same({ true, nil }, { request.cancelled, request.is_closed }) -- the response reads from it
  end)

  it("takes an answer of another type for no stream of events", function()
    for _, kind in ipairs { "application/json", "text/html; charset=utf-8", "text/event-stream-2" } do
      core.answer { status = 200, headers = { ["Content-Type"] = kind } }
      local ok, err = pcall(function() for _ in shop.items.watch:stream() do error "there was no event" end end)
      assert.is_false(ok)
      assert.same({ "decode", 200, "shop.items:watch" }, { err.kind, err.status, err.operation })
      assert.equal(("the answer is no event stream (Content-Type %s, not text/event-stream); "):format(kind)
        .. "a call without :stream returns it", err.message)
      assert.equal(kind, err.response.headers["content-type"])
      assert.is_true(err.response.request.cancelled)
    end
  end)

  it("takes one that names no type for events, and one without a body for the end of them", function()
    for _, kind in ipairs { "text/event-stream", "Text/Event-Stream;charset=UTF-8", "" } do
      core.answer { status = 200, headers = { ["Content-Type"] = kind }, events = { { data = "one" } } }
      assert.equal("one", (shop.items.watch:stream()()).data)
    end
    core.answer { status = 204, headers = { ["Content-Type"] = "application/json" } }
    assert.is_nil(shop.items.watch:stream()())
    core.answer { status = 200, headers = { ["Content-Type"] = "application/json" }, chunks = { "{}" } }
    assert.equal("{}", shop.items.export:stream()())
  end)

  it("raises when it breaks in the middle", function()
    core.answer { status = 200, events = { { data = "one" } }, stream_kind = "truncated", stream_message = "cut off" }
    local count = 0
    local ok, err = pcall(function() for _ in shop.items.watch:stream() do count = count + 1 end end)
    assert.is_false(ok)
    assert.same({ 1, "truncated", "cut off" }, { count, err.kind, err.message })
  end)

  it("raises when no answer comes", function()
    core.answer { kind = "network", message = "connection refused" }
    local ok, err = pcall(function() return shop.items.watch:stream() end)
    assert.is_false(ok)
    assert.equal("network", err.kind)
  end)

  it("refuses operations that return no stream", function()
    assert.error_matches(function() shop.items.get:stream "1" end, "shop.items:get returns no stream")
    assert.error_matches(function() shop.items.export:stream({}, { to = "f" }) end, "option 'to' is for calls without")
    assert.error_matches(function() shop.items.export:stream({}, { progress = true }) end,
      "option 'progress' is for calls without")
    assert.error_matches(function() shop.items.export.stream() end, "call stream with a colon")
  end)
end)
