-- Capgo: notifications. The app is in the query, in bodies it is called appId. Nothing is sent: what is
-- queued is counted. An app begins with a configured push service for Android, so that it can send.

local calendar = require "moonrest.sandbox.calendar"
local support = require "moonrest.sandbox.support"
local capgo = require "moonrest.sandbox.capgo_support"

local MOST = 100 -- campaigns in a list
local BUCKETS = 64 -- parts that a fan-out to everybody has

local services = { ios = "apns", android = "fcm" }
local campaign_kinds = support.set { "alert", "background", "badge", "update_check" }
local campaign_states = support.set { "draft", "scheduled", "queued", "sending", "sent", "paused", "failed",
  "cancelled" }
local service_states = support.set { "draft", "configured", "disabled", "error" }

local notifications = {}

local function new_service(world, app, platform)
  local now = calendar.iso_ms(world.now())
  return {
    id = support.uuid(world.seed, "push service", app.row.app_id, platform), created_at = now, updated_at = now,
    owner_org = app.row.owner_org, app_id = app.row.app_id, platform = platform, status = "draft", config = {},
    secret_ref = support.null,
  }
end

local function new_state(world, app)
  local android = new_service(world, app, "android")
  android.status, android.config = "configured", { projectId = "moonlight" }
  return {
    settings = { enabled = false, mode = "next", channel = support.null }, sent = 0,
    services = { android = android }, campaigns = support.shelf(),
  }
end

local function state_of(world, input)
  local app = capgo.app(world, { app_id = input.appId or input.app_id }, 403, "app_access_denied")
  app.notifications = app.notifications or new_state(world, app)
  return app.notifications, app
end

local function need_text(input, name, longest)
  if not support.is_text(input[name], 1, longest) then
    capgo.refuse(400, "invalid_body", "Invalid body", { field = name })
  end
end

-- {======================================================
-- Settings and push services
-- ======================================================

local function show_settings(state, app)
  return {
    appId = app.row.app_id, pushUpdateEnabled = state.settings.enabled,
    pushUpdateInstallMode = state.settings.mode, pushUpdateChannel = state.settings.channel,
  }
end

local function get_settings(world, _, input)
  return 200, show_settings(state_of(world, input))
end

-- What is left out goes back to what it was in the beginning.
local function set_settings(world, _, input)
  local state, app = state_of(world, input)
  state.settings = {
    enabled = input.pushUpdateEnabled == true, mode = input.pushUpdateInstallMode == "set" and "set" or "next",
    channel = input.pushUpdateChannel or support.null,
  }
  return 200, show_settings(state, app)
end

local function list_services(world, _, input)
  local state, rows = state_of(world, input), {}
  for _, platform in ipairs { "ios", "android" } do rows[#rows + 1] = state.services[platform] end
  return 200, { data = support.array(rows) }
end

local function platform_of(input)
  for platform, service in pairs(services) do
    local fits = input.provider == nil or input.provider == service
    if input.platform == platform and fits or input.platform == nil and input.provider == service then
      return platform
    end
  end
  capgo.refuse(400, "invalid_platform", "Invalid notification platform")
end

local function set_service(world, _, input)
  local state, app = state_of(world, input)
  local platform = platform_of(input)
  local row = state.services[platform] or new_service(world, app, platform)
  row.status = service_states[input.status] and input.status or "draft"
  row.config, row.updated_at = input.config or {}, calendar.iso_ms(world.now())
  row.secret_ref = input.secretRef or support.null
  state.services[platform] = row
  return 200, row
end

-- }======================================================

-- {======================================================
-- Campaigns and sending
-- ======================================================

local function list_campaigns(world, _, input)
  local rows = state_of(world, input).campaigns:list(nil, true)
  return 200, { data = support.array(support.slice(rows, 0, MOST)) }
end

local function create_campaign(world, _, input)
  local state, app = state_of(world, input)
  need_text(input, "name", 180)
  local now = calendar.iso_ms(world.now())
  local row = {
    id = world.uuid(), created_at = now, updated_at = now, owner_org = app.row.owner_org, app_id = app.row.app_id,
    name = input.name, kind = campaign_kinds[input.kind] and input.kind or "alert",
    status = campaign_states[input.status] and input.status or "draft", audience = input.audience or {},
    payload = input.payload or {}, scheduled_at = input.scheduledAt or support.null, queued_at = support.null,
    completed_at = support.null, counters = {},
  }
  return 200, state.campaigns:add(row.id, row)
end

local function is_configured(state)
  for _, row in pairs(state.services) do
    if row.status == "configured" then return true end
  end
  return false
end

-- In how many parts a fan-out goes: one person is in one.
local function buckets_of(target)
  if target.externalId or target.recipientKey then return 1 end
  if target.deviceKey or target.tag or target.broadcast then return BUCKETS end
  capgo.refuse(400, "missing_notification_target", "Missing notification target")
end

local function send(world, _, input)
  local state = state_of(world, input)
  local buckets = buckets_of(support.is_object(input.target) and input.target or {})
  if not is_configured(state) then
    capgo.refuse(400, "missing_notification_provider", "Missing configured notification platform credentials")
  end
  state.sent = state.sent + 1
  return 200, {
    status = "ok", campaignId = input.campaignId or world.uuid(), queued = buckets, queuedBuckets = buckets,
    targeted = support.null,
  }
end

local function show_stats(world, _, input)
  return 200, { data = { sent = state_of(world, input).sent, opened = 0, failed = 0 } }
end

-- }======================================================

-- {======================================================
-- Recipients
-- ======================================================

local function key_of(world, ...) return ("%016x"):format(support.mix(world.seed, ...)) end

-- One device of everybody: the app's own, chosen by the key.
local function lookup(world, _, input)
  local _, app = state_of(world, input)
  if not (input.recipientKey or input.externalId) then
    capgo.refuse(400, "missing_recipient", "Missing recipient")
  end
  local key = input.recipientKey or key_of(world, "recipient", app.row.app_id, input.externalId)
  local devices, known = support.array {}, app.devices:list()
  if #known > 0 then
    local device = support.pick(known, world.seed, "recipient", key)
    devices[1] = {
      deviceKey = key_of(world, "device", device.device_id), recipientKey = key, platform = device.platform,
      tags = support.array {}, attributes = {}, badge = 0, badgeRevision = 0, permission = "granted",
      updatedAt = calendar.iso_ms(world.now()),
    }
  end
  return 200, { recipientKey = key, devices = devices, count = #devices }
end

local function prove(world, _, input)
  local _, app = state_of(world, input)
  need_text(input, "externalId", 512)
  return 200, { identityProof = key_of(world, "proof", app.row.app_id, input.externalId) }
end

-- }======================================================

function notifications.routes(world)
  local denied = { 403, "app_access_denied" }
  local function serve(method, path, handler)
    capgo.route(world, method, "/notifications" .. path, "K", denied, function(request, input)
      return handler(world, request, input)
    end)
  end
  serve("GET", "/settings", get_settings)
  serve("PUT", "/settings", set_settings)
  serve("GET", "/providers", list_services)
  serve("PUT", "/providers", set_service)
  serve("GET", "/campaigns", list_campaigns)
  serve("POST", "/campaigns", create_campaign)
  serve("POST", "/send", send)
  serve("GET", "/stats", show_stats)
  serve("POST", "/recipients/lookup", lookup)
  serve("POST", "/recipients/proof", prove)
end

return notifications
