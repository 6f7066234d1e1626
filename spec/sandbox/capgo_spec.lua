local capgo = require "spec.support.capgo_sandbox"
local client = require "spec.support.sandbox_client"
local core = require "moonrest.core"

local json = core.json
local APP <const> = capgo.APP

describe("the Capgo sandbox", function()
  local case = capgo.cases { apps = 5, bundles = 130, devices = 120 }
  local good, refused = case.good, case.refused
  local server, call, session, org

  before_each(function()
    server, call, org = case.server, case.call, case.org
    session = client.caller(server:base "capgo", { authorization = "Bearer " .. server:token("capgo", "session") })
  end)

  it("answers every documented operation", function()
    good("GET", "/organization/?orgId=" .. org)
    good("POST", "/organization/", { name = "New one" })
    good("PUT", "/organization/", { orgId = org, name = "Newer" })
    good("GET", "/organization/members/?orgId=" .. org)
    good("POST", "/organization/members/", { orgId = org, email = "a@example.com", invite_type = "read" })
    good("DELETE", "/organization/members/", { orgId = org, email = "a@example.com" })
    good("GET", "/app/?page=0&limit=2&org_id=" .. org)
    good("POST", "/app/", { app_id = "com.new.app", name = "New", owner_org = org })
    good("GET", "/app/com.new.app")
    good("PUT", "/app/com.new.app", { name = "Newer", retention = 86400 })
    good("GET", "/apikey/")
    good("GET", "/channel/?app_id=" .. APP)
    good("POST", "/channel/", { app_id = APP, channel = "beta", public = false })
    good("GET", "/device/?app_id=" .. APP)
    good("POST", "/device/", { app_id = APP, device_id = "d", channel = "beta" })
    good("DELETE", "/device/", { app_id = APP, device_id = "d" })
    good("GET", "/bundle/?app_id=" .. APP)
    local made = good("POST", "/bundle/",
      { app_id = APP, version = "9.0.0", external_url = "https://example.com/a.zip", checksum = "c" })
    local channel = good("GET", "/channel/?channel=beta&app_id=" .. APP)
    good("PUT", "/bundle/", { app_id = APP, version_id = made.bundle.id, channel_id = channel.id })
    good("POST", "/bundle/metadata", { app_id = APP, version_id = made.bundle.id, link = "https://example.com" })
    good("DELETE", "/channel/", { app_id = APP, channel = "beta" })
    good("DELETE", "/bundle/", { app_id = APP, version = "9.0.0" })
    local days = "?from=2025-01-01&to=2025-01-31"
    good("GET", "/statistics/app/" .. APP .. "/" .. days)
    good("GET", "/statistics/app/" .. APP .. "/bundle_usage" .. days)
    good("GET", "/statistics/org/" .. org .. "/" .. days)
    good("GET", "/statistics/user/" .. days)
    good("DELETE", "/app/com.new.app")
    good("DELETE", "/apikey/3/")
    good("DELETE", "/organization/?orgId=" .. org)
  end)

  it("answers what only the server's code shows", function()
    good("GET", "/organization/audit?orgId=" .. org)
    local demo = good("POST", "/app/demo", { owner_org = org })
    assert.equal(demo.name, good("GET", "/app/" .. demo.app_id).name)
    good("POST", "/app/store-metadata", { url = "https://example.com" })
    good("GET", "/apikey/1")
    good("PUT", "/apikey/2", { name = "renamed" })
    good("PUT", "/apikey/", { id = 2, expires_at = core.null })
    good("GET", "/statistics/app/" .. APP .. "/native_usage?from=2025-01-01&to=2025-01-02")
    good("POST", "/private/stats/export", { appId = APP, rangeStart = "2025-01-01", rangeEnd = "2025-01-09" })
    local logs = good("POST", "/build/support_logs", { gzB64 = "x" })
    assert.matches("^https://.*" .. logs.id .. "$", logs.url)
    assert.equal(426, call("POST", "/build/ai_analyze", {}).status)
    local analysis = call("POST", "/build/ai_analyze_stream", { appId = APP, jobId = "job", logs = "error" })
    assert.truthy(analysis.body:find("event: done", 1, true))
    assert.same({ status = "ok" }, client.request(server:base "capgo" .. "/ok").json)
    assert.same({ status = "ok" }, client.request(server:base "capgo" .. "/ok", { method = "POST" }).json)
  end)

  describe("the gates", function()
    local function answer(path, headers)
      local got = client.request(server:base "capgo" .. path, { headers = headers })
      return got.status == 200 and 200 or got.json.error
    end

    it("know different headers", function()
      local key = server:token "capgo"
      local gate_k, gate_a = "/organization/", "/apikey/"
      assert.equal(200, answer(gate_k, { capgkey = key }))
      assert.equal(200, answer(gate_a, { capgkey = key }))
      assert.equal(200, answer(gate_k, { authorization = key }))
      assert.equal(200, answer(gate_a, { authorization = key }))
      assert.equal("no_key_provided", answer(gate_k, { ["x-api-key"] = key }))
      assert.equal(200, answer(gate_a, { ["x-api-key"] = key }))
      assert.equal("invalid_apikey", answer(gate_k, { authorization = "Bearer " .. key }))
      assert.equal("invalid_jwt", answer(gate_a, { authorization = "Bearer " .. key }))
      assert.equal("no_key_provided", answer(gate_a, {}))
    end)

    it("take a key that is no UUID only where no session is looked for", function()
      local key = server:token("capgo", "legacy")
      assert.equal(200, answer("/organization/", { authorization = key }))
      assert.equal("invalid_jwt", answer("/apikey/", { authorization = key }))
      assert.equal(200, answer("/apikey/", { capgkey = key }))
    end)

    it("read sub-keys strictly", function()
      local key = server:token "capgo"
      assert.equal(200, answer("/organization/", { capgkey = key, ["x-limited-key-id"] = "1" }))
      for _, text in ipairs { "0", "-1", "x", "1.5", "99" } do
        assert.equal("invalid_subkey", answer("/organization/", { capgkey = key, ["x-limited-key-id"] = text }))
      end
    end)

    it("close for a quarter of an hour after twenty failures", function()
      for _ = 1, 20 do
        assert.equal("invalid_apikey", answer("/organization/", { capgkey = server:token("capgo", "invalid") }))
      end
      local blocked = client.request(server:base "capgo" .. "/ok")
      assert.equal(429, blocked.status)
      assert.equal("too_many_failed_auth_attempts", blocked.json.error)
      assert.equal("900", blocked.headers["retry-after"])
      assert.equal(429, call("GET", "/organization/").status)
      server:advance(900)
      assert.equal(200, call("GET", "/organization/").status)
    end)

    it("have another status for each kind of missing permission", function()
      local weak = capgo.caller(server, "forbidden")
      assert.same({ 401, "cannot_access_app" }, refused("GET", "/app/" .. APP, nil, weak))
      assert.same({ 400, "cannot_get_bundle" }, refused("GET", "/bundle/?app_id=" .. APP, nil, weak))
      assert.same({ 400, "cannot_access_app" }, refused("GET", "/channel/?app_id=" .. APP, nil, weak))
      assert.same({ 403, "cannot_create_app" }, refused("POST", "/app/", {}, weak))
      assert.same({ 401, "no_access_to_app" }, refused("GET", "/statistics/user/", nil, weak))
      assert.same({ 403, "invalid_org_id" }, refused("DELETE", "/organization/?orgId=" .. org, nil, weak))
      local reader = capgo.caller(server, "read_only")
      assert.equal(200, reader("GET", "/app/" .. APP).status)
      assert.same({ 400, "cannot_delete_app" }, refused("DELETE", "/app/" .. APP, nil, reader))
    end)
  end)

  it("refuses a malformed version date on /ok only", function()
    local base = server:base "capgo"
    assert.equal(200, client.request(base .. "/ok", { headers = { capgo_api = "2025-10-01" } }).status)
    assert.equal(400, client.request(base .. "/ok", { headers = { capgo_api = "latest" } }).status)
    assert.same({ error = "not_found", message = "Not found" }, client.request(base .. "/nowhere").json)
  end)

  describe("organizations", function()
    it("take a page only as a number in a body", function()
      assert.same({ 400, "invalid_body" }, refused("GET", "/organization/?page=0"))
      for number = 1, 60 do good("POST", "/organization/", { name = "Number " .. number }) end
      assert.equal(50, #good("GET", "/organization/"))
      assert.equal(12, #good("GET", "/organization/", { page = 1 }))
    end)

    it("keep an audit list with a total", function()
      for number = 1, 3 do good("PUT", "/organization/", { orgId = org, name = "Name " .. number }) end
      good("POST", "/organization/members/", { orgId = org, email = "a@example.com", invite_type = "write" })
      local page = good("GET", "/organization/audit?limit=2&page=1&orgId=" .. org)
      assert.equal(4, page.total)
      assert.equal(2, #page.data)
      assert.equal(1, page.page)
      assert.equal("name", page.data[1].changed_fields[1])
      local some = good("GET", "/organization/audit?tableName=org_users&operation=INSERT&orgId=" .. org)
      assert.equal(1, some.total)
      assert.equal(100, good("GET", "/organization/audit?limit=500&orgId=" .. org).limit)
    end)

    it("want invite_type and not role", function()
      local body = { orgId = org, email = "a@example.com", role = "read" }
      assert.same({ 400, "missing_invite_type" }, refused("POST", "/organization/members/", body))
      local _, missing = refused("DELETE", "/organization/members/", { orgId = org, email = "b@example.com" })
      assert.equal(404, missing.status)
      assert.equal("", good("GET", "/organization/members/?orgId=" .. org)[1].image_url)
    end)

    it("are deleted by body or by query, once", function()
      good("DELETE", "/organization/", { orgId = org })
      assert.same({ 403, "invalid_org_id" }, refused("DELETE", "/organization/?orgId=" .. org))
    end)
  end)

  describe("apps", function()
    it("come as a bare array in short pages from 0", function()
      assert.equal(2, #good("GET", "/app/?limit=2"))
      assert.equal(2, #good("GET", "/app/?limit=2&page=1"))
      assert.equal(1, #good("GET", "/app/?limit=2&page=2"))
      assert.equal("[]", select(2, good("GET", "/app/?limit=2&page=3")).body)
    end)

    it("sign their icons anew each time", function()
      assert.not_equal(good("GET", "/app/" .. APP).icon_url, good("GET", "/app/" .. APP).icon_url)
    end)

    it("are checked", function()
      local body = { app_id = APP, name = "x", owner_org = org }
      assert.same({ 409, "app_id_already_exists" }, refused("POST", "/app/", body))
      body.app_id = "app_123"
      assert.same({ 400, "invalid_app_id" }, refused("POST", "/app/", body))
      assert.same({ 404, "cannot_find_app" }, refused("GET", "/app/com.no.app"))
      assert.same({ 400, "invalid_body" }, refused("PUT", "/app/" .. APP, { retention = 63113904 }))
      local _, answer = refused("POST", "/app/", { name = "x" })
      assert.same({ name = "x" }, answer.json.moreInfo.body)
    end)
  end)

  describe("keys", function()
    it("are made by a session only", function()
      local body = { name = "ci", bindings = json.array { { role_name = "org_admin", scope_type = "org" } } }
      assert.same({ 400, "cannot_create_apikey" }, refused("POST", "/apikey/", body))
      local made = good("POST", "/apikey/", body, session)
      assert.truthy(made.key)
      for _, key in ipairs(good("GET", "/apikey/")) do assert.is_nil(key.key) end
      assert.equal(made.id, good("GET", "/apikey/" .. made.rbac_id).id)
      assert.equal(made.id, good("GET", "/apikey/" .. made.key).id)
      assert.not_equal(made.key, good("PUT", "/apikey/" .. made.id, { regenerate = true }).key)
    end)

    it("cannot delete themselves", function()
      assert.same({ 401, "cannot_delete_own_apikey" }, refused("DELETE", "/apikey/1/"))
      good("DELETE", "/apikey/2/")
      assert.same({ 404, "api_key_not_found" }, refused("DELETE", "/apikey/2/"))
    end)
  end)

  describe("bundles", function()
    local function ids(page, caller)
      return good("GET", "/bundle/?app_id=" .. APP .. "&page=" .. page, nil, caller)
    end

    it("overlap from page 1 on, because the page is a text", function()
      assert.equal(50, #ids(0))
      assert.equal(50, #good("GET", "/bundle/?app_id=" .. APP))
      local first, second = ids(1), ids(2)
      assert.equal(80, #first)
      assert.equal(30, #second)
      assert.equal(first[51].id, second[1].id)
      assert.same({ 400, "cannot_get_bundle" }, refused("GET", "/bundle/?page=3&app_id=" .. APP))
      assert.equal("1.13.0", ids(0)[1].name)
    end)

    it("have one code for an empty page and for an app that is not there", function()
      local function told(query)
        local body = call("GET", "/bundle/?" .. query).json
        return { body.error, body.message, body.moreInfo }
      end
      assert.same({ "cannot_get_bundle", "Cannot get bundle", { supabaseError = json.null } },
        told("page=3&app_id=" .. APP))
      assert.same({ "cannot_get_bundle", "You can't access this app", { app_id = "com.typo.app" } },
        told "app_id=com.typo.app")
    end)

    it("are paged well from a body, or with the bug switched off", function()
      assert.equal(50, #good("GET", "/bundle/", { app_id = APP, page = 1 }))
      local mended = capgo.start { capgo = { page_bug = false }, sizes = { capgo = { bundles = 130 } } }
      local other = capgo.caller(mended)
      assert.equal(50, #ids(1, other))
      assert.equal(30, #ids(2, other))
      mended:stop()
    end)

    it("are made once", function()
      local body = { app_id = APP, version = "9.0.0", external_url = "https://example.com/a.zip", checksum = "c" }
      local made = good("POST", "/bundle/", body)
      assert.equal("success", made.status)
      assert.equal("9.0.0", made.bundle.name)
      assert.same({ 400, "version_already_exists" }, refused("POST", "/bundle/", body))
      body.version = "v9.0.1"
      assert.same({ 400, "invalid_version_format" }, refused("POST", "/bundle/", body))
      body.version, body.external_url = "9.0.1", "http://example.com/a.zip"
      assert.same({ 400, "invalid_protocol" }, refused("POST", "/bundle/", body))
    end)

    it("are kept while a channel uses them", function()
      local version = good("GET", "/channel/?channel=production&app_id=" .. APP).version
      local body = { app_id = APP, version = version.name }
      assert.same({ 400, "cannot_delete_linked_version" }, refused("DELETE", "/bundle/", body))
      good("DELETE", "/bundle/?version=1.0.1&app_id=" .. APP)
      assert.same({ 400, "cannot_find_version" }, refused("DELETE", "/bundle/", { app_id = APP, version = "1.0.1" }))
    end)

    it("all go but those in use when no version is named", function()
      for _, body in ipairs { { app_id = APP }, { app_id = APP, version = "" } } do
        good("DELETE", "/bundle/", body)
        assert.equal(2, #good("GET", "/bundle/?app_id=" .. APP))
        server:reset()
      end
    end)

    it("are set to channels by number", function()
      local channel = good("GET", "/channel/?channel=beta&app_id=" .. APP)
      local bundle = good("GET", "/bundle/?app_id=" .. APP)[9]
      local answer = good("PUT", "/bundle/", { app_id = APP, version_id = bundle.id, channel_id = channel.id })
      assert.equal("success", answer.status)
      assert.equal(bundle.name, good("GET", "/channel/?channel=beta&app_id=" .. APP).version.name)
      assert.same({ 400, "cannot_find_channel" },
        refused("PUT", "/bundle/", { app_id = APP, version_id = bundle.id, channel_id = 999 }))
      assert.same({ 400, "cannot_find_version" },
        refused("PUT", "/bundle/", { app_id = APP, version_id = 999, channel_id = channel.id }))
    end)
  end)

  describe("channels", function()
    local path = "/channel/?channel=c&app_id=" .. APP

    local function set(body)
      body.app_id, body.channel = APP, "c"
      return good("POST", "/channel/", body)
    end

    it("tell their number when made with a version", function()
      local made = set { version = "1.0.1" }
      assert.equal("integer", math.type(made.id))
      assert.is_false(made.public)
      assert.same({ status = "ok" }, set { version = "1.0.2" })
      assert.equal("1.0.2", good("GET", path).version.name)
      set { version = core.null }
      assert.equal(core.null, good("GET", path).version)
    end)

    it("roll out, promote and roll back", function()
      set { version = "1.0.1" }
      set { rolloutVersion = "1.0.2", rolloutPercentage = 5, rolloutEnabled = true }
      local rolling = good("GET", path)
      assert.equal("1.0.2", rolling.rollout_version.name)
      assert.equal(5, rolling.rollout_percentage)
      assert.equal("1.0.1", rolling.version.name)
      set { rollback = true }
      assert.equal(core.null, good("GET", path).rollout_version)
      set { rollout_version = "1.0.3", rollout_percentage = 50 }
      set { promoteToStable = true }
      local promoted = good("GET", path)
      assert.equal("1.0.3", promoted.version.name)
      assert.is_false(promoted.rollout_enabled)
    end)

    it("end with an empty array, and overlap like bundles", function()
      for number = 1, 60 do
        good("POST", "/channel/", { app_id = APP, channel = "n" .. number })
      end
      assert.equal(12, #good("GET", "/channel/?page=1&app_id=" .. APP))
      assert.equal("[]", select(2, good("GET", "/channel/?page=2&app_id=" .. APP)).body)
    end)

    it("are checked", function()
      local body = { app_id = APP, channel = "c", disableAutoUpdate = "sometimes" }
      assert.same({ 400, "invalid_disable_auto_update" }, refused("POST", "/channel/", body))
      assert.same({ 400, "cannot_find_channel" }, refused("GET", "/channel/?channel=none&app_id=" .. APP))
      assert.same({ 400, "cannot_find_channel" }, refused("DELETE", "/channel/", { app_id = APP, channel = "none" }))
      assert.same({ 400, "cannot_access_app" }, refused("GET", "/channel/?app_id=com.no.app"))
    end)

    it("take their bundle along only for a JSON true", function()
      set { version = "1.0.1" }
      good("DELETE", "/channel/?delete_bundle=true&channel=c&app_id=" .. APP)
      set { version = "1.0.1" }
      good("DELETE", "/channel/", { app_id = APP, channel = "c", delete_bundle = true })
      assert.same({ 400, "cannot_find_version" }, refused("DELETE", "/bundle/", { app_id = APP, version = "1.0.1" }))
    end)
  end)

  it("is the same for the same seed, and another for another", function()
    local first = good("GET", "/bundle/?app_id=" .. APP)
    server:reset()
    assert.same(first, good("GET", "/bundle/?app_id=" .. APP))
    local other = capgo.start { seed = 2 }
    assert.not_equal(server:token "capgo", other:token "capgo")
    assert.not_equal(org, good("GET", "/organization/", nil, capgo.caller(other))[1].id)
    other:stop()
  end)

  it("asks for another plan on demand", function()
    local poor = capgo.start { capgo = { need_plan_upgrade = true } }
    local body = { app_id = APP, version = "9.0.0", external_url = "https://example.com/a.zip", checksum = "c" }
    local code, answer = refused("POST", "/bundle/", body, capgo.caller(poor))
    assert.same({ 429, "need_plan_upgrade" }, code)
    assert.is_nil(answer.headers["retry-after"])
    poor:stop()
  end)

  it("counts requests until a minute of silence", function()
    server:plan("capgo", "standard")
    server:advance(60)
    for _ = 1, 100 do
      assert.equal(200, call("GET", "/app/" .. APP).status)
      server:advance(1)
    end
    local code, answer = refused("GET", "/app/" .. APP)
    assert.same({ 429, "too_many_requests" }, code)
    assert.equal(1, answer.json.moreInfo.apikey_id)
    assert.equal("60", answer.headers["retry-after"])
    assert.is_nil(answer.headers["x-ratelimit-limit"])
    server:advance(59)
    assert.equal(429, call("GET", "/app/" .. APP).status)
    server:advance(59)
    assert.equal(429, call("GET", "/app/" .. APP).status)
    server:advance(60)
    assert.equal(200, call("GET", "/app/" .. APP).status)
  end)
end)
