-- Edgegap sessions of 2024: users gathered on one deployment, and custom sessions that a deployment names
-- itself.

local edgegap = require "moonrest.sandbox.edgegap_support"
local support = require "moonrest.sandbox.support"

local READY_AFTER = 3

local texts = { type = "array!", items = "string!" }
local users_rules = { ip_list = texts }

-- {======================================================
-- One session
-- ======================================================

local function add_user(users, ip, place)
  if users:get(ip) then return end
  users:add(ip, { ip = ip, latitude = place and place.latitude, longitude = place and place.longitude })
end

local function new(world, given)
  local session = { id = world.hex(12) .. "-S", custom_id = given.custom_id, app_name = given.app_name,
                    version_name = given.version_name, deployment_id = given.deployment_id,
                    webhook_url = given.webhook_url, selectors = given.selectors, created = world.now(),
                    users = support.shelf() }
  for _, user in ipairs(given.geo_ip_list or {}) do add_user(session.users, user.ip, user) end
  for _, ip in ipairs(given.ip_list or {}) do add_user(session.users, ip) end
  return session
end

-- What the routes that make a session answer.
local function show_request(session)
  return { session_id = session.id, custom_id = session.custom_id, app = session.app_name,
           version = session.version_name, deployment_request_id = session.deployment_id,
           webhook_url = session.webhook_url, selectors = edgegap.array(session.selectors) }
end

local function show_users(session)
  return edgegap.array(session.users:list())
end

-- A row of a list.
local function show_row(world, session)
  local ready = world.now() >= session.created + READY_AFTER
  return {
    session_id = session.id, custom_id = session.custom_id, ready = ready, linked = ready, kind = "DEFAULT",
    status = ready and "Status.READY" or "Status.DEPLOYING", user_count = session.users.count,
    deployment_request_id = session.deployment_id, webhook_url = session.webhook_url,
  }
end

local function show(world, session)
  local shown = show_row(world, session)
  shown.deployment_request_id = nil
  shown.app_version, shown.create_time = 1, edgegap.date(session.created)
  shown.elapsed = math.floor(world.now() - session.created)
  shown.session_users, shown.session_ips = show_users(session), show_users(session)
  return shown
end

local function show_gone(session)
  return { session_id = session.id, custom_id = session.custom_id,
           message = "Session " .. session.id .. " will be deleted" }
end

-- }======================================================

-- {======================================================
-- Sessions
-- ======================================================

local place = { latitude = "number!", longitude = "number!" }
local filter_type = { type = "string!", enum = { "any", "all", "not" } }
local selector = { tag = { type = "string!", min_length = 1, max_length = 20 }, tag_only = "boolean",
  env = { type = "object", fields = { key = { type = "string!", min_length = 1, max_length = 255 },
                                      value = { type = "string!", min_length = 1, max_length = 1024 } } } }
local session_rules = {
  app_name = "string!", version_name = "string", ip_list = { type = "array", items = "string!" },
  geo_ip_list = { type = "array", items = { type = "object", fields = {
    ip = "string!", latitude = place.latitude, longitude = place.longitude } } },
  filters = { type = "array", items = { type = "object", fields = {
    field = "string!", values = texts, filter_type = filter_type } } },
  selectors = { type = "array", items = { type = "object", fields = selector } },
  location = { type = "object", fields = place }, city = "string", country = "string", continent = "string",
  administrative_division = "string", region = "string", skip_telemetry = "boolean", webhook_url = "string",
  deployment_request_id = "string",
}

local function create(world, request)
  local body = edgegap.body(request, session_rules)
  local app = world.store.apps:get(body.app_name)
  if not app then edgegap.refuse(404, "Application " .. body.app_name .. " does not exist") end
  local newest = app.versions:list(nil, true)[1]
  body.version_name = body.version_name or newest and newest.name or ""
  body.deployment_id = body.deployment_request_id
  local session = new(world, body)
  world.store.old_sessions:add(session.id, session)
  return 200, show_request(session)
end

local function user_routes(world, session_of)
  local path = "/v1/session/{session_id}/users"
  local function answer(session) return 200, { session_users = show_users(session) } end
  world:route("GET", path, function(request) return answer(session_of(request)) end)
  world:route("PUT", path, function(request)
    local session = session_of(request)
    for _, ip in ipairs(edgegap.body(request, users_rules).ip_list) do add_user(session.users, ip) end
    return answer(session)
  end)
  world:route("DELETE", path, function(request)
    local session = session_of(request)
    for _, ip in ipairs(edgegap.body(request, users_rules).ip_list) do session.users:remove(ip) end
    return answer(session)
  end)
end

local bulk_rules = { filters = { type = "array!", items = { type = "object", fields = {
  field = { type = "string!", enum = { "session_id", "deployment_tags", "request_id" } }, values = texts,
  filter_type = filter_type,
} } } }

-- What a session has of a filter's field; of tags several.
local function owned(world, session, field)
  if field == "session_id" then return { session.id } end
  if field == "request_id" then return { session.deployment_id } end
  local deployment = session.deployment_id and world.store.deployments:get(session.deployment_id)
  return deployment and support.map(deployment.tags:list(), function(tag) return tag.name end) or {}
end

local function bulk_stop(world, sessions, request)
  local body, stopped = edgegap.body(request, bulk_rules), edgegap.array()
  for _, session in ipairs(sessions:list()) do
    local chosen = true
    for _, filter in ipairs(body.filters) do
      chosen = chosen and edgegap.chooses(filter, owned(world, session, filter.field))
    end
    if chosen then
      sessions:remove(session.id)
      stopped[#stopped + 1] = { session_id = session.id }
    end
  end
  return 200, { processable = stopped }
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
    return 200, show_gone(sessions:remove(session_of(request).id))
  end)
  world:route("GET", "/v1/sessions", function(request)
    local list = support.map(sessions:list(), function(session) return show_row(world, session) end)
    return edgegap.list(world, request, "data", list)
  end)
  world:route("POST", "/v1/sessions/bulk-stop", function(request) return bulk_stop(world, sessions, request) end)
  user_routes(world, session_of)
end

-- }======================================================

-- {======================================================
-- Custom sessions
-- ======================================================

local custom_rules = { ip_list = texts, webhook_url = "string" }
local bulk_custom_rules = { sessions = { type = "array!", items = { type = "object", fields = {
  custom_id = "string!", ip_list = texts, webhook_url = "string" } } } }

local function custom_of(world, request)
  local one = world.store.find_deployment(request.params.deployment_id)
  one.custom_sessions = one.custom_sessions or support.shelf()
  return one.custom_sessions, one
end

local function add_custom(world, shelf, deployment, id, body)
  return shelf:add(id, new(world, { custom_id = id, app_name = deployment.app_name, ip_list = body.ip_list,
    version_name = deployment.version_name, deployment_id = deployment.id, webhook_url = body.webhook_url }))
end

-- Bulks answer 200 even when some of them failed: "errors" tells.
local function bulk_add(world, request)
  local shelf, deployment = custom_of(world, request)
  local made, errors = edgegap.array(), edgegap.array()
  for _, given in ipairs(edgegap.body(request, bulk_custom_rules).sessions) do
    if shelf:get(given.custom_id) then
      errors[#errors + 1] = given.custom_id .. " already exists"
    else
      made[#made + 1] = show_request(add_custom(world, shelf, deployment, given.custom_id, given))
    end
  end
  return 200, { sessions = made, errors = errors }
end

local function bulk_remove(world, request)
  local shelf = custom_of(world, request)
  local gone, errors = edgegap.array(), edgegap.array()
  for _, id in ipairs(edgegap.body(request, { sessions = { type = "array!", items = "string!" } }).sessions) do
    local session = shelf:remove(id)
    if session then gone[#gone + 1] = show_gone(session) else errors[#errors + 1] = id .. " does not exist" end
  end
  return 200, { sessions = gone, errors = errors }
end

local function one_custom(world, request)
  local shelf = custom_of(world, request)
  local session = shelf:get(request.params.custom_id)
  if not session then edgegap.refuse(404, "Custom session " .. request.params.custom_id .. " does not exist") end
  return session, shelf
end

local function create_custom(world, request)
  local shelf, deployment = custom_of(world, request)
  local body, id = edgegap.body(request, custom_rules), request.params.custom_id
  if shelf:get(id) then edgegap.refuse(400, "Custom session " .. id .. " already exists") end
  return 200, show_request(add_custom(world, shelf, deployment, id, body))
end

local function update_custom(world, request)
  local session = one_custom(world, request)
  local body, users = edgegap.body(request, custom_rules), support.shelf()
  for _, ip in ipairs(body.ip_list) do add_user(users, ip) end
  session.users, session.webhook_url = users, body.webhook_url or session.webhook_url
  return 200, show(world, session)
end

local function custom_routes(world)
  local base = "/v1/deployment/{deployment_id}/custom/session"
  local one = base .. "/{custom_id}"
  world:route("GET", base .. "s", function(request)
    local list = support.map(custom_of(world, request):list(), function(session) return show_row(world, session) end)
    return edgegap.list(world, request, "data", list)
  end)
  world:route("POST", base .. "s", function(request) return bulk_add(world, request) end)
  world:route("DELETE", base .. "s", function(request) return bulk_remove(world, request) end)
  world:route("POST", one, function(request) return create_custom(world, request) end)
  world:route("GET", one, function(request) return 200, show(world, (one_custom(world, request))) end)
  world:route("PATCH", one, function(request) return update_custom(world, request) end)
  world:route("DELETE", one, function(request)
    local session, shelf = one_custom(world, request)
    return 200, show_gone(shelf:remove(session.custom_id))
  end)
end

-- }======================================================

return function(world)
  world.store.old_sessions = support.shelf()
  session_routes(world)
  custom_routes(world)
end
