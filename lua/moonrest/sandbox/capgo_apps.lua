-- Capgo: apps and the keys of the API.

local calendar = require "moonrest.sandbox.calendar"
local support = require "moonrest.sandbox.support"
local capgo = require "moonrest.sandbox.capgo_support"

local RETENTION_MAX = 63113903
local DEFAULT_RETENTION = 2592000
local changeable = { "name", "retention", "expose_metadata", "allow_device_custom_id", "default_upload_channel",
  "ios_store_url", "android_store_url" }

local apps = {}

-- Apps --------------------------------------------------------------------

-- The icon's address is signed anew for every answer, as the real one is.
local function view(world, app)
  local row = capgo.copy(app.row)
  local icon = app.icon or "https://storage.example.com/icons/" .. app.id .. ".png"
  row.icon_url = icon .. "?token=" .. world.hex(16)
  return row
end

function apps.new(world, fields)
  local now = calendar.iso_ms(world.now())
  local app = {
    id = fields.app_id, icon = fields.icon, bundles = support.shelf(), channels = support.shelf(),
    devices = support.shelf(), overrides = {},
  }
  app.row = support.assign({
    id = support.uuid(world.seed, "app", fields.app_id), app_id = fields.app_id, name = fields.name,
    owner_org = fields.owner_org, user_id = world.store.user_id, last_version = support.null,
    retention = DEFAULT_RETENTION, default_upload_channel = "production", expose_metadata = false,
    allow_device_custom_id = true, need_onboarding = fields.need_onboarding == true, channel_device_count = 0,
    created_at = now, updated_at = now,
  }, fields, { "ios_store_url", "android_store_url" })
  return world.store.apps:add(app.id, app)
end

-- In no order that is promised, and cut at what the database gives.
local function list(world, _, input)
  local page = capgo.page(input)
  local limit = support.integer(input.limit or capgo.PAGE, 1)
  if not limit then capgo.refuse(400, "invalid_body", "limit must be a positive number", { body = input }) end
  limit = math.min(limit, capgo.ROWS_MAX)
  local rows = world.store.apps:list(function(app)
    return input.org_id == nil or app.row.owner_org == input.org_id
  end)
  local shown = support.map(support.slice(rows, page * limit, limit), function(app) return view(world, app) end)
  return 200, support.array(shown)
end

-- Plan limits are no matter of time: no header says when to come again.
function apps.check_plan(world)
  if not world.switches.need_plan_upgrade then return end
  capgo.refuse(429, "need_plan_upgrade", "You need to upgrade your plan",
    { reason = "plan_limit", upgrade_url = "https://console.example.com/settings/plans" })
end

local function create(world, _, input)
  capgo.need(input, "app_id", "name", "owner_org")
  if not tostring(input.app_id):find "^%w[%w_-]*%.[%w._-]*[%w_-]$" then
    capgo.refuse(400, "invalid_app_id", "app_id must be a reverse domain", { app_id = input.app_id })
  end
  local org = capgo.organization(world, input.owner_org, 403, "cannot_access_organization")
  apps.check_plan(world)
  if world.store.apps:get(input.app_id) then
    capgo.refuse(409, "app_id_already_exists", "App ID already exists", { app_id = input.app_id })
  end
  local app = apps.new(world, input)
  capgo.changed(world, { org = org, table = "apps", operation = "INSERT", id = app.row.id, new = capgo.copy(app.row) })
  return 200, view(world, app)
end

local function app_of(world, request)
  local app = world.store.apps:get(request.params.appId)
  if not app then
    capgo.refuse(404, "cannot_find_app", "App not found", { app_id = request.params.appId })
  end
  return app
end

local function update(world, request, input)
  local app = app_of(world, request)
  if input.retention ~= nil and not support.integer(input.retention, 0, RETENTION_MAX) then
    capgo.refuse(400, "invalid_body", "retention must be 0 to " .. RETENTION_MAX .. " seconds", { body = input })
  end
  local old = capgo.copy(app.row)
  support.assign(app.row, input, changeable)
  app.icon = input.icon or app.icon
  app.row.updated_at = calendar.iso_ms(world.now())
  capgo.changed(world, {
    org = capgo.organization(world, app.row.owner_org), table = "apps", operation = "UPDATE", id = app.row.id,
    old = old, new = capgo.copy(app.row),
  })
  return 200, view(world, app)
end

local function delete(world, request)
  local app = app_of(world, request)
  world.store.apps:remove(app.id)
  capgo.changed(world, {
    org = capgo.organization(world, app.row.owner_org), table = "apps", operation = "DELETE", id = app.row.id,
    old = app.row,
  })
  return 200, { status = "ok" }
end

local function demo(world, _, input)
  capgo.need(input, "owner_org")
  local org = capgo.organization(world, input.owner_org, 403)
  local id = "com.capdemo." .. world.hex(8) .. ".app"
  local app = apps.new(world, { app_id = id, name = "Demo App", owner_org = org.id })
  return 200, { status = "ok", app_id = app.id, name = app.row.name, message = "Demo app created successfully" }
end

local function store_metadata(_, _, input)
  capgo.need(input, "url")
  return 200, { name = "Store app", icon_url = "https://store.example.com/icon.png", url = input.url }
end

-- Sizes: apps (3).
function apps.seed(world)
  world.store.apps = support.shelf()
  local org = world.store.organizations:list()[1]
  if not org then return end
  for number = 1, world:size("apps", 3) do
    local id = number == 1 and "com.example.moon" or string.format("com.example.app%d", number)
    apps.new(world, { app_id = id, name = "App " .. number, owner_org = org.id })
  end
end

local function app_routes(world)
  local function serve(method, path, gate, denied, handler)
    capgo.route(world, method, path, gate, denied, function(request, input) return handler(world, request, input) end)
  end
  serve("GET", "/app", "K", { 401, "cannot_access_app" }, list)
  serve("POST", "/app", "A", { 403, "cannot_create_app" }, create)
  serve("POST", "/app/demo", "A", { 403, "cannot_create_app" }, demo)
  serve("POST", "/app/store-metadata", "A", { 403, "cannot_create_app" }, store_metadata)
  serve("GET", "/app/{appId}", "K", { 401, "cannot_access_app" }, function(_, request)
    return 200, view(world, app_of(world, request))
  end)
  serve("PUT", "/app/{appId}", "K", { 401, "cannot_access_app" }, update)
  serve("DELETE", "/app/{appId}", "K", { 400, "cannot_delete_app" }, delete)
end

-- Keys --------------------------------------------------------------------

local key_fields = { "id", "name", "user_id", "rbac_id", "created_at", "updated_at", "expires_at", "is_hashed_key",
  "global_permissions" }

local function key_view(key)
  return support.assign({}, key, key_fields)
end

local function new_key(world, fields)
  local now = calendar.iso_ms(world.now())
  local id = capgo.next_id(world, "apikeys")
  return world.store.apikeys:add(id, {
    id = id, name = fields.name, key = fields.key, user_id = world.store.user_id,
    rbac_id = support.uuid(world.seed, "rbac", id), created_at = now, updated_at = now,
    expires_at = fields.expires_at or support.null, is_hashed_key = fields.hashed == true,
    global_permissions = fields.global_permissions or support.array {}, bindings = fields.bindings,
  })
end

-- By number, by its UUID, or by the key itself.
local function key_of(world, id)
  local key = world.store.apikeys:get(support.integer(id) or 0)
    or world.store.apikeys:find(function(one) return one.rbac_id == id or one.key == id end)
  if not key then capgo.refuse(404, "api_key_not_found", "API key not found", { id = id }) end
  return key
end

-- A key cannot make keys: only a person's session can.
local function need_session(request, code, message)
  if request.identity.kind ~= "session" then capgo.refuse(400, code, message) end
end

local function create_key(world, request, input)
  need_session(request, "cannot_create_apikey", "You can't create an API key with an API key")
  capgo.need(input, "name", "bindings")
  if not support.is_array(input.bindings) then
    capgo.refuse(400, "invalid_body", "bindings must be an array", { body = input })
  end
  local fields = support.assign({}, input, { "name", "bindings", "hashed", "expires_at", "global_permissions" })
  fields.key = world.uuid()
  local key = new_key(world, fields)
  local shown = key_view(key)
  shown.key = key.key
  return 200, shown
end

local function update_key(world, request, input)
  local key = key_of(world, request.params.id or input.id)
  if input.bindings ~= nil or input.global_permissions ~= nil then
    need_session(request, "cannot_update_apikey", "You can't change permissions with an API key")
  end
  support.assign(key, input, { "name", "expires_at", "bindings", "global_permissions" })
  key.updated_at = calendar.iso_ms(world.now())
  local shown = key_view(key)
  if input.regenerate == true then
    key.key = world.uuid()
    shown.key = key.key
  end
  return 200, shown
end

local function delete_key(world, request)
  local key = key_of(world, request.params.id)
  if key.key == request.identity.account then
    capgo.refuse(401, "cannot_delete_own_apikey", "You can't delete the API key you are using")
  end
  world.store.apikeys:remove(key.id)
  return 200, { status = "ok" }
end

function apps.seed_keys(world)
  world.store.apikeys = support.shelf()
  for _, kind in ipairs { "valid", "read_only", "forbidden" } do
    new_key(world, { name = kind, key = world.named_tokens[kind] })
  end
end

local function key_routes(world)
  local denied = { 401, "cannot_access_apikey" }
  local function serve(method, path, handler)
    capgo.route(world, method, path, "A", denied, function(request, input) return handler(world, request, input) end)
  end
  serve("GET", "/apikey", function()
    return 200, support.array(support.map(world.store.apikeys:list(), key_view))
  end)
  serve("GET", "/apikey/{id}", function(_, request) return 200, key_view(key_of(world, request.params.id)) end)
  serve("POST", "/apikey", create_key)
  serve("PUT", "/apikey", function(_, request, input)
    capgo.need(input, "id")
    return update_key(world, request, input)
  end)
  serve("PUT", "/apikey/{id}", update_key)
  serve("DELETE", "/apikey/{id}", delete_key)
end

function apps.routes(world)
  app_routes(world)
  key_routes(world)
end

return apps
