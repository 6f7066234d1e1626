-- Template API: makes the server's resources those of a table. Compares, says what differs, and with --apply
-- creates, updates and deletes. Run it again: there is nothing left to do.

package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- support.lua is beside this file
local support = require "support"

local usage = [[
Usage: lua5.4 template_sync.lua [options]
Compares the table in this file with the resources of the server, and with --apply makes them the same.

  --apply      create, update and delete; without it nothing is changed
  --sandbox    try it without an account; else the key is taken from YOURCOMPANY_API_KEY
]]

-- What there should be, by name. Fields that are not named here are left as the server has them.
local wanted = {
  ["resource-0001"] = { type = "processor", config = { timeout = 30 } },
  ["resource-0002"] = { type = "storage", config = { timeout = 90 } },
  ["image-resizer"] = { type = "processor", config = { timeout = 10 } },
}

local given = support.options(usage, { apply = false })
local resources = support.open("template", given).resources

-- The path of the first field in which 'actual' is not as wanted, or nil.
local function difference(wish, actual, path)
  if type(wish) ~= "table" then return wish ~= actual and path or nil end
  if type(actual) ~= "table" then return path end
  for name, value in pairs(wish) do
    local found = difference(value, actual[name], path and path .. "." .. name or name)
    if found then return found end
  end
  return nil
end

local function with(fields, more)
  local all = {}
  for name, value in pairs(fields) do all[name] = value end
  for name, value in pairs(more) do all[name] = value end
  return all
end

-- A list of { name, action, why, run }.
local function plan()
  local steps, is_there = {}, {}
  for resource in resources:each { per_page = 100 } do
    local wish = wanted[resource.name]
    local differs = wish and difference(wish, resource)
    is_there[resource.name] = true
    if not wish then
      steps[#steps + 1] = { name = resource.name, action = "delete", why = "not wanted", run = function()
        return resources:delete(resource.id)
      end }
    elseif differs then
      steps[#steps + 1] = { name = resource.name, action = "update", why = differs .. " differs", run = function()
        return resources:update(with(wish, { id = resource.id }))
      end }
    end
  end
  for name, wish in pairs(wanted) do
    if not is_there[name] then
      steps[#steps + 1] = { name = name, action = "create", why = "missing", run = function()
        return resources:create(with(wish, { name = name }))
      end }
    end
  end
  table.sort(steps, function(a, b) return a.name < b.name end)
  return steps
end

local steps = plan()
local failed = 0
for _, step in ipairs(given.apply and steps or {}) do
  local done, err = step.run()
  step.result = done and "done" or "failed"
  if not done then
    support.warn(err)
    failed = failed + 1
  end
end

local columns = { "action", "name", "why", given.apply and "result" or nil }
support.print_table(given.apply and "Changes" or "What would change", steps, columns, "Nothing to do.")
if failed > 0 then support.fail(("%d of %d changes failed."):format(failed, #steps)) end
if #steps > 0 and not given.apply then print "\nNothing is changed: --apply does it." end
