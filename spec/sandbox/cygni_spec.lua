local client = require "spec.support.sandbox_client"
local digest = require "moonrest.digest"
local core = require "moonrest.core"
local calendar = require "moonrest.sandbox.calendar"

local json = core.json
local good = client.good

local function bearer(token) return { Authorization = "Bearer " .. token } end

describe("the Cygni sandbox", function()
  local server, call, behaves

  client.with_sandbox({ systems = { "cygni" }, plan = "enterprise" }, function(started)
    server = started
    call = client.caller(server:base "cygni", bearer(server:token "cygni"))
    behaves = client.caller(server:base("cygni", "server"), bearer(server:token "cygni"))
  end)

  local function project() return good(call, "GET", "/projects?limit=1").data[1] end

  local function deploy(body)
    body = body or {}
    body.projectId = body.projectId or project().id
    return good(call, "POST", "/deployments", body).data
  end

  -- Every route of the server's code, with the ids that 'caller' gives.
  local function call_everything(caller, page)
    local made = good(caller, "POST", "/projects", { name = "everything" })
    good(caller, "GET", "/projects?page=1&limit=2&search=every")
    good(caller, "GET", "/projects/" .. made.id)
    good(caller, "PATCH", "/projects/" .. made.id, { description = "d" })
    local deployment = good(caller, "POST", "/deployments", { projectId = made.id, branch = "main" })
    deployment = page and deployment.data or deployment
    local path = "/deployments/" .. deployment.id
    good(caller, "GET", "/deployments?projectId=" .. made.id)
    good(caller, "GET", path)
    good(caller, "GET", path .. "/logs")
    if page then good(caller, "GET", path .. "/status") end
    good(caller, "POST", path .. "/cancel")
    local other = good(caller, "POST", "/deployments", { projectId = made.id })
    server:advance(10)
    good(caller, "POST", "/deployments/" .. (page and other.data or other).id .. "/rollback")
    if page then good(caller, "GET", "/projects/" .. made.id .. "/deployments?limit=2") end
    good(caller, "GET", "/users/me")
    good(caller, "PUT", "/users/me", { name = "Ada" })
    good(caller, "GET", "/users?search=berk")
    good(caller, "DELETE", "/users/user_0003")
    local hooks = page and "/webhooks" or "/webhooks/webhooks"
    local hook = good(caller, "POST", hooks,
      { url = "https://example.com/x", events = json.array { "project.created" } })
    local id = (page and hook.data or hook).id
    good(caller, "GET", hooks)
    good(caller, "GET", hooks .. "/" .. id)
    good(caller, "PUT", hooks .. "/" .. id, { enabled = false })
    good(caller, "POST", hooks .. "/" .. id .. "/test")
    good(caller, "DELETE", hooks .. "/" .. id)
    local logs = page and "/logs" or "/logs/logs"
    local span = "?startTime=2025-12-31T00:00:00Z&endTime=2026-01-01T00:00:00Z"
    for _, rest in ipairs { "", "/errors", "/billing", "/user/user_0001", "/project/" .. made.id, "/stats" .. span,
      "/security" .. span, "/export" .. span } do
      good(caller, "GET", logs .. rest)
    end
    for _, usage in ipairs { "analytics", "summary", "limits", "export", "notifications" } do
      good(caller, "GET", "/usage/" .. usage .. "?startDate=2025-12-01T00:00:00Z&endDate=2025-12-31T00:00:00Z")
    end
    local entry = good(caller, "GET", "/audit/logs").logs[1]
    assert.same(entry, good(caller, "GET", "/audit/logs/" .. entry.id).log)
    good(caller, "GET", "/audit/stats")
    good(caller, "GET", "/audit/export?format=csv")
    good(caller, "POST", "/auth/login", { email = "a@example.com", password = "p" })
    good(caller, "GET", "/auth/me")
    good(caller, "DELETE", "/projects/" .. made.id)
  end

  it("answers every operation below /v1", function() call_everything(call, true) end)

  it("answers every operation below /api/v2", function() call_everything(behaves, false) end)

  it("answers for the resources that are only named", function()
    for _, name in ipairs { "domains", "env", "metrics", "tokens", "permissions" } do
      local path = "/" .. name
      local made = good(call, "POST", path, { name = "n", key = "K", value = "v" }).data
      assert.equal("n", good(call, "GET", path .. "/" .. made.id).data.name)
      assert.equal("m", good(call, "PATCH", path .. "/" .. made.id, { name = "m" }).data.name)
      assert.equal(3, good(call, "GET", path).meta.pagination.total)
      assert.equal(204, call("DELETE", path .. "/" .. made.id).status)
      local gone = call("GET", path .. "/" .. made.id)
      assert.equal(404, gone.status)
      assert.equal("not_found", gone.json.error.code)
    end
    assert.truthy(good(call, "POST", "/tokens", { name = "ci" }).data.token)
  end)

  it("answers about itself without a token", function()
    local open = client.caller(server.url .. "/cygni-server", {})
    good(open, "GET", "/api/health")
    good(open, "GET", "/api/version")
    assert.same({ "v1", "v2" }, good(open, "GET", "/api/versions").versions)
    assert.truthy(open("GET", "/metrics").body:find "cygni_projects 25")
  end)

  describe("the page's contract", function()
    it("wraps lists in data and meta", function()
      local answer = good(call, "GET", "/projects?page=2&limit=20")
      assert.equal(5, #answer.data)
      assert.same({ page = 2, limit = 20, total = 25, pages = 2 }, answer.meta.pagination)
      assert.truthy(answer.meta.requestId:find "^req_")
      assert.equal("2026-01-01T00:00:00Z", answer.meta.timestamp)
      assert.same({}, good(call, "GET", "/projects?page=3").data)
    end)

    it("counts no pages when there is nothing", function()
      local answer = good(call, "GET", "/projects?status=gone")
      assert.equal(0, answer.meta.pagination.pages)
      assert.equal("[]", answer.data and json.encode(answer.data))
    end)

    it("sorts by field, minus for descending", function()
      assert.equal("project-01", good(call, "GET", "/projects?sort=name").data[1].name)
      assert.equal("project-25", good(call, "GET", "/projects?sort=-name").data[1].name)
      assert.equal("project-25", good(call, "GET", "/projects?sort=-createdAt").data[1].name)
    end)

    it("filters", function()
      local paused = good(call, "GET", "/projects?status=paused").data
      assert.equal(3, #paused)
      for _, one in ipairs(paused) do assert.equal("paused", one.status) end
      local ready = good(call, "GET", "/deployments?status=success").data
      assert.is_true(#ready > 0)
      for _, one in ipairs(ready) do assert.equal("ready", one.status) end
      local since = good(call, "GET", "/deployments?since=2025-12-31T21:30:00Z")
      assert.equal(2, since.meta.pagination.total)
    end)

    it("has errors that are objects", function()
      for _, query in ipairs { "page=0", "page=x", "limit=-1", "sort=nothing" } do
        local answer = call("GET", "/projects?" .. query)
        assert.equal(400, answer.status)
        assert.equal("validation_error", answer.json.error.code)
        assert.equal(query:match "^%a+", answer.json.error.details.field)
        assert.truthy(answer.json.meta.requestId)
      end
      local lost = call("POST", "/deployments", { projectId = "proj_none" })
      assert.equal(404, lost.status)
      assert.equal("not_found", lost.json.error.code)
      assert.equal("not_found", call("GET", "/nowhere").json.error.code)
      assert.equal("invalid_json", call("POST", "/deployments", "{", { ["Content-Type"] = "application/json" })
        .json.error.code)
    end)
  end)

  describe("the server's behaviour", function()
    it("names lists and counts totalPages", function()
      local answer = good(behaves, "GET", "/projects")
      assert.equal(10, #answer.projects)
      assert.same({ page = 1, limit = 10, total = 25, totalPages = 3 }, answer.pagination)
      assert.truthy(answer.projects[1].id:find "^%x+%-%x+%-4")
      assert.equal(20, #good(behaves, "GET", "/deployments").deployments)
      local sorted = good(behaves, "GET", "/projects?sortBy=name&sortOrder=asc")
      assert.equal("project-01", sorted.projects[1].name)
    end)

    it("has errors that are texts or arrays, and 500 for some mistakes", function()
      assert.equal(404, behaves("POST", "/deployments",
        { projectId = "00000000-0000-4000-8000-000000000000" }).status)
      local issues = behaves("POST", "/deployments", { projectId = "no-uuid" })
      assert.equal(400, issues.status)
      assert.same({ "projectId" }, issues.json.error[1].path)
      assert.equal("Project not found", call("GET", "/projects/none").json.error)
      assert.equal(500, behaves("GET", "/projects?page=x").status)
      assert.equal(500, behaves("GET", "/projects?sortBy=secret").status)
      local logs = call("GET", "/logs/export?startTime=now")
      assert.equal(500, logs.status)
      assert.equal("Failed to export logs", logs.json.error)
    end)

    it("refuses any limit of the audit log, and counts only the page", function()
      good(call, "POST", "/tokens", { name = "x" })
      local answer = call("GET", "/audit/logs?limit=10&offset=0")
      assert.equal(400, answer.status)
      assert.equal(2, #answer.json.error)
      assert.equal(1, good(call, "GET", "/audit/logs").pagination.total)
    end)

    it("cannot reach deliveries and event types", function()
      for _, word in ipairs { "deliveries", "event-types" } do
        local answer = call("GET", "/webhooks/" .. word)
        assert.equal(404, answer.status)
        assert.equal("Webhook not found", answer.json.error)
      end
    end)

    it("speaks of versions", function()
      local host = client.caller(server.url .. "/cygni-server", bearer(server:token "cygni"))
      local unknown = host("GET", "/api/v9/projects")
      assert.equal(404, unknown.status)
      assert.same({ "v1", "v2" }, unknown.json.supportedVersions)
      local old = host("GET", "/api/v1/user/profile")
      assert.equal("true", old.headers["x-api-deprecated"])
      assert.equal("v2", old.headers["x-api-recommended-version"])
      assert.equal("/api/v2/users/me", old.headers["x-api-alternative"])
      assert.equal("/api/v2/logs/logs", host("GET", "/api/logs").headers["x-api-alternative"])
      assert.is_nil(host("GET", "/api/v2/users/me").headers["x-api-deprecated"])
    end)

    it("has in each version what its code mounts there, and no more", function()
      local host = client.caller(server.url .. "/cygni-server", bearer(server:token "cygni"))
      for _, path in ipairs { "/v1/projects", "/v1/users/me", "/v1/audit/logs", "/v1/deployments/x/status", "/v1/logs",
        "/v2/logs", "/v2/webhooks", "/v2/user/profile", "/v2/deployments/x/status", "/v2/projects/x/deployments" } do
        assert.equal("Endpoint not found", host("GET", "/api" .. path).json.error, path)
      end
      for _, path in ipairs { "/v1/logs/logs", "/v1/usage/summary", "/v1/auth/me", "/logs", "/webhooks" } do
        good(host, "GET", "/api" .. path)
      end
    end)

    it("wants a span for counts and for security, and cuts some lists in silence", function()
      for _, path in ipairs { "/logs/logs/stats", "/logs/logs/security" } do
        local answer = behaves("GET", path .. "?startTime=2025-12-31T00:00:00Z")
        assert.same({ 400, "startTime and endTime are required" }, { answer.status, answer.json.error })
      end
      assert.equal(200, good(behaves, "GET", "/logs/logs").count)
      assert.equal(7, good(behaves, "GET", "/logs/logs?limit=7").count)
      assert.equal(100, good(behaves, "GET", "/logs/logs/user/user_0001").count)
      assert.equal(0, good(behaves, "GET", "/logs/logs?level=http").count)
      assert.equal(500, behaves("GET", "/logs/logs?level=loud").status)
      assert.equal(404, behaves("GET", "/logs/logs/project/x").status)
      assert.equal(500, behaves("GET", "/logs/logs/export?startTime=2025-12-31T00:00:00Z" ..
        "&endTime=2026-01-01T00:00:00Z&format=xml").status)
    end)

    it("changes of a project what its code changes", function()
      local id = project().id
      local before = good(call, "GET", "/projects/" .. id)
      local after = good(call, "PATCH", "/projects/" .. id,
        { description = "new", framework = "other", repository = "https://example.com/other" })
      assert.same({ "new", before.framework, before.repository },
        { after.description, after.framework, after.repository })
    end)

    it("deletes softly", function()
      local id = project().id
      local answer, whole = good(call, "DELETE", "/projects/" .. id)
      assert.equal(200, whole.status)
      assert.truthy(answer.message)
      assert.equal(404, call("GET", "/projects/" .. id).status)
      assert.equal(200, call("DELETE", "/projects/" .. id).status)
      assert.equal(id, good(call, "GET", "/projects?status=deleted").data[1].id)
    end)
  end)

  it("is the same for the same seed", function()
    local first = call("GET", "/deployments").json.data
    server:reset()
    assert.same(first, call("GET", "/deployments").json.data)
  end)

  describe("tokens", function()
    it("are refused in the shape of the route", function()
      local function answer(path, headers) return client.request(server:base "cygni" .. path, { headers = headers }) end
      assert.equal("unauthorized", answer("/projects", {}).json.error.code)
      assert.equal("No authorization header", answer("/users/me", {}).json.error)
      local invalid = answer("/users/me", bearer(server:token("cygni", "invalid")))
      assert.equal(401, invalid.status)
      assert.equal("Invalid token", invalid.json.error)
      local forbidden = answer("/projects", bearer(server:token("cygni", "forbidden")))
      assert.equal(403, forbidden.status)
      assert.equal("forbidden", forbidden.json.error.code)
    end)

    it("may come bare", function()
      local bare = client.caller(server:base "cygni", { Authorization = server:token "cygni" })
      assert.equal(200, bare("GET", "/projects").status)
    end)

    it("are what a login gives", function()
      local login = good(call, "POST", "/auth/login", { email = "a@example.com", password = "p" })
      assert.equal(server:token "cygni", login.token)
      assert.equal(401, call("POST", "/auth/login", { email = "a@example.com", password = "wrong" }).status)
    end)
  end)

  describe("deployments", function()
    it("become ready in the sandbox's time", function()
      local made = deploy()
      assert.equal("pending", made.status)
      local seen = {}
      for _ = 1, 6 do
        seen[#seen + 1] = good(call, "GET", "/deployments/" .. made.id).status
        server:advance(1)
      end
      assert.same({ "pending", "building", "building", "deploying", "deploying", "ready" }, seen)
      local ready = good(call, "GET", "/deployments/" .. made.id)
      assert.equal("2026-01-01T00:00:05Z", ready.completedAt)
      assert.equal("Deployment is live", ready.logs[#ready.logs].message)
    end)

    it("fail from a branch named broken", function()
      local made = deploy { branch = "broken" }
      server:advance(20)
      local failed = good(call, "GET", "/deployments/" .. made.id)
      assert.equal("failed", failed.status)
      assert.equal("error", failed.logs[#failed.logs].level)
    end)

    it("can be cancelled while they are under way", function()
      local path = "/deployments/" .. deploy().id
      server:advance(1.2)
      assert.equal("cancelled", good(call, "POST", path .. "/cancel").status)
      server:advance(20)
      assert.equal("cancelled", good(call, "GET", path).status)
      local again = call("POST", path .. "/cancel")
      assert.equal(400, again.status)
      assert.equal("Cannot cancel deployment", again.json.error)
    end)

    it("are rolled back to as new ones", function()
      local made = deploy { branch = "release" }
      assert.equal(400, call("POST", "/deployments/" .. made.id .. "/rollback").status)
      server:advance(6)
      local _, answer = good(call, "POST", "/deployments/" .. made.id .. "/rollback")
      assert.equal(201, answer.status)
      assert.equal("pending", answer.json.status)
      assert.equal("release", answer.json.branch)
      assert.equal(made.commitSha, answer.json.commitSha)
      assert.not_equal(made.id, answer.json.id)
    end)

    it("stream their logs without an end", function()
      local id = deploy().id
      local stream = client.send(server:base "cygni" .. "/deployments/" .. id .. "/logs?follow=true",
        { headers = bearer(server:token "cygni") }):head()
      assert.equal("text/event-stream", stream.headers["content-type"])
      assert.equal("Queued", json.decode(stream:chunk():match "^data: (.-)\n\n$").message)
      server:advance(2)
      assert.equal("Cloning repository", json.decode(stream:chunk():match "^data: (.-)\n\n$").message)
      server:advance(4)
      local text
      repeat text = stream:chunk() until text:find "is live"
      server:advance(31)
      assert.equal(":heartbeat\n\n", stream:chunk())
      server:advance(31)
      assert.equal(":heartbeat\n\n", stream:chunk())
      stream:close()
    end)
  end)

  describe("webhooks", function()
    local receiver

    before_each(function() receiver = client.receiver() end)

    after_each(function() receiver:close() end)

    local function time_of(hook) return calendar.parse(hook.headers["x-webhook-timestamp"]) end

    local function check_signature(hook, secret)
      local expected = "sha256=" .. digest.hex(digest.hmac_sha256(secret, hook.body))
      assert.equal(expected, hook.headers["x-webhook-signature"])
    end

    it("are sent and signed with the caller's own secret", function()
      local made = good(call, "POST", "/webhooks", {
        url = receiver.url, events = json.array { "deployment.success", "deployment.failed" }, secret = "own secret",
        headers = { ["X-Team"] = "moon" },
      }).data
      assert.is_nil(made.signingSecret)
      local id = deploy().id
      server:advance(5)
      local hook = receiver:take()
      assert.equal("POST /hook HTTP/1.1", hook.line)
      check_signature(hook, "own secret")
      assert.equal("deployment.success", hook.headers["x-webhook-event"])
      assert.equal("deployment.success", hook.json.type)
      assert.equal(id, hook.json.data.id)
      assert.equal("ready", hook.json.data.status)
      assert.equal("moon", hook.headers["x-team"])
      assert.equal("Cygni-Webhook/1.0", hook.headers["user-agent"])
    end)

    it("have a secret of the server's own behind /api/v2, shown once", function()
      local body = { url = receiver.url, events = json.array { "deployment.succeeded" }, secret = "ignored" }
      local made = good(behaves, "POST", "/webhooks/webhooks", body)
      assert.truthy(made.signingSecret:find "^whsec_%x+$")
      assert.equal(70, #made.signingSecret)
      assert.is_nil(good(behaves, "GET", "/webhooks/webhooks/" .. made.id).signingSecret)
      local projects = good(behaves, "GET", "/projects").projects
      good(behaves, "POST", "/deployments", { projectId = projects[1].id })
      server:advance(5)
      local hook = receiver:take()
      check_signature(hook, made.signingSecret)
      assert.equal("deployment.succeeded", hook.json.type)
    end)

    it("are tried three times, five minutes apart", function()
      good(call, "POST", "/webhooks", { url = receiver.url, events = json.array { "project.updated" } })
      local path = "/projects/" .. project().id
      good(call, "PATCH", path, { description = "first" })
      local first = receiver:take(500)
      local earlier = first
      for _ = 2, 3 do
        client.eventually(function()
          server:advance(60)
          return receiver:has_one()
        end)
        local again = receiver:take(500)
        assert.equal(first.json.id, again.json.id)
        local pause = time_of(again) - time_of(earlier)
        assert.is_true(pause >= 300)
        earlier = again
      end
      server:advance(3000)
      good(call, "PATCH", path, { description = "second" })
      assert.equal("second", receiver:take().json.data.description)
    end)

    it("are tested with a 200 whatever happens", function()
      local made = good(call, "POST", "/webhooks",
        { url = receiver.url, events = json.array { "project.created" }, secret = "s" }).data
      local test = "/webhooks/" .. made.id .. "/test"
      for _, status in ipairs { 200, 503 } do
        local exchange = client.send(server:base "cygni" .. test,
          { method = "POST", headers = bearer(server:token "cygni") })
        local hook = receiver:take(status)
        assert.equal("webhook.test", hook.json.type)
        local answer = exchange:finish()
        assert.equal(200, answer.status)
        assert.equal(status, answer.json.statusCode)
        assert.equal(status == 200, answer.json.success)
        assert.equal("ok", answer.json.response)
      end
    end)

    it("go to this machine only", function()
      local made = good(call, "POST", "/webhooks",
        { url = "https://example.com/x", events = json.array { "project.created" } }).data
      local answer = good(call, "POST", "/webhooks/" .. made.id .. "/test")
      assert.is_false(answer.success)
      assert.truthy(answer.error:find "loopback")
    end)

    it("refuse events that are not known", function()
      local body = { url = receiver.url, events = json.array { "deployment.success" } }
      local refused = behaves("POST", "/webhooks/webhooks", body)
      assert.equal(400, refused.status)
      assert.same({ "deployment.success" }, refused.json.invalidEvents)
      body.events = json.array {}
      assert.equal("events", call("POST", "/webhooks", body).json.error.details.field)
    end)
  end)

  describe("limits", function()
    it("hold two windows at once and speak for the tighter", function()
      server:plan("cygni", "free")
      local answer
      for used = 1, 100 do
        answer = call("GET", "/tokens")
        assert.equal(tostring(100 - used), answer.headers["x-ratelimit-remaining"])
      end
      assert.equal("100", answer.headers["x-ratelimit-limit"])
      assert.equal("1767225660", answer.headers["x-ratelimit-reset"])
      local refused = call("GET", "/tokens")
      assert.equal(429, refused.status)
      assert.equal("rate_limited", refused.json.error.code)
      assert.is_nil(refused.headers["retry-after"])
      for _ = 2, 10 do
        server:advance(60)
        for _ = 1, 100 do answer = call("GET", "/tokens") end
      end
      assert.equal(200, answer.status)
      assert.equal("1000", answer.headers["x-ratelimit-limit"])
      server:advance(60)
      assert.equal(429, call("GET", "/tokens").status)
      server:advance(3000)
      assert.equal(200, call("GET", "/tokens").status)
    end)

    it("are none for enterprise", function()
      local answer = call("GET", "/tokens")
      assert.is_nil(answer.headers["x-ratelimit-limit"])
    end)

    it("are counted in seconds from now on the server", function()
      server:plan("cygni", "address")
      local answer
      for _ = 1, 51 do answer = behaves("GET", "/users/me") end
      assert.equal(429, answer.status)
      assert.equal("900", answer.headers["retry-after"])
      assert.equal("900", answer.headers["ratelimit-reset"])
      assert.equal(900, answer.json.retryAfter)
      assert.equal("Too many requests", answer.json.error)
    end)
  end)
end)
