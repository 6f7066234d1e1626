-- Holds the sandbox against the vendors' OpenAPI documents, which are not part of the project: the directory is
-- MOONREST_OPENAPI_DIR, or ../shared/openapi. What a document forbids of a body or a query is refused, and what the
-- sandbox answers is what a document describes. The definitions' examples give the good bodies.

local answers = require "spec.support.openapi_answers"
local client = require "spec.support.sandbox_client"
local definition = require "moonrest.definition"
local faults = require "spec.support.openapi_faults"
local json = require "moonrest.core".json
local sandbox = require "moonrest.sandbox"
local schemas = require "spec.support.openapi_schemas"
local stages = require "spec.support.stages"

local directory = os.getenv "MOONREST_OPENAPI_DIR" or "../shared/openapi"

-- accepted: what a document forbids of a body and the sandbox takes; queries: whether it forbids any; answered: what it
-- does not say of an answer.
local documents = {
  { system = "edgegap", file = "edgegap-v1.yaml", prefix = "", scheme = "token ", queries = true },
  { system = "edgegap", file = "edgegap-v2.yaml", prefix = "/v2", scheme = "token ", queries = false },
  {
    system = "edgee", file = "edgee-older.json", prefix = "", scheme = "Bearer ", queries = true,
    accepted = {
      -- The document inherits it from the whole organization: an update changes what it names.
      "organizations.update: name missing",
    },
    answered = {
      -- A role belongs to an organization: a user alone has roles, which the document describes as well.
      "users.get: .role is missing", "users.me: .role is missing", "users.update: .role is missing",
    },
  },
}

local function read_document(name)
  local file <close> = io.open(directory .. "/" .. name, "rb")
  if not file then return nil end
  if name:find "%.json$" then return assert(json.decode(file:read "a")) end
  return require "lyaml".load(file:read "a")
end

local function route_of(method, path)
  return method .. " " .. path:gsub("{[^}]*}", "{}")
end

-- The operations by path, and their paths by route.
local function operations_of(system)
  local declarations, by_route = {}, {}
  definition.each_operation(definition.read(system, true).resources, function(declaration, path)
    declarations[path] = declaration
    by_route[route_of(declaration[1]:match "^(%u+) (.*)$")] = path
  end)
  return declarations, by_route
end

local function new_stage(set, server, declarations)
  server:reset()
  local options = { legacy = true, retry = false, timeout = 5, org_id = set.system == "edgee" and "org_1" or nil }
  return { name = set.system, server = server, client = server:open(set.system, options), declarations = declarations }
end

-- The example as the request that it makes: method, path below the mount, and body.
local function request_of(declaration, example)
  local method, template = declaration[1]:match "^(%u+) (.*)$"
  local path = template:gsub("{([^}]*)}", function(name)
    return example[name] or example[(name:gsub("%-", "_"))] or "org_1"
  end)
  local body = {}
  for name in pairs(declaration.body or {}) do body[name] = example[name] end
  return method, path, body
end

describe("the sandbox and the schemas of", function()
  for _, set in ipairs(documents) do
    local document = read_document(set.file)
    if not document then
      print(("SKIPPED: %s is not in %s (set MOONREST_OPENAPI_DIR)"):format(set.file, directory))
    else
      describe(set.file, function()
        local server, call
        local declarations, by_route = operations_of(set.system)

        setup(function()
          local sizes = { edgegap = { apps = 0 } }
          server = assert(sandbox.start { seed = stages.SEED, limits = false, clock = "virtual", sizes = sizes })
          call = client.caller(server:base(set.system), { Authorization = set.scheme .. server:token(set.system) })
        end)
        teardown(function() server:stop() end)

        it("agree on what is refused", function()
          local accepted, count = {}, 0
          schemas.each_operation(document, function(method, path, operation)
            local schema = schemas.of_body(document, operation)
            if not schema then return end
            local name = by_route[route_of(method, set.prefix .. path)]
            local example = stages.example(new_stage(set, server, declarations), name)
            local verb, at, good = request_of(declarations[name], example)
            for _, one in ipairs(faults.of_body(document, schema, good)) do
              count = count + 1
              local status = call(verb, at, one.body).status
              if status ~= 400 then accepted[#accepted + 1] = ("%s: %s"):format(name, one.label) end
              if status < 400 then stages.example(new_stage(set, server, declarations), name) end
            end
          end)
          assert.is_true(count > 0)
          table.sort(accepted)
          assert.same(set.accepted or {}, accepted)
        end)

        it("agree on the queries that are refused", function()
          local accepted, count = {}, 0
          schemas.each_operation(document, function(method, path, operation)
            local name = by_route[route_of(method, set.prefix .. path)]
            local wrong = faults.of_query(document, operation)
            if #wrong == 0 then return end
            local example = stages.example(new_stage(set, server, declarations), name)
            local verb, at = request_of(declarations[name], example)
            for _, one in ipairs(wrong) do
              count = count + 1
              local status = call(verb, at .. one.query).status
              if status ~= 400 then accepted[#accepted + 1] = ("%s: %s"):format(name, one.label) end
            end
          end)
          assert.equal(set.queries, count > 0)
          table.sort(accepted)
          assert.same({}, accepted)
        end)

        it("agree on what is answered", function()
          local found = {}
          schemas.each_operation(document, function(method, path, operation)
            local name = by_route[route_of(method, set.prefix .. path)]
            local data, response = stages.call(new_stage(set, server, declarations), name)
            assert.is_not_nil(data, name)
            for _, problem in ipairs(answers.problems(document, operation, response.status, data)) do
              found[#found + 1] = ("%s: %s"):format(name, problem)
            end
          end)
          table.sort(found)
          assert.same(set.answered or {}, found)
        end)
      end)
    end
  end
end)
