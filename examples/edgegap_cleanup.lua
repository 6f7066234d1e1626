-- Edgegap: stops deployments that carry a tag and are older than some days. Meant for cron.

package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- support.lua is beside this file
local support = require "support"
local time = require "moonrest".time

local usage = [[
Usage: lua5.4 edgegap_cleanup.lua [options]
Lists the deployments that carry a tag and are older than some days; with --apply it stops them.

  --days N       older than so many days (7)
  --tag NAME     only those with this tag (nightly)
  --apply        stop them; without it nothing is changed
  --sandbox      try it without an account; else the token is taken from EDGEGAP_API_TOKEN
]]

local given = support.options(usage, { days = 7, tag = "nightly", apply = false })
local edgegap, clock = support.open("edgegap", given)

local function has_tag(deployment)
  for _, tag in ipairs(deployment.tags or {}) do
    if tag == given.tag then return true end
  end
  return false
end

-- The server looks for the old ones; which of them to stop is decided here, where it can be read.
local function find_stale()
  local now, stale = clock:now(), {}
  local oldest = time.iso(now - given.days * time.day)
  local query = { filters = { { field = "created_at", operator = "lte", value = oldest } } }
  for deployment in edgegap.deployments:each { query = query } do
    local age = time.age(deployment.start_time, now)
    if age and age > given.days * time.day and has_tag(deployment) then
      stale[#stale + 1] = {
        id = deployment.request_id, server = deployment.fqdn, tags = table.concat(deployment.tags, " "),
        days = math.floor(age / time.day),
      }
    end
  end
  return stale
end

local function stop(row)
  local stopping, err = edgegap.deployments:stop(row.id)
  local is_gone = err and (err.status == 404 or err.status == 410)
  row.result = stopping and "stopping" or is_gone and "gone already" or "failed"
  if row.result == "failed" then support.warn(err) end
  return row.result ~= "failed"
end

local stale = find_stale()
local headline = ("Deployments tagged '%s' that are older than %g days"):format(given.tag, given.days)
if not given.apply then
  support.print_table(headline, stale, { "id", "days", "tags", "server" })
  if #stale > 0 then print "\nNothing is changed: --apply stops them." end
  return
end

local failed = 0
for _, row in ipairs(stale) do
  if not stop(row) then failed = failed + 1 end
end
clock:skip(10)
for _, row in ipairs(stale) do
  if row.result == "stopping" then
    local gone, err = edgegap.deployments:wait(row.id, "terminated", { timeout = 180 })
    row.result = gone and "stopped" or "not yet"
    if not gone then
      support.warn(err)
      failed = failed + 1
    end
  end
end
support.print_table(headline, stale, { "id", "days", "tags", "result" })
print(("\n%d of %d stopped."):format(#stale - failed, #stale))
if failed > 0 then support.fail "Some could not be stopped." end
