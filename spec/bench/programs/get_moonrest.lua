-- COUNT small GETs with moonrest, every layer on: a definition, a credential, a limit, an operation, a decoded answer.
--   get_moonrest.lua URL COUNT CONCURRENCY [map|tasks]
-- URL ends in /things/ID. At a concurrency above 1 the calls are made in tasks: by moonrest.map over COUNT ids ("map"),
-- or by CONCURRENCY tasks that each make their share of the calls ("tasks", the default).

local moonrest = require "moonrest"

local base, id = arg[1]:match "^(.*)/things/(.*)$"
local count, concurrency, way = tonumber(arg[2]), tonumber(arg[3]), arg[4] or "tasks"

local client = moonrest.open({
  name = "bench",
  servers = { production = base },
  auth = { header = "Authorization", prefix = "Bearer ", env = { "MOONREST_BENCH_TOKEN" } },
  limits = { default = "account", buckets = { account = { "1000000/s" } } },
  resources = { things = { get = { "GET /things/{id}", "One thing." } } },
}, { token = "0123456789abcdef", user_agent = "bench" })

local function get_one()
  local thing = assert(client.things:get(id))
  assert(thing.id == 12345)
end

local ways = {}

function ways.map()
  local ids = {}
  for index = 1, count do ids[index] = id end
  local things, failures = moonrest.map(ids, function(one) return client.things:get(one) end,
    { concurrency = concurrency })
  assert(not next(failures or {}) and things[count].id == 12345)
end

function ways.tasks()
  local left, tasks = count, {}
  for index = 1, concurrency do
    tasks[index] = moonrest.spawn(function()
      while left > 0 do
        left = left - 1
        get_one()
      end
    end)
  end
  for _, task in ipairs(tasks) do task:await() end
end

if concurrency == 1 then
  for _ = 1, count do get_one() end
else
  ways[way]()
end
