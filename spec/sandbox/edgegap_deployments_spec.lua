local client = require "spec.support.sandbox_client"
local edgegap_sandbox = require "spec.support.edgegap_sandbox"
local json = require "moonrest.core".json

local escape = edgegap_sandbox.escape

describe("deployments in the Edgegap sandbox", function()
  local server, call
  local expect, message, new_app, deploy, status_of = edgegap_sandbox.start(function(started, caller)
    server, call = started, caller
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
        { application = "my-game", version = "v1", users = { { user_type = "geo_coordinates", user_data = {
          latitude = 1, longitude = 2 } }, { user_type = "moon", user_data = { a = 1 } } } },
        { application = "my-game", version = "v1", users = { user }, resources = { cpu_units = 256,
          memory_mib = 513 } },
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
      message(400, "POST", "/v1/deploy", { app_name = "my-game", ip_list = { "1.1.1.1" },
        geo_ip_list = { { ip = "1.1.1.1", latitude = 1, longitude = 2 } } })
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

    it("leave their logs where the stop says", function()
      new_app()
      expect(200, "POST", "/v1/storage/endpoint", { name = "logs", access_key_id = "id", secret_access_key = "secret",
        endpoint = "https://s3", bucket = "b" })
      local function status_after_stop(id, query)
        server:advance(5)
        expect(200, "DELETE", "/v1/stop/" .. id .. query)
        server:advance(2)
        return call("GET", "/v1/deployment/" .. id .. "/container-logs").status
      end
      assert.equal(404, status_after_stop(deploy(), ""))
      assert.equal(404, status_after_stop(deploy(), "?container_log_storage=nowhere"))
      assert.equal(200, status_after_stop(deploy(), "?container_log_storage=logs"))
      local function deploy_v1(enabled)
        return expect(200, "POST", "/v1/deploy", { app_name = "my-game", ip_list = { "1.1.1.1" },
          container_log_storage = { enabled = enabled, endpoint_storage = "logs" } }).request_id
      end
      assert.equal(200, status_after_stop(deploy_v1(true), "?container_log_storage=true"))
      assert.equal(404, status_after_stop(deploy_v1(true), "?container_log_storage=false"))
      expect(200, "PATCH", "/v1/app/my-game/version/v1", { endpoint_storage = "logs" })
      assert.equal(200, status_after_stop(deploy(), ""))
      assert.equal(404, status_after_stop(deploy_v1(false), ""))
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
end)
