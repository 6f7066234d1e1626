local fake_core = require "spec.support.fake_core"
local program = require "spec.support.program"

describe("patience", function()
  local core, patience, lines, stderr

  before_each(function()
    core = fake_core.install()
    patience = require "moonrest.patience"
    core.columns, lines, stderr = 80, {}, io.stderr
    io.stderr = { write = function(_, ...) lines[#lines + 1] = table.concat { ... } end } -- luacheck: ignore 122
  end)

  after_each(function() io.stderr = stderr end) -- luacheck: ignore 122

  local function look(seconds, ...)
    core.time = core.time + seconds
    core.waits = { ... }
    patience.look()
    return #lines
  end

  it("tells once in a while who waits for what", function()
    assert.equal(0, look(10, 0))
    assert.equal(0, look(1, 1, 4.9, "edgegap/acme/deploy"))
    assert.equal(1, look(1, 1, 5.9, "edgegap/acme/deploy"))
    assert.matches("^moonrest: a request waits for edgegap's limit 'deploy', up to 6 s so far .*\n$", lines[1])
    assert.equal(1, look(59, 1, 65, "edgegap/acme/deploy"))
    assert.equal(2, look(1, 7, 66, "edgegap/a/b/deploy"))
    assert.matches("^moonrest: 7 requests wait for edgegap's limit 'deploy', up to 66 s so far", lines[2])
  end)

  it("asks no oftener than once a second", function()
    look(1, 0)
    assert.equal(0, look(0.5, 1, 9, "k"))
    assert.equal(1, look(0.5, 1, 9, "k"))
    assert.matches("for the limit 'k'", lines[1])
  end)

  it("says nothing where nobody reads it", function()
    core.columns = nil
    assert.equal(0, look(10, 1, 9, "k"))
  end)
end)

-- A program at a terminal of its own, which script(1) brings along; it is not patient, so that nobody waits for long.
describe("a program that stands still", function()
  local code <const> = [[
    local moonrest = require "moonrest"
    moonrest.configure { limiter = "local" }
    local patience = require "moonrest.patience"
    patience.after, patience.every = 0.01, 0
    local server <close> = assert(require "moonrest.sandbox".start { systems = { "edgegap" } })
    local client = moonrest.open({
      name = "slow", servers = { production = server:base "edgegap" },
      auth = { header = "authorization", prefix = "token " },
      limits = { default = "account", buckets = { account = { "1/s" } } },
      resources = { apps = { list = { "GET /v1/apps", "Lists." } } },
    }, { token = server:token "edgegap" })
    local function calls() for _ = 1, 2 do assert(client.apps:list()) end end
    if arg[1] == "task" then moonrest.run(calls) else calls() end
  ]]

  it("says why on a terminal, also in tasks", function()
    for _, how in ipairs { "", "task" } do
      local text = program.output(code, "script -qec '", how .. "' /dev/null </dev/null")
      assert.matches("^moonrest: a request waits for slow's limit 'account', up to %d+ s so far [^\n]+\r\n$", text)
    end
  end)

  it("is silent elsewhere", function()
    assert.equal("", program.output(code, "", "2>&1"))
  end)
end)
