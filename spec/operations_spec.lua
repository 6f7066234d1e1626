-- Every operation of every definition, called through the client against the sandbox with the definition's own
-- example, once what the example speaks of is there. The sandbox was written from the vendors' words and not from the
-- definitions, so a wrong path, method, place or field on either side shows here.

local definition = require "moonrest.definition"
local lookup = require "moonrest.lookup"
local sandbox = require "moonrest.sandbox"
local stages = require "spec.support.stages"

local legacy <const> = { edgegap = true, edgee = true }
local tenants <const> = { edgee = { org_id = "org_1" } }
local plans <const> = { cygni = "enterprise", template = "enterprise", capgo = "enterprise" }
local counts <const> = { edgegap = 126, edgee = 73, cygni = 73, template = 45, capgo = 73 }

-- Operations that cannot succeed, and what they say instead.
local refused <const> = {
  cygni = {
    -- The known server takes their names for ids of webhooks.
    ["webhooks.deliveries"] = "404 Not Found: Webhook not found",
    ["webhooks.event_types"] = "404 Not Found: Webhook not found",
    -- Nobody listens where the examples want the webhooks; a 200 tells.
    ["webhooks.test"] = "error in a 200: the sandbox sends webhooks over plain http to loopback only",
  },
  capgo = {
    ["webhooks.test"] = "error in a 200: Webhook delivery failed",
    ["apikeys.create"] = "(code cannot_create_apikey", -- only signed-in persons may
    ["builds.ai_analyze"] = "426 Upgrade Required", -- always
  },
}

-- The time limit of a stream of events is what ends it; the others have the time that a busy machine needs.
local function client_of(server, name, declaration)
  local timeout = declaration.returns == "events" and 1 or 30
  local options = { legacy = legacy[name], plan = plans[name], retry = false, timeout = timeout }
  for field, value in pairs(tenants[name] or {}) do options[field] = value end
  return server:open(name, options)
end

local function operations_of(name)
  local declarations, paths = {}, {}
  definition.each_operation(definition.read(name, legacy[name]).resources, function(declaration, path)
    declarations[path], paths[#paths + 1] = declaration, path
  end)
  return declarations, paths
end

-- Systems whose results name every field that the sandbox answers with.
local named <const> = { edgegap = true, edgee = true }

-- The fields of an answer, or of the items of a list, that the operation's result does not name.
local function unnamed_fields(at, declaration, data)
  local result, list = declaration.returns:match "^([%w_]+)(%[?)"
  local known, found = {}, {}
  for _, name in ipairs(at.results[result] or {}) do known[name] = true end
  if type(data) ~= "table" or not next(known) then return found end
  local items = list == "[" and (lookup.first(data, declaration.items) or data) or { data }
  for _, item in ipairs(items) do
    for name in pairs(item) do
      if not known[name] then found[name] = true end
    end
  end
  return found
end

-- A stream of events has no end: called as a plain operation it is cut by the client's timeout.
local function is_good(declaration, data, err)
  if data ~= nil then return true end
  return declaration.returns == "events" and err.kind == "timeout" and err.status == 200
end

for _, name in ipairs { "edgegap", "edgee", "cygni", "template", "capgo" } do
  describe(name, function()
    local server
    local at = definition.read(name, legacy[name])
    local declarations, paths = operations_of(name)
    setup(function()
      local sizes = { edgegap = { apps = 0 } }
      server = assert(sandbox.start { seed = stages.SEED, limits = false, clock = "virtual", sizes = sizes })
    end)
    teardown(function() server:stop() end)

    for _, path in ipairs(paths) do
      it("has " .. path .. " answered", function()
        server:reset()
        local client = client_of(server, name, declarations[path])
        local stage = { name = name, server = server, client = client, declarations = declarations }
        local data, err = stages.call(stage, path)
        local refusal = (refused[name] or {})[path]
        if refusal then
          assert.is_nil(data)
          assert.matches(refusal, tostring(err), 1, true)
        else
          assert.is_true(is_good(declarations[path], data, err), tostring(err))
          if named[name] then assert.same({}, unnamed_fields(at, declarations[path], data)) end
        end
      end)
    end

    it("has all its operations called", function() assert.equal(counts[name], #paths) end)
  end)
end
