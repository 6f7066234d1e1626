-- Cygni: deploys a project and waits until it is live; when that fails, shows the log and rolls back to the
-- deployment before. The exit status is that of the release, for CI: 1 also when the rollback went well.

package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- support.lua is beside this file
local support = require "support"

local usage = [[
Usage: lua5.4 cygni_release.lua [options]
Deploys a project and waits until it is live; rolls back to the deployment before when that fails.

  --project NAME    the project, by name (project-01)
  --branch NAME     what to deploy (main); in the sandbox the branch 'broken' fails
  --sandbox         try it without an account; else the token is taken from CYGNI_API_KEY
]]

local given = support.options(usage, { project = "project-01", branch = "main" })
local cygni, clock = support.open("cygni", given)
local deployments = cygni.deployments

-- Sources disagree about the word for success.
local is_live = { ready = true, success = true, succeeded = true, active = true, completed = true }

local function find_project(name)
  for project in cygni.projects:each { status = "active" } do
    if project.name == name then return project end
  end
  support.fail(("There is no active project '%s'."):format(name))
end

-- The latest good one of production, before the new one is made.
local function find_live(project)
  for deployment in deployments:each { projectId = project.id, sort = "-createdAt" } do
    if is_live[deployment.status] and deployment.environment == "production" then return deployment end
  end
  return nil
end

local function wait_until_live(deployment)
  clock:skip(10)
  return deployments:wait(deployment.id, "ready", { timeout = 900 })
end

local function print_log(deployment)
  local details, err = deployments:get(deployment.id) -- with the first hundred lines of its log
  if not details then return print("no log: " .. tostring(err)) end
  support.print_table("Log", details.logs or {}, { "timestamp", "level", "message" })
end

local function roll_back(previous)
  local again = assert(deployments:rollback(previous.id))
  assert(wait_until_live(again))
  print(("\nRolled back to %s: %s is live at %s"):format(previous.id, again.id, again.url))
end

local project = find_project(given.project)
local previous = find_live(project)
print(("%s: live is %s"):format(project.name, previous and previous.id or "nothing yet"))

local new = assert(deployments:create { projectId = project.id, branch = given.branch, environment = "production" })
print(("deploying branch %s as %s ..."):format(given.branch, new.id))

local live, problem = wait_until_live(new)
if live then
  print("live at " .. live.url)
  return
end

print("failed: " .. problem.message)
print_log(new)
if previous then roll_back(previous) end
support.fail "The release failed."
