-- Edgegap relay sessions and their users.

local edgegap = require "moonrest.sandbox.edgegap_support"
local json = require "moonrest.sandbox.json"
local support = require "moonrest.sandbox.support"

local READY_AFTER = 2
local MAX_TOKEN = 4294967295

local function new_user(world, ip)
  return { ip_address = ip, latitude = 45.5088, longitude = -73.5878, authorization_token = world.random(1, MAX_TOKEN) }
end

-- A user comes as { ip = }, { ip_address = } or as a bare text.
local function user_ip(user)
  if type(user) == "string" then return user end
  local ip = type(user) == "table" and (user.ip or user.ip_address)
  if type(ip) ~= "string" then edgegap.refuse(400, "users must have an ip") end
  return ip
end

local function port(world, session, name)
  local number = 32000 + support.mix(world.seed, session.id, name) % 700
  return { port = number, protocol = "UDP", link = session.host .. ":" .. number }
end

local function relay_of(world, session)
  return { ip = "198.51.100.200", host = session.host,
           ports = { server = port(world, session, "server"), client = port(world, session, "client") } }
end

local function show(world, session)
  local ready = world.now() >= session.created + READY_AFTER
  return {
    session_id = session.id, authorization_token = session.token, status = ready and "READY" or "QUEUED",
    ready = ready, linked = ready, session_users = edgegap.array(session.users),
    relay = ready and relay_of(world, session) or nil, webhook_url = session.webhook_url,
  }
end

local function create(world, request)
  local body = edgegap.body(request, { users = { type = "array!", min_items = 1 }, filters = "array",
                                       webhook_url = "string" })
  local id = world.hex(12)
  local session = { id = id .. "-S", host = id .. ".st.edgegap.net", created = world.now(), users = {},
                    token = world.random(1, MAX_TOKEN), webhook_url = body.webhook_url }
  for i, user in ipairs(body.users) do session.users[i] = new_user(world, user_ip(user)) end
  world.store.sessions:add(session.id, session)
  if body.webhook_url then
    world.after(READY_AFTER, function()
      world:post(body.webhook_url, { ["Content-Type"] = "application/json" }, json.encode(show(world, session)))
    end)
  end
  return 200, show(world, session)
end

local function authorize(world, request)
  local body = edgegap.body(request, { session_id = "string!", user_ip = "string!" })
  local session = world.store.sessions:get(body.session_id)
  if not session then edgegap.refuse(400, "Session " .. body.session_id .. " does not exist") end
  for _, user in ipairs(session.users) do
    if user.ip_address == body.user_ip then edgegap.refuse(409, "The user is already part of the session") end
  end
  local user = new_user(world, body.user_ip)
  session.users[#session.users + 1] = user
  local shown = show(world, session)
  shown.session_users, shown.session_user = nil, user
  return 200, shown
end

local function revoke(world, request)
  local body = edgegap.body(request, { session_id = "string!", authorization_token = "integer!" })
  local session = world.store.sessions:get(body.session_id)
  if not session then edgegap.refuse(404, "Session " .. body.session_id .. " does not exist") end
  for i, user in ipairs(session.users) do
    if user.authorization_token == body.authorization_token then
      table.remove(session.users, i)
      if #session.users == 0 then return 204 end
      return 200, show(world, session)
    end
  end
  edgegap.refuse(404, "No user of the session has this token")
end

return function(world)
  local sessions = support.shelf()
  world.store.sessions = sessions
  local function session_of(request)
    local session = sessions:get(request.params.session_id)
    if not session then edgegap.refuse(404, "Session " .. request.params.session_id .. " does not exist") end
    return session
  end
  world:route("POST", "/v1/relays/sessions", function(request) return create(world, request) end)
  world:route("GET", "/v1/relays/sessions", function(request)
    local list = support.map(sessions:list(), function(session) return show(world, session) end)
    return edgegap.list(world, request, "sessions", list, math.max(#list, 1))
  end)
  world:route("GET", "/v1/relays/sessions/{session_id}", function(request)
    return 200, show(world, session_of(request))
  end)
  world:route("DELETE", "/v1/relays/sessions/{session_id}", function(request)
    sessions:remove(session_of(request).id)
    return 204
  end)
  world:route("POST", "/v1/relays/sessions:authorize-user", function(request) return authorize(world, request) end)
  world:route("POST", "/v1/relays/sessions:revoke-user", function(request) return revoke(world, request) end)
end
