-- io = "thread": what is particular to it. The specs of calls, tasks and streams run a second time with it: see
-- CMakeLists.txt. Each case is a process of its own, because the choice holds for a Lua state.

local program = require "spec.support.program"
local raw_server = require "spec.support.raw_server"
local slow_server = require "spec.support.slow_server"

local beginning <const> = [[
local core, moonrest = require "moonrest.core", require "moonrest"
local slow_server = require "spec.support.slow_server"
moonrest.configure { io = "thread" }
local client = slow_server.open(arg[1])
]]

-- What a lua5.4 of its own prints that runs the code.
local function run(code, url)
  return program.output(beginning .. code, "timeout 20", url .. " 2>&1")
end

describe("a network in a thread", function()
  local server

  setup(function() server = slow_server.start() end)
  teardown(function() server:stop() end)

  it("is a choice made before the first call", function()
    local said = run([[
      print(pcall(moonrest.configure, { io = "inline" }))
      print(pcall(moonrest.configure, { io = "thread" }))
      print(client.things:get("a").id)
      print(pcall(moonrest.configure, { io = "thread" }))
      print(pcall(moonrest.configure, { io = "inline" }))
      print(pcall(moonrest.configure, { io = "threads" }))]], server.url)
    assert.matches("^true%s+true%s+a%s+true%s+false", said)
    assert.matches("io: the first request has been made already: choose before, once for a Lua state", said, 1, true)
    assert.matches("'io' must be 'inline' or 'thread', got 'threads'", said, 1, true)
  end)

  it("is one of its own", function()
    local said = run([[
      print(client.things:get("a").id)
      for line in io.popen("cat /proc/" .. io.open "/proc/self/stat":read "n" .. "/task/*/comm"):lines() do
        print(line)
      end]], server.url)
    assert.matches("^a\n", said)
    assert.equal(1, select(2, said:gsub("moonrest%-io\n", "")))
  end)

  it("gives large bodies in slices, whole", function()
    assert.equal("1000000\n5000000\n", run([[
      print(#client.bytes:get("1000000"))
      local path = os.tmpname()
      print(client.bytes:get("5000000", nil, { to = path }).bytes)
      os.remove(path)]], server.url))
  end)

  it("tells how much has come of a body that is not whole yet", function()
    local half <close> = raw_server.start { "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n[1,2," }
    assert.equal("5 of 11\ntimeout\n", run([[
      local seen
      local function progress(received, expected) seen = received .. " of " .. tostring(expected) end
      local _, err = client.things:get("a", nil, { timeout = 0.7, progress = progress })
      print(seen)
      print(err.kind)]], half.url))
  end)

  it("brings uploads to their end, with progress", function()
    assert.equal("3000000 3000000\n", run([[
      local path, most = os.tmpname(), 0
      local file <close> = io.open(path, "wb")
      file:write(("x"):rep(3000000))
      file:close()
      local answer = assert(client.posted:send(nil, { upload = path,
        progress = function(_, _, sent) most = math.max(most, sent) end }))
      print(answer.size, most)
      os.remove(path)]], server.url):gsub("\t", " "))
  end)

  it("gives a slot back only for what has not left", function()
    assert.equal("cancelled 9\ncancelled 10\n", run([[
      core.share "local"
      local limits = { default = "all", buckets = { all = { "10/h" } } }
      local function cancel_one(url, has_come)
        local one, bytes = slow_server.open(url, { account = url }, limits), ""
        local task = moonrest.spawn(function()
          for part in one.bytes.get:stream "10000000" do
            bytes = part
            moonrest.sleep(3600)
          end
        end)
        repeat moonrest.step(0) until task:status() == "waiting" and has_come(bytes)
        task:cancel()
        print(task:status() .. " " .. one:limits()[1].remaining)
      end
      cancel_one(arg[1], function(bytes) return bytes ~= "" end)
      cancel_one("http://127.0.0.1:1", function() return true end)]], server.url))
  end)

  it("ends with its state, in the middle of everything", function()
    assert.equal("", run([[
      for index = 1, 50 do moonrest.spawn(function() client.sized:get(1000000) end) end
      for _ = 1, 5 do moonrest.step(0.001) end
      os.exit(true, true)]], server.url))
  end)
end)
