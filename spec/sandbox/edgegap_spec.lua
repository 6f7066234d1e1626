local client = require "spec.support.sandbox_client"
local json = require "moonrest.core".json
local new_request = require "moonrest.sandbox.request".new
local sandbox = require "moonrest.sandbox"
local world = require "moonrest.sandbox.world"

local VERSION = { name = "v1", req_cpu = 256, req_memory = 512, docker_repository = "registry.edgegap.com",
                  docker_image = "org/game", docker_tag = "1.0", ports = {
                    { port = 7777, protocol = "UDP", name = "gameport" }, { port = 80, protocol = "HTTP" } } }

local function version(changes)
  local made = {}
  for name, value in pairs(VERSION) do made[name] = value end
  for name, value in pairs(changes) do made[name] = value end
  return made
end

local function escape(text)
  return (text:gsub("[^%w]", function(character) return ("%%%02X"):format(character:byte()) end))
end

describe("the Edgegap sandbox", function()
  local server, call

  client.with_sandbox({ systems = { "edgegap" }, limits = false, sizes = { edgegap = { apps = 0 } } }, function(started)
    server = started
    call = client.caller(server:base "edgegap", { Authorization = "token " .. server:token "edgegap" })
  end)

  local function expect(status, ...) return (client.expect(status, call, ...)) end

  local function message(status, method, path, body)
    local found = expect(status, method, path, body)
    assert.is_string(found.message)
    return found.message
  end

  local function new_app(changes)
    expect(200, "POST", "/v1/app", { name = "my-game", is_active = true, image = "icon" })
    expect(200, "POST", "/v1/app/my-game/version", version(changes or {}))
  end

  local function deploy(more)
    local body = { application = "my-game", version = "v1",
                   users = { { user_type = "ip_address", user_data = { ip_address = "75.28.35.192" } } } }
    for name, value in pairs(more or {}) do body[name] = value end
    return expect(202, "POST", "/v2/deployments", body).request_id
  end

  local function status_of(id) return expect(200, "GET", "/v1/status/" .. id) end

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
      wrong(424, { name = "x", docker_tag = "missing", verify_image = true })
      expect(200, "POST", "/v1/app/my-game/version", version { name = "x", docker_tag = "missing" })
      message(424, "PATCH", "/v1/app/my-game/version/x", { verify_image = true })
    end)
  end)

  describe("deployments", function()
    it("become ready with time", function()
      new_app()
      local id = deploy { tags = { "ci" }, users = { { user_type = "geo_coordinates", user_data = {
        latitude = 48.8, longitude = 2.4 } } } }
      local status = status_of(id)
      assert.equal("Status.SEEKING", status.current_status)
      assert.is_false(status.running)
      server:advance(1)
      assert.equal("Status.DEPLOYING", status_of(id).current_status)
      server:advance(4)
      status = status_of(id)
      assert.equal("Status.READY", status.current_status)
      assert.equal("Status.DEPLOYING", status.last_status)
      assert.is_true(status.running)
      assert.is_false(status.error)
      assert.equal("Paris", status.location.city)
      assert.same({ "ci" }, status.tags)
      assert.equal("2026-01-01 00:00:05.000000", status.start_time)
      local port = status.ports.gameport
      assert.equal(7777, port.internal)
      assert.equal(status.fqdn .. ":" .. port.external, port.link)
      assert.equal("http://" .. status.fqdn .. ":" .. status.ports["80"].external, status.ports["80"].link)
      server:advance(90)
      assert.equal(90, status_of(id).elapsed_time)
    end)

    it("stop at once when they are ready", function()
      new_app()
      local id = deploy()
      server:advance(5)
      local stopped = expect(200, "DELETE", "/v1/stop/" .. id)
      assert.equal("Status.TERMINATING", stopped.deployment_summary.current_status)
      message(410, "DELETE", "/v1/stop/" .. id)
      server:advance(2)
      local status = status_of(id)
      assert.equal("Status.TERMINATED", status.current_status)
      assert.equal("2026-01-01 00:00:05.000000", status.removal_time)
      assert.equal(0, expect(200, "GET", "/v1/deployments").total_count)
      message(410, "DELETE", "/v1/stop/" .. id)
      server:advance(60)
      message(404, "GET", "/v1/status/" .. id)
      message(404, "DELETE", "/v1/stop/" .. id)
    end)

    it("stop later when they are not", function()
      new_app()
      local id = deploy()
      assert.is_nil(expect(202, "DELETE", "/v1/stop/" .. id).deployment_summary)
      assert.equal("Status.SEEKING", status_of(id).current_status)
      server:advance(5)
      assert.equal("Status.TERMINATING", status_of(id).current_status)
    end)

    it("end after their longest duration", function()
      new_app { max_duration = 1 }
      local id = deploy()
      server:advance(5 + 59)
      assert.equal("Status.READY", status_of(id).current_status)
      server:advance(1)
      assert.equal("Status.TERMINATING", status_of(id).current_status)
    end)

    it("end in error when their image does", function()
      new_app { docker_tag = "broken" }
      local id = deploy()
      assert.is_false(status_of(id).error)
      server:advance(5)
      local status = status_of(id)
      assert.equal("Status.ERROR", status.current_status)
      assert.is_true(status.error)
      assert.is_string(status.error_detail)
      local logs = expect(200, "GET", "/v1/deployment/" .. id .. "/container-logs")
      assert.equal(1, logs.crash_data.exit_code)
      expect(200, "DELETE", "/v1/stop/" .. id)
    end)

    it("that cannot be allocated leave an id to clean up", function()
      new_app()
      local body = { application = "my-game", version = "v1", require_cached_locations = true,
                     users = { { user_type = "ip_address", user_data = { ip_address = "1.2.3.4" } } } }
      local refused = expect(422, "POST", "/v2/deployments", body)
      assert.is_string(refused.message)
      server:advance(5)
      assert.is_true(status_of(refused.request_id).error)
      expect(200, "DELETE", "/v1/stop/" .. refused.request_id)
    end)

    it("are checked as v2 does", function()
      new_app()
      local user = { user_type = "ip_address", user_data = { ip_address = "1.2.3.4" } }
      for _, wrong in ipairs {
        { version = "v1", users = { user } }, { application = "my-game", users = { user } },
        { application = "my-game", version = "v1" }, { application = "my-game", version = "v1", users = json.array {} },
        { application = "other", version = "v1", users = { user } },
        { application = "my-game", version = "v9", users = { user } },
        { application = "my-game", version = "v1", users = { { user_type = "moon", user_data = { a = 1 } } } },
        { application = "my-game", version = "v1", users = { user }, environment_variables = { { key = "A",
          value = "B" } } },
      } do
        local answer = expect(400, "POST", "/v2/deployments", wrong)
        assert.is_string(answer.message)
        assert.is_table(answer.details)
      end
    end)

    it("are made by v1 too", function()
      new_app()
      local made = expect(200, "POST", "/v1/deploy", { app_name = "my-game", ip_list = { "1.1.1.1", "2.2.2.2" },
        filters = { { field = "city", values = { "Tokyo" }, filter_type = "any" } }, tags = { "old" } })
      assert.equal(2, made.request_user_count)
      assert.equal("v1", made.request_version)
      assert.equal("Tokyo", status_of(made.request_id).location.city)
      message(422, "POST", "/v1/deploy", { app_name = "my-game", ip_list = { "1.1.1.1" },
        filters = { { field = "city", values = { "Atlantis" }, filter_type = "any" } } })
      message(404, "POST", "/v1/deploy", { app_name = "other", ip_list = { "1.1.1.1" } })
      message(400, "POST", "/v1/deploy", { app_name = "my-game" })
      assert.same({ is_joinable_by_session = false },
        expect(200, "PATCH", "/v1/deployments/" .. made.request_id, { is_joinable_by_session = false }))
    end)

    it("are listed by filters and order", function()
      new_app()
      local first = deploy { tags = { "a" } }
      server:advance(10)
      local second = deploy { tags = { "a", "b" } }
      local function list(query)
        local ids = {}
        for i, row in ipairs(expect(200, "GET", "/v1/deployments?query=" .. escape(json.encode(query))).data) do
          ids[i] = row.request_id
        end
        return ids
      end
      local function filter(field, operator, value)
        return { filters = { { field = field, operator = operator, value = value } } }
      end
      assert.same({ first, second }, list {})
      assert.same({ first }, list(filter("status", "eq", "ready")))
      assert.same({ second }, list(filter("status", "neq", "ready")))
      assert.same({ second }, list(filter("tags", "eq", "b")))
      assert.same({ first }, list(filter("tags", "nin", { "b", "c" })))
      assert.same({ first }, list(filter("created_at", "lte", "2026-01-01 00:00:09.0")))
      assert.same({ second }, list(filter("created_at", "gte", "2026-01-01T00:00:10Z")))
      assert.same({ second }, list(filter("request_id", "in", { second, "other" })))
      assert.same({ second, first }, list { order_by = { { field = "created_at", order = "desc" } } })
      local row = expect(200, "GET", "/v1/deployments").data[1]
      assert.is_true(row.ready)
      assert.equal("Status.READY", row.status)
      for _, wrong in ipairs { filter("size", "eq", "1"), filter("status", "gte", "ready"), filter("tags", "in", "a"),
                               filter("created_at", "lte", "yesterday"), { order_by = { { field = "size" } } },
                               { filters = { { field = "tags" } } }, { filters = {
                                 { field = "tags", operator = "eq", value = "a" },
                                 { field = "tags", operator = "eq", value = "b" } } } } do
        message(400, "GET", "/v1/deployments?query=" .. escape(json.encode(wrong)))
      end
      message(400, "GET", "/v1/deployments?query=" .. escape "{")
    end)

    it("stop in bulk", function()
      new_app()
      local first, second = deploy { tags = { "a" } }, deploy { tags = { "b" } }
      server:advance(5)
      local function stop(filters) return expect(202, "POST", "/v1/deployments/bulk-stop", { filters = filters }) end
      local stopped = stop { { field = "deployment_tags", values = { "a" }, filter_type = "any" } }
      assert.same({ processable = { { request_id = first } } }, stopped)
      stopped = stop { { field = "request_id", values = { first }, filter_type = "not" } }
      assert.same({ processable = { { request_id = second } } }, stopped)
      deploy()
      assert.equal(1, #stop(json.array {}).processable)
      message(400, "POST", "/v1/deployments/bulk-stop", { filters = { { field = "size" } } })
    end)

    it("have tags", function()
      new_app()
      local path = "/v1/deployments/" .. deploy() .. "/tags"
      local made = expect(200, "POST", path, { name = "one" })
      assert.equal("one", made.name)
      message(409, "POST", path, { name = "one" })
      message(400, "POST", path, { name = ("x"):rep(41) })
      assert.same(made, expect(200, "GET", path .. "/one"))
      assert.equal("two", expect(200, "PATCH", path .. "/one", { name = "two" }).name)
      assert.equal("two", expect(200, "GET", path).tags[1].name)
      assert.equal(204, call("DELETE", path .. "/two").status)
      message(404, "DELETE", path .. "/two")
    end)

    it("have logs and metrics", function()
      new_app()
      local id = deploy()
      server:advance(125)
      local logs = expect(200, "GET", "/v1/deployment/" .. id .. "/container-logs")
      assert.truthy(logs.logs:find("tick 2", 1, true))
      assert.equal("utf-8", logs.encoding)
      local lines = expect(200, "GET", "/v1/deployment/" .. id .. "/container-logs?format=ndjson").logs
      assert.is_string(json.decode(lines:match "^[^\n]+").message)
      message(400, "GET", "/v1/deployment/" .. id .. "/container-logs?format=xml")
      local path = "/v1/metrics/deployment/" .. id
      local metrics = expect(200, "GET", path .. "?steps=30s&raw=false")
      assert.equal(5, #metrics.cpu.datasets)
      assert.equal(#metrics.cpu.datasets, #metrics.network.receive.timestamps)
      assert.equal("2026-01-01 00:00:05.000", metrics.mem.timestamps[1])
      assert.same(metrics, expect(200, "GET", path .. "?steps=30s"))
      message(422, "GET", path .. "?start_time=2026-01-02%2000:00:00&end_time=2026-01-01%2000:00:00")
      message(400, "GET", path .. "?start_time=soon")
      message(400, "GET", path .. "?steps=x")
      expect(200, "DELETE", "/v1/stop/" .. id)
      server:advance(2)
      message(404, "GET", "/v1/deployment/" .. id .. "/container-logs")
    end)

    it("can be reported", function()
      new_app()
      local id = deploy()
      assert.equal(200, call("POST", "/v1/deployments/" .. id .. ":report", { reason = "slow" }).status)
      message(400, "POST", "/v1/deployments/" .. id .. ":report", { metadata = { a = 1 } })
      message(400, "POST", "/v1/deployments/none:report", { reason = "slow" })
    end)

    it("stop themselves with what is in their environment", function()
      new_app()
      local id = deploy()
      server:advance(5)
      local logs = expect(200, "GET", "/v1/deployment/" .. id .. "/container-logs").logs
      local url, token = logs:match "ARBITRIUM_DELETE_URL=(%S+)", logs:match "ARBITRIUM_DELETE_TOKEN=(%S+)"
      local context = logs:match "ARBITRIUM_CONTEXT_URL=(%S+)"
      local about = client.request(context, { headers = { authorization = logs:match "_CONTEXT_TOKEN=(%S+)" } })
      assert.equal(id, about.json.request_id)
      assert.is_true(about.json.ready)
      local function stop(at, with)
        return client.request(at, { method = "DELETE", headers = { authorization = with } })
      end
      assert.equal(401, stop(url, server:token "edgegap").status)
      assert.equal(403, stop(url .. "x", token).status)
      assert.equal(200, stop(url, token).status)
      assert.equal(410, stop(url, token).status)
    end)

    it("tell webhooks", function()
      new_app { max_duration = 1 }
      local receiver = client.receiver()
      local function hook(path) return { url = receiver.url .. path } end
      local id = deploy { webhook_on_ready = hook "/ready", webhook_on_error = hook "/error",
                          webhook_on_terminated = hook "/terminated" }
      server:advance(5)
      local sent = receiver:take()
      assert.equal("POST /hook/ready HTTP/1.1", sent.line)
      assert.equal(id, sent.json.request_id)
      assert.equal("Status.READY", sent.json.current_status)
      server:advance(62)
      assert.equal("POST /hook/terminated HTTP/1.1", receiver:take().line)
      receiver:close()
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
    expect(202, "POST", "/v2/private-fleets/deployments", body(active.host_id))
    assert.equal(active.allocated_cpu_units + 1024,
      expect(200, "GET", "/v2/private-fleets/test-fleet/hosts").data[1].allocated_cpu_units)
    for _, refused in ipairs { body(pending.host_id), body "none",
                               body(active.host_id, { cpu_units = 100000, memory_mib = 200 }) } do
      assert.is_string(expect(422, "POST", "/v2/private-fleets/deployments", refused).request_id)
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

  describe("of 2024", function()
    before_each(function() new_app() end)

    it("has fleets and policies", function()
      expect(200, "POST", "/v1/fleet", { name = "f", enabled = true })
      message(409, "POST", "/v1/fleet", { name = "f" })
      assert.equal("g", expect(200, "PATCH", "/v1/fleet/f", { name = "g" }).name)
      assert.equal(1, #expect(200, "GET", "/v1/fleets").fleets)
      local policy = { name = "p", enabled = true, type = "Tag", minimum = 1, maximum = 2, threshold = 0.5,
                       data = { tag = "x" } }
      expect(200, "POST", "/v1/fleet/g/policies", policy)
      message(400, "POST", "/v1/fleet/g/policies", { name = "q" })
      message(400, "PATCH", "/v1/fleet/g/policies/p", { threshold = 2 })
      assert.equal(1, #expect(200, "GET", "/v1/fleet/g/policies").policies)
      assert.equal(3, expect(200, "PATCH", "/v1/fleet/g/policies/p", { maximum = 3 }).maximum)
      expect(200, "GET", "/v1/fleet/g/policies/p")
      assert.equal(204, call("DELETE", "/v1/fleet/g/policies/p").status)
      expect(200, "PUT", "/v1/fleet/g/app/my-game/version/v1")
      assert.equal(204, call("DELETE", "/v1/fleet/g/app/my-game/version/v1").status)
      message(404, "DELETE", "/v1/fleet/g/app/my-game/version/v1")
      assert.equal(204, call("DELETE", "/v1/fleet/g").status)
      message(404, "GET", "/v1/fleet/g")
    end)

    it("has a matchmaker", function()
      local function crud(path, plural, key, body, change)
        expect(200, "POST", path, body)
        expect(200, "GET", path .. "/" .. key)
        expect(200, "PATCH", path .. "/" .. key, change)
        if plural then
          local list = expect(200, "GET", plural)
          assert.same({ 1, 1 }, { list.count, #list.data })
        end
        return function() assert.equal(204, call("DELETE", path .. "/" .. key).status) end
      end
      local ends = {
        crud("/v1/aom/component", "/v1/aom/components", "c", { name = "c", repository = "r", image = "i", tag = "t" },
          { tag = "u" }),
        crud("/v1/aom/component/c/env", "/v1/aom/component/c/envs", "K", { key = "K", value = "v" }, { value = "w" }),
        crud("/v1/aom/release/config", "/v1/aom/release/configs", "x", { name = "x", configuration = "{}" },
          { configuration = "[]" }),
        crud("/v1/aom/matchmaker", "/v1/aom/matchmakers", "m", { name = "m" }, {}),
        crud("/v1/aom/matchmaker/m/release", "/v1/aom/matchmaker/m/releases", "1", { version = "1",
          frontend_component_name = "c", director_component_name = "c", match_function_component_name = "c" }, {}),
        crud("/v1/aom/matchmaker/m/release/managed", nil, "2", { version = "2", release_config_name = "x" }, {}),
      }
      for i = #ends, 1, -1 do ends[i]() end
      message(400, "POST", "/v1/aom/component", { name = "c" })
    end)

    it("has sessions", function()
      local made = expect(200, "POST", "/v1/session", { app_name = "my-game", ip_list = { "1.1.1.1" } })
      assert.same({ "my-game", "v1" }, { made.app, made.version })
      local path = "/v1/session/" .. made.session_id
      assert.is_false(expect(200, "GET", path).ready)
      server:advance(3)
      local session = expect(200, "GET", path)
      assert.is_true(session.ready)
      assert.same({ "Status.READY", 3, 1 }, { session.status, session.elapsed, session.user_count })
      assert.equal(2, #expect(200, "PUT", path .. "/users", { ip_list = { "2.2.2.2" } }).session_users)
      assert.equal(1, #expect(200, "DELETE", path .. "/users", { ip_list = { "1.1.1.1" } }).session_users)
      assert.equal("2.2.2.2", expect(200, "GET", path .. "/users").session_users[1].ip)
      assert.equal(1, expect(200, "GET", "/v1/sessions").total_count)
      assert.equal(made.session_id, expect(200, "DELETE", path).session_id)
      message(404, "GET", path)
      local second = expect(200, "POST", "/v1/session", { app_name = "my-game" }).session_id
      local filters = { { field = "session_id", values = { second }, filter_type = "any" } }
      assert.same({ processable = { { session_id = second } } },
        expect(202, "POST", "/v1/sessions/bulk-stop", { filters = filters }))
      message(400, "POST", "/v1/sessions/bulk-stop", { filters = { { field = "other" } } })
    end)

    it("has custom sessions, whose bulks fail in part", function()
      local base = "/v1/deployment/" .. deploy() .. "/custom/session"
      local made = expect(200, "POST", base .. "/a", { ip_list = { "1.1.1.1" } })
      assert.equal("a", made.custom_id)
      message(409, "POST", base .. "/a", { ip_list = { "1.1.1.1" } })
      message(400, "POST", base .. "/b", {})
      local several = expect(200, "POST", base .. "s", { sessions = {
        { custom_id = "a", ip_list = { "1.1.1.1" } }, { custom_id = "b", ip_list = { "1.1.1.1" } } } })
      assert.same({ 1, 1 }, { #several.sessions, #several.errors })
      expect(200, "PATCH", base .. "/a", { ip_list = { "1.1.1.1", "2.2.2.2" } })
      assert.equal(2, expect(200, "GET", base .. "/a").user_count)
      assert.equal(2, expect(200, "GET", base .. "s").total_count)
      local gone = expect(200, "DELETE", base .. "s", { sessions = { "b", "c" } })
      assert.same({ 1, 1 }, { #gone.sessions, #gone.errors })
      assert.equal("a", expect(200, "DELETE", base .. "/a").custom_id)
      message(404, "GET", base .. "/a")
    end)

    it("has lobbies, telemetry, addresses, white lists and a monitor", function()
      expect(200, "POST", "/v1/lobbies", { name = "l" })
      expect(202, "POST", "/v1/lobbies:deploy", { name = "l" })
      assert.equal("DEPLOYED", expect(200, "GET", "/v1/lobbies/l").status)
      expect(200, "POST", "/v1/lobbies:terminate", { name = "l" })
      local id = deploy()
      local key = expect(200, "POST", "/v1/telemetry/active-deployments",
        { deployments = { id }, ips = { "1.1.1.1" } }).retrieval_key
      assert.is_true(expect(200, "GET", "/v1/telemetry/active-deployments/" .. key).partial_result)
      server:advance(3)
      assert.same({ retrieval_key = key, partial_result = false, scores = { { request_id = id } } },
        expect(200, "GET", "/v1/telemetry/active-deployments/" .. key))
      assert.equal("127.0.0.1", expect(200, "GET", "/v1/ip").public_ip)
      assert.is_string(expect(200, "GET", "/v1/ip/1.2.3.4/lookup").location.country.name)
      message(400, "GET", "/v1/ip/home/lookup")
      assert.equal(2, #expect(200, "POST", "/v1/ips/lookup", { addresses = { "1.1.1.1", "::1" } }).addresses)
      local base = "/v1/app/my-game/version/v1/whitelist"
      local entry = expect(200, "POST", base, { cidr = "1.0.0.0/8" }).whitelist_entry
      assert.equal(1, #expect(200, "GET", base).whitelist_entries)
      expect(200, "GET", base .. "/" .. entry.id)
      expect(200, "DELETE", base .. "/" .. entry.id)
      message(404, "GET", base .. "/" .. entry.id)
      assert.equal(200, client.request(server:base "edgegap" .. "/monitor").status)
    end)
  end)
end)

-- The vendor's documents are not part of the project: MOONREST_OPENAPI_DIR, or ../shared/openapi.
describe("the Edgegap sandbox and the vendor's documents", function()
  local directory = os.getenv "MOONREST_OPENAPI_DIR" or "../shared/openapi"
  local verbs = { get = true, post = true, put = true, patch = true, delete = true }

  local function read(name)
    local file <close> = io.open(directory .. "/" .. name, "rb")
    local found, yaml = pcall(require, "lyaml")
    return file and found and yaml.load(file:read "a")
  end

  local function new_world()
    local clock = { now = function() return 1767225600.0 end, at = function() end, cancel = function() end }
    local made = world.new("edgegap", "production", "edgegap", { limits = false }, { clock = clock })
    require "moonrest.sandbox.edgegap"(made)
    return made
  end

  local function required_fields(document, operation)
    local content = operation.requestBody and operation.requestBody.content["application/json"]
    local schema = content and content.schema
    if schema and schema["$ref"] then schema = document.components.schemas[schema["$ref"]:match "[^/]+$"] end
    return schema and schema.required or {}
  end

  -- What an operation with an empty body answers, its path parameters being these.
  local known = { image_name = "my-org-sandbox/my-game-server", app_name = "my-game", deployment_id = "none",
                  ["fleet-name"] = "test-fleet", endpoint_name = "logs" }

  local function ask(made, method, path)
    local uri = "/edgegap" .. path:gsub("{([^}]+)}", function(name) return known[name] or "any" end)
    local headers = { "Authorization", "token " .. made.named_tokens.valid, "Content-Type", "application/json" }
    return (made:serve(new_request(method, uri, headers, "{}")))
  end

  local function prepare(made)
    local function post(path, body)
      local headers = { "Authorization", "token " .. made.named_tokens.valid, "Content-Type", "application/json" }
      assert.equal(200, (made:serve(new_request("POST", "/edgegap" .. path, headers, json.encode(body)))))
    end
    post("/v1/storage/endpoint", { name = "logs", access_key_id = "a", secret_access_key = "s", endpoint = "e",
                                   bucket = "b" })
  end

  for name, prefix in pairs { ["edgegap-v1.yaml"] = "", ["edgegap-v2.yaml"] = "/v2" } do
    local document = read(name)
    if not document then
      print(("SKIPPED: %s is not in %s (set MOONREST_OPENAPI_DIR), or lyaml is missing"):format(name, directory))
    else
      it("agree on routes and required fields of " .. name, function()
        local made, wrong, count = new_world(), {}, 0
        prepare(made)
        for path, item in pairs(document.paths) do
          for verb, operation in pairs(item) do
            if verbs[verb] then
              count = count + 1
              local label = verb:upper() .. " " .. prefix .. path
              if not made.router:find(verb:upper(), prefix .. path:gsub("{[^}]*}", "any")) then
                wrong[#wrong + 1] = "no route: " .. label
              elseif #required_fields(document, operation) > 0 then
                local status = ask(made, verb:upper(), prefix .. path)
                -- Routes below a deployment look for it before they look at the body.
                local hidden = status == 404 and path:find("{deployment_id}", 1, true)
                if status ~= 400 and not hidden then wrong[#wrong + 1] = status .. " for an empty body: " .. label end
              end
            end
          end
        end
        assert.same({}, wrong)
        assert.equal(name == "edgegap-v1.yaml" and 48 or 3, count)
      end)
    end
  end
end)
