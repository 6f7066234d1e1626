-- Every example runs against the sandbox, as a program of its own; what it did is looked up in the sandbox.

local folder -- of this run's files

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
end

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- Exit status, standard output, standard error.
local function execute(...)
  local words = {}
  for index, word in ipairs { ... } do words[index] = quoted(word) end
  local out, err = folder .. "/out", folder .. "/err"
  local command = ("PATH=%s:$PATH timeout 60 %s >%s 2>%s"):format(folder, table.concat(words, " "), out, err)
  local _, _, status = os.execute(command)
  return status, read(out), read(err)
end

local function example(name, ...)
  return execute("lua5.4", "examples/" .. name .. ".lua", ...)
end

-- What the chunk prints: see support/run_example.lua.
local function inside(chunk)
  write(folder .. "/chunk.lua", chunk)
  local status, out, err = execute("lua5.4", "spec/support/run_example.lua", folder .. "/chunk.lua")
  assert.equal("", err)
  assert.equal(0, status)
  return out
end

local function has(text, part) assert(text:find(part, 1, true), ("'%s' is not in:\n%s"):format(part, text)) end

local function lacks(text, part) assert(not text:find(part, 1, true), ("'%s' is in:\n%s"):format(part, text)) end

local function count(text, pattern)
  return select(2, text:gsub(pattern, ""))
end

local names = {
  "edgegap_deploy", "edgegap_cleanup", "edgee_costs", "cygni_release", "template_sync", "capgo_rollout",
  "capgo_retention",
}

describe("the examples", function()
  setup(function()
    local pipe <close> = assert(io.popen "mktemp -d")
    folder = pipe:read "l"
    -- The sanitizers' runtime is preloaded into every program; gnuplot is none of its business.
    write(folder .. "/gnuplot", "#!/bin/sh\nunset LD_PRELOAD\nPATH=${PATH#*:}\nexec gnuplot \"$@\"\n")
    assert(os.execute("chmod +x " .. quoted(folder .. "/gnuplot")))
  end)

  teardown(function() os.execute("rm -rf " .. quoted(folder)) end)

  describe("all of them", function()
    for _, name in ipairs(names) do
      it("print a usage: " .. name, function()
        local status, out, err = example(name, "--help")
        assert.equal(0, status)
        assert.equal("", err)
        has(out, "Usage: lua5.4 " .. name .. ".lua")
        has(out, "--sandbox")
      end)

      it("refuse an unknown option: " .. name, function()
        local status, out, err = example(name, "--sandbox", "--nonsense")
        assert.equal(2, status)
        assert.equal("", out)
        has(err, "unknown option '--nonsense'")
        has(err, "Usage:")
      end)
    end

    it("say which credential is missing", function()
      local status, _, err = execute("env", "-u", "EDGEGAP_API_TOKEN", "lua5.4", "examples/edgegap_cleanup.lua")
      assert.equal(1, status)
      has(err, "EDGEGAP_API_TOKEN")
      lacks(err, "stack traceback")
    end)

    it("refuse a value of the wrong type, and one that is missing", function()
      local status, _, err = example("edgegap_cleanup", "--days", "soon")
      assert.equal(2, status)
      has(err, "option --days needs a number")
      status, _, err = example("edgegap_cleanup", "--tag")
      assert.equal(2, status)
      has(err, "option --tag needs a string")
      status, _, err = example("edgegap_cleanup", "--sandbox", "--apply=no")
      assert.equal(2, status)
      has(err, "option --apply takes no value")
      status, _, err = example("edgegap_cleanup", "apply")
      assert.equal(2, status)
      has(err, "unknown option 'apply'")
    end)
  end)

  it("quickstart manages all five systems", function()
    local status, out, err = example "quickstart"
    assert.equal("", err)
    assert.equal(0, status)
    for number, system in ipairs { "Edgegap", "Edgee", "Cygni", "Template", "Capgo" } do
      has(out, ("%d. %s\n"):format(number, system))
    end
    assert.truthy(out:find "status +Status%.READY")
    assert.truthy(out:find "connect +%w+%.pr%.edgegap%.net:%d+")
    has(out, "\nstopped.")
    assert.truthy(out:find "claude%-sonnet%-4%-5 +anthropic +%d+ +%d+ +%d+%.%d%d%d%d")
    has(out, "39 active projects")
    assert.truthy(out:find "dep_%w+ is ready at https://")
    has(out, "Deployment is live")
    assert.truthy(out:find 'beta +processor +active +{"timeout":90}')
    lacks(out, "alpha")
    has(out, "error of kind http: 404, Resource not found: 4711")
    has(out, "com.example.moon has 60 bundles, the newest is 1.6.0")
    assert.truthy(out:find "production +1%.5%.9 +1%.6%.0 +25\n")
  end)

  describe("edgegap_deploy", function()
    it("deploys, tells how to connect, and stops", function()
      local status, out, err = example("edgegap_deploy", "--sandbox", "--latitude=48.8", "--longitude=2.3")
      assert.equal("", err)
      assert.equal(0, status)
      has(out, "ready in Paris, France")
      local id = out:match "gameport +UDP +7777 +(%w+)%.pr%.edgegap%.net:%d+\n"
      has(out, "stopped " .. id)
    end)

    it("leaves nothing running", function()
      local out = inside [[
        run "edgegap_deploy"
        for deployment in client "edgegap".deployments:each() do print("left:", deployment.tags[1]) end
      ]]
      assert.equal(4, count(out, "left:"))
      lacks(out, "example")
    end)

    it("stops what does not become ready, and shows its log", function()
      local out = inside [[
        local edgegap = client "edgegap"
        assert(edgegap.versions:update { app_name = "my-game", version_name = "v1.0", docker_tag = "broken" })
        io.stderr = io.stdout
        print("status", run "edgegap_deploy")
        for deployment in edgegap.deployments:each() do print("left:", deployment.tags[1]) end
      ]]
      has(out, "status\t1")
      has(out, "will not become 'ready'")
      assert.truthy(out:find "stopped %w+")
      lacks(out, "left:\texample")
    end)

    it("fails for an application that does not exist", function()
      local status, _, err = example("edgegap_deploy", "--sandbox", "--app", "chess")
      assert.equal(1, status)
      has(err, "Application chess does not exist")
      lacks(err, "stack traceback")
    end)
  end)

  describe("edgegap_cleanup", function()
    it("changes nothing by itself", function()
      local out = inside [[
        run "edgegap_cleanup"
        for deployment in client "edgegap".deployments:each() do print("left:", deployment.tags[1]) end
      ]]
      assert.equal(2, count(out, "%w+ +10  nightly"))
      has(out, "--apply stops them")
      assert.equal(4, count(out, "left:"))
    end)

    it("stops what is old and tagged, and nothing else", function()
      local out = inside [[
        run("edgegap_cleanup", "--apply")
        for deployment in client "edgegap".deployments:each() do print("left:", deployment.tags[1]) end
        run("edgegap_cleanup", "--apply")
      ]]
      has(out, "2 of 2 stopped.")
      assert.equal(2, count(out, "left:"))
      has(out, "left:\tnightly") -- the young one
      has(out, "left:\ttournament")
      has(out, "(none)")
      has(out, "0 of 0 stopped.")
    end)

    it("takes the age from its option", function()
      local status, out = example("edgegap_cleanup", "--sandbox", "--days=11", "--apply")
      assert.equal(0, status)
      has(out, "0 of 0 stopped.")
    end)

    it("fails when a deployment cannot be stopped", function()
      local out = inside [[
        client "edgegap"
        support.server:fail { method = "DELETE", path = "/v1/stop/*", status = 403, body = { message = "not yours" } }
        io.stderr = io.stdout
        print("status", run("edgegap_cleanup", "--apply"))
      ]]
      has(out, "not yours")
      has(out, "1 of 2 stopped.")
      has(out, "status\t1")
    end)
  end)

  describe("edgee_costs", function()
    local function costs(...)
      return example("edgee_costs", "--sandbox", "--csv", folder .. "/costs.csv", ...)
    end

    it("adds up exactly what the server adds up", function()
      local out = inside(([[
        run("edgee_costs", "--csv", %q, "--chart", %q)
        local usage = assert(client "edgee".usage:query { period = "30d" })
        local costs = {}
        for _, row in ipairs(usage.stats_by_model) do
          costs[row.model] = (costs[row.model] or 0) + row.total_cost
        end
        for model, cost in pairs(costs) do print(("%%s=%%.4f"):format(model, cost / 1e9)) end
        print(("all=%%.2f"):format(usage.summary.total_cost / 1e9))
      ]]):format(folder .. "/costs.csv", folder .. "/costs.svg"))
      local compared = 0
      for model, dollars in out:gmatch "\n([%w.-]+)=(%d+%.%d%d%d%d)" do
        assert.equal(dollars, out:match("\n" .. model:gsub("%p", "%%%0") .. " +%d+  (%d+%.%d+)\n"))
        compared = compared + 1
      end
      assert.equal(5, compared)
      has(out, "2000 requests, " .. out:match "\nall=(%S+)" .. " US dollars")
      assert.truthy(out:find "team:game +%d+ +%d+%.%d+\n")
      assert.truthy(out:find 'Laptop of "Zoë" +%d+ +%d+%.%d+\n')
      assert.truthy(out:find "Staging, EU +%d+ +%d+%.%d+\n")
    end)

    it("draws an SVG that knows the models", function()
      assert.equal(0, (costs("--chart", folder .. "/chart.svg")))
      local svg = read(folder .. "/chart.svg")
      assert.truthy(#svg > 20000)
      has(svg, "<svg")
      has(svg, "</svg>")
      has(svg, "claude-sonnet-4-5")
      has(svg, "2025-12-02 to 2025-12-31: 9.30 US dollars")
      lacks(svg, "glm-4.5-flash") -- costs nothing
    end)

    it("draws a PNG", function()
      assert.equal(0, (costs("--chart", folder .. "/it's a chart.png")))
      local png = read(folder .. "/it's a chart.png")
      assert.equal("\x89PNG\r\n\x1a\n", png:sub(1, 8))
      assert.truthy(#png > 10000)
    end)

    it("writes every request to the file", function()
      costs("--period=7d", "--chart", folder .. "/chart.svg")
      local csv = read(folder .. "/costs.csv")
      assert.equal(2001, count(csv, "\n"))
      has(csv, '"Laptop of ""Zoë"""')
    end)

    it("says so when the chart is not whole", function()
      write(folder .. "/gnuplot.bak", read(folder .. "/gnuplot"))
      write(folder .. "/gnuplot", ("#!/bin/sh\nprintf '<svg>' > %s/part.svg\n"):format(quoted(folder)))
      local status, out, err = costs("--chart", folder .. "/part.svg")
      write(folder .. "/gnuplot", read(folder .. "/gnuplot.bak"))
      assert.equal(1, status)
      lacks(out, "chart in")
      has(err, "/part.svg is not whole: is the disk full?")
    end)

    it("says what it needs when there is no gnuplot", function()
      write(folder .. "/gnuplot.bak", read(folder .. "/gnuplot"))
      write(folder .. "/gnuplot", "#!/bin/sh\nexit 127\n")
      local status, out, err = costs("--chart", folder .. "/none.svg")
      write(folder .. "/gnuplot", read(folder .. "/gnuplot.bak"))
      assert.equal(1, status)
      has(out, "Costs by model")
      has(err, "gnuplot-nox")
      lacks(err, "stack traceback")
    end)
  end)

  describe("cygni_release", function()
    it("waits until the deployment is live", function()
      local status, out, err = example("cygni_release", "--sandbox")
      assert.equal("", err)
      assert.equal(0, status)
      has(out, "live at https://project-01-")
    end)

    it("shows the log of a failure and rolls back to what was live", function()
      local out = inside [[
        io.stderr = io.stdout
        print("status", run("cygni_release", "--branch=broken"))
        local project = assert(client "cygni".projects:all { sort = "name" })[1]
        local latest = client "cygni".deployments:all { projectId = project.id, sort = "-createdAt" }[1]
        print("latest", latest.status, latest.rollbackFrom)
      ]]
      has(out, "Build failed: exit status 1")
      local previous = out:match "live is (dep_%w+)"
      has(out, "Rolled back to " .. previous)
      has(out, "latest\tready\t" .. previous)
      has(out, "status\t1")
    end)

    it("knows what is live after a release", function()
      local out = inside [[
        run "cygni_release"
        run "cygni_release"
      ]]
      local first = out:match "deploying branch main as (dep_%w+)"
      has(out, "live is " .. first)
    end)

    it("fails for a project that is not there", function()
      local status, _, err = example("cygni_release", "--sandbox", "--project", "nope")
      assert.equal(1, status)
      has(err, "no active project 'nope'")
    end)
  end)

  describe("template_sync", function()
    it("only says what it would do", function()
      local out = inside [[
        run "template_sync"
        for resource in client "template".resources:each() do print("there:", resource.name) end
      ]]
      has(out, "create  image-resizer  missing")
      has(out, "update  resource-0002  config.timeout differs")
      has(out, "delete  resource-0003  not wanted")
      assert.equal(4, count(out, "there:\tresource"))
      lacks(out, "there:\timage-resizer")
    end)

    it("makes the server like the table, and then finds nothing to do", function()
      local out = inside [[
        run("template_sync", "--apply")
        print "again"
        run("template_sync", "--apply")
        for resource in client "template".resources:each() do
          print("there:", resource.name, resource.type, resource.config.timeout)
        end
      ]]
      has(out:match "^(.*)again", "done")
      has(out:match "again(.*)$", "Nothing to do.")
      assert.equal(3, count(out, "there:"))
      has(out, "there:\tresource-0001\tprocessor\t30")
      has(out, "there:\tresource-0002\tstorage\t90")
      has(out, "there:\timage-resizer\tprocessor\t10")
    end)

    it("goes on after a change that failed, and says so", function()
      local out = inside [[
        client "template"
        support.server:fail { method = "PUT", path = "*", status = 403,
          body = { status = "error", error = { code = "FORBIDDEN", message = "look, don't touch" } } }
        io.stderr = io.stdout
        print("status", run("template_sync", "--apply"))
      ]]
      has(out, "don't touch")
      has(out, "1 of 4 changes failed.")
      has(out, "status\t1")
      assert.equal(3, count(out, "  done\n"))
    end)
  end)

  describe("capgo_rollout", function()
    local look = [[
      local channel = client "capgo".channels:get { app_id = "com.example.moon", channel = "production" }
      print("channel", channel.version.name, channel.rollout_percentage, channel.rollout_version)
    ]]

    it("goes up step by step and promotes the bundle", function()
      local out = inside("run 'capgo_rollout'\n" .. look)
      for _, percentage in ipairs { 5, 25, 50, 100 } do
        has(out, ("%4d %% offered, %5.1f %% run it"):format(percentage, percentage))
      end
      has(out, "channel\t1.3.0\t0\tnil")
    end)

    it("takes the bundle back when devices do not keep it", function()
      local out = inside([[
        io.stderr = io.stdout
        print("status", run("capgo_rollout", "--bundle=1.4.0-broken"))
      ]] .. look)
      has(out, "Rolled back: only 0.0 of 5 % kept 1.4.0-broken.")
      lacks(out, "25 % offered")
      has(out, "status\t1")
      has(out, "channel\t1.2.9\t0\tnil")
    end)

    it("goes on where it was interrupted", function()
      local out = inside([[
        client "capgo"
        support.server:fail { path = "/statistics/*", status = 400, body = { error = "no", message = "come back" } }
        io.stderr = io.stdout
        print("status", run "capgo_rollout")
        client "capgo".channels:set { app_id = "com.example.moon", channel = "production", rolloutPercentage = 25 }
        print("status", run "capgo_rollout")
      ]] .. look)
      has(out, "The rollout stays at 5 %")
      has(out, "come back")
      has(out, "from 25 %")
      assert.equal(0, count(out, "  5 %% offered"))
      has(out, "channel\t1.3.0\t0\tnil")
    end)
  end)

  describe("capgo_retention", function()
    local look = [[
      for bundle in client "capgo".bundles:each { app_id = "com.example.moon" } do print("left:", bundle.name) end
    ]]

    it("changes nothing by itself", function()
      local out = inside("run 'capgo_retention'\n" .. look)
      has(out, "10 kept, 21 to delete")
      assert.equal(31, count(out, "left:"))
    end)

    it("keeps the newest and what channels use", function()
      local out = inside([[
        assert(client "capgo".channels:set { app_id = "com.example.moon", channel = "beta", version = "1.0.5" })
        assert(client "capgo".channels:set { app_id = "com.example.moon", channel = "beta", rolloutVersion = "1.0.7",
          rolloutEnabled = true, rolloutPercentage = 5 })
        run("capgo_retention", "--keep=3", "--apply")
      ]] .. look)
      has(out, "5 kept, 26 deleted.")
      assert.equal(5, count(out, "left:"))
      for _, name in ipairs { "1.4.0-broken", "1.3.0", "1.2.9", "1.0.5", "1.0.7" } do has(out, "left:\t" .. name) end
    end)

    it("does not mind a bundle that is linked meanwhile", function()
      local out = inside [[
        client "capgo"
        support.server:fail { method = "DELETE", path = "/bundle/", status = 400,
          body = { error = "cannot_delete_linked_version", message = "linked" } }
        print("status", run("capgo_retention", "--keep=29", "--apply"))
      ]]
      has(out, "kept: a channel uses it by now")
      has(out, "status\t0")
    end)
  end)
end)
