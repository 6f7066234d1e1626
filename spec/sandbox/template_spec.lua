local client = require "spec.support.sandbox_client"
local digest = require "moonrest.digest"
local json = require "moonrest.core".json

local COLLECTIONS = { "resources", "projects", "users", "jobs", "tasks", "logs", "api_keys", "webhooks", "settings" }

describe("the template sandbox", function()
  local server, call

  local options = { systems = { "template" }, plan = "enterprise", sizes = { template = { resources = 0 } } }

  client.with_sandbox(options, function(started)
    server = started
    call = client.caller(server:base "template", { Authorization = "Bearer " .. server:token "template" })
  end)

  local function expect(status, ...) return client.expect(status, call, ...) end

  local function failure(status, code, method, path, body)
    local found = expect(status, method, path, body)
    assert.equal("error", found.status)
    assert.equal(code, found.error.code)
    assert.is_string(found.error.message)
    return found.error
  end

  it("answers the five routes of every collection", function()
    for _, name in ipairs(COLLECTIONS) do
      local body = name == "webhooks" and { url = "http://127.0.0.1:9/x" } or { name = "one" }
      local made = expect(201, "POST", "/" .. name, body)
      assert.equal("success", made.status)
      assert.equal("2026-01-01T00:00:00Z", made.meta.timestamp)
      local path = "/" .. name .. "/" .. made.data.id
      assert.equal(made.data.id, expect(200, "GET", path).data.id)
      assert.equal("two", expect(200, "PUT", path, { label = "two" }).data.label)
      local list = expect(200, "GET", "/" .. name .. "?label=two")
      assert.equal(1, list.meta.total_items, name)
      local gone = call("DELETE", path)
      assert.same({ 204, "" }, { gone.status, gone.body })
      failure(404, "NOT_FOUND", "DELETE", path)
    end
    expect(200, "GET", "/api-keys")
  end)

  it("serves both versions from the same data", function()
    local made = expect(201, "POST", "/resources", { name = "one" })
    local second = client.caller((server:base "template":gsub("v1$", "v2")),
      { Authorization = "Bearer " .. server:token "template" })
    assert.equal("one", second("GET", "/resources/" .. made.data.id).json.data.name)
  end)

  it("keeps its environments apart", function()
    expect(201, "POST", "/resources", { name = "one" })
    for _, environment in ipairs { "staging", "sandbox" } do
      local answer = client.request(server:base("template", environment) .. "/resources",
        { headers = { Authorization = "Bearer " .. server:token "template" } })
      assert.equal(0, answer.json.meta.total_items)
    end
  end)

  it("checks bodies", function()
    local found = failure(400, "INVALID_REQUEST", "POST", "/resources", { type = "x" })
    assert.equal("Invalid parameter: name is required", found.message)
    assert.same({ field = "name", reason = "required_field_missing" }, found.details)
    found = failure(400, "INVALID_REQUEST", "POST", "/resources", { name = "x", config = { timeout = "long" } })
    assert.same({ field = "config.timeout", reason = "invalid_type" }, found.details)
    found = failure(400, "INVALID_REQUEST", "POST", "/resources", { name = "x", config = { timeout = -1 } })
    assert.equal("invalid_value", found.details.reason)
    failure(400, "INVALID_REQUEST", "POST", "/resources")
    assert.equal(400, call("POST", "/resources", "{", { ["Content-Type"] = "application/json" }).status)
    local made = expect(201, "POST", "/resources", { name = "x" }).data
    failure(400, "INVALID_REQUEST", "PUT", "/resources/" .. made.id, { name = 1 })
    failure(404, "NOT_FOUND", "GET", "/nothing")
    failure(405, "METHOD_NOT_ALLOWED", "PATCH", "/resources/" .. made.id, {})
  end)

  it("changes what a PUT brings and nothing else", function()
    local made = expect(201, "POST", "/resources", { name = "x", type = "processor", config = { timeout = 30 } }).data
    server:advance(5)
    local changed = expect(200, "PUT", "/resources/" .. made.id, { name = "y", id = "999" }).data
    assert.same({ made.id, "y", "processor", 30 }, { changed.id, changed.name, changed.type, changed.config.timeout })
    assert.equal("2026-01-01T00:00:05Z", changed.updated_at)
    assert.equal("2026-01-01T00:00:00Z", changed.created_at)
  end)

  describe("lists", function()
    before_each(function()
      for i = 1, 45 do
        expect(201, "POST", "/resources", { name = ("r%02d"):format(i), type = i % 2 == 0 and "even" or "odd" })
      end
    end)

    it("come in pages", function()
      local page = expect(200, "GET", "/resources")
      assert.equal(20, #page.data)
      assert.same({ page = 1, per_page = 20, total_items = 45, total_pages = 3, has_next = true, has_previous = false },
        page.meta)
      page = expect(200, "GET", "/resources?page=3")
      assert.equal(5, #page.data)
      assert.is_false(page.meta.has_next)
      page = expect(200, "GET", "/resources?per_page=500")
      assert.same({ 45, 100 }, { #page.data, page.meta.per_page })
      assert.equal("[]", json.encode(expect(200, "GET", "/resources?page=9").data))
      for _, wrong in ipairs { "page=0", "page=x", "per_page=0", "order=up" } do
        failure(400, "INVALID_REQUEST", "GET", "/resources?" .. wrong)
      end
    end)

    it("are filtered and sorted", function()
      assert.equal(22, expect(200, "GET", "/resources?type=even&status=active").meta.total_items)
      assert.equal(0, expect(200, "GET", "/resources?status=paused").meta.total_items)
      assert.equal("r45", expect(200, "GET", "/resources?sort=name&order=desc").data[1].name)
      assert.equal("r01", expect(200, "GET", "/resources?sort=name").data[1].name)
      assert.equal("r45", expect(200, "GET", "/resources?order=desc").data[1].name)
    end)
  end)

  it("looks at tokens", function()
    local function try(value, method)
      return client.request(server:base "template" .. "/resources", { method = method, body = method and { name = "x" },
        headers = value and { Authorization = value } or {} })
    end
    local function bearer(kind) return "Bearer " .. server:token("template", kind) end
    assert.equal(401, try().status)
    assert.equal("UNAUTHORIZED", try(server:token "template").json.error.code)
    assert.equal(401, try(bearer "invalid").status)
    assert.equal("FORBIDDEN", try(bearer "forbidden").json.error.code)
    assert.equal(200, try(bearer "read_only").status)
    assert.equal(403, try(bearer "read_only", "POST").status)
  end)

  describe("limits", function()
    it("are counted by the hour and the plan", function()
      server:plan("template", "free")
      local answer
      for i = 1, 100 do
        answer = select(2, expect(200, "GET", "/settings"))
        assert.equal(tostring(100 - i), answer.headers["x-ratelimit-remaining"])
      end
      assert.equal("100", answer.headers["x-ratelimit-limit"])
      assert.equal(tostring(1767225600 + 3600), answer.headers["x-ratelimit-reset"])
      server:advance(600)
      answer = call("GET", "/settings")
      assert.equal(429, answer.status)
      assert.equal("0", answer.headers["x-ratelimit-remaining"])
      assert.equal("3000", answer.headers["retry-after"])
      assert.same({ code = "RATE_LIMIT_EXCEEDED", message = "Rate limit exceeded. Try again in 3000 seconds.",
                    retry_after = 3000 }, answer.json.error)
      server:advance(3000)
      expect(200, "GET", "/settings")
      server:plan("template", "pro")
      assert.equal("1000", select(2, expect(200, "GET", "/settings")).headers["x-ratelimit-limit"])
    end)

    it("are not there in the sandbox environment", function()
      local answer = client.request(server:base("template", "sandbox") .. "/settings",
        { headers = { Authorization = "Bearer " .. server:token "template" } })
      assert.equal(200, answer.status)
      assert.is_nil(answer.headers["x-ratelimit-limit"])
    end)
  end)

  it("forgets the sandbox environment's data at midnight", function()
    local headers = { Authorization = "Bearer " .. server:token "template" }
    local ask = client.caller(server:base("template", "sandbox"), headers)
    ask("POST", "/resources", { name = "x" })
    expect(201, "POST", "/resources", { name = "x" })
    server:advance(86399)
    assert.equal(1, ask("GET", "/resources").json.meta.total_items)
    server:advance(1)
    assert.equal(0, ask("GET", "/resources").json.meta.total_items)
    assert.equal(1, expect(200, "GET", "/resources").meta.total_items)
    ask("POST", "/resources", { name = "x" })
    server:advance(86400)
    assert.equal(0, ask("GET", "/resources").json.meta.total_items)
  end)

  it("runs jobs", function()
    local good = expect(201, "POST", "/jobs", { type = "import" }).data
    local bad = expect(201, "POST", "/jobs", { type = "fail" }).data
    assert.equal("queued", good.status)
    local function status(job) return expect(200, "GET", "/jobs/" .. job.id).data.status end
    server:advance(1)
    assert.equal("running", status(good))
    server:advance(4)
    assert.same({ "completed", "failed" }, { status(good), status(bad) })
  end)

  it("shows secrets once", function()
    local key = expect(201, "POST", "/api_keys", { name = "ci" }).data
    assert.is_string(key.key)
    assert.is_nil(expect(200, "GET", "/api_keys/" .. key.id).data.key)
    local hook = expect(201, "POST", "/webhooks", { url = "http://127.0.0.1:9/" }).data
    assert.is_string(hook.secret)
    assert.is_nil(expect(200, "GET", "/webhooks").data[1].secret)
  end)

  it("keeps what the caller writes, whatever it is called", function()
    local fields = { key = "theme", value = "dark", secret = "s", started = "yesterday" }
    for _, name in ipairs { "settings", "jobs" } do
      local made = expect(201, "POST", "/" .. name, fields).data
      expect(200, "PUT", "/" .. name .. "/" .. made.id, { key = "colour", started = "today" })
      local kept = expect(200, "GET", "/" .. name .. "/" .. made.id).data
      assert.same({ "colour", "dark", "s", "today" }, { kept.key, kept.value, kept.secret, kept.started })
    end
  end)

  describe("webhooks", function()
    it("are sent and signed", function()
      local receiver = client.receiver()
      local hook = expect(201, "POST", "/webhooks", { url = receiver.url, events = { "resource.created",
        "resource.deleted" } }).data
      local made = expect(201, "POST", "/resources", { name = "new-resource", type = "processor" }).data
      expect(200, "PUT", "/resources/" .. made.id, { name = "changed" })
      expect(201, "POST", "/projects", { name = "other" })
      call("DELETE", "/resources/" .. made.id)
      local sent = receiver:take()
      assert.equal(digest.hex(digest.hmac_sha256(hook.secret, sent.body)), sent.headers["x-signature"])
      assert.same({ event = "resource.created", timestamp = "2026-01-01T00:00:00Z",
                    data = { id = made.id, type = "processor", name = "new-resource" } }, sent.json)
      assert.equal("resource.deleted", receiver:take(500).json.event)
      receiver:close()
    end)

    it("are not sent anywhere else", function()
      expect(201, "POST", "/webhooks", { url = "http://example.com/hook" })
      expect(201, "POST", "/resources", { name = "x" })
      local hook = expect(200, "GET", "/webhooks").data[1]
      assert.truthy(hook.last_delivery.error:find "loopback")
      failure(400, "INVALID_REQUEST", "POST", "/webhooks", { events = { "x" } })
    end)
  end)
end)
