-- A server whose answers take their time, and a client for it.
--
--   local server <close> = slow_server.start { latency = 0.02 }
--   server.client.things:get "a"
--   server:look()          { seen = requests so far, most = at once, held = waiting for server:release() }

local core = require "moonrest.core"
local moonrest = require "moonrest"
local sandbox_server = require "moonrest.sandbox_server"

local slow_server = {}

local Server = { __name = "slow_server" }
Server.__index = Server

function slow_server.definition(limits)
  return {
    name = "slow", servers = { production = "https://api.slow.example" }, auth = false, limits = limits,
    pages = { style = "page", page = "page", size = "limit", pages = "pages", items = "items", max_size = 100 },
    resources = {
      things = { get = { "GET /things/{id}", "One thing." } },
      items = { list = { "GET /items", "Items.", query = { page = "integer", limit = "integer" }, paged = true } },
      sized = { get = { "GET /sized/{bytes}", "A body of some size." } },
      bytes = { get = { "GET /bytes/{count}", "A file.", returns = "file" } },
      held = { get = { "GET /held/{id}", "No answer until it is released." } },
      posted = { send = { "POST /posted", "Takes a body.", body_type = "raw" } },
    },
  }
end

function slow_server.open(url, options, limits)
  local given = { base_url = url }
  for name, value in pairs(options or {}) do given[name] = value end
  return moonrest.open(slow_server.definition(limits), given)
end

function slow_server.start(options, client_options, limits)
  options = { latency = options and options.latency or 0, pages = options and options.pages or 10 }
  local native = assert(sandbox_server.start { module = "spec.support.slow_app", options = core.json.encode(options) })
  local url = ("http://127.0.0.1:%d"):format(native:port())
  return setmetatable({ native = native, url = url, client = slow_server.open(url, client_options, limits) }, Server)
end

-- The same in a process of its own, which neither shares this one's processor time nor can be looked at.
local Process = { __name = "slow_server.process" }
Process.__index = Process

local child <const> = [[exec env -u LD_PRELOAD sh -c 'echo $$; exec lua5.4 -e "
local server = require [=[moonrest.sandbox_server]=].start { module = [=[spec.support.slow_app]=],
  options = [=[{\"latency\":%g,\"pages\":%d}]=] }
print(server:port()) io.stdout:flush() server:wait()"']]

function slow_server.spawn(options, client_options)
  local pipe = assert(io.popen(child:format(options.latency or 0, options.pages or 10)))
  local pid = assert(pipe:read "n", "the server did not start")
  local url = ("http://127.0.0.1:%d"):format(assert(pipe:read "n", "the server did not start"))
  return setmetatable({ pipe = pipe, pid = pid, url = url, client = slow_server.open(url, client_options) }, Process)
end

function Process:stop()
  if not self.pid then return end
  os.execute(("kill %d"):format(self.pid))
  self.pid = nil
  self.pipe:close()
end
Process.__close = Process.stop

function Server:look() return core.json.decode(self.native:call "look") end

function Server:release() return core.json.decode(self.native:call "release") end

function Server:stop() self.native:stop() end
Server.__close = Server.stop

return slow_server
