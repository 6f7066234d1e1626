-- Asks for as much as the limit gives: throttle_moonrest.lua URL LIMIT SECONDS [WORKERS] [strict] [LIMITER]
-- URL ends in /. LIMIT is as in a definition ("40/s"), LIMITER as in moonrest.configure. Prints how many calls were
-- accepted and how many were not.

local moonrest = require "moonrest"

local url, limit, seconds, workers, strict, limiter = table.unpack(arg)
local clock = require "moonrest.core".clock

if limiter then moonrest.configure { limiter = limiter } end
local client = moonrest.open({
  name = "judged",
  servers = { production = "https://api.judged.example" },
  limits = { default = "account", buckets = { account = { limit } } },
  resources = { things = { get = { "GET /{id}", "One thing." } } },
}, { base_url = url, account = url, strict = strict == "strict", retry = false })

local stop_at = clock.now() + tonumber(seconds)
local accepted, refused = 0, 0

local function work()
  while clock.now() < stop_at do
    local thing = client.things:get "thing"
    if thing then accepted = accepted + 1 else refused = refused + 1 end
  end
end

local tasks = {}
for index = 1, tonumber(workers or 16) do tasks[index] = moonrest.spawn(work) end
for _, task in ipairs(tasks) do task:await() end
print(accepted, refused)
