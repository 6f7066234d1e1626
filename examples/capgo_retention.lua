-- Capgo: deletes old bundles, and keeps those that a channel uses and the newest ones.

package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- support.lua is beside this file
local support = require "support"

local usage = [[
Usage: lua5.4 capgo_retention.lua [options]
Keeps the bundles that channels use and the newest ones; with --apply it deletes the others.

  --app ID       the app (com.example.moon)
  --keep N       how many of the newest to keep (10)
  --apply        delete; without it nothing is changed
  --sandbox      try it without an account; else the key is taken from CAPGO_TOKEN
]]

local given = support.options(usage, { app = "com.example.moon", keep = 10, apply = false })
local capgo = support.open("capgo", given)

-- Bundles in use, by number: those of channels, and those that are being rolled out.
local function linked_bundles()
  local is_linked = {}
  for channel in capgo.channels:each { app_id = given.app } do
    if channel.version then is_linked[channel.version.id] = true end
    if channel.rollout_version then is_linked[channel.rollout_version.id] = true end
  end
  return is_linked
end

local function bundles_by_age()
  local bundles = assert(capgo.bundles:all { app_id = given.app })
  table.sort(bundles, function(a, b) return a.id > b.id end)
  return bundles
end

-- A version must be named: deleting without one means all that no channel uses, and needs { confirm = true }.
local function delete(bundle)
  local done, err = capgo.bundles:delete { app_id = given.app, version = bundle.name }
  if done then return "deleted" end
  if err.code == "cannot_delete_linked_version" then return "kept: a channel uses it by now" end
  support.warn(err)
  return "failed", true
end

local is_linked, rows, kept, failed = linked_bundles(), {}, 0, 0
for number, bundle in ipairs(bundles_by_age()) do
  if is_linked[bundle.id] or number <= given.keep then
    kept = kept + 1
  else
    rows[#rows + 1] = { bundle = bundle.name, created = bundle.created_at }
  end
end
for _, row in ipairs(given.apply and rows or {}) do
  local has_failed
  row.result, has_failed = delete { name = row.bundle }
  if has_failed then failed = failed + 1 end
end

support.print_table(("Bundles of %s beyond the newest %d"):format(given.app, given.keep), rows,
  { "bundle", "created", given.apply and "result" or nil })
print(("\n%d kept, %d %s."):format(kept, #rows - failed, given.apply and "deleted" or "to delete: --apply does it"))
if failed > 0 then support.fail(("%d could not be deleted."):format(failed)) end
