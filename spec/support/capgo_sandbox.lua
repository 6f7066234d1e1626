-- What the specs of the Capgo sandbox share.

local busted = require "busted"
local client = require "spec.support.sandbox_client"
local sandbox = require "moonrest.sandbox"
local capgo = { APP = "com.example.moon" }

-- A server on virtual time, for a test that wants one of its own.
function capgo.start(options)
  options.systems, options.clock = { "capgo" }, "virtual"
  return assert(sandbox.start(options))
end

function capgo.caller(server, kind)
  return client.caller(server:base "capgo", { capgkey = server:token("capgo", kind) })
end

-- { status, code } of a refusal, and the exchange.
function capgo.refusal(call, method, path, body)
  local answer = call(method, path, body)
  assert(answer.json and type(answer.json.message) == "string", "no refusal: " .. answer.body)
  return { answer.status, answer.json.error }, answer
end

-- Within a describe: a sandbox that is as new before each test, with the limits of the plan "server". What is
-- returned has server, call, the id of the first organization, and good and refused, which call with the valid key
-- or through the caller that is given last.
function capgo.cases(sizes)
  local case = {}
  client.with_sandbox({ systems = { "capgo" }, plan = "server", sizes = { capgo = sizes } }, function(server)
    case.server, case.call = server, capgo.caller(server)
  end)
  busted.before_each(function()
    case.server:plan("capgo", "server")
    case.org = client.good(case.call, "GET", "/organization/")[1].id
  end)
  function case.good(method, path, body, caller) return client.good(caller or case.call, method, path, body) end
  function case.refused(method, path, body, caller)
    return capgo.refusal(caller or case.call, method, path, body)
  end
  return case
end

return capgo
