-- Processes that end with requests in flight: the state is closed, its modules with it, and nothing hangs or crashes.

local program = require "spec.support.program"
local slow_server = require "spec.support.slow_server"

local beginning <const> = [[
local moonrest = require "moonrest"
local slow_server = require "spec.support.slow_server"
local client = slow_server.open(arg[1])
for i = 1, 20 do moonrest.spawn(function() client.held:get(i) end) end
local lost = slow_server.open("https://nowhere.invalid")
moonrest.spawn(function() lost.held:get "x" end)
moonrest.step(0)
moonrest.step(0.01)
]]

-- The status of a lua5.4 of its own that runs the code: "exit", 0 when all was well. One that hangs is ended with 124.
local function run(code, url)
  return program.status(beginning .. code, "timeout 20", url)
end

describe("a process that ends with requests in flight", function()
  local server

  setup(function() server = slow_server.start() end)
  teardown(function() server:stop() end)

  it("may fall off its end", function()
    assert.equal("exit 0", run("", server.url))
  end)

  it("may call os.exit, and close the state", function()
    assert.equal("exit 0", run("os.exit(true, true)", server.url))
    assert.equal("exit 7", run("os.exit(7, true)", server.url))
  end)

  it("may call os.exit in a task", function()
    assert.equal("exit 0", run("moonrest.spawn(function() os.exit(true, true) end) moonrest.run()", server.url))
  end)

  it("may call os.exit in a task and leave the state as it is", function()
    assert.equal("exit 3", run("moonrest.spawn(function() os.exit(3) end) moonrest.run()", server.url))
  end)

  it("may end by an error", function()
    assert.equal("exit 1", run("io.stderr:close() error 'on purpose'", server.url))
  end)
end)
