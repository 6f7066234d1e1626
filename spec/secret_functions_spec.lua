-- The functions of lua/moonrest/secret.lua; what secrets themselves do is in secret_spec.lua.

local moonrest = require "moonrest"

describe("moonrest.secret, .env, .file and .command", function()
  it("make secrets", function()
    assert.matches("^moonrest%.secret", tostring(moonrest.secret "abc"))
    assert.matches("PATH", tostring(moonrest.env "PATH"))
    assert.matches("echo", tostring(moonrest.command "echo abc"))
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write "abc\n"
    file:close()
    os.execute("chmod 600 " .. path)
    assert.is_truthy(tostring(moonrest.file(path)):find(path, 1, true))
    os.remove(path)
  end)

  it("raise at the caller's line, since a nil would vanish in a table of options", function()
    local function refused(pattern, call, argument)
      local ok, problem = pcall(function() return { token = call(argument) } end)
      assert.is_false(ok)
      assert.matches("^[^:]*secret_functions_spec%.lua:%d+: ", problem)
      assert.is_truthy(problem:find(pattern, 1, true), problem)
    end
    refused("moonrest.env: ", moonrest.env, "MOONREST_NOT_SET")
    refused("MOONREST_NOT_SET", moonrest.env, "MOONREST_NOT_SET")
    refused("moonrest.file: ", moonrest.file, "/no/such/file")
    refused("moonrest.command: ", moonrest.command, "exit 3")
    refused("moonrest.secret: ", moonrest.secret, "")
    refused("moonrest.env needs a string, got a nil", moonrest.env, nil)
  end)
end)
