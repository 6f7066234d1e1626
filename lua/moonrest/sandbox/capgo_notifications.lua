-- Capgo: notifications. Only the names of these routes are known; the app is in
-- the query, in bodies it is called appId, and what is listed ends at a hundred.

local calendar = require "moonrest.sandbox.calendar"
local support = require "moonrest.sandbox.support"
local capgo = require "moonrest.sandbox.capgo_support"

local MOST = 100

local notifications = {}

local function state_of(world, input)
  local app = capgo.app(world, { app_id = input.appId or input.app_id })
  app.notifications = app.notifications or {
    settings = { enabled = false }, providers = {}, campaigns = support.shelf(), sent = 0,
  }
  return app.notifications, app
end

local function newest(shelf)
  return support.array(support.slice(shelf:list(nil, true), 0, MOST))
end

local function write_into(target, input)
  for name, value in pairs(input) do
    if name ~= "appId" and name ~= "app_id" then target[name] = value end
  end
  return target
end

local function send(world, _, input)
  local state, app = state_of(world, input)
  state.sent = state.sent + app.devices.count
  return 200, { status = "ok", recipients = app.devices.count }
end

local function create_campaign(world, _, input)
  local state = state_of(world, input)
  local id = world.uuid()
  local row = write_into({ id = id, status = "draft", created_at = calendar.iso_ms(world.now()) }, input)
  row.id = id
  return 200, { data = state.campaigns:add(id, row) }
end

local function recipients(world, _, input)
  local _, app = state_of(world, input)
  local rows = support.map(support.slice(app.devices:list(), 0, MOST), function(device)
    return { device_id = device.device_id, platform = device.platform, subscribed = device.is_prod }
  end)
  return 200, { data = support.array(rows) }
end

function notifications.routes(world)
  local denied = { 400, "cannot_access_app" }
  local function serve(method, path, handler)
    capgo.route(world, method, "/notifications" .. path, "K", denied, function(request, input)
      return handler(world, request, input)
    end)
  end
  local function part(name, change)
    return function(_, request, input)
      local state = state_of(world, change and input or request.query)
      if change then write_into(state[name], input) end
      return 200, { data = state[name] }
    end
  end
  for _, name in ipairs { "settings", "providers" } do
    serve("GET", "/" .. name, part(name, false))
    serve("POST", "/" .. name, part(name, true))
    serve("PUT", "/" .. name, part(name, true))
  end
  serve("POST", "/send", send)
  serve("GET", "/campaigns", function(_, _, input) return 200, { data = newest(state_of(world, input).campaigns) } end)
  serve("POST", "/campaigns", create_campaign)
  serve("GET", "/stats", function(_, _, input)
    return 200, { data = { sent = state_of(world, input).sent, opened = 0, failed = 0 } }
  end)
  for _, path in ipairs { "/recipients", "/recipients/{rest...}" } do
    serve("GET", path, recipients)
    serve("POST", path, recipients)
  end
end

return notifications
