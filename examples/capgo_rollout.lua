-- Capgo: rolls a bundle out step by step, and looks after each step how many devices really run it. Devices on which
-- it does not start go back by themselves: a share that stays low means trouble, and the rollout is taken back.

package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- support.lua is beside this file
local support = require "support"
local time = require "moonrest".time

local usage = [[
Usage: lua5.4 capgo_rollout.lua [options]
Rolls a bundle out to 5, 25, 50 and 100 percent of the devices; takes it back when devices do not keep it.
A rollout that was interrupted goes on where it was.

  --app ID          the app (com.example.moon)
  --channel NAME    the channel (production)
  --bundle NAME     the bundle (1.3.0); in the sandbox 1.4.0-broken fails
  --hours N         between two steps (6)
  --least N         percent of the expected devices that must run the bundle (50)
  --sandbox         try it without an account; else the key is taken from CAPGO_TOKEN
]]

local steps <const> = { 5, 25, 50, 100 } -- percent of the devices

local given = support.options(usage, {
  app = "com.example.moon", channel = "production", bundle = "1.3.0", hours = 6, least = 50,
})
local capgo, clock = support.open("capgo", given)

local function set(fields)
  fields.app_id, fields.channel = given.app, given.channel
  return capgo.channels:set(fields)
end

-- How far this bundle's rollout has come, in percent.
local function percentage_now()
  local channel = assert(capgo.channels:get { app_id = given.app, channel = given.channel })
  local is_ours = channel.rollout_enabled and channel.rollout_version and channel.rollout_version.name == given.bundle
  return is_ours and channel.rollout_percentage or 0
end

-- The percentage of today's devices that run the bundle.
local function share()
  local today = time.iso(clock:now()):sub(1, 10)
  local used, err = capgo.statistics:bundle_usage { appId = given.app, from = today, to = today }
  if not used then return nil, err end
  for _, dataset in ipairs(used.datasets) do
    if dataset.label == given.bundle then return dataset.data[#dataset.data] or 0 end
  end
  return 0
end

local function take_back(why)
  assert(set { rollback = true })
  support.fail(("Rolled back: %s."):format(why))
end

local function step_to(percentage)
  assert(set { rolloutVersion = given.bundle, rolloutPercentage = percentage, rolloutEnabled = true })
  clock:sleep(given.hours * time.hour)
  local running, err = share()
  if not running then support.fail(("The rollout stays at %d %%; run this again. %s"):format(percentage, err)) end
  print(("%4d %% offered, %5.1f %% run it"):format(percentage, running))
  if running < percentage * given.least / 100 then
    take_back(("only %.1f of %d %% kept %s"):format(running, percentage, given.bundle))
  end
end

local reached = percentage_now()
print(("%s of %s on channel %s, from %d %%"):format(given.bundle, given.app, given.channel, reached))
for _, percentage in ipairs(steps) do
  if percentage >= reached then step_to(percentage) end
end
assert(set { promoteToStable = true })
print(given.bundle .. " is the bundle of all devices.")
