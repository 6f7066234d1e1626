local client = require "spec.support.sandbox_client"
local edgegap_sandbox = require "spec.support.edgegap_sandbox"
local json = require "moonrest.core".json
local sandbox = require "moonrest.sandbox"

local version = edgegap_sandbox.version

describe("the Edgegap sandbox", function()
  local server, call
  local expect, message, new_app = edgegap_sandbox.start(function(started, caller)
    server, call = started, caller
  end)

  describe("tokens", function()
    local function try(value)
      return client.request(server:base "edgegap" .. "/v1/apps", { headers = { Authorization = value } })
    end

    it("need the word token", function()
      assert.equal(200, try("token " .. server:token "edgegap").status)
      for _, value in ipairs { server:token "edgegap", "Bearer " .. server:token "edgegap", "token", "token x", "" } do
        local answer = try(value)
        assert.equal(401, answer.status, value)
        assert.is_string(answer.json.message)
      end
      assert.equal(401, try("token " .. server:token("edgegap", "invalid")).status)
      assert.equal(403, try("token " .. server:token("edgegap", "forbidden")).status)
      assert.equal(401, try("token " .. server:token("edgegap", "container")).status)
    end)
  end)

  describe("applications", function()
    it("are made, read, changed and deleted", function()
      local made = expect(200, "POST", "/v1/app", { name = "one", is_active = true, image = "icon" })
      assert.same({ name = "one", is_active = true, image = "icon", create_time = "2026-01-01 00:00:00.000000",
                    last_updated = "2026-01-01 00:00:00.000000" }, made)
      assert.same(made, expect(200, "GET", "/v1/app/one"))
      server:advance(5)
      local changed = expect(200, "PATCH", "/v1/app/one", { name = "two", is_active = false })
      assert.equal("2026-01-01 00:00:05.000000", changed.last_updated)
      message(404, "GET", "/v1/app/one")
      assert.equal(false, expect(200, "GET", "/v1/app/two").is_active)
      local gone = call("DELETE", "/v1/app/two")
      assert.same({ 200, "" }, { gone.status, gone.body })
      message(404, "DELETE", "/v1/app/two")
    end)

    it("are checked", function()
      assert.equal("image is required", message(400, "POST", "/v1/app", { name = "one", is_active = true }))
      message(400, "POST", "/v1/app", { name = "ab", is_active = true, image = "x" })
      message(400, "POST", "/v1/app", { name = ("x"):rep(65), is_active = true, image = "x" })
      message(400, "POST", "/v1/app", { name = "one", is_active = "yes", image = "x" })
      message(400, "POST", "/v1/app")
      assert.equal(400, call("POST", "/v1/app", "{", { ["Content-Type"] = "application/json" }).status)
      expect(200, "POST", "/v1/app", { name = "one", is_active = true, image = "x" })
      message(409, "POST", "/v1/app", { name = "one", is_active = true, image = "x" })
      expect(200, "POST", "/v1/app", { name = "two", is_active = true, image = "x" })
      message(409, "PATCH", "/v1/app/two", { name = "one" })
    end)

    it("come in pages", function()
      for i = 1, 5 do expect(200, "POST", "/v1/app", { name = "app-" .. i, is_active = true, image = "x" }) end
      local page = expect(200, "GET", "/v1/apps?page=2&limit=2")
      assert.equal(5, page.total_count)
      assert.same({ "app-3", "app-4" }, { page.applications[1].name, page.applications[2].name })
      assert.same({ number = 2, next_page_number = 3, previous_page_number = 1, paginator = { num_pages = 3 },
                    has_next = true, has_previous = true }, page.pagination)
      page = expect(200, "GET", "/v1/apps?page=3&limit=2")
      assert.equal(1, #page.applications)
      assert.is_false(page.pagination.has_next)
      assert.truthy(call("GET", "/v1/apps").body:find('"next_page_number":null', 1, true))
      assert.equal(0, #expect(200, "GET", "/v1/apps?page=9&limit=2").applications)
      for _, wrong in ipairs { "page=0", "limit=0", "page=-1", "page=x", "page=1.5" } do
        message(400, "GET", "/v1/apps?" .. wrong)
      end
    end)
  end)

  describe("versions", function()
    it("are made, read, changed and deleted", function()
      new_app { private_token = "hunter2", envs = { { key = "A", value = "open" },
                { key = "B", value = "hidden", is_hidden = true } } }
      local path = "/v1/app/my-game/version/v1"
      local one = expect(200, "GET", path)
      assert.equal(1440, one.max_duration)
      assert.equal("********", one.private_token)
      assert.equal("open", one.envs[1].value)
      assert.equal("********", one.envs[2].value)
      local list = expect(200, "GET", "/v1/app/my-game/versions")
      assert.equal(1, list.total_count)
      assert.same(one, list.versions[1])
      local changed = expect(200, "PATCH", path, { name = "v2", docker_tag = "2.0" })
      assert.is_true(changed.success)
      assert.equal("2.0", changed.version.docker_tag)
      message(404, "GET", path)
      assert.is_true(expect(200, "DELETE", "/v1/app/my-game/version/v2").success)
      message(404, "DELETE", "/v1/app/my-game/version/v2")
      message(404, "GET", "/v1/app/other/versions")
    end)

    it("are checked", function()
      new_app()
      local function wrong(status, changes)
        message(status, "POST", "/v1/app/my-game/version", version(changes))
      end
      wrong(409, {})
      wrong(400, { name = "x", req_memory = 513 })
      wrong(400, { name = "x", req_cpu = 99 })
      wrong(400, { name = "x", max_duration = 1441 })
      wrong(400, { name = "x", restart_policy = "sometimes" })
      wrong(400, { name = "x", ports = { { protocol = "UDP" } } })
      wrong(400, { name = "x", envs = { { key = "A", value = ("x"):rep(4097) } } })
      wrong(424, { name = "x", docker_tag = "missing", verify_image = true })
      expect(200, "POST", "/v1/app/my-game/version", version { name = "x", docker_tag = "missing" })
      message(424, "PATCH", "/v1/app/my-game/version/x", { verify_image = true })
    end)
  end)

  describe("the registry", function()
    local base = "/v1/container-registry/images/my-org-sandbox/my-game-server/tags"

    it("lists and deletes tags", function()
      local list = expect(200, "GET", base .. "?limit=5&page=1")
      assert.equal(5, #list.data)
      assert.is_nil(list.pagination)
      assert.same(list, expect(200, "GET", (base:gsub("sandbox/", "sandbox%%2F")) .. "?limit=5&page=1"))
      local tag = list.data[2]
      assert.same({ "2026.01.11-build.11", "locked" }, tag.artifact.remaining_tags)
      local deleted = expect(200, "DELETE", base .. "/" .. tag.tag)
      assert.equal(tag.tag, deleted.deleted_tag)
      assert.same({ "locked" }, deleted.artifact.remaining_tags)
      assert.is_false(deleted.artifact.artifact_deleted)
      message(404, "DELETE", base .. "/" .. tag.tag)
      message(404, "GET", "/v1/container-registry/images/other/tags")
    end)

    it("answers bulk deletes item by item", function()
      local answer = expect(207, "POST", base .. "/bulk-delete", { tags = { "2026.01.01-build.1", "none", "locked" } })
      assert.same({ total = 3, success = 1, failed = 2 }, answer.summary)
      assert.same({ 204, 404, 500 }, { answer.results[1].status, answer.results[2].status, answer.results[3].status })
      message(400, "POST", base .. "/bulk-delete", { tags = json.array {} })
    end)

    it("helps its client to begin", function()
      assert.is_string(expect(200, "GET", "/v1/wizard/registry-credentials").token)
      assert.equal(204, call("POST", "/v1/wizard/init-quick-start", { source = "plugin" }).status)
    end)
  end)

  it("has locations and beacons", function()
    local page = expect(200, "GET", "/v1/locations?limit=20")
    assert.equal(20, #page.locations)
    assert.is_true(page.pagination.has_next)
    assert.same({}, page.messages)
    new_app()
    assert.equal(21, expect(200, "GET", "/v1/locations?app=my-game&version=v1").total_count)
    local unknown = expect(200, "GET", "/v1/locations?app=my-game&version=v9")
    assert.same({ 0, 1 }, { unknown.total_count, #unknown.messages })
    local beacons = expect(200, "GET", "/v1/locations/beacons?limit=2")
    assert.same({ 2, 17 }, { #beacons.locations, beacons.count })
    assert.is_nil(beacons.pagination)
  end)

  it("keeps endpoint storages and pull profiles", function()
    local storage = { name = "logs", access_key_id = "id", secret_access_key = "secret", endpoint = "https://s3",
                      bucket = "b" }
    local made = expect(200, "POST", "/v1/storage/endpoint", storage)
    assert.equal("TEXT", made.output_format)
    assert.is_nil(made.secret_access_key)
    message(400, "POST", "/v1/storage/endpoint", { name = "x" })
    local list = expect(200, "GET", "/v1/storage/endpoints")
    assert.is_nil(list.total_count)
    assert.same({ made }, { list.endpoints[1] })
    local changed = expect(200, "PATCH", "/v1/storage/endpoint/logs", { output_format = "NDJSON" })
    assert.equal("NDJSON", changed.output_format)
    message(400, "PATCH", "/v1/storage/endpoint/logs", { output_format = "XML" })
    local base = "/v1/storage/endpoint/logs/pull-profile"
    local profile = { name = "p", source = "/a", source_type = "File", destination = "/b" }
    expect(200, "POST", base, profile)
    message(400, "POST", base, { name = "q", source = "/a", source_type = "Disk", destination = "/b" })
    assert.equal("/a", expect(200, "GET", base .. "/p").source)
    assert.equal("/c", expect(200, "PATCH", base .. "/p", { source = "/c" }).source)
    assert.equal(1, expect(200, "GET", base .. "s").total_count)
    local link = base .. "/p/app/my-game/version/v1"
    message(404, "PUT", link)
    new_app()
    local linked = expect(200, "PUT", link)
    assert.same({ "my-game", "v1", "logs", "p" },
      { linked.app, linked.app_version, linked.endpoint, linked.pull_profile })
    expect(200, "PUT", link)
    assert.equal(204, call("DELETE", link).status)
    message(404, "DELETE", link)
    assert.equal(204, call("DELETE", base .. "/p").status)
    assert.equal(204, call("DELETE", "/v1/storage/endpoint/logs").status)
    message(404, "GET", base .. "s")
  end)

  it("relays sessions", function()
    local receiver = client.receiver()
    local made = expect(200, "POST", "/v1/relays/sessions",
      { users = { { ip = "1.1.1.1" }, { ip = "2.2.2.2" } }, webhook_url = receiver.url })
    assert.is_false(made.ready)
    assert.is_nil(made.relay)
    server:advance(2)
    assert.equal(made.session_id, receiver:take().json.session_id)
    receiver:close()
    local path = "/v1/relays/sessions/" .. made.session_id
    local session = expect(200, "GET", path)
    assert.equal("READY", session.status)
    assert.is_string(session.relay.ports.client.link)
    local added = expect(200, "POST", "/v1/relays/sessions:authorize-user",
      { session_id = made.session_id, user_ip = "3.3.3.3" })
    assert.equal("3.3.3.3", added.session_user.ip_address)
    message(409, "POST", "/v1/relays/sessions:authorize-user", { session_id = made.session_id, user_ip = "3.3.3.3" })
    local function revoke(token)
      return call("POST", "/v1/relays/sessions:revoke-user",
        { session_id = made.session_id, authorization_token = token })
    end
    assert.equal(2, #revoke(added.session_user.authorization_token).json.session_users)
    assert.equal(404, revoke(1).status)
    assert.equal(200, revoke(session.session_users[1].authorization_token).status)
    assert.equal(204, revoke(session.session_users[2].authorization_token).status)
    assert.equal(1, expect(200, "GET", "/v1/relays/sessions").total_count)
    assert.equal(204, call("DELETE", path).status)
    message(404, "DELETE", path)
  end)

  it("has private fleets", function()
    new_app()
    local list = expect(200, "GET", "/v2/private-fleets/test-fleet/hosts")
    assert.equal(3, list.total_count)
    local active, pending = list.data[1], list.data[3]
    assert.same({ "ACTIVE", "PENDING" }, { active.status, pending.status })
    assert.is_table(expect(400, "GET", "/v2/private-fleets/other/hosts").details)
    local function body(host, resources)
      return { private_host_ids = { host }, application = "my-game", version = "v1", resources = resources,
               users = { { user_type = "ip_address", user_data = { ip_address = "1.2.3.4" } } } }
    end
    local function allocated()
      return expect(200, "GET", "/v2/private-fleets/test-fleet/hosts").data[1].allocated_cpu_units
    end
    local function city_of(given)
      local id = expect(202, "POST", "/v2/private-fleets/deployments", given).request_id
      return expect(200, "GET", "/v1/status/" .. id).location.city, id
    end
    local city, id = city_of(body(active.host_id))
    assert.equal(active.city, city)
    assert.equal(active.allocated_cpu_units + 256, allocated())
    server:advance(5)
    expect(200, "DELETE", "/v1/stop/" .. id)
    server:advance(2)
    assert.equal(active.allocated_cpu_units, allocated())
    city_of(body(active.host_id, { cpu_units = 11000, memory_mib = 200 }))
    assert.equal(active.allocated_cpu_units + 11000, allocated())
    -- A host that is full, one that is not ready and one that is not there: the cloud takes over.
    for _, given in ipairs { body(active.host_id, { cpu_units = 1000, memory_mib = 200 }), body(pending.host_id),
                             body "none" } do city_of(given) end
    assert.equal(active.allocated_cpu_units + 11000, allocated())
    local filter = { filters = { { field = "host_name", operator = "eq", value = active.host_id } } }
    local query = edgegap_sandbox.escape(json.encode(filter))
    assert.equal(1, expect(200, "GET", "/v1/deployments?query=" .. query).total_count)
    for _, path in ipairs { "/v2/private-fleets/deployments", "/v2/deployments" } do
      local large = body(active.host_id, { cpu_units = 100000, memory_mib = 200 })
      assert.is_string(expect(422, "POST", path, large).request_id)
    end
    expect(400, "POST", "/v2/private-fleets/deployments", { application = "my-game" })
  end)

  it("limits by class, without a header", function()
    local limited <close> = assert(sandbox.start { systems = { "edgegap" }, clock = "virtual" })
    local ask = client.caller(limited:base "edgegap", { Authorization = "token " .. limited:token "edgegap" })
    for class, case in pairs { list = { 10, "GET", "/v1/deployments" }, status = { 20, "GET", "/v1/status/none" },
                               deploy = { 40, "POST", "/v2/deployments" },
                               hosts = { 10, "GET", "/v2/private-fleets/test-fleet/hosts" } } do
      for _ = 1, case[1] do assert.not_equal(429, ask(case[2], case[3]).status, class) end
      local refused = ask(case[2], case[3])
      assert.equal(429, refused.status, class)
      assert.is_string(refused.json.message)
      assert.is_nil(refused.headers["retry-after"])
    end
    assert.equal(200, ask("GET", "/v1/apps").status)
    limited:advance(1)
    assert.equal(200, ask("GET", "/v1/deployments").status)
  end)
end)
