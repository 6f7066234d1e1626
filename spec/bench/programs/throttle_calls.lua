-- Makes COUNT calls with the library's own retries to a server that fails, spread over SECONDS:
--   throttle_calls.lua URL COUNT SECONDS

local moonrest = require "moonrest"

local url, count, seconds = arg[1], tonumber(arg[2]), tonumber(arg[3])

local client = moonrest.open({
  name = "failing",
  servers = { production = "https://api.failing.example" },
  resources = { things = { get = { "GET /{id}", "One thing." } } },
}, { base_url = url })

local failed = 0
local tasks = {}
for index = 1, count do
  tasks[index] = moonrest.spawn(function()
    moonrest.sleep(seconds * (index - 1) / count)
    if not client.things:get "thing" then failed = failed + 1 end
  end)
end
for _, task in ipairs(tasks) do task:await() end
print(failed)
