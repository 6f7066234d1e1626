-- The Lua half on the real core, against the sandbox: what a script does on a good day, with both JSON codecs.

local moonrest = require "moonrest"
local sandbox = require "moonrest.sandbox"

local codecs = { "moonrest" }
if pcall(require, "cjson.safe") then codecs[2] = "cjson" end

local function user(address)
  return { user_type = "ip_address", user_data = { ip_address = address } }
end

for _, codec in ipairs(codecs) do
  describe("with the codec " .. codec, function()
    local server, edgegap

    setup(function()
      server = assert(sandbox.start { seed = 7, limits = false, sizes = { edgegap = { apps = 0 } } })
      edgegap = server:open("edgegap", { json = codec })
      for number = 1, 35 do
        assert(edgegap.apps:create { name = ("game-%02d"):format(number), image = "aGk=", is_active = true })
      end
    end)

    teardown(function() server:stop() end)

    local function names_of(...)
      local names = {}
      for app in edgegap.apps:each(...) do names[#names + 1] = app.name end
      return names
    end

    it("reads, and gets errors as values", function()
      local app, response = assert(edgegap.apps:get "game-01")
      assert.equal("game-01", app.name)
      assert.equal(200, response.status)
      local none, err = edgegap.apps:get "game-99"
      assert.is_nil(none)
      assert.same({ "http", 404, false }, { err.kind, err.status, err.retryable })
      assert.matches("integration_spec%.lua:%d+: edgegap%.apps:get: 404 Not Found: ", tostring(err))
      none, err = edgegap.apps:create { name = "game-01", image = "aGk=", is_active = true }
      assert.is_nil(none)
      assert.equal(409, err.status)
    end)

    it("walks a list in pages of any size, ahead, and on from a token", function()
      assert.equal(35, #names_of())
      assert.same(names_of { limit = 35 }, names_of({ limit = 4 }, { prefetch = true }))
      local token, before = nil, {}
      for app, place in edgegap.apps:each { limit = 4 } do
        before[#before + 1] = app.name
        if #before == 10 then
          token = place:resume()
          break
        end
      end
      for _, name in ipairs(names_of({ limit = 4 }, { resume = token })) do before[#before + 1] = name end
      assert.same(names_of(), before)
    end)

    it("deploys, waits, stops and waits for the end", function()
      assert(edgegap.versions:create("game-01", { name = "v1", req_cpu = 256, req_memory = 256,
        docker_repository = "registry.example.com", docker_image = "org/game", docker_tag = "1" }))
      local deployment = assert(edgegap.deployments:create { application = "game-01", version = "v1",
        users = { user "1.2.3.4" } })
      local waiting = moonrest.time.now()
      server:advance(60)
      local ready = assert(edgegap.deployments:wait(deployment, "ready", { timeout = 30 }))
      assert.is_true(ready.running)
      assert.is_true(moonrest.time.now() - waiting < 10)
      assert(edgegap.deployments:stop(deployment.request_id))
      server:advance(60)
      assert.is_truthy(edgegap.deployments:wait(deployment.request_id, "terminated", { timeout = 30 }))
    end)

    it("exports to a file, and as a stream", function()
      local edgee = server:open("edgee", { org_id = "org_1", json = codec })
      local path = os.tmpname()
      local done = assert(edgee.logs:export({ period = "7d", format = "csv" }, { to = path }))
      local file = assert(io.open(path, "rb"))
      local whole = file:read "a"
      file:close()
      os.remove(path)
      assert.same({ path = path, bytes = #whole }, done)
      local parts = {}
      for bytes in edgee.logs.export:stream { period = "7d", format = "csv" } do parts[#parts + 1] = bytes end
      assert.equal(#whole, #table.concat(parts))
      assert.matches("^Timestamp,", whole)
    end)

    it("reads an event stream until the loop is left", function()
      local cygni = server:open("cygni", { plan = "enterprise", json = codec })
      local project = assert(cygni.projects:all())[1]
      local deployment = assert(cygni.deployments:create { projectId = project.id, branch = "main" })
      local count = 0
      for event in cygni.deployments.logs:stream { id = deployment.id, follow = true } do
        assert.is_truthy(moonrest.json.decode(event.data))
        count = count + 1
        if count == 2 then break end
      end
      assert.equal(2, count)
    end)

    it("takes lines that are no event stream for none", function()
      local cygni = server:open("cygni", { plan = "enterprise", json = codec })
      local id = assert(cygni.deployments:list())[1].id
      local ok, err = pcall(function() return cygni.deployments.logs:stream { id = id } end)
      assert.same({ false, "decode" }, { ok, err.kind })
      assert.matches("the answer is no event stream %(Content%-Type application/json", err.message)
      assert.matches("^application/json", err.response.headers["content-type"])
      assert.is_table(assert(cygni.deployments:logs { id = id }))
    end)

    it("walks lists whose pages overlap, and cursors, without losing or repeating an item", function()
      local capgo = server:open("capgo", { plan = "enterprise", json = codec })
      local app = assert(capgo.apps:all())[1]
      for _, name in ipairs { "bundles", "devices" } do
        local known, count = {}, 0
        for item in capgo[name]:each { app_id = app.app_id } do
          local key = item.id or item.device_id
          assert.is_nil(known[key])
          known[key], count = true, count + 1
        end
        assert.is_true(count > 50, name)
      end
    end)

    it("takes no refusal for the end of Capgo's bundles", function()
      local capgo = server:open("capgo", { plan = "enterprise", json = codec })
      local function walk(app_id)
        local items, how, before = capgo.bundles:all { app_id = app_id }
        return { #(items or before), items and how or how.code }
      end
      local moon = "com.example.moon"
      assert.same({ 120, "end" }, walk(moon))
      assert.same({ 0, "cannot_get_bundle" }, walk "com.typo.app")
      server:fail { path = "/bundle/", status = 400, body = {
        error = "cannot_get_bundle", message = "Cannot get bundle",
        moreInfo = { supabaseError = { code = "57014", message = "canceling statement due to statement timeout" } },
      } }
      assert.same({ 0, "cannot_get_bundle" }, walk(moon))
    end)

    it("takes no list that the server cuts for a whole one, and gives what came", function()
      local cygni = server:open("cygni", { plan = "enterprise", json = codec })
      local function walk(list, parameters)
        local count, err = 0, nil
        local is_whole, problem = pcall(function()
          for _ in list:each(parameters) do count = count + 1 end
        end)
        if not is_whole then err = problem end
        return { count, err and err.kind }
      end
      local busy = cygni.deployments:list { limit = 1 }[1].projectId
      for _ = 1, 12 do assert(cygni.deployments:create { projectId = busy }) end
      assert.same({ 10, "truncated" }, walk(cygni.projects.deployments, { projectId = busy }))
      assert.is_true(walk(cygni.projects.deployments, { projectId = busy, limit = 100 })[1] > 12)
      assert.same({ 100, "truncated" }, walk(cygni.logs.user, { id = "user_0001" }))
      assert.same({ 200 }, walk(cygni.logs.query))
      assert.same({ 30, "truncated" }, walk(cygni.logs.query, { limit = 30 }))
      assert.equal(30, #cygni.logs.query:all({ limit = 30 }, { max_items = 30 }))
    end)

    it("deletes no bundles for the lack of a name", function()
      local capgo = server:open("capgo", { plan = "enterprise", json = codec, app_id = "com.example.moon" })
      local count = #capgo.bundles:all()
      for _, parameters in ipairs { {}, { version = "" } } do
        assert.error_matches(function() capgo.bundles:delete(parameters) end, "every bundle that no channel uses")
      end
      assert.equal(count, #capgo.bundles:all())
    end)

    it("knows a deletion whose answer was lost, though the server has no 404 for it", function()
      local capgo = server:open("capgo", { plan = "enterprise", json = codec, app_id = "com.example.moon" })
      assert(capgo.channels:set { channel = "short-lived" })
      server:fail { system = "capgo", method = "DELETE", cut = 3 }
      assert.is_true((capgo.channels:delete { channel = "short-lived" }))
      local again, err = capgo.channels:delete { channel = "short-lived" }
      assert.is_nil(again)
      assert.equal("cannot_find_channel", err.code)
    end)

    it("lists devices by the thousand", function()
      local before = #server:log()
      local capgo = server:open("capgo", { plan = "enterprise", json = codec, app_id = "com.example.moon" })
      assert.equal(120, #capgo.devices:all())
      assert.equal(before + 1, #server:log())
    end)

    it("sends what no definition names through the same pipeline", function()
      local data, response = assert(edgegap:request("GET", "/v1/apps", { query = { limit = 3 } }))
      assert.equal(3, #data.applications)
      assert.equal(200, response.status)
    end)
  end)
end

describe("Cygni's words for what is going away", function()
  it("are known by its definition", function()
    local server <close> = assert(sandbox.start { seed = 7 })
    local heard = {}
    moonrest.on("deprecated", function(details) heard[#heard + 1] = details.message end)
    local v1 = server.url .. "/cygni-server/api/v1"
    local cygni = moonrest.open("cygni", { base_url = v1, token = server:token "cygni" })
    assert(cygni.session:me())
    assert.equal(1, #heard)
    assert.matches("deprecated since 2025%-01%-01, removed on 2027%-01%-01, .*use version v2", heard[1])
  end)
end)
