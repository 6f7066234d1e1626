local clock = require "moonrest.sandbox.clock"
local new_request = require "moonrest.sandbox.request".new
local stream = require "moonrest.sandbox.stream"
local world = require "moonrest.sandbox.world"

describe("a world of the sandbox", function()
  local made

  local function new(options)
    local native = { monotonic = os.time, wall = os.time, wake = function() end }
    made = world.new("edgegap", "production", "edgegap", options or {}, { clock = clock.new(native, "virtual") })
    return made
  end

  local function ask(method, path, headers, body)
    return made:serve(new_request(method, "/edgegap" .. path, headers or {}, body or ""))
  end

  before_each(function() new() end)

  it("gives the same values under the same seed", function()
    local function values(seed)
      new { seed = seed }
      return { made.random(), made.random(10), made.random(5, 9), made.hex(8), made.uuid(), made.id "dep" }
    end
    local first = values(3)
    assert.same(first, values(3))
    assert.not_same(first, values(4))
    assert.is_true(first[1] >= 0 and first[1] < 1)
    assert.is_true(first[2] >= 1 and first[2] <= 10)
    assert.is_true(first[3] >= 5 and first[3] <= 9)
    assert.truthy(first[4]:find "^%x%x%x%x%x%x%x%x$")
    assert.truthy(first[5]:find "^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$")
    assert.truthy(first[6]:find "^dep_%w+$")
  end)

  it("calls the route's handler", function()
    made:route("GET", "/a/{name}", function(request)
      return 200, { name = request.params.name, time = request.time }
    end)
    assert.same({ 200, { name = "x", time = clock.VIRTUAL_START }, {} }, { ask("GET", "/a/x") })
    assert.equal(200, (ask("HEAD", "/a/x")))
  end)

  it("has its own way with what it does not know", function()
    made:route("GET", "/a", function() return 200 end)
    assert.equal(404, (ask("GET", "/b")))
    assert.equal(405, (ask("POST", "/a")))
    made:unknown(function(_, methods) return 418, methods end)
    assert.same({ 418, { "GET" }, {} }, { ask("POST", "/a") })
    assert.same({ 418, {}, {} }, { ask("POST", "/b") })
  end)

  it("can be left with an answer from however deep", function()
    made:route("GET", "/a", function() pcall(error, "x") world.refuse(409, { message = "no" }, { X = "1" }) end)
    assert.same({ 409, { message = "no" }, { X = "1" } }, { ask("GET", "/a") })
    made:route("GET", "/b", function() error "broken" end)
    assert.has_error(function() ask("GET", "/b") end)
  end)

  describe("tokens", function()
    before_each(function()
      made:authenticate(function(request)
        local identity, why = made:credential(request, "Authorization", "token ")
        if not identity then return 401, why end
        request.identity = identity
      end)
      made:route("GET", "/who", function(request) return 200, request.identity.kind end)
      made:route("GET", "/open", function() return 200 end, { auth = false })
    end)

    local function with(value) return select(2, ask("GET", "/who", { "Authorization", value })) end

    it("are asked for, unless the route is open", function()
      assert.same({ 401, "missing", {} }, { ask("GET", "/who") })
      assert.equal(200, (ask("GET", "/open")))
      assert.equal("malformed", with "sandbox-token-edgegap")
      assert.equal("malformed", with "Bearer sandbox-token-edgegap")
      assert.equal("invalid", with "token sandbox-invalid-edgegap")
      assert.equal("valid", with "token sandbox-token-edgegap")
      assert.equal("valid", with "Token sandbox-token-edgegap")
      assert.equal("forbidden", with "token sandbox-forbidden-edgegap")
    end)

    it("can be others", function()
      made:tokens { valid = "V", invalid = "I", special = "S" }
      assert.equal("special", with "token S")
      assert.equal("invalid", with "token I")
      assert.equal("special", made:kind_of "S")
      assert.is_nil(made:kind_of "I")
    end)
  end)

  describe("limits", function()
    local function set(options)
      new(options)
      made:limits {
        default = "all", buckets = { all = { free = { "2/min" }, pro = { "3/min" }, default = { "1/min" } },
                                     extra = { "1/s" } },
        headers = function(states) return { ["X-Remaining"] = states[1].remaining } end,
        refuse = function(state) return 429, { after = state.retry_after }, { ["Retry-After"] = state.retry_after } end,
      }
      made:route("GET", "/a", function() return 200, nil, { Y = "1" } end)
      made:route("GET", "/extra", function() return 200 end, { bucket = { "all", "extra" } })
      made:route("GET", "/free", function() return 200 end, { limit = false })
    end

    it("follow the plan, also when it changes", function()
      set { plan = "free" }
      for _, status in ipairs { 200, 200, 429 } do assert.equal(status, (ask("GET", "/a"))) end
      made.plan = "pro"
      for _, status in ipairs { 200, 200, 200, 429 } do assert.equal(status, (ask("GET", "/a"))) end
    end)

    it("tell their state on every answer", function()
      set { plan = { edgegap = "free", cygni = "pro" } }
      assert.same({ 200, nil, { ["X-Remaining"] = 1, Y = "1" } }, { ask("GET", "/a") })
      ask("GET", "/a")
      assert.same({ 429, { after = 60 }, { ["X-Remaining"] = 0, ["Retry-After"] = 60 } }, { ask("GET", "/a") })
    end)

    it("add up for routes in several buckets", function()
      set { plan = "pro" }
      assert.equal(200, (ask("GET", "/extra")))
      assert.equal(429, (ask("GET", "/extra")))
      assert.equal(200, (ask("GET", "/free")))
    end)

    it("have a default for unknown plans, and can be off", function()
      set {}
      assert.same({ 200, 429 }, { (ask("GET", "/a")), (ask("GET", "/a")) })
      set { limits = false }
      assert.same({ 200, 200 }, { (ask("GET", "/a")), (ask("GET", "/a")) })
    end)
  end)

  it("runs hooks around every request", function()
    made:before(function(request) if request.headers["x-stop"] then world.refuse(400, "stopped") end end)
    made:decorate(function(request, status, headers) headers["X-Seen"] = request.method .. status end)
    made:route("POST", "/a", function(request) return 200, request.body end)
    assert.same({ 400, "stopped", { ["X-Seen"] = "POST400" } }, { ask("POST", "/a", { "X-Stop", "1" }) })
    assert.equal("GET404", select(3, ask("GET", "/none"))["X-Seen"])
    local json = { "Content-Type", "application/json" }
    assert.same({ a = 1 }, select(2, ask("POST", "/a", json, '{"a":1}')))
    assert.equal(200, (ask("POST", "/a", json, "{")))
    made:bad_json(function(_, message) return 400, message end)
    assert.equal(400, (ask("POST", "/a", json, "{")))
  end)

  it("knows sizes, switches and page sizes", function()
    new { sizes = { edgegap = { apps = 7 } }, edgegap = { odd = true }, page_size = { edgegap = 3 } }
    assert.equal(7, made:size("apps", 1))
    assert.equal(1, made:size("tags", 1))
    assert.is_true(made.switches.odd)
    assert.equal(3, made.page_size)
    assert.equal(3, new { page_size = 3 }.page_size)
    assert.is_nil(new {}.page_size)
  end)

  it("cuts pages", function()
    local items, known = world.pages.cut({ 1, 2, 3, 4, 5 }, 2, 2)
    assert.same({ 3, 4 }, { table.unpack(items) })
    assert.same({ number = 2, size = 2, total = 5, pages = 3, has_next = true, has_previous = true, next = 3,
                  previous = 1 }, known)
    items, known = world.pages.cut({}, 1, 10)
    assert.equal("[]", world.json.encode(items))
    assert.equal(1, known.pages)
    assert.is_false(known.has_next)
    items, known = world.pages.cut({ 1 }, 5, 1)
    assert.equal(0, #items)
    assert.is_false(known.has_next)
  end)

  it("streams functions and tables", function()
    local one = stream.new(function(write, wait)
      write "a"
      wait(2)
      write(3)
    end)
    assert.same({ "a", 2.0, "3" }, { one:next(), one:next(), one:next() })
    assert.is_nil(one:next())
    local closed = 0
    one = stream.new { next = function() return "x" end, close = function() closed = closed + 1 end }
    assert.equal("x", one:next())
    one:close()
    one:close()
    assert.equal(1, closed)
    assert.is_nil(one:next())
    assert.is_false(stream.accepts { next = "text" })
    one = stream.new(function() error "broken" end)
    assert.has_error(function() one:next() end)
  end)
end)
