-- Capgo: bundles, which are versions of an app and are deleted only by a mark,
-- and channels, which say who gets which.

local calendar = require "moonrest.sandbox.calendar"
local support = require "moonrest.sandbox.support"
local capgo = require "moonrest.sandbox.capgo_support"
local apps = require "moonrest.sandbox.capgo_apps"

local DEFAULT_BUNDLES = 120

local flags = { "public", "disableAutoUpdateUnderNative", "disableAutoUpdate", "ios", "android", "electron",
  "allow_device_self_set", "allow_emulator", "allow_device", "allow_dev", "allow_prod" }
local update_policies = support.set { "major", "minor", "metadata", "patch", "none" }

-- Input names, camel or snake, of what is kept and shown in snake.
local rollout_names = {
  rolloutEnabled = "rollout_enabled", rolloutPercentage = "rollout_percentage",
  rolloutCacheTtlSeconds = "rollout_cache_ttl_seconds", autoPauseEnabled = "auto_pause_enabled",
  autoPauseThreshold = "auto_pause_threshold", autoPauseWindowMinutes = "auto_pause_window_minutes",
}

local bundles = {}

-- Bundles -----------------------------------------------------------------

local function new_bundle(world, app, fields)
  local time = calendar.iso_ms(fields.time or world.now())
  local id = capgo.next_id(world, "bundles")
  local row = support.assign({
    id = id, app_id = app.id, owner_org = app.row.owner_org, deleted = false, storage_provider = "external",
    minUpdateVersion = support.null, session_key = support.null, key_id = support.null, link = support.null,
    comment = support.null, created_at = time, updated_at = time,
  }, fields, { "name", "checksum", "external_url", "session_key", "key_id" })
  app.row.last_version = row.name
  return app.bundles:add(id, row)
end

local function bundle_named(app, name)
  return app.bundles:find(function(row) return row.name == name and not row.deleted end)
end

local function bundle_of(app, id)
  local row = app.bundles:get(id)
  if not row or row.deleted then
    capgo.refuse(400, "cannot_find_version", "Cannot find version", { version_id = id })
  end
  return row
end

local function told(world, app, kind, operation, row, old)
  capgo.changed(world, {
    org = capgo.organization(world, app.row.owner_org), table = kind, operation = operation, id = row.id, old = old,
    new = operation ~= "DELETE" and capgo.copy(row) or nil,
  })
end

-- A page without rows is an error here, of the same code as an app that may not be read.
local function list(world, _, input)
  local app = capgo.app(world, input, 400, "cannot_get_bundle")
  local page = capgo.fifty(world, app.bundles:list(function(row) return not row.deleted end, true), input)
  if #page == 0 then
    capgo.refuse(400, "cannot_get_bundle", "Cannot get bundle", { supabaseError = support.null })
  end
  return 200, page
end

local semver = "^%d+%.%d+%.%d+[%w.+-]*$"

local function create(world, _, input)
  local app = capgo.app(world, input)
  capgo.need(input, "version", "external_url", "checksum")
  if not tostring(input.version):find(semver) then
    capgo.refuse(400, "invalid_version_format", "Version must be valid semver", { version = input.version })
  end
  if not tostring(input.external_url):find "^https://[^/]" then
    capgo.refuse(400, "invalid_protocol", "external_url must be https", { external_url = input.external_url })
  end
  apps.check_plan(world)
  if bundle_named(app, input.version) then
    capgo.refuse(400, "version_already_exists", "Version already exists", { version = input.version })
  end
  local fields = support.assign({ name = input.version }, input,
    { "checksum", "external_url", "session_key", "key_id" })
  local row = new_bundle(world, app, fields)
  told(world, app, "app_versions", "INSERT", row)
  return 200, { status = "success", bundle = row }
end

local function linked(app, row)
  return app.channels:find(function(channel)
    return channel.version == row or channel.rollout_version == row
  end) ~= nil
end

local function mark_deleted(world, app, row)
  local old = capgo.copy(row)
  row.deleted, row.updated_at = true, calendar.iso_ms(world.now())
  told(world, app, "app_versions", "DELETE", row, old)
end

-- Without a version all that no channel uses are deleted, and an empty one is none.
local function delete(world, _, input)
  local app = capgo.app(world, input)
  if input.version == nil or input.version == support.null or input.version == "" then
    for _, row in ipairs(app.bundles:list(function(one) return not one.deleted and not linked(app, one) end)) do
      mark_deleted(world, app, row)
    end
    return 200, { status = "ok" }
  end
  local row = bundle_named(app, input.version)
  if not row then capgo.refuse(400, "cannot_find_version", "Cannot find version", { version = input.version }) end
  if linked(app, row) then
    capgo.refuse(400, "cannot_delete_linked_version", "Cannot delete a version that a channel uses",
      { version = input.version })
  end
  mark_deleted(world, app, row)
  return 200, { status = "ok" }
end

local function set_channel(world, _, input)
  local app = capgo.app(world, input)
  local row = bundle_of(app, capgo.need_integer(input, "version_id"))
  local channel_id = capgo.need_integer(input, "channel_id")
  local channel = app.channels:find(function(one) return one.id == channel_id end)
  if not channel then capgo.refuse(400, "cannot_find_channel", "Cannot find channel", { channel_id = channel_id }) end
  channel.version, channel.updated_at = row, calendar.iso_ms(world.now())
  return 200, {
    status = "success",
    message = string.format("Bundle %s set to channel %s successfully", row.name, channel.name),
  }
end

local function set_metadata(world, _, input)
  local app = capgo.app(world, input)
  local row = bundle_of(app, capgo.need_integer(input, "version_id"))
  support.assign(row, input, { "link", "comment" })
  row.updated_at = calendar.iso_ms(world.now())
  return 200, { status = "ok" }
end

-- Channels ----------------------------------------------------------------

local function channel_view(channel)
  local shown = support.assign({}, channel, { "id", "name", "app_id", "created_by", "created_at", "updated_at",
    "rollout_enabled", "rollout_percentage", "rollout_cache_ttl_seconds", "auto_pause_enabled",
    "auto_pause_threshold", "auto_pause_window_minutes" })
  support.assign(shown, channel, flags)
  for _, name in ipairs { "version", "rollout_version" } do
    local row = channel[name]
    shown[name] = row and { id = row.id, name = row.name } or support.null
  end
  return shown
end

local function new_channel(world, app, name)
  local now = calendar.iso_ms(world.now())
  return app.channels:add(name, {
    id = capgo.next_id(world, "channels"), name = name, app_id = app.id, created_by = world.store.user_id,
    created_at = now, updated_at = now, public = false, disableAutoUpdateUnderNative = true,
    disableAutoUpdate = "major", ios = true, android = true, electron = true, allow_device_self_set = false,
    allow_emulator = true, allow_device = true, allow_dev = true, allow_prod = true, rollout_enabled = false,
    rollout_percentage = 0,
  })
end

local function version_named(app, name)
  local row = bundle_named(app, name)
  if not row then capgo.refuse(400, "cannot_find_version", "Cannot find version", { version = name }) end
  return row
end

local function list_channels(world, _, input)
  local app = capgo.app(world, input)
  if input.channel == nil then
    return 200, support.array(support.map(capgo.fifty(world, app.channels:list(), input), channel_view))
  end
  local channel = app.channels:get(input.channel)
  if not channel then
    capgo.refuse(400, "cannot_find_channel", "Cannot find channel", { channel = input.channel })
  end
  return 200, channel_view(channel)
end

local function check_channel(input)
  if input.disableAutoUpdate ~= nil and not update_policies[input.disableAutoUpdate] then
    capgo.refuse(400, "invalid_disable_auto_update", "disableAutoUpdate is not known", { body = input })
  end
  local percentage = input.rolloutPercentage or input.rollout_percentage
  if percentage ~= nil and not (type(percentage) == "number" and percentage >= 0 and percentage <= 100) then
    capgo.refuse(400, "invalid_rollout_percentage", "rolloutPercentage must be 0 to 100", { body = input })
  end
end

-- rollback drops what was being rolled out; promoteToStable makes it the version of all.
local function roll(app, channel, input)
  local wanted = input.rolloutVersion or input.rollout_version
  if wanted == support.null then channel.rollout_version = nil
  elseif wanted then channel.rollout_version = version_named(app, wanted) end
  for camel, snake in pairs(rollout_names) do
    local value = input[camel]
    if value == nil then value = input[snake] end
    if value ~= nil then channel[snake] = value end
  end
  if input.promoteToStable == true then channel.version = channel.rollout_version or channel.version end
  if input.promoteToStable == true or input.rollback == true then
    channel.rollout_version, channel.rollout_enabled, channel.rollout_percentage = nil, false, 0
  end
end

local function set(world, _, input)
  local app = capgo.app(world, input)
  capgo.need(input, "channel")
  check_channel(input)
  local version = input.version
  local row = version ~= nil and version ~= support.null and version_named(app, version) or nil
  local channel = app.channels:get(input.channel)
  local old = channel and channel_view(channel)
  local made = not channel
  channel = channel or new_channel(world, app, input.channel)
  support.assign(channel, input, flags)
  if version == support.null then channel.version = nil end
  channel.version = row or channel.version
  roll(app, channel, input)
  channel.updated_at = calendar.iso_ms(world.now())
  capgo.changed(world, {
    org = capgo.organization(world, app.row.owner_org), table = "channels", operation = made and "INSERT" or "UPDATE",
    id = channel.id, old = old, new = channel_view(channel),
  })
  if made and row then return 200, { status = "ok", id = channel.id, public = channel.public } end
  return 200, { status = "ok" }
end

-- Takes the bundle along only if asked with the JSON true.
local function delete_channel(world, _, input)
  local app = capgo.app(world, input)
  capgo.need(input, "channel")
  local channel = app.channels:remove(input.channel)
  if not channel then
    capgo.refuse(400, "cannot_find_channel", "Cannot find channel", { channel = input.channel })
  end
  if input.delete_bundle == true and channel.version and not linked(app, channel.version) then
    mark_deleted(world, app, channel.version)
  end
  capgo.changed(world, {
    org = capgo.organization(world, app.row.owner_org), table = "channels", operation = "DELETE", id = channel.id,
    old = channel_view(channel),
  })
  return 200, { status = "ok" }
end

-- Sizes: bundles (120, of the first app; the others have three) and channels (0 more).
local function seed_app(world, app, count)
  for number = 1, count do
    new_bundle(world, app, {
      name = string.format("1.%d.%d", number // 10, number % 10), time = world.now() - (count - number) * 3600,
      checksum = string.format("%016x", support.mix(world.seed, "checksum", number)),
      external_url = string.format("https://cdn.example.com/%s/%d.zip", app.id, number),
    })
  end
  for _, name in ipairs { "production", "beta" } do
    local channel = new_channel(world, app, name)
    channel.public = name == "production"
    channel.version = app.bundles:list()[math.max(count - (name == "beta" and 0 or 1), 1)]
  end
end

function bundles.seed(world)
  for number, app in ipairs(world.store.apps:list()) do
    seed_app(world, app, number == 1 and world:size("bundles", DEFAULT_BUNDLES) or 3)
    for extra = 1, number == 1 and world:size("channels", 0) or 0 do
      new_channel(world, app, string.format("channel-%03d", extra))
    end
  end
end

function bundles.routes(world)
  local function serve(method, path, handler, denied)
    capgo.route(world, method, path, "K", denied or { 400, "cannot_access_app" }, function(request, input)
      return handler(world, request, input)
    end)
  end
  serve("GET", "/bundle", list, { 400, "cannot_get_bundle", "You can't access this app" })
  serve("POST", "/bundle", create)
  serve("PUT", "/bundle", set_channel)
  serve("DELETE", "/bundle", delete)
  serve("POST", "/bundle/metadata", set_metadata)
  serve("GET", "/channel", list_channels)
  serve("POST", "/channel", set)
  serve("DELETE", "/channel", delete_channel)
end

return bundles
