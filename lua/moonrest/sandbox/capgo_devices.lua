-- Capgo: devices, listed by a cursor of time and id, and their links to channels.

local calendar = require "moonrest.sandbox.calendar"
local limits = require "moonrest.sandbox.limits"
local support = require "moonrest.sandbox.support"
local capgo = require "moonrest.sandbox.capgo_support"

local DEFAULT_LIMIT, LIMIT_MAX = 50, 50000
local DEFAULT_DEVICES = 120
local SAME_CHANNEL_SECONDS = 60
local platforms = { "ios", "android", "android", "electron" }
local fields = { "device_id", "custom_id", "version", "version_name", "app_id", "platform", "plugin_version",
  "os_version", "version_build", "is_prod", "is_emulator", "key_id" }

local devices = {}

-- Limits ------------------------------------------------------------------

-- Five a second for an app, a device and an operation; a thousand a minute for an app.
local function take(world, operation, app_id, device_id)
  if world.options.limits == false then return end
  local store = world.store
  store.device_limiter = store.device_limiter or limits.new "sliding"
  local buckets = {
    { "device " .. operation .. " " .. app_id .. " " .. device_id, "5/s", "device_operation" },
    { "app " .. app_id, "1000/min", "app_ip" },
  }
  for _, bucket in ipairs(buckets) do
    local allowed, _, refusing = store.device_limiter:take(bucket[1], { bucket[2] }, world.now())
    if not allowed then
      local more, headers = capgo.wait_hints(world.now(), refusing.reset,
        { reason = bucket[3] .. "_rate_limit_exceeded", app_id = app_id, device_id = device_id })
      capgo.refuse(429, "too_many_requests", "Too many requests", more, headers)
    end
  end
end

local function refuse_same_channel(world, app, device_id, channel)
  local override = app.overrides[device_id]
  local until_time = override and override.time + SAME_CHANNEL_SECONDS
  if world.options.limits == false or not override or override.channel ~= channel or world.now() >= until_time then
    return
  end
  local more, headers = capgo.wait_hints(world.now(), until_time,
    { reason = "same_channel_set", app_id = app.id, device_id = device_id })
  capgo.refuse(429, "too_many_requests", "Too many requests", more, headers)
end

-- Reading -----------------------------------------------------------------

local function view(app, device)
  local shown = support.assign({}, device, fields)
  local override = app.overrides[device.device_id]
  shown.channel = override and override.channel or support.null
  shown.updated_at = calendar.iso_ms(device.time)
  return shown
end

-- Order by time, then by id: what the cursor "time|id" can point into.
local function ordered(list, descending)
  table.sort(list, function(a, b)
    if descending then a, b = b, a end
    if a.time ~= b.time then return a.time < b.time end
    return a.device_id < b.device_id
  end)
  return list
end

local function after_cursor(cursor, descending)
  if cursor == nil then return function() return true end end
  local text, id = tostring(cursor):match "^([^|]+)|(.+)$"
  local time = text and calendar.parse(text)
  if not time then capgo.refuse(400, "invalid_cursor", "Invalid cursor", { cursor = cursor }) end
  return function(device)
    if device.time ~= time then return (device.time > time) ~= descending end
    if device.device_id == id then return false end
    return (device.device_id > id) ~= descending
  end
end

local function list(app, input)
  local limit = support.integer(input.limit or DEFAULT_LIMIT, 1)
  if not limit then capgo.refuse(400, "invalid_limit", "limit must be a positive number", { body = input }) end
  limit = math.min(limit, LIMIT_MAX)
  local descending = (input.order or "desc") == "desc"
  local follows = after_cursor(input.cursor, descending)
  local since = input.updated_at and calendar.parse(tostring(input.updated_at))
  if input.updated_at and not since then
    capgo.refuse(400, "invalid_updated_at", "updated_at must be a valid ISO date", { updated_at = input.updated_at })
  end
  if input.order ~= nil and input.order ~= "asc" and input.order ~= "desc" then
    capgo.refuse(400, "invalid_order", "order must be asc or desc", { order = input.order })
  end
  local custom = input.customIdMode ~= nil and input.customIdMode ~= ""
  local rows = ordered(app.devices:list(function(device)
    return follows(device) and (not since or device.time > since)
      and (not custom or device.custom_id ~= support.null)
  end), descending)
  local page = support.slice(rows, 0, limit)
  local last = page[#page]
  return 200, {
    data = support.array(support.map(page, function(device) return view(app, device) end)), hasMore = #rows > limit,
    nextCursor = #rows > limit and calendar.iso_ms(last.time) .. "|" .. last.device_id or nil,
  }
end

local function read(world, _, input)
  local app = capgo.app(world, input)
  if input.device_id == nil then return list(app, input) end
  local id = tostring(input.device_id):lower()
  take(world, "get", app.id, id)
  local device = app.devices:get(id)
  if not device then capgo.refuse(404, "device_not_found", "Device not found", { device_id = id }) end
  return 200, view(app, device)
end

-- Linking -----------------------------------------------------------------

-- Without a channel nothing is done, and that is a success.
local function link(world, _, input)
  local app = capgo.app(world, input)
  capgo.need(input, "device_id")
  local id = tostring(input.device_id):lower()
  take(world, "set", app.id, id)
  if input.version_id ~= nil then
    capgo.refuse(400, "invalid_version_id", "Cannot set version to a device", { body = input })
  end
  if input.channel == nil then return 200, { status = "ok" } end
  local channel = app.channels:get(input.channel)
  if not channel then
    capgo.refuse(404, "channel_not_found", "Channel not found", { channel = input.channel })
  end
  if channel.public then
    capgo.refuse(400, "public_channel_override", "Cannot set channel override for public channel")
  end
  refuse_same_channel(world, app, id, input.channel)
  app.overrides[id] = { channel = input.channel, time = world.now() }
  return 200, { status = "ok" }
end

local function unlink(world, _, input)
  local app = capgo.app(world, input)
  capgo.need(input, "device_id")
  local id = tostring(input.device_id):lower()
  take(world, "delete", app.id, id)
  app.overrides[id] = nil
  return 200, { status = "ok" }
end

-- Two devices share each time, so that a cursor needs the id too.
local function seed_device(world, app, number)
  local id = support.uuid(world.seed, "device", app.id, number)
  local version = app.bundles:list()[1]
  app.devices:add(id, {
    device_id = id, app_id = app.id, custom_id = number % 3 == 0 and "tester-" .. number or support.null,
    version = version and version.id or support.null, version_name = version and version.name or support.null,
    platform = support.pick(platforms, world.seed, "platform", number), plugin_version = "7.0." .. number % 10,
    os_version = "17." .. number % 6, version_build = "1.0.0", is_prod = number % 5 ~= 0,
    is_emulator = number % 5 == 0, key_id = support.null,
    time = math.floor(world.now()) - (number // 2) * 90 - 60,
  })
end

-- Sizes: devices (120, of the first app).
function devices.seed(world)
  local app = world.store.apps:list()[1]
  if not app then return end
  for number = 1, world:size("devices", DEFAULT_DEVICES) do seed_device(world, app, number) end
end

function devices.routes(world)
  local denied = { 400, "cannot_access_app" }
  for method, handler in pairs { GET = read, POST = link, DELETE = unlink } do
    capgo.route(world, method, "/device", "K", denied, function(request, input)
      return handler(world, request, input)
    end)
  end
end

return devices
