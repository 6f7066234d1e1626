-- What the specs of the Capgo sandbox share.

local client = require "spec.support.sandbox_client"
local sandbox = require "moonrest.sandbox"

local capgo = { APP = "com.example.moon" }

-- A server on virtual time.
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

return capgo
