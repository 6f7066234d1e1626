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

-- Bundles in use, by number: those of channels, and those on their way to one.
local function linked_bundles()
  local channels = {}
  for channel in capgo.channels:each { app_id = given.app } do
    for _, version in ipairs { channel.version or false, channel.rollout_version or false } do
      if version then channels[version.id] = channel.name end
    end
  end
  return channels
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
  return tostring(err), true
end

local linked, rows, kept, failed = linked_bundles(), {}, 0, 0
for number, bundle in ipairs(bundles_by_age()) do
  if linked[bundle.id] or number <= given.keep then
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

for id, channel in pairs(linked) do print(("channel %s uses bundle number %d"):format(channel, id)) end
support.print_table(("Bundles of %s beyond the newest %d"):format(given.app, given.keep), rows,
  { "bundle", "created", given.apply and "result" or nil })
print(("\n%d kept, %d %s."):format(kept, #rows, given.apply and "to delete, of which " .. failed .. " failed"
  or "would be deleted: --apply does it"))
if failed > 0 then os.exit(1, true) end
