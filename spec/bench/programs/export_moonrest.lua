-- One big answer, streamed into a file with the option { to = path }.
--   export_moonrest.lua URL PATH
-- URL ends in /export.

local moonrest = require "moonrest"

local client = moonrest.open({
  name = "bench",
  servers = { production = arg[1]:match "^(.*)/export$" },
  auth = { header = "Authorization", prefix = "Bearer ", env = { "MOONREST_BENCH_TOKEN" } },
  limits = { default = "account", buckets = { account = { "1000/s" } } },
  resources = { logs = { export = { "GET /export", "Everything.", returns = "file" } } },
}, { token = "0123456789abcdef" })

local result = assert(client.logs:export({}, { to = arg[2], timeout = 300 }))
assert(result.bytes > 0)
