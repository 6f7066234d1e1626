local client = require "spec.support.sandbox_client"
local command = require "moonrest.sandbox.command"

-- Runs it in a process of its own: its pid, its output and a line at a time.
local function spawn(arguments)
  local script = "os.exit(require('moonrest.sandbox.command')({" .. arguments .. "}))"
  local output = assert(io.popen(("echo $$; exec lua5.4 -e \"%s\" 2>&1"):format(script)))
  return output:read "l", output
end

local function in_silence(arguments)
  local stdout, stderr = io.stdout, io.stderr
  local written = {}
  local sink = { write = function(_, ...) written[#written + 1] = table.concat { ... } end }
  _G.io = setmetatable({ stdout = sink, stderr = sink, write = function(...) sink:write(...) end }, { __index = io })
  local fine, status = pcall(command, arguments)
  _G.io = getmetatable(_G.io).__index
  assert(io.stdout == stdout and io.stderr == stderr)
  return fine and status or error(status), table.concat(written)
end

describe("the sandbox's command", function()
  for _, signal in ipairs { "TERM", "INT" } do
    it("prints where and how, and stops on SIG" .. signal, function()
      local pid, output = spawn "'--systems', 'edgegap,template', '--plan', 'template=pro', '--seed=3'"
      local url = output:read "l":match "^moonrest sandbox at (http://127.0.0.1:%d+)$"
      local lines = {}
      for line in function() return output:read "l" end do
        lines[#lines + 1] = line
        if line:find "stops it" then break end
      end
      local text = table.concat(lines, "\n")
      assert.truthy(text:find("edgegap +production +" .. url .. "/edgegap +sandbox%-token%-edgegap"))
      assert.truthy(text:find("template +staging +" .. url .. "/template%-staging/v1 +sandbox%-token%-template"))
      assert.equal(200, client.request(url .. "/").status)
      assert(os.execute(("kill -%s %s"):format(signal, pid)))
      assert.equal("stopped by SIG" .. signal, output:read "l")
      local fine, _, status = output:close()
      assert.same({ true, 0 }, { fine, status })
    end)
  end

  it("explains itself", function()
    local status, text = in_silence { "--help" }
    assert.equal(0, status)
    assert.truthy(text:find "^Usage: moonrest%-sandbox")
  end)

  it("refuses what it does not understand", function()
    for _, arguments in ipairs { { "--prot", "1" }, { "--port" }, { "--port", "x" }, { "--port", "70000" }, { "extra" },
                                 { "--systems", "other" }, { "--plan", "other=pro" }, { "--plan", "gold" },
                                 { "--plan", "cygni=gold" }, { "--latency", "soon" },
                                 { "--no-limits=1" }, { "--seed", "1.5" } } do
      local status, text = in_silence(arguments)
      assert.equal(2, status, arguments[1])
      assert.truthy(text:find "^moonrest%-sandbox: ")
      assert.truthy(text:find "Usage:")
    end
  end)

  it("says when it cannot start", function()
    local socket = require "socket"
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    local status, text = in_silence { "--port", port, "--systems", "edgegap" }
    listener:close()
    assert.equal(1, status)
    assert.truthy(text:find "is in use")
  end)
end)
