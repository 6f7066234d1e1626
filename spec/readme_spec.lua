-- The README as its readers use it: its Lua runs, against the sandbox where it talks to a system; what it names is
-- there, what there is it names, and its links and commands lead somewhere.

local moonrest = require "moonrest"
local sandbox = require "moonrest.sandbox"

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local readme = read "README.md"

-- The blocks of a language, each with its heading and its place: { heading, code, line }.
local function blocks_of(language)
  local blocks, heading, block, number = {}, nil, nil, 0
  for line in readme:gmatch "([^\n]*)\n" do
    number = number + 1
    if block and line == "```" then
      block.code = table.concat(block, "\n")
      blocks[#blocks + 1], block = block, nil
    elseif block then
      block[#block + 1] = line
    elseif line == "```" .. language then
      block = { heading = heading, line = number }
    else
      heading = line:match "^#+ (.*)" or heading
    end
  end
  return blocks
end

-- {========================================================================
-- Lua
-- =========================================================================

describe("the Lua of the README", function()
  local server, folder, printed, opened

  setup(function()
    server = assert(sandbox.start { clock = "virtual", limits = false })
    local pipe <close> = assert(io.popen "mktemp -d")
    folder = pipe:read "l"
  end)

  after_each(function() moonrest.set_blocking(true) end)

  teardown(function()
    server:stop()
    os.execute("rm -rf '" .. folder .. "'")
  end)

  local function deployed()
    local user = { user_type = "ip_address", user_data = { ip_address = "203.0.113.7" } }
    local edgegap = server:open "edgegap"
    return assert(edgegap.deployments:create { application = "my-game", version = "v2", users = { user } }).request_id
  end

  local function released()
    local cygni = server:open "cygni"
    local project = assert(cygni.projects:all { status = "active" })[1]
    local id = assert(cygni.deployments:create { projectId = project.id, branch = "main" }).id
    assert(cygni.deployments:wait(id, "ready"))
    return id
  end

  -- The library with the sandbox in place of the five systems.
  local function staged()
    local stage = setmetatable({}, { __index = moonrest })
    function stage.open(source, options)
      local given = {}
      for name, value in pairs(options or {}) do given[name] = value end
      given.token = nil
      opened = type(source) == "table" and moonrest.open(source, options) or server:open(source, given)
      return opened
    end
    function stage.env(name) return moonrest.secret("the value of " .. name) end
    return stage
  end

  -- What a block's reader has at hand.
  local function surroundings(block)
    local stage = staged()
    local about_tasks = block.heading:find "tasks"
    local id = about_tasks and deployed() or released()
    printed = {}
    return setmetatable({
      moonrest = stage, edgegap = server:open "edgegap", cygni = server:open "cygni",
      edgee = server:open("edgee", { org_id = "org_1" }), id = id, ids = { id, id },
      require = function(name) return name == "moonrest" and stage or require(name) end,
      print = function(...)
        local texts = table.pack(...)
        for index = 1, texts.n do texts[index] = tostring(texts[index]) end
        printed[#printed + 1] = table.concat(texts, "\t")
      end,
    }, { __index = _G })
  end

  local function run(block, environment)
    local code = block.code:gsub("costs%.csv", folder .. "/%0"):gsub("progress = true", "progress = false")
    code = ("\n"):rep(block.line) .. code
    assert(load(code, "=README.md", "t", environment))()
    return table.concat(printed, "\n")
  end

  local function has(text, pattern)
    assert.is_truthy(text:find(pattern), ("'%s' is not in:\n%s"):format(pattern, text:sub(1, 2000)))
  end

  -- By heading: what the blocks below it print, one after another; functions look for themselves.
  local expected = {
    ["moonrest"] = { "^my%-game\t20.*%.net$" },
    ["The five systems"] = { function() has(tostring(opened), "^moonrest client of Cygni at ") end },
    ["Calls"] = { "^$", '^{"deploymentId.*"message":"Deployment is live"' },
    ["Answers and errors"] = { "^http\t404\t.*\tfalse\tnil$" },
    ["Pages"] = { "^my%-game\n1\t1$" },
    ["Throttling"] = { "^ready\nready\nbucket +limit +remaining" },
    ["Many at once: tasks"] = { "^ready$" },
    ["In a game loop"] = { function(_, environment)
      environment.start_download()
      local path, deadline = folder .. "/costs.csv", moonrest.time.now() + 20
      os.remove(path)
      repeat
        environment.update()
        local file = io.open(path)
      until file and file:close() or moonrest.time.now() > deadline
      has(read(path), "^Timestamp,")
    end },
    ["Your own API"] = { function() has(tostring(opened), "things +create get list") end },
    ["JSON"] = { "^nil\t.*line 1, column 7 %(byte 7%).*\nnil\t.*value%.a%.b\n1$" },
    ["The sandbox"] = { "^$" },
  }

  local counts = {}
  for _, block in ipairs(blocks_of "lua") do
    counts[block.heading] = (counts[block.heading] or 0) + 1
    local wanted = (expected[block.heading] or {})[counts[block.heading]]
    if block.heading ~= "Who shares the limits" then
      it(("runs: %s, line %d"):format(block.heading, block.line), function()
        assert.is_truthy(wanted, "the spec does not say what it prints")
        local environment = surroundings(block)
        local text = run(block, environment)
        if type(wanted) == "string" then has(text, wanted) else wanted(text, environment) end
      end)
    end
  end

  it("shares limits in every way that it tells of", function()
    local seen = 0
    for _, block in ipairs(blocks_of "lua") do
      for line in (block.heading == "Who shares the limits" and block.code or ""):gmatch "[^\n]+" do
        if package.searchpath("moonrest.redis", package.cpath) or not line:find "redis" then
          local code = line:gsub("limits%.internal", "127.0.0.1"):gsub("/etc/ssl/our%-ca%.pem",
            "/etc/ssl/certs/ca-certificates.crt")
          assert.is_true(os.execute(("lua5.4 -e '%s'"):format('moonrest = require "moonrest" ' .. code)), line)
          seen = seen + 1
        end
      end
    end
    assert.is_true(seen >= 2)
  end)
end)

-- }========================================================================

-- {========================================================================
-- Names
-- =========================================================================

describe("the README", function()
  local function names(word) return readme:find("%f[%w_]" .. word .. "%f[^%w_]") ~= nil end

  local function names_all(map, what)
    for name in pairs(map) do
      if type(name) == "string" and not name:find "^__" then
        assert.is_true(names(name), ("README.md does not name %s '%s'"):format(what, name))
      end
    end
  end

  it("names everything that users have", function()
    for name in pairs(moonrest) do
      assert.is_truthy(readme:find("moonrest." .. name, 1, true), "README.md does not name moonrest." .. name)
    end
    names_all(moonrest.time, "of moonrest.time")
    names_all(moonrest.json, "of moonrest.json")
    names_all(require "moonrest.options".known, "option")
    names_all(require "moonrest.site".options, "option of moonrest.open")
    names_all(require "moonrest.errors".kinds, "kind of error")
    names_all(require "moonrest.events".names, "event")
    names_all(require "moonrest.client".methods, "of a client")
    names_all(sandbox, "of moonrest.sandbox")
    for _, name in ipairs(moonrest.definitions()) do
      assert.is_true(names(name))
      local auth = require("moonrest.definitions." .. name).auth
      for _, variable in ipairs(auth.env) do assert.is_true(names(variable), variable) end
    end
  end)

  it("names nothing that users do not have", function()
    for name in readme:gmatch "%f[%w]moonrest%.([%a_]+)%f[^%w_.]" do
      local module = package.searchpath("moonrest." .. name, package.path)
        or package.searchpath("moonrest." .. name, package.cpath)
      local is_file = name == "h" or name == "a"
      assert.is_truthy(moonrest[name] or module or is_file, "README.md names moonrest." .. name)
    end
    for name in readme:gmatch "server:(%a+)" do
      assert.is_function(getmetatable(assert(sandbox.start {})).__index[name], name)
    end
  end)

  it("has links that lead somewhere", function()
    local anchors = {}
    for heading in readme:gmatch "\n#+ ([^\n]+)" do
      anchors["#" .. heading:lower():gsub("[^%w %-]", ""):gsub(" ", "-")] = true
    end
    for target in readme:gmatch "%]%(([^)]+)%)" do
      if target:find "^#" then
        assert.is_true(anchors[target], target)
      elseif not target:find "^https?:" then
        assert.is_truthy(require "lfs".attributes(target), target)
      end
    end
  end)

  it("has commands whose files are there", function()
    local seen = 0
    for line in readme:gmatch "\n    ([^\n]+)" do
      for path in line:gmatch "[%w_./-]+%.%a+" do
        if path:find "^examples/" or path:find "^spec/" or path:find "^rockspec/" then
          assert.is_truthy(require "lfs".attributes(path), path)
          seen = seen + 1
        end
      end
    end
    assert.is_true(seen >= 5)
    for path in readme:gmatch "`(spec/[%w_./-]+)`" do assert.is_truthy(require "lfs".attributes(path), path) end
  end)

  it("has the packages that a build needs", function()
    local function words(text) return (text:gsub("[\\%s]+", " ")) end
    local wanted = read "spec/support/packages.sh":match 'packages_build="([^"]+)"'
    local told = words(readme:match "apt%-get install %-%-no%-install%-recommends (.-)\n    cmake")
    assert.equal(words(wanted), told)
  end)
end)

-- }========================================================================
