-- Runs examples inside one process, so that a spec can look into the sandbox that they leave behind:
--   lua5.4 spec/support/run_example.lua CHUNK
-- CHUNK is a file of Lua code with these locals: run(name, ...) runs examples/NAME.lua --sandbox with further
-- arguments and returns its exit status; client(system) is a client of the sandbox of the examples that ran.

-- luacheck: globals arg

local path = arg[1]
arg = { [0] = "examples/support.lua" }
package.path = "examples/?.lua;" .. package.path
local support = require "support"

local Exit = {}

os.exit = function(status) -- luacheck: ignore 122
  error(setmetatable({ status = status == true and 0 or status or 0 }, Exit), 0)
end

local function run(name, ...)
  arg = { [0] = "examples/" .. name .. ".lua", "--sandbox", ... }
  local ok, problem = xpcall(dofile, function(problem)
    if getmetatable(problem) == Exit then return problem end
    return debug.traceback(tostring(problem))
  end, arg[0])
  if ok then return 0 end
  if getmetatable(problem) == Exit then return problem.status end
  error(problem, 0)
end

local function client(system)
  return (support.open(system, { sandbox = true }))
end

assert(loadfile(path, "t", setmetatable({ run = run, client = client, support = support }, { __index = _G })))()
