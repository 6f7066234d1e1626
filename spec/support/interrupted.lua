-- A script in a process of its own that Ctrl-C ends, as a terminal or "kill -INT" does it.
--
--   local told = interrupted.run(server, "client.held:get 'a'", function(look) return look.held == 1 end)
--   told.problem, told.pending, told.after     -- the error; requests in flight behind it; whether a call works then
--
-- 'server' is of spec.support.slow_server; the script's client has these operations on it.

local core = require "moonrest.core"
local program = require "spec.support.program"

local interrupted = {}

local prelude <const> = [[
local moonrest, core = require "moonrest", require "moonrest.core"
local client = moonrest.open({
  name = "slow", servers = { production = "https://api.slow.example" }, auth = false,
  pages = { style = "page", page = "page", size = "limit", pages = "pages", items = "items", max_size = 100 },
  resources = {
    things = {
      get = { "GET /things/{id}", "One thing." },
      waiters = {
        ready = { poll = "get", delay = 60, accept = { { field = "id", equals = "x", state = "success" } } },
      },
    },
    items = { list = { "GET /items", "Items.", query = { page = "integer", limit = "integer" }, paged = true } },
    held = {
      get = { "GET /held/{id}", "No answer." },
      create = { "POST /held/{id}", "No answer." },
      list = { "GET /held/page", "No answer.", query = { page = "integer", limit = "integer" }, paged = true },
      export = { "GET /held/file", "No answer.", returns = "file" },
      waiters = { ready = { poll = "get", accept = { { field = "id", equals = "x", state = "success" } } } },
    },
  },
}, { base_url = %q, retry = false })
io.stdout:setvbuf "line"
print "begun"
local is_good, problem = pcall(function()
%s
end)
print((tostring(problem):gsub("\n", " ")))
print(core.engine():pending(), client.things:get "after".id)
]]

local patience <const> = 20 -- seconds for a machine that is busy

local function wait_for(server, is_ready)
  local deadline = core.clock.now() + patience
  while not is_ready(server:look()) do
    assert(core.clock.now() < deadline, "the script did not get as far as that")
    os.execute "sleep 0.01"
  end
end

-- Runs the script until is_ready(server:look()), sends it SIGINT and returns what it told; without is_ready
-- the script sends the signal itself. timeout passes it on, and ends a script that does not hear it.
function interrupted.run(server, script, is_ready)
  local name = program.write(prelude:format(server.url, script))
  local command = "exec sh -c 'echo $$; exec timeout --foreground -k 1 %d lua5.4 %s 2>&1'"
  local pipe <close> = assert(io.popen(command:format(2 * patience, name)))
  local pid = pipe:read("n", "l")
  assert(pipe:read "l" == "begun", "the script did not start")
  if is_ready then
    wait_for(server, is_ready)
    os.execute(("kill -INT %d"):format(pid))
  end
  local told = { problem = pipe:read "l", pending = pipe:read "n" }
  told.after = (pipe:read "l" or ""):match "%S+"
  os.remove(name)
  return told
end

return interrupted
