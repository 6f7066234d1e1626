-- Edgegap applications and their versions.

local edgegap = require "moonrest.sandbox.edgegap_support"
local support = require "moonrest.sandbox.support"

local PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

local app_rules = {
  name = { type = "string!", min_length = 3, max_length = 64 }, is_active = "boolean!", image = "string!",
}
local app_changes = {
  name = { type = "string", min_length = 3, max_length = 64 }, is_active = "boolean", image = "string",
}

local version_changes = {
  name = { type = "string", min_length = 1, max_length = 64 }, is_active = "boolean",
  docker_repository = "string", docker_image = "string", docker_tag = "string",
  private_username = "string", private_token = "string", verify_image = "boolean", force_cache = "boolean",
  time_to_deploy = { type = "integer", min = 15 }, max_duration = { type = "integer", min = -1, max = 1440 },
  restart_policy = { "always", "never", "on_failure" },
  termination_grace_period_seconds = { type = "integer", min = 5, max = 3600 },
  will_deploy_in_mainland_china = "boolean", dns_config = "string", endpoint_storage = "string",
  ports = { type = "array", items = { type = "object", fields = {
    port = { type = "integer!", min = 0, max = 59999 }, protocol = "string!", to_check = "boolean",
    tls_upgrade = "boolean", name = "string",
  } } },
  envs = edgegap.VARIABLES,
}

local version_fields = { "req_cpu", "req_memory", "req_video" }
for name in pairs(version_changes) do version_fields[#version_fields + 1] = name end

local version_rules = {
  name = { type = "string!", min_length = 1, max_length = 64 }, req_cpu = { type = "integer!", min = 100 },
  req_memory = { type = "integer!", min = 100 }, req_video = { type = "integer", min = 0 },
  docker_repository = "string!", docker_image = "string!", docker_tag = "string!",
}
for name, rule in pairs(version_changes) do version_rules[name] = version_rules[name] or rule end

-- {======================================================
-- Applications
-- ======================================================

local function add_app(world, fields)
  local now = edgegap.date(world.now())
  local app = { name = fields.name, is_active = fields.is_active, image = fields.image, create_time = now,
                last_updated = now }
  world.store.apps:add(app.name, { row = app, versions = support.shelf() })
  return app
end

local function app_of(world, request)
  local app = world.store.apps:get(request.params.app_name)
  if not app then edgegap.refuse(404, "Application " .. request.params.app_name .. " does not exist") end
  return app
end

-- Another key keeps the row's place.
local function rename(shelf, old, new)
  if new == nil or new == old then return end
  local row = shelf:get(old)
  shelf:remove(old)
  shelf:add(new, row)
end

local function app_routes(world)
  local apps = world.store.apps
  world:route("POST", "/v1/app", function(request)
    local body = edgegap.body(request, app_rules)
    if apps:get(body.name) then edgegap.refuse(409, "Application " .. body.name .. " already exists") end
    return 200, add_app(world, body)
  end)
  world:route("GET", "/v1/apps", function(request)
    local rows = support.map(apps:list(), function(app) return app.row end)
    return edgegap.list(world, request, "applications", rows)
  end)
  world:route("GET", "/v1/app/{app_name}", function(request) return 200, app_of(world, request).row end)
  world:route("PATCH", "/v1/app/{app_name}", function(request)
    local app, body = app_of(world, request), edgegap.body(request, app_changes)
    if body.name and body.name ~= app.row.name and apps:get(body.name) then
      edgegap.refuse(409, "Application " .. body.name .. " already exists")
    end
    rename(apps, app.row.name, body.name)
    support.assign(app.row, body, { "name", "is_active", "image" })
    app.row.last_updated = edgegap.date(world.now())
    return 200, app.row
  end)
  world:route("DELETE", "/v1/app/{app_name}", function(request)
    apps:remove(app_of(world, request).row.name)
    return 200
  end)
end

-- }======================================================

-- {======================================================
-- Versions
-- ======================================================

local function version_of(world, request)
  local app = app_of(world, request)
  local version = app.versions:get(request.params.version_name)
  if not version then edgegap.refuse(404, "Version " .. request.params.version_name .. " does not exist") end
  return version, app
end

local function check_image(fields)
  if fields.verify_image and fields.docker_tag == "missing" then
    edgegap.refuse(424, "The image cannot be pulled with these parameters")
  end
end

local function new_version(world, body)
  local now = edgegap.date(world.now())
  local version = {
    is_active = true, req_video = 0, verify_image = false, force_cache = false, caching_percent = 0.0,
    time_to_deploy = 30, max_duration = 1440, restart_policy = "always", termination_grace_period_seconds = 5,
    will_deploy_in_mainland_china = false, ports = edgegap.array(), envs = edgegap.array(),
    create_time = now, last_updated = now,
  }
  support.assign(version, body, version_fields)
  if version.force_cache then version.caching_percent = 0.9 end
  return version
end

-- A hidden variable's value cannot be read back, and neither can the registry's token.
local function shown(version)
  local row = {}
  for name, value in pairs(version) do row[name] = value end
  row.private_token = version.private_token and "********" or nil
  row.envs = edgegap.array(version.envs, function(env)
    return { key = env.key, value = env.is_hidden and "********" or env.value, is_hidden = env.is_hidden or false }
  end)
  return row
end

local function update_version(world, request)
  local version, app = version_of(world, request)
  local body = edgegap.body(request, version_changes)
  if body.name and body.name ~= version.name and app.versions:get(body.name) then
    edgegap.refuse(400, "Version " .. body.name .. " already exists")
  end
  check_image(support.assign({ docker_tag = version.docker_tag }, body, { "docker_tag", "verify_image" }))
  rename(app.versions, version.name, body.name)
  support.assign(version, body, version_fields)
  version.last_updated = edgegap.date(world.now())
  return 200, { success = true, version = shown(version) }
end

local function version_routes(world)
  world:route("POST", "/v1/app/{app_name}/version", function(request)
    local app, body = app_of(world, request), edgegap.body(request, version_rules)
    if body.req_memory > 2 * body.req_cpu then
      edgegap.refuse(400, "req_memory must be at most double req_cpu")
    end
    if app.versions:get(body.name) then edgegap.refuse(409, "Version " .. body.name .. " already exists") end
    check_image(body)
    return 200, { success = true, version = shown(app.versions:add(body.name, new_version(world, body))) }
  end)
  world:route("GET", "/v1/app/{app_name}/versions", function(request)
    local list = support.map(app_of(world, request).versions:list(), shown)
    return edgegap.list(world, request, "versions", list, math.max(#list, 1))
  end)
  local one = "/v1/app/{app_name}/version/{version_name}"
  world:route("GET", one, function(request) return 200, shown((version_of(world, request))) end)
  world:route("PATCH", one, function(request) return update_version(world, request) end)
  world:route("DELETE", one, function(request)
    local version, app = version_of(world, request)
    app.versions:remove(version.name)
    return 200, { success = true, message = "Version deleted" }
  end)
end

-- }======================================================

-- What the examples of the manual deploy: there unless the sizes say how many applications there are.
local function seed_example(world)
  add_app(world, { name = "my-game", is_active = true, image = PIXEL })
  world.store.apps:get("my-game").versions:add("v2", new_version(world, {
    name = "v2", docker_repository = "registry.example.com", docker_image = "my-org/my-game", docker_tag = "2.0.0",
    req_cpu = 256, req_memory = 512, ports = { { port = 7777, protocol = "UDP", name = "gameport" } },
  }))
end

return function(world)
  world.store.apps = support.shelf()
  local count = world:size "apps"
  if not count then seed_example(world) end
  for i = 1, count or 0 do
    add_app(world, { name = ("game-%04d"):format(i), is_active = true, image = PIXEL })
  end
  app_routes(world)
  version_routes(world)
end
