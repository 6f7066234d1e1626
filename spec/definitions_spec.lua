-- What the authors of the built-in definitions promise: that they are complete, that every operation
-- says what it is and has arguments that work, and that what they name exists.

local definition = require "moonrest.definition"
local definition_check = require "moonrest.definition_check"
local moonrest = require "moonrest"
local raw_server = require "spec.support.raw_server"
local types = require "moonrest.types"

local names = { "capgo", "cygni", "edgee", "edgegap", "template" }

local longest_summary <const> = 100 -- characters, so that lists of operations fit a terminal

-- Operations in each definition, and why they are not as many as the facts first say.
local counts = {
  edgegap = 53, -- 48 of v1, 3 of v2, 2 of the set-up wizard, which no document has
  edgee = 19, -- the whole table of what can be substantiated today
  template = 45, -- 5 of the documented resource, 5 assumed ones for each of 8 that are only named
  -- 41 of the overview page and of the server's code, which know the same lists; 4 of the kit's document
  -- (its other 2 are among the 41); 5 assumed ones for each of 5 resources that are only named; 3 about
  -- the server itself. Its /metrics is left out: the resource of the page has that name.
  cygni = 73,
  -- 30 of the document, 3 of which give a list or one of it and are two operations here; 40 of the
  -- server's own: audit, webhooks, builds, notifications and single routes.
  capgo = 73,
}

local legacy_counts = {
  edgegap = 73, -- what the description of 2024 has and the one of 2026 has not
  edgee = 54, -- 56 less listing and showing organizations, which the current product has as well
}

-- Two operations of one route: the list, and one of it, chosen by a parameter.
local shared_routes = {
  capgo = {
    ["GET /organization/"] = "organizations.get organizations.list",
    ["GET /channel/"] = "channels.get channels.list",
    ["GET /device/"] = "devices.get devices.list",
    ["GET /webhooks"] = "webhooks.get webhooks.list",
  },
}

-- Operations that do more harm than their name tells. Each must ask for options.confirm.
local dangerous = {
  edgegap = { "apps.delete", "deployments.bulk_stop" },
  capgo = { "apps.delete", "organizations.delete", "bundles.delete", "builds.logs" },
}
local legacy_dangerous = {
  edgegap = { "sessions.bulk_stop" },
  edgee = { "organizations.delete" },
}

-- Parameters and result fields that must not be shown anywhere, wherever they stand.
local secret_names = {
  access_key = true, apikey = true, authorization = true, authorization_token = true, build_credentials = true,
  environmentVariables = true, identityProof = true, logs_token = true, password = true, private_token = true,
  private_username = true, provider_key = true, secret = true, secret_access_key = true, security_number = true,
  session_key = true, signingSecret = true, stop_key = true, token = true, upload_session_key = true,
  webhook_url = true,
}

local function whole(name)
  local at = definition.find(name)
  return at.legacy and definition.with_legacy(at) or at
end

local function operations_of(resources)
  local list = {}
  definition.each_operation(resources, function(operation, name)
    list[#list + 1] = { name = name, operation = operation }
  end)
  return list
end

local function is_required(specification)
  return types.describe(specification).kind.required
end

local function lua_name(wire)
  return (wire:gsub("%[%]$", ""):gsub("[^%w_]", "_"))
end

local function tenant_parameters(at)
  local parameters = {}
  for _, tenant in pairs(at.tenant or {}) do parameters[tenant.parameter] = true end
  return parameters
end

-- The parameters of an operation by wire name: { place, specification }.
local function parameters_of(operation)
  local list = {}
  for name in operation[1]:gmatch "{([^}]*)}" do
    local specification = operation.path and operation.path[name]
    if specification == nil or specification == "slashes" then specification = "string!" end
    list[#list + 1] = { name = name, place = "path", specification = specification }
  end
  for _, place in ipairs { "query", "header", "body" } do
    for name, specification in pairs(operation[place] or {}) do
      list[#list + 1] = { name = name, place = place, specification = specification }
    end
  end
  return list
end

local function known_names(parameters)
  local known = {}
  for _, parameter in ipairs(parameters) do
    known[parameter.name], known[lua_name(parameter.name)] = parameter, parameter
  end
  return known
end

-- What is wrong with an operation's example, or nil.
local function example_problem(at, operation)
  local parameters, tenants = parameters_of(operation), tenant_parameters(at)
  local example = operation.example or {}
  for _, parameter in ipairs(parameters) do
    local value = example[parameter.name]
    if value == nil then value = example[lua_name(parameter.name)] end
    local needed = parameter.place == "path" or is_required(parameter.specification)
    local filled_for_it = parameter.place == "path" and tenants[parameter.name]
    if value == nil and needed and not filled_for_it then
      return ("the example lacks %s '%s'"):format(parameter.place, parameter.name)
    end
    if value ~= nil then
      local context = { shapes = at.shapes, loose = parameter.place ~= "body" }
      local copy = definition.copy(value) -- the check marks empty lists
      local where, problem = types.check(copy, types.describe(parameter.specification), context, parameter.name)
      if problem then return ("the example's %s %s"):format(where, problem) end
    end
  end
  local known = known_names(parameters)
  for name in pairs(example) do
    if not known[name] and not operation.open then return ("the example's '%s' is no parameter"):format(name) end
  end
  return nil
end

local function each_parameter(at, operation, visit)
  for _, parameter in ipairs(parameters_of(operation)) do visit(parameter.name, parameter.specification) end
  for shape, fields in pairs(at.shapes or {}) do
    for name, specification in pairs(fields) do visit(shape .. "." .. name, specification) end
  end
end

describe("built-in definitions", function()
  for _, name in ipairs(names) do
    describe(name, function()
      local at, operations

      setup(function()
        at = whole(name)
        operations = operations_of(at.resources)
      end)

      it("are good definitions, with and without the legacy operations", function()
        assert.is_nil(definition_check.problem(definition.find(name)))
        assert.is_nil(definition_check.problem(at))
        assert.equal(name, at.name)
      end)

      it("are data", function()
        local seen = {}
        local function check(value, path)
          assert.is_not_equal("function", type(value), path)
          if type(value) ~= "table" or seen[value] then return end
          seen[value] = true
          assert.is_nil(getmetatable(value), path)
          for key, field in pairs(value) do check(field, path .. "." .. tostring(key)) end
        end
        check(at, name)
      end)

      it("have all operations", function()
        assert.equal(counts[name], #operations_of(definition.find(name).resources))
        if legacy_counts[name] then
          assert.equal(legacy_counts[name], #operations_of(require(at.legacy).resources))
          assert.equal(counts[name] + legacy_counts[name], #operations)
        end
      end)

      it("describe every operation and resource in a short sentence", function()
        for _, one in ipairs(operations) do
          local summary = one.operation[2]
          assert.matches("^%u.*%.$", summary, 1, false, one.name)
          assert.is_true(utf8.len(summary) <= longest_summary, one.name .. ": " .. summary)
        end
        for resource, fields in pairs(at.resources) do
          assert.is_string(fields.summary, resource)
          assert.is_true(utf8.len(fields.summary) <= longest_summary, resource)
        end
      end)

      it("have one operation for each route", function()
        local by_route = {}
        for _, one in ipairs(operations) do
          local route = one.operation[1]:gsub("{[^}]*}", "{}")
          by_route[route] = by_route[route] and by_route[route] .. " " .. one.name or one.name
        end
        local shared = {}
        for route, served in pairs(by_route) do
          if served:find " " then shared[route] = served end
        end
        assert.same(shared_routes[name] or {}, shared)
      end)

      it("have examples that are valid arguments", function()
        for _, one in ipairs(operations) do
          local problem = example_problem(at, one.operation)
          assert.is_nil(problem, ("%s: %s"):format(one.name, tostring(problem)))
        end
      end)

      it("say for every operation what it returns", function()
        for _, one in ipairs(operations) do assert.is_string(one.operation.returns, one.name) end
      end)

      it("use all that they name", function()
        local used = {}
        local function use(word) used[(word:gsub("[%[%]!?]", ""))] = true end
        for _, one in ipairs(operations) do
          use(one.operation.returns)
          each_parameter(at, one.operation, function(_, specification)
            use(types.describe(specification).kind.base)
          end)
          for _, bucket in ipairs(type(one.operation.bucket) == "table" and one.operation.bucket
            or { one.operation.bucket }) do use(bucket) end
        end
        use(at.limits and at.limits.default or "")
        for result in pairs(at.results or {}) do assert.is_true(used[result], "result " .. result) end
        for shape in pairs(at.shapes or {}) do assert.is_true(used[shape], "shape " .. shape) end
        for bucket in pairs(at.limits and at.limits.buckets or {}) do
          assert.is_true(used[bucket], "bucket " .. bucket)
        end
      end)

      it("page every list, and only lists", function()
        for _, one in ipairs(operations) do
          local is_list = one.operation.returns:find "%[%]$" ~= nil
          assert.equal(is_list, one.operation.paged ~= nil, one.name)
        end
      end)

      it("keep secrets out of sight", function()
        for _, one in ipairs(operations) do
          local own = {}
          for _, word in ipairs(one.operation.secret or {}) do own[word] = true end
          each_parameter(at, one.operation, function(path, specification)
            local field = path:match "[^.]*$"
            if secret_names[field] and types.describe(specification).kind.base ~= "boolean" then
              assert.is_true(types.describe(specification).secret or own[field] or false, one.name .. ": " .. path)
            end
          end)
        end
        for result, fields in pairs(at.results or {}) do
          local secret = {}
          for _, word in ipairs(fields.secret or {}) do secret[word] = true end
          for _, field in ipairs(fields) do
            if secret_names[field] then assert.is_true(secret[field], result .. "." .. field) end
          end
        end
      end)

      it("demand confirmation where it is due, and nowhere else", function()
        local expected, found = {}, {}
        for _, list in ipairs { dangerous[name] or {}, legacy_dangerous[name] or {} } do
          for _, operation in ipairs(list) do expected[operation] = true end
        end
        for _, one in ipairs(operations) do
          if one.operation.confirm then found[one.name] = true end
        end
        assert.same(expected, found)
      end)
    end)
  end

  it("of legacy operations add names and change none", function()
    for name in pairs(legacy_counts) do
      local at = definition.find(name)
      local legacy = require(at.legacy)
      for _, part in ipairs { "shapes", "results" } do
        for word in pairs(legacy[part]) do assert.is_nil((at[part] or {})[word], name .. " " .. part .. " " .. word) end
      end
      for resource, operations in pairs(legacy.resources) do
        for operation in pairs(operations) do
          local mine = at.resources[resource]
          assert.is_nil(mine and mine[operation], name .. " " .. resource .. "." .. operation)
        end
      end
    end
  end)

  it("cost little memory", function()
    collectgarbage()
    collectgarbage()
    local before = collectgarbage "count"
    package.loaded["moonrest.definitions.edgegap"] = nil
    local fresh = require "moonrest.definitions.edgegap"
    collectgarbage()
    collectgarbage()
    assert.is_true(collectgarbage "count" - before < 100, "more than 100 KB for Edgegap")
    assert.is_table(fresh)
  end)

  describe("of Edgegap", function()
    local function open(answers)
      local bytes = {}
      for i, body in ipairs(answers) do bytes[i] = raw_server.response(200, body) end
      local server = raw_server.start(bytes)
      return moonrest.open("edgegap", { base_url = server.url, token = "t", legacy = true }), server
    end

    it("read lists as the manual's page shows them, and as the documents do", function()
      local last = '"pagination":{"number":1,"next_page_number":null,"has_next":false,"paginator":{"num_pages":1}}}'
      local item = '[{"name":"one"}],'
      for _, first in ipairs { '{"count":1,"data":' .. item, '{"total_count":1,"applications":' .. item } do
        local client, server <close> = open { first .. last }
        assert.same({ { name = "one" } }, assert(client.apps:all()))
        server:stop()
      end
    end)

    it("do not take the count of one page of beacons for that of all", function()
      local function page(host) return ('{"count":1,"locations":[{"host":"%s"}]}'):format(host) end
      local client, server <close> = open { page "a", page "b", page "b" }
      assert.same({ { host = "a" }, { host = "b" } }, assert(client.beacons:all { limit = 1 }))
      assert.equal(3, #server:requests())
    end)

    it("want a word for stopping what no value chooses", function()
      local client, server <close> = open { "{}" }
      for resource, field in pairs { deployments = "request_id", sessions = "session_id" } do
        local filters = { { field = field, values = {}, filter_type = "not" } }
        assert.error_matches(function() client[resource]:bulk_stop { filters = filters } end, "every", 1, true)
        assert(client[resource]:bulk_stop({ filters = filters }, { confirm = true }))
      end
      assert.equal(2, #server:requests())
    end)

    it("take a user who is gone at the second attempt for revoked", function()
      local server <close> = raw_server.start { { "", close = true }, raw_server.response(404, '{"message":"gone"}') }
      local client = moonrest.open("edgegap", { base_url = server.url, token = "t" })
      assert.is_true(assert(client.relays:revoke_user { session_id = "1-S", authorization_token = 7 }))
      assert.equal(2, #server:requests())
    end)

    it("ask for the state of the service without the token", function()
      local client, server <close> = open { '{"name":"api"}' }
      assert(client.monitor:get())
      assert.is_nil(server:requests()[1]:lower():find("authorization", 1, true))
    end)

    it("keep to the bounds of 2024 before anything is sent", function()
      local client, server <close> = open { "{}" }
      local function refuses(message, call) assert.error_matches(call, message, 1, true) end
      local policy = { fleet_name = "f", name = "p", enabled = true, type = "Tag", minimum = 0, maximum = 1,
                       threshold = 0.5, data = {} }
      refuses("must be at least 1", function() client.fleet_policies:create(policy) end)
      refuses("must be one of Location, Tag, Coordinates", function()
        client.fleet_policies:update { fleet_name = "f", policy_name = "p", type = "Moon" }
      end)
      refuses("must have at most 20 characters", function()
        client.sessions:create { app_name = "a", selectors = { { tag = ("x"):rep(21) } } }
      end)
      refuses("must be one of session_id, deployment_tags, request_id", function()
        client.sessions:bulk_stop { filters = { { field = "city", values = { "x" }, filter_type = "any" } } }
      end)
      assert.same({}, server:requests())
    end)
  end)

  it("of Edgee take switches of compression, and null for what the organization has", function()
    local server <close> = raw_server.start { raw_server.response(200, "{}") }
    local client = moonrest.open("edgee", { base_url = server.url, token = "t", org_id = "org_1" })
    assert.error_matches(function() client.api_keys:update("key_1", { compression = { output_brevity = "yes" } }) end,
      "must be a boolean", 1, true)
    assert(client.api_keys:update("key_1", { compression = { output_brevity = moonrest.null } }))
    assert.truthy(server:requests()[1]:find('{"compression":{"output_brevity":null}}', 1, true))
  end)

  it("have waiters for what is slow", function()
    -- The operation whose answer can be waited on, by resource; its result carries the waiter's argument.
    local waiters = {
      edgegap = {
        deployments = { makes = "create", states = { "ready", "terminated" } },
        relays = { makes = "create", states = { "ready" } },
      },
      cygni = { deployments = { makes = "create", states = { "ready" } } },
      capgo = { builds = { makes = "request", states = { "done" } } },
    }
    for name, resources in pairs(waiters) do
      local at = definition.find(name)
      for resource, expected in pairs(resources) do
        local declared = at.resources[resource]
        for _, state in ipairs(expected.states) do
          local waiter = declared.waiters[state]
          assert.is_table(waiter, name .. " " .. resource .. " " .. state)
          local result = table.concat(at.results[declared[expected.makes].returns], " ")
          if waiter.argument then assert.matches("%f[%w_]" .. waiter.argument .. "%f[^%w_]", result) end
        end
      end
    end
  end)
end)
