local client = require "spec.support.sandbox_client"
local core = require "moonrest.core"
local sandbox = require "moonrest.sandbox"

local json = core.json
local ORG = "/v1/organizations/org_1"

describe("the Edgee sandbox", function()
  local server, call

  client.with_sandbox({ systems = { "edgee" }, sizes = { edgee = { rows = 200, sessions = 45 } } }, function(started)
    server = started
    call = client.caller(server:base "edgee", { Authorization = "Bearer " .. server:token "edgee" })
  end)

  local function good(...) return client.good(call, ...) end

  it("answers every current operation", function()
    good("GET", ORG .. "/logs/export")
    local key = good("POST", ORG .. "/api_keys", { name = "ci" })
    good("GET", ORG .. "/api_keys")
    good("GET", ORG .. "/api_keys/" .. key.id)
    good("POST", ORG .. "/api_keys/" .. key.id, { name = "other" })
    good("GET", ORG .. "/api_keys/" .. key.id .. "/reveal")
    good("DELETE", ORG .. "/api_keys/" .. key.id)
    good("POST", ORG .. "/api_keys/get-or-create", { coding_assistant = "codex", compression = true })
    good("POST", ORG .. "/provider-keys",
      { provider = "openai", provider_key = "sk", name = "own", api_key_ids = json.array {} })
    good("GET", ORG .. "/provider-keys")
    good("GET", "/v1/organizations")
    good("GET", ORG)
    good("GET", ORG .. "/billing")
    good("GET", "/v1/models")
    good("POST", ORG .. "/usage", { period = "24h", interval = "day" })
    good("GET", ORG .. "/sessions")
    good("POST", ORG .. "/sessions/sess_0001/cli-version", { version = "1.0" })
    good("GET", "/v1/sessions/sess_0001/summary")
    good("POST", ORG .. "/sessions/sess_0001/end")
  end)

  describe("tokens", function()
    local function status_of(headers)
      local answer = client.request(server:base "edgee" .. "/v1/organizations", { headers = headers })
      return answer.status, answer.json
    end

    it("are refused with a text under error", function()
      local status, body = status_of {}
      assert.equal(401, status)
      assert.same({ error = "Unauthorized", message = "Invalid or expired API token" }, body)
      assert.equal(401, (status_of { Authorization = "Bearer " .. server:token("edgee", "invalid") }))
      assert.equal(401, (status_of { Authorization = server:token "edgee" }))
    end)

    it("may lack the permission", function()
      local status, body = status_of { Authorization = "Bearer " .. server:token("edgee", "forbidden") }
      assert.equal(403, status)
      assert.equal("Forbidden", body.error)
      local reader = client.caller(server:base "edgee",
        { Authorization = "Bearer " .. server:token("edgee", "read_only") })
      assert.equal(200, reader("GET", ORG).status)
      assert.equal(403, reader("POST", ORG .. "/api_keys", { name = "x" }).status)
    end)
  end)

  describe("keys", function()
    it("show their secret when made and when revealed", function()
      local key = good("POST", ORG .. "/api_keys", { name = "ci", expires_in_days = 90, models = json.array {} })
      assert.equal("2026-04-01T00:00:00Z", key.expires_at)
      assert.equal("ai_gateway_api_key", key.object)
      assert.is_nil(good("GET", ORG .. "/api_keys/" .. key.id).key)
      assert.equal(key.key, good("GET", ORG .. "/api_keys/" .. key.id .. "/reveal").key)
    end)

    it("write 'never' as the empty date", function()
      assert.equal("0001-01-01T00:00:00Z", good("GET", ORG .. "/api_keys/key_0001").expires_at)
    end)

    it("lose a field by null and keep what is not named", function()
      local path = ORG .. "/api_keys/key_0001"
      good("POST", path, { fallbacks = json.array { { model = "gpt-5-mini" } }, byok_only = true })
      assert.same({ { model = "gpt-5-mini" } }, good("GET", path).fallbacks)
      good("POST", path, { fallbacks = core.null })
      local key = good("GET", path)
      assert.is_nil(key.fallbacks)
      assert.is_true(key.byok_only)
    end)

    it("are gone once deleted", function()
      local path = ORG .. "/api_keys/key_0001"
      assert.is_true(good("DELETE", path).deleted)
      for _, method in ipairs { "GET", "DELETE" } do
        local answer = call(method, path)
        assert.equal(404, answer.status)
        assert.equal("API key not found", answer.json.error.message)
      end
    end)

    it("are made only once by get-or-create", function()
      local first = good("POST", ORG .. "/api_keys/get-or-create", { coding_assistant = "codex" })
      local second = good("POST", ORG .. "/api_keys/get-or-create", { coding_assistant = "codex" })
      assert.is_true(first.created)
      assert.is_nil(second.created)
      assert.equal(first.id, second.id)
    end)

    it("are checked", function()
      assert.equal(400, call("POST", ORG .. "/api_keys", {}).status)
      assert.equal(400, call("POST", ORG .. "/api_keys", { name = "x", type = "coding_agent" }).status)
      assert.equal(400, call("POST", ORG .. "/api_keys", { name = "x", max_usage = 1.5 }).status)
      local own = { provider = "bedrock", name = "b", provider_key = '{"eu":{}}', api_key_ids = json.array {} }
      good("POST", ORG .. "/provider-keys", own)
      own.provider_key = "not JSON"
      assert.equal(400, call("POST", ORG .. "/provider-keys", own).status)
      own.provider_key, own.api_key_ids = '{"eu":{}}', {}
      assert.equal(400, call("POST", ORG .. "/provider-keys", own).status)
    end)

    it("are changed only to what a key can be", function()
      local path = ORG .. "/api_keys/key_0001"
      for _, wrong in ipairs { { active = "no" }, { compression = true }, { compression = { output_brevity = 1 } },
                               { fallback = core.null }, { fallbacks = { "gpt-5-mini" } }, { models = "gpt-5-mini" },
                               { models = core.null },
                               { reroutes = json.array { {} } }, { max_usage = -1 } } do
        assert.equal(400, call("POST", path, wrong).status, json.encode(wrong))
      end
      good("POST", path, { compression = { output_brevity = core.null }, fallback = false, max_usage = core.null })
      for _, wrong in ipairs { { coding_assistant = "vim" }, { coding_assistant = "codex", compression = "yes" } } do
        assert.equal(400, call("POST", ORG .. "/api_keys/get-or-create", wrong).status, json.encode(wrong))
      end
      assert.equal(400, call("POST", ORG .. "/usage", { period = "1h" }).status)
      assert.equal(400, call("POST", ORG .. "/usage", { user_id = { 7 } }).status)
    end)
  end)

  describe("the export", function()
    local function lines(text)
      local list = {}
      for line in text:gmatch "([^\r\n]+)\r\n" do list[#list + 1] = line end
      return list
    end

    it("is a CSV file of any size, always the same", function()
      local _, answer = good("GET", ORG .. "/logs/export?period=7d&format=csv")
      assert.equal("text/csv; charset=utf-8", answer.headers["content-type"])
      assert.equal("chunked", answer.headers["transfer-encoding"])
      assert.truthy(answer.headers["content-disposition"]:find "logs%-2025%-12%-25%-2026%-01%-01%.csv")
      local rows = lines(answer.body)
      assert.equal("Timestamp,API Key,Model,Provider,Input Tokens,Output Tokens,Cost,Tags", rows[1])
      assert.equal(201, #rows)
      local _, again = good("GET", ORG .. "/logs/export?period=7d&format=csv")
      assert.equal(answer.body, again.body)
    end)

    it("quotes what has commas and quotes", function()
      local _, answer = good("GET", ORG .. "/logs/export")
      assert.truthy(answer.body:find('"Staging, EU"', 1, true))
      assert.truthy(answer.body:find('"Laptop of ""Zoë"""', 1, true))
    end)

    it("is the same rows as JSON", function()
      local rows = good("GET", ORG .. "/logs/export?format=json")
      assert.equal(200, #rows)
      for _, column in ipairs { "Timestamp", "API Key", "Model", "Provider", "Input Tokens", "Output Tokens" } do
        assert.not_nil(rows[1][column])
      end
      assert.is_number(rows[1].Cost)
      assert.is_table(rows[1].Tags)
    end)

    it("knows filters that repeat, raw or escaped", function()
      local all = good("GET", ORG .. "/logs/export?format=json")
      local expected = 0
      for _, row in ipairs(all) do
        if row["API Key"] == "Production" or row["API Key"] == "nightly-jobs" then expected = expected + 1 end
      end
      local query = "/logs/export?format=json&api_key_id[]=key_0001&api_key_id%5B%5D=key_0004"
      local some = good("GET", ORG .. query)
      assert.equal(expected, #some)
      assert.is_true(#some > 0 and #some < #all)
      local of_web = good("GET", ORG .. "/logs/export?format=json&tags[]=team:web")
      assert.is_true(#of_web > 0 and #of_web < #all)
      for _, row in ipairs(of_web) do assert.equal("team:web", row.Tags[1]) end
    end)

    it("takes dates instead of a period", function()
      local rows = good("GET", ORG .. "/logs/export?format=json&period=1h&from_date=2025-03-01&to_date=2025-03-01")
      assert.equal(200, #rows)
      for _, row in ipairs(rows) do assert.equal("2025-03-01", row.Timestamp:sub(1, 10)) end
    end)

    it("refuses what it does not know", function()
      local backwards = "from_date=2025-02-02&to_date=2025-02-01"
      for _, query in ipairs { "period=2d", "format=xml", "from_date=yesterday", backwards } do
        assert.equal(400, call("GET", ORG .. "/logs/export?" .. query).status)
      end
    end)

    it("ends well whatever its number of rows", function()
      for _, rows in ipairs { 0, 1, 63, 64, 127, 128 } do
        local other = assert(sandbox.start { systems = { "edgee" }, sizes = { edgee = { rows = rows } } })
        local headers = { Authorization = "Bearer " .. other:token "edgee" }
        for _, format in ipairs { "csv", "json" } do
          local answer = client.request(other:base "edgee" .. ORG .. "/logs/export?format=" .. format,
            { headers = headers })
          assert.equal(rows, format == "json" and #answer.json or #lines(answer.body) - 1)
        end
        other:stop()
      end
    end)

    it("agrees with the usage to the nano-dollar", function()
      local nano = 0
      for _, row in ipairs(lines(select(2, good("GET", ORG .. "/logs/export")).body)) do
        local whole, rest = row:match ",(%d+)%.(%d%d%d%d%d%d%d%d%d),"
        if whole then nano = nano + whole * 1000000000 + rest end
      end
      local usage = good("POST", ORG .. "/usage", { period = "24h", interval = "hour" })
      assert.equal("integer", math.type(usage.summary.total_cost))
      assert.equal(nano, usage.summary.total_cost)
      assert.equal(200, usage.summary.total_requests)
      local by_time = 0
      for _, slot in ipairs(usage.stats_by_time.data) do by_time = by_time + slot.total_cost end
      assert.equal(nano, by_time)
    end)
  end)

  it("repeats a model that has two providers, and leaves out rates of zero", function()
    local usage = good("POST", ORG .. "/usage", { period = "30d" })
    local seen, repeated = {}, false
    for _, one in ipairs(usage.stats_by_model) do
      repeated, seen[one.model] = repeated or seen[one.model], true
    end
    assert.is_true(repeated)
    for _, model in ipairs(good("GET", "/v1/models")) do
      local of_zai = model.providers.zai
      if of_zai then assert.is_nil(of_zai.input_token_cost_per_million) end
      local of_mistral = model.providers.mistral
      if of_mistral then assert.equal(0.1, of_mistral.input_token_cost_per_million) end
    end
  end)

  describe("sessions", function()
    it("come in pages that say whether there are more", function()
      local seen, page = {}, 0
      repeat
        page = page + 1
        local answer = good("GET", ORG .. "/sessions?page_size=20&page=" .. page)
        for _, session in ipairs(answer.data) do seen[#seen + 1] = session.session_id end
      until not answer.has_more
      assert.equal(3, page)
      assert.equal(45, #seen)
      assert.equal("sess_0001", seen[1])
    end)

    it("are filtered", function()
      local all = good("GET", ORG .. "/sessions?page_size=50").data
      local of_user = good("GET", ORG .. "/sessions?page_size=50&user_id[]=user_0002").data
      assert.is_true(#of_user > 0 and #of_user < #all)
      local of_key = good("GET", ORG .. "/sessions?page_size=50&api_key_id[]=key_0002").data
      assert.is_true(#of_key > 0 and #of_key < #all)
      for _, session in ipairs(of_key) do assert.equal("key_0002", session.key_uuid) end
      assert.same({}, good("GET", ORG .. "/sessions?from_date=2030-01-01").data)
    end)

    it("end once", function()
      assert.equal("sess_0001", good("POST", ORG .. "/sessions/sess_0001/end").session_id)
      assert.equal(404, call("POST", ORG .. "/sessions/sess_0001/end").status)
      assert.equal(404, call("POST", ORG .. "/sessions/nobody/end").status)
    end)
  end)

  describe("the older routes", function()
    it("answer all fifty-six operations", function()
      local token = good("POST", "/v1/api_tokens", { name = "t" })
      assert.truthy(token.token)
      good("GET", "/v1/api_tokens?name=t")
      assert.is_nil(good("GET", "/v1/api_tokens/" .. token.id).token)
      good("DELETE", "/v1/api_tokens/" .. token.id)
      local org = good("POST", "/v1/organizations", { name = "New", slug = "new" })
      good("GET", "/v1/organizations?type=pro")
      good("GET", "/v1/organizations/me")
      good("POST", "/v1/organizations/" .. org.id, { id = org.id, name = "Newer" })
      assert.equal("Newer", good("GET", "/v1/organizations/" .. org.id).name)
      good("GET", ORG .. "/users?role=admin")
      good("POST", ORG .. "/users/user_0002", { role = "member" })
      good("DELETE", ORG .. "/users/user_0003")
      good("DELETE", "/v1/organizations/" .. org.id)
      local invitation = good("POST", "/v1/invitations",
        { email = "a@example.com", organization_id = "org_1", role = "editor" })
      good("GET", "/v1/invitations?organization_id=org_1")
      good("GET", "/v1/invitations/" .. invitation.id)
      good("DELETE", "/v1/invitations/" .. invitation.id)
      good("GET", "/v1/users/me")
      good("GET", "/v1/users/user_0002")
      good("POST", "/v1/users/user_0001", { avatar_url = "https://example.com/a.png" })
      local upload = good("GET", "/v1/upload/presign").upload_url
      assert.equal(200, client.request(upload, { method = "PUT", body = "bytes" }).status)
    end)

    it("answer for projects", function()
      local project = good("POST", "/v1/projects", { organization_id = "org_1", slug = "game", type = "proxy" })
      local path = "/v1/projects/" .. project.id
      good("GET", "/v1/projects?organization_id=org_1")
      good("GET", path .. "?organization_id=org_1")
      assert.is_true(good("POST", path, { id = project.id, force_https = true }).force_https)
      good("GET", path .. "/counters?month=2025-12-01")
      good("POST", path .. "/purge-cache", { id = project.id, path = "/x" })
      good("POST", path .. "/domains", { name = "a.example.com" })
      good("GET", path .. "/domains")
      good("GET", path .. "/domains/a.example.com")
      assert.is_true(good("POST", path .. "/domains/a.example.com", { dns_status = true }).dns_status)
      good("DELETE", path .. "/domains/a.example.com")
      good("POST", path .. "/proxy-settings", { backends = json.array { {} }, description = "first" })
      good("GET", path .. "/proxy-settings")
      assert.is_true(good("POST", path .. "/proxy-settings/1", { is_active = true }).is_active)
      local used = good("GET", "/v1/components").data[1]
      local component = good("POST", path .. "/components", { component_id = used.id })
      assert.equal(used.category, component.category)
      good("GET", path .. "/components?category=" .. used.category)
      good("GET", path .. "/components/" .. component.id)
      assert.is_false(good("POST", path .. "/components/" .. component.id, { active = false }).active)
      good("GET", path .. "/components/" .. component.id .. "/counters?day=2025-12-01")
      good("DELETE", path .. "/components/" .. component.id)
      good("GET", path .. "/debug/data-collection/incoming")
      good("GET", path .. "/debug/data-collection/outgoing/event-1?limit=3")
      good("DELETE", path)
    end)

    it("answer for components", function()
      local body = { category = "security", subcategory = "bot_protection", name = "Gate", organization_id = "org_1" }
      local component = good("POST", "/v1/components", body)
      local version = { version = "1.0.0", wasm_url = "https://example.com/a.wasm", wit_version = "1" }
      for _, path in ipairs { "/v1/components/" .. component.id, "/v1/components/moonlight-games/gate" } do
        assert.equal("Gate", good("GET", path).name)
        good("PUT", path, { description = path })
        version.version = #path .. ".0.0"
        good("POST", path .. "/versions", version)
      end
      local slug = "/v1/components/moonlight-games/gate"
      good("PUT", slug .. "/versions/" .. version.version, { changelog = "more" })
      good("GET", "/v1/components?category=security")
      assert.equal(1, #good("GET", ORG .. "/components?subcategory=bot_protection").data)
      good("DELETE", slug)
      assert.equal(404, call("DELETE", "/v1/components/" .. component.id).status)
    end)

    it("page with a cursor until has_more is false", function()
      for number = 1, 45 do good("POST", "/v1/api_tokens", { name = "t" .. number }) end
      local names, start = {}, ""
      repeat
        local answer = good("GET", "/v1/api_tokens?order_direction=ASC&limit=20&start_key=" .. start)
        assert.equal("list", answer.object)
        for _, token in ipairs(answer.data) do names[#names + 1] = token.name end
        start = answer.last_key
        assert.not_nil(start)
      until not answer.has_more
      assert.equal(45, #names)
      assert.equal("t1", names[1])
      assert.equal("t45", good("GET", "/v1/api_tokens?limit=1").data[1].name)
    end)

    it("refuse what is no JSON object", function()
      for _, body in ipairs { "{oops", "[1]", "" } do
        local answer = call("POST", "/v1/projects", body, { ["Content-Type"] = "application/json" })
        assert.equal(400, answer.status)
        assert.equal("invalid_request_error", answer.json.error.type)
      end
    end)

    it("check their queries", function()
      local project = "/v1/projects/" .. good("GET", "/v1/projects").data[1].id
      for path, param in pairs {
        [ORG .. "/users"] = "role", [ORG .. "/users?role=owner"] = "role", ["/v1/organizations?type=big"] = "type",
        ["/v1/components?category=toys"] = "category", [ORG .. "/components?subcategory=toys"] = "subcategory",
        [project .. "/components?category=toys"] = "category", [project .. "/counters?day=today"] = "day",
        ["/v1/projects?order_direction=UP"] = "order_direction",
      } do
        local answer = call("GET", path)
        assert.equal(400, answer.status, path)
        assert.equal(param, answer.json.error.params[1].param)
      end
    end)

    it("name the parameters at fault", function()
      local answer = call("POST", "/v1/projects", { slug = "x" })
      assert.equal(400, answer.status)
      assert.equal("invalid_request_error", answer.json.error.type)
      assert.equal("organization_id", answer.json.error.params[1].param)
      assert.equal("type", answer.json.error.params[2].param)
      assert.equal("not_found_error", call("GET", "/v1/projects/none").json.error.type)
      local taken = call("POST", "/v1/organizations", { name = "x", slug = "moonlight-games" })
      assert.equal("conflict_error", taken.json.error.type)
      assert.equal(400, call("GET", "/v1/projects?limit=0").status)
      assert.equal(400, call("GET", "/v1/projects?start_key=x").status)
    end)
  end)

  it("is the same for the same seed", function()
    local first = good("POST", ORG .. "/api_keys", { name = "a" })
    server:reset()
    assert.same(first, good("POST", ORG .. "/api_keys", { name = "a" }))
  end)
end)
