-- Every operation of every definition, called through the client against the sandbox with the definition's own
-- example. The sandbox was written from the vendors' words and not from the definitions, so a wrong path, method or
-- field on either side shows here: as a route that is not there, or a refusal that no example deserves.

local definition = require "moonrest.definition"
local sandbox = require "moonrest.sandbox"

-- What the sandbox rightly refuses an example that names things which do not exist there: the request was understood.
local understood <const> = { [400] = true, [401] = true, [402] = true, [403] = true, [404] = true, [409] = true,
  [410] = true, [422] = true, [424] = true, [426] = true, [429] = true }

local legacy <const> = { edgegap = true, edgee = true }
local tenants <const> = { edgee = { org_id = "org_1" } }
local plans <const> = { cygni = "enterprise", template = "enterprise", capgo = "enterprise" }

local function client_of(server, name)
  local options = { legacy = legacy[name], plan = plans[name], retry = false, timeout = 2 }
  for field, value in pairs(tenants[name] or {}) do options[field] = value end
  return server:open(name, options)
end

-- The operation object at a path such as "notifications.campaigns.list".
local function operation_at(client, path)
  local node = client
  for part in path:gmatch "[^.]+" do node = node[part == "stream" and "stream_" or part] end
  return node
end

-- A stream of events has no end: called as a plain operation it is cut by the client's timeout.
local function is_understood(declaration, data, err)
  if data ~= nil or err.kind == "partial" then return true end
  if declaration.returns == "events" and err.kind == "timeout" then return true end
  return err.kind == "http" and understood[err.status]
end

for _, name in ipairs { "edgegap", "edgee", "cygni", "template", "capgo" } do
  describe(name, function()
    local server, client, unknown, count
    setup(function()
      server = assert(sandbox.start { seed = 3, limits = false })
      client, unknown, count = client_of(server, name), {}, 0
      definition.each_operation(definition.read(name, legacy[name]).resources, function(declaration, path)
        count = count + 1
        client = client_of(server, name) -- a refused credential of one call is not the next one's
        local data, err = operation_at(client, path)(declaration.example or {}, { confirm = true })
        local served = server:log()
        served = served[#served] or {}
        if served.route == "" or not is_understood(declaration, data, err) then
          unknown[#unknown + 1] = ("%s -> %s: %s"):format(path, served.uri, tostring(err))
        end
      end)
    end)
    teardown(function() server:stop() end)

    it("has every operation of its definition answered", function()
      assert.same({}, unknown)
      assert.is_true(count > 15)
    end)
  end)
end
