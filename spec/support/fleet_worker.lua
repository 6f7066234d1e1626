-- A process of a fleet whose limits are in Redis: a script in a process of its own, with a client at a server that
-- always answers.
--
--   local said = fleet_worker.run("get(3); print(elapsed())", redis_url, "10/s")
--
-- The script has client, get(count), elapsed(), and get_until(word), which makes calls until the event "limiter" told
-- something with that word in it; all that it tells is printed behind "told: ".

local program = require "spec.support.program"
local raw_server = require "spec.support.raw_server"

local fleet_worker = {}

local preamble <const> = [[
  local moonrest = require "moonrest"
  local core = require "moonrest.core"
  local url, redis, limit = arg[1], arg[2], arg[3]
  local told = ""
  moonrest.on("limiter", function(event)
    print("told: " .. event.reason)
    told = told .. event.reason .. "\n"
  end)
  moonrest.configure { limiter = redis }
  local client = moonrest.open({ name = "fleet", servers = { production = "https://api.tested.example" },
    limits = { default = "account", buckets = { account = { limit } } },
    resources = { things = { get = { "GET /things/{id}", "One thing." } } } },
    { base_url = url, account = "one", retry = false })
  local start = core.clock.now()
  local function get(count) for _ = 1, count do assert(client.things:get "1") end end
  local function elapsed() return core.clock.now() - start end
  local function get_until(word)
    while not told:find(word, 1, true) and elapsed() < 40 do get(1) end
  end
]]

local answers <const> = { raw_server.response(200, "{}") }

-- What it prints, on both streams. 'environment' (nil or "NAME=VALUE ...") is the shell's.
function fleet_worker.run(script, redis_url, limit, environment)
  local web <close> = raw_server.start(answers)
  return program.output(preamble .. script, (environment or "") .. " timeout 60",
    ("'%s' '%s' '%s' 2>&1"):format(web.url, redis_url, limit or "10/s"))
end

return fleet_worker
