local client = require "spec.support.sandbox_client"
local edgegap_sandbox = require "spec.support.edgegap_sandbox"


describe("the Edgegap sandbox", function()
  local server, call
  local expect, message, new_app, deploy = edgegap_sandbox.start(function(started, caller)
    server, call = started, caller
  end)

  describe("of 2024", function()
    before_each(function() new_app() end)

    it("has fleets and policies", function()
      expect(200, "POST", "/v1/fleet", { name = "f", enabled = true })
      message(400, "POST", "/v1/fleet", { name = "f" })
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
      assert.is_string(expect(200, "DELETE", "/v1/fleet/g").message)
      message(404, "GET", "/v1/fleet/g")
    end)

    it("keeps a fleet's name from being taken twice", function()
      expect(200, "POST", "/v1/fleet", { name = "f" })
      expect(200, "POST", "/v1/fleet", { name = "g" })
      message(400, "PATCH", "/v1/fleet/f", { name = "g" })
      assert.equal("f", expect(200, "PATCH", "/v1/fleet/f", { name = "f" }).name)
      assert.equal("f", expect(200, "GET", "/v1/fleet/f").name)
    end)

    it("lists ten fleets at a time, and ten policies", function()
      local policy = { enabled = true, type = "Tag", minimum = 1, maximum = 2, threshold = 0.5, data = {} }
      for i = 1, 11 do
        expect(200, "POST", "/v1/fleet", { name = "f" .. i })
        policy.name = "p" .. i
        expect(200, "POST", "/v1/fleet/f1/policies", policy)
      end
      for path, key in pairs { ["/v1/fleets"] = "fleets", ["/v1/fleet/f1/policies"] = "policies" } do
        local page = expect(200, "GET", path)
        assert.same({ 10, true }, { #page[key], page.pagination.has_next })
        assert.equal(11, #expect(200, "GET", path .. "?limit=20")[key])
      end
    end)

    it("bounds what a policy keeps", function()
      expect(200, "POST", "/v1/fleet", { name = "f" })
      local policy = { name = "p", enabled = true, type = "Tag", minimum = 0, maximum = 2, threshold = 0.5, data = {} }
      message(400, "POST", "/v1/fleet/f/policies", policy)
      policy.minimum = 1
      expect(200, "POST", "/v1/fleet/f/policies", policy)
      assert.equal(0, expect(200, "PATCH", "/v1/fleet/f/policies/p", { minimum = 0 }).minimum)
      message(400, "PATCH", "/v1/fleet/f/policies/p", { maximum = 0 })
      message(400, "PATCH", "/v1/fleet/f/policies/p", { type = "Moon" })
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
        return function()
          local gone = call("DELETE", path .. "/" .. key)
          assert.same({ 200, "" }, { gone.status, gone.body })
        end
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

    it("shows the credentials of a component, and checks them", function()
      local body = { name = "c", repository = "r", image = "i", tag = "t" }
      assert.same({}, expect(200, "POST", "/v1/aom/component", body).credentials)
      local given = { username = "u", token = "t" }
      assert.same(given, expect(200, "PATCH", "/v1/aom/component/c", { credentials = given }).credentials)
      message(400, "PATCH", "/v1/aom/component/c", { credentials = { username = "u" } })
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
        expect(200, "POST", "/v1/sessions/bulk-stop", { filters = filters }))
      message(400, "POST", "/v1/sessions/bulk-stop", { filters = { { field = "other" } } })
    end)

    it("stops sessions by the tags of their deployments", function()
      local function session_on(tags)
        local body = { app_name = "my-game", deployment_request_id = deploy { tags = tags } }
        return expect(200, "POST", "/v1/session", body).session_id
      end
      local both, one = session_on { "a", "b" }, session_on { "a" }
      local function stop(filter_type, values)
        local filters = { { field = "deployment_tags", values = values, filter_type = filter_type } }
        return expect(200, "POST", "/v1/sessions/bulk-stop", { filters = filters }).processable
      end
      assert.same({ { session_id = both } }, stop("all", { "a", "b" }))
      assert.same({}, stop("not", { "a" }))
      assert.same({ { session_id = one } }, stop("any", { "a", "c" }))
    end)

    it("knows where the users of a session are, and its selectors", function()
      local body = { app_name = "my-game", selectors = { { tag = "ranked" } },
                     geo_ip_list = { { ip = "1.1.1.1", latitude = 48.5, longitude = 2.5 } } }
      local made = expect(200, "POST", "/v1/session", body)
      assert.same({ { tag = "ranked" } }, made.selectors)
      assert.same(body.geo_ip_list, expect(200, "GET", "/v1/session/" .. made.session_id).session_users)
      for _, wrong in ipairs { { selectors = { { tag = ("x"):rep(21) } } }, { geo_ip_list = { { ip = "1.1.1.1" } } },
                               { filters = { { field = "city" } } }, { location = { latitude = 1 } } } do
        wrong.app_name = "my-game"
        message(400, "POST", "/v1/session", wrong)
      end
    end)

    it("has custom sessions, whose bulks fail in part", function()
      local base = "/v1/deployment/" .. deploy() .. "/custom/session"
      local made = expect(200, "POST", base .. "/a", { ip_list = { "1.1.1.1" } })
      assert.equal("a", made.custom_id)
      message(400, "POST", base .. "/a", { ip_list = { "1.1.1.1" } })
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
