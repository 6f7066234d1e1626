-- Edgegap sessions of 2024 (users gathered on one deployment) and custom sessions inside a deployment.

local edgegap = require "moonrest.sandbox.edgegap_support"
local support = require "moonrest.sandbox.support"

local READY_AFTER = 3

local function show(world, session)
  local ready = world.now() >= session.created + READY_AFTER
  return {
    session_id = session.id, custom_id = session.id, status = ready and "Ready" or "Waiting for deployment",
    ready = ready, linked = ready, kind = "Seat", user_count = session.users.count, app_name = session.app_name,
    version_name = session.version_name, create_time = edgegap.date(session.created),
    session_users = edgegap.array(session.users:list(), function(ip) return { ip = ip } end),
  }
end

local function add_users(session, list)
  for _, ip in ipairs(list or {}) do
    if not session.users:get(ip) then session.users:add(ip, ip) end
  end
end

local function create(world, request)
  local body = edgegap.body(request, { app_name = "string!", version_name = "string", ip_list = "array",
                                       geo_ip_list = "array", filters = "array", webhook_url = "string" })
  local app = world.store.apps:get(body.app_name)
  if not app then edgegap.refuse(404, "Application " .. body.app_name .. " does not exist") end
  local session = { id = world.hex(12) .. "-S", app_name = body.app_name, version_name = body.version_name,
                    created = world.now(), users = support.shelf() }
  add_users(session, body.ip_list)
  world.store.old_sessions:add(session.id, session)
  return 200, show(world, session)
end

local users_rules = { ip_list = { type = "array!", items = "string!" } }

local function user_routes(world, session_of)
  local path = "/v1/session/{session_id}/users"
  world:route("GET", path, function(request)
    return 200, { session_users = show(world, session_of(request)).session_users }
  end)
  world:route("PUT", path, function(request)
    local session = session_of(request)
    add_users(session, edgegap.body(request, users_rules).ip_list)
    return 200, { session_users = show(world, session).session_users }
  end)
  world:route("DELETE", path, function(request)
    local session = session_of(request)
    for _, ip in ipairs(edgegap.body(request, users_rules).ip_list) do session.users:remove(ip) end
    return 200, { session_users = show(world, session).session_users }
  end)
end

local function session_routes(world)
  local sessions = world.store.old_sessions
  local function session_of(request)
    local session = sessions:get(request.params.session_id)
    if not session then edgegap.refuse(404, "Session " .. request.params.session_id .. " does not exist") end
    return session
  end
  world:route("POST", "/v1/session", function(request) return create(world, request) end)
  world:route("GET", "/v1/session/{session_id}", function(request) return 200, show(world, session_of(request)) end)
  world:route("DELETE", "/v1/session/{session_id}", function(request)
    local session = sessions:remove(session_of(request).id)
    return 200, { message = "Session deleted", session_id = session.id }
  end)
  world:route("GET", "/v1/sessions", function(request)
    local list = support.map(sessions:list(), function(session) return show(world, session) end)
    return edgegap.list(world, request, "data", list)
  end)
  world:route("POST", "/v1/sessions/bulk-stop", function(request)
    local body, stopped = edgegap.body(request, { sessions = { type = "array!", items = "string!" } }), edgegap.array()
    for _, id in ipairs(body.sessions) do
      if sessions:remove(id) then stopped[#stopped + 1] = { session_id = id } end
    end
    return 202, { sessions = stopped }
  end)
  user_routes(world, session_of)
end

-- {======================================================
-- Custom sessions
-- ======================================================

local custom_rules = { custom_session_id = "string!", kind = "string", ip_list = "array" }

local function custom_of(world, request)
  local one = world.store.find_deployment(request.params.deployment_id)
  one.custom_sessions = one.custom_sessions or support.shelf()
  return one.custom_sessions
end

local function add_custom(world, shelf, body)
  return shelf:add(body.custom_session_id, {
    custom_session_id = body.custom_session_id, kind = body.kind or "Seat",
    session_users = edgegap.array(body.ip_list), create_time = edgegap.date(world.now()),
  })
end

-- A bulk answers 200 even when some of it failed: "errors" tells.
local function bulk_add(world, shelf, request)
  local body = edgegap.body(request, { sessions = { type = "array!", items = { type = "object",
                                       fields = custom_rules } } })
  local made, errors = edgegap.array(), edgegap.array()
  for _, given in ipairs(body.sessions) do
    if shelf:get(given.custom_session_id) then
      errors[#errors + 1] = given.custom_session_id .. " already exists"
    else
      made[#made + 1] = add_custom(world, shelf, given)
    end
  end
  return 200, { sessions = made, errors = errors }
end

local function bulk_remove(shelf, request)
  local body = edgegap.body(request, { sessions = { type = "array!", items = "string!" } })
  local gone, errors = edgegap.array(), edgegap.array()
  for _, id in ipairs(body.sessions) do
    if shelf:remove(id) then gone[#gone + 1] = id else errors[#errors + 1] = id .. " does not exist" end
  end
  return 200, { sessions = gone, errors = errors }
end

local function one_custom(world, request)
  local shelf = custom_of(world, request)
  local row = shelf:get(request.params.custom_session_id)
  if not row then edgegap.refuse(404, "Custom session " .. request.params.custom_session_id .. " does not exist") end
  return row, shelf
end

local function update_custom(world, request)
  local row = one_custom(world, request)
  support.assign(row, edgegap.body(request, { kind = "string", session_users = "array" }), { "kind", "session_users" })
  return 200, row
end

local function custom_routes(world)
  local base = "/v1/deployment/{deployment_id}/custom/session"
  world:route("POST", base, function(request)
    local shelf, body = custom_of(world, request), edgegap.body(request, custom_rules)
    if shelf:get(body.custom_session_id) then edgegap.refuse(409, "The custom session already exists") end
    return 200, add_custom(world, shelf, body)
  end)
  world:route("GET", base .. "s", function(request)
    return edgegap.list(world, request, "data", custom_of(world, request):list())
  end)
  world:route("POST", base .. "s", function(request) return bulk_add(world, custom_of(world, request), request) end)
  world:route("DELETE", base .. "s", function(request) return bulk_remove(custom_of(world, request), request) end)
  local one = base .. "/{custom_session_id}"
  world:route("GET", one, function(request) return 200, (one_custom(world, request)) end)
  world:route("PATCH", one, function(request) return update_custom(world, request) end)
  world:route("PUT", one, function(request) return update_custom(world, request) end)
  world:route("DELETE", one, function(request)
    local row, shelf = one_custom(world, request)
    shelf:remove(row.custom_session_id)
    return 204
  end)
end

-- }======================================================

return function(world)
  world.store.old_sessions = support.shelf()
  session_routes(world)
  custom_routes(world)
end
