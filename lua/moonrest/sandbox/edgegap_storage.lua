-- Edgegap endpoint storages (buckets for logs and files) and their pull profiles.

local edgegap = require "moonrest.sandbox.edgegap_support"
local support = require "moonrest.sandbox.support"

local formats = { "TEXT", "NDJSON" }
local storage_rules = { name = "string!", access_key_id = "string!", secret_access_key = "string!",
                        endpoint = "string!", bucket = "string!", output_format = formats }
local storage_changes = { name = "string", access_key_id = "string", secret_access_key = "string",
                          endpoint = "string", bucket = "string", output_format = formats }
local storage_fields = { "name", "access_key_id", "endpoint", "bucket", "output_format" }
local kinds = { type = "string!", enum = { "File", "Folder" } }
local profile_rules = { name = "string!", source = "string!", source_type = kinds, destination = "string!" }
local profile_changes = { name = "string", source = "string", source_type = { "File", "Folder" },
                          destination = "string" }
local profile_fields = { "name", "source", "source_type", "destination" }

local function row_of(shelf, name, what)
  local row = shelf:get(name)
  if not row then edgegap.refuse(404, what .. " " .. name .. " does not exist") end
  return row
end

local function create(world, shelf, body, fields)
  if shelf:get(body.name) then edgegap.refuse(400, body.name .. " already exists") end
  local now = edgegap.date(world.now())
  local row = support.assign({ create_time = now, last_updated = now }, body, fields)
  return shelf:add(row.name, { row = row, profiles = support.shelf(), links = {} })
end

local function update(world, shelf, one, body, fields)
  local name = one.row.name
  if body.name and body.name ~= name then
    if shelf:get(body.name) then edgegap.refuse(400, body.name .. " already exists") end
    shelf:remove(name)
    shelf:add(body.name, one)
  end
  support.assign(one.row, body, fields).last_updated = edgegap.date(world.now())
  return one.row
end

local function rows(shelf)
  return support.map(shelf:list(), function(one) return one.row end)
end

local function storage_routes(world)
  local storages = world.store.storages
  local function storage_of(request) return row_of(storages, request.params.endpoint_name, "Endpoint storage") end
  world:route("POST", "/v1/storage/endpoint", function(request)
    local body = edgegap.body(request, storage_rules)
    body.output_format = body.output_format or "TEXT"
    return 200, create(world, storages, body, storage_fields).row
  end)
  world:route("GET", "/v1/storage/endpoints", function(request)
    local items, _, pagination = edgegap.page(world, request, rows(storages))
    return 200, { endpoints = items, pagination = pagination }
  end)
  world:route("GET", "/v1/storage/endpoint/{endpoint_name}", function(request)
    return 200, storage_of(request).row
  end)
  world:route("PATCH", "/v1/storage/endpoint/{endpoint_name}", function(request)
    local storage = storage_of(request)
    return 200, update(world, storages, storage, edgegap.body(request, storage_changes), storage_fields)
  end)
  world:route("DELETE", "/v1/storage/endpoint/{endpoint_name}", function(request)
    storages:remove(storage_of(request).row.name)
    return 204
  end)
  return storage_of
end

local function profile_routes(world, storage_of)
  local base = "/v1/storage/endpoint/{endpoint_name}/pull-profile"
  local function profile_of(request)
    local storage = storage_of(request)
    return row_of(storage.profiles, request.params.pull_profile_name, "Pull profile"), storage
  end
  world:route("POST", base, function(request)
    local storage = storage_of(request)
    return 200, create(world, storage.profiles, edgegap.body(request, profile_rules), profile_fields).row
  end)
  world:route("GET", base .. "s", function(request)
    return edgegap.list(world, request, "pull_profiles", rows(storage_of(request).profiles))
  end)
  world:route("GET", base .. "/{pull_profile_name}", function(request) return 200, profile_of(request).row end)
  world:route("PATCH", base .. "/{pull_profile_name}", function(request)
    local profile, storage = profile_of(request)
    return 200, update(world, storage.profiles, profile, edgegap.body(request, profile_changes), profile_fields)
  end)
  world:route("DELETE", base .. "/{pull_profile_name}", function(request)
    local profile, storage = profile_of(request)
    storage.profiles:remove(profile.row.name)
    return 204
  end)
  return profile_of
end

local function link_routes(world, profile_of)
  local path = "/v1/storage/endpoint/{endpoint_name}/pull-profile/{pull_profile_name}"
    .. "/app/{app_name}/version/{version_name}"
  world:route("PUT", path, function(request)
    local profile, names = profile_of(request), request.params
    local app = row_of(world.store.apps, names.app_name, "Application")
    row_of(app.versions, names.version_name, "Version")
    local key, now = names.app_name .. "\0" .. names.version_name, edgegap.date(world.now())
    profile.links[key] = profile.links[key] or { create_time = now }
    return 200, { app = names.app_name, app_version = names.version_name, endpoint = names.endpoint_name,
                  pull_profile = names.pull_profile_name, create_time = profile.links[key].create_time,
                  last_updated = now }
  end)
  world:route("DELETE", path, function(request)
    local profile = profile_of(request)
    local key = request.params.app_name .. "\0" .. request.params.version_name
    if not profile.links[key] then edgegap.refuse(404, "The pull profile is not linked to this version") end
    profile.links[key] = nil
    return 204
  end)
end

return function(world)
  world.store.storages = support.shelf()
  link_routes(world, profile_routes(world, storage_routes(world)))
end
