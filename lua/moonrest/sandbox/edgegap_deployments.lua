-- Edgegap deployments: making, listing, watching, stopping them.

local calendar = require "moonrest.sandbox.calendar"
local deployment = require "moonrest.sandbox.edgegap_deployment"
local edgegap = require "moonrest.sandbox.edgegap_support"
local metrics = require "moonrest.sandbox.edgegap_metrics"
local query = require "moonrest.sandbox.edgegap_query"
local support = require "moonrest.sandbox.support"
local json = require "moonrest.sandbox.json"

-- {======================================================
-- Finding
-- ======================================================

--- The deployment of the path, with its state, or 404.
local function find(world, id)
  local one = world.store.deployments:get(id)
  local word = one and one:state(world.now())
  if not word then edgegap.refuse(404, "Deployment " .. id .. " does not exist") end
  return one, word
end

-- Those that still are there; what is forgotten is dropped on the way.
local function living(world)
  local all, now = world.store.deployments, world.now()
  return all:list(function(one)
    local word = one:state(now)
    if not word then all:remove(one.id) end
    return word and word ~= "TERMINATED"
  end)
end

-- }======================================================

-- {======================================================
-- Making
-- ======================================================

local LARGEST = { cpu_units = 16384, memory_mib = 32768 } -- that a server of the cloud has

local texts = { type = "array!", items = "string!" }
local filter_rules = { type = "object", fields = {
  field = "string!", values = texts, filter_type = { type = "string!", enum = { "any", "all", "not" } } } }

local deploy_rules = {
  app_name = "string!", version_name = "string", ip_list = { type = "array", items = "string!" },
  geo_ip_list = { type = "array", items = { type = "object", fields = {
    ip = "string!", latitude = "number!", longitude = "number!" } } },
  filters = { type = "array", items = filter_rules }, env_vars = edgegap.VARIABLES, webhook_url = "string",
  tags = { type = "array", items = { type = "string", min_length = 1, max_length = 40 } },
  container_log_storage = { type = "object", fields = { enabled = "boolean!", endpoint_storage = "string!" } },
  command = "string?", arguments = "string?",
}

local hook = { type = "object", fields = { url = "string!" } }
local deploy_v2_rules = {
  application = "string!", version = "string!", require_cached_locations = "boolean?",
  resources = { type = "object", fields = {
    cpu_units = { type = "integer!", min = 100 }, memory_mib = { type = "integer!", min = 100 } } },
  users = { type = "array!", min_items = 1, items = { type = "object", fields = {
    user_type = "string!", user_data = "object!" } } },
  environment_variables = { type = "array", items = { type = "object", fields = {
    key = "string!", value = "string!", is_hidden = "boolean!" } } },
  tags = { type = "array", items = { type = "string", min_length = 1, max_length = 40 } },
  webhook_on_ready = hook, webhook_on_error = hook, webhook_on_terminated = hook,
}

local function newest_active(app)
  for _, version in ipairs(app.versions:list(nil, true)) do
    if version.is_active then return version end
  end
end

-- The application's and the version's rows, or nil and what is wrong.
local function target(world, app_name, version_name)
  local app = world.store.apps:get(app_name)
  if not app then return nil, "Application " .. app_name .. " does not exist" end
  local version = newest_active(app)
  if version_name then version = app.versions:get(version_name) end
  if not version then return nil, "Version " .. (version_name or "(newest)") .. " does not exist" end
  if not app.row.is_active or not version.is_active then return nil, "The application or version is not active" end
  return { app = app.row, version = version }
end

local function image_failure(version)
  return version.docker_tag == "broken" and "Container exited before it was ready" or nil
end

local function add(world, given)
  local one = deployment.new(world, given)
  world.store.deployments:add(one.id, one)
  return one
end

local function meets(place, filter)
  local value, found = place[filter.field], false
  for _, wanted in ipairs(filter.values) do found = found or value == wanted end
  if filter.filter_type == "not" then return not found end
  return found
end

local function filtered_locations(world, filters)
  local list = {}
  for _, place in ipairs(world.store.locations) do
    local fits = true
    for _, filter in ipairs(filters or {}) do fits = fits and meets(place, filter) end
    if fits then list[#list + 1] = place end
  end
  return list
end

local function create_v1(world, request)
  local body = edgegap.body(request, deploy_rules)
  if body.ip_list and body.geo_ip_list then edgegap.refuse(400, "ip_list and geo_ip_list exclude each other") end
  local users = #(body.ip_list or body.geo_ip_list or {})
  if users == 0 then edgegap.refuse(400, "ip_list or geo_ip_list must name at least one user") end
  local given, problem = target(world, body.app_name, body.version_name)
  if not given then edgegap.refuse(404, problem) end
  given.locations = filtered_locations(world, body.filters)
  if #given.locations == 0 then edgegap.refuse(422, "No location meets the filters") end
  given.point = body.geo_ip_list and body.geo_ip_list[1]
  given.failure, given.tags = image_failure(given.version), body.tags
  given.webhooks = { ready = body.webhook_url, error = body.webhook_url }
  given.command, given.arguments = body.command, body.arguments
  local logs = body.container_log_storage
  if logs then given.storage = logs.enabled and logs.endpoint_storage end
  local one = add(world, given)
  return 200, {
    request_id = one.id, request_dns = one.fqdn, request_app = one.app_name, request_version = one.version_name,
    request_user_count = users, filters = edgegap.array(body.filters), tags = edgegap.array(body.tags),
    container_log_storage = logs or json.null,
  }
end

-- Where a user of v2 is; nil for one who is known by an address only.
local function point_of(user)
  local data = user.user_data
  if user.user_type == "geo_coordinates" then
    if type(data.latitude) ~= "number" or type(data.longitude) ~= "number" then
      edgegap.refuse_v2(400, "geo_coordinates need latitude and longitude", { users = "value" })
    end
    return data
  end
  if user.user_type ~= "ip_address" or type(data.ip_address) ~= "string" then
    edgegap.refuse_v2(400, "user_type must be ip_address or geo_coordinates, with its data", { users = "value" })
  end
end

local function first_point(users)
  local first
  for _, user in ipairs(users) do
    local point = point_of(user)
    first = first or point
  end
  return first
end

local function check_resources(needed)
  if needed and needed.memory_mib > 2 * needed.cpu_units then
    edgegap.refuse_v2(400, "memory_mib must be at most double cpu_units", { resources = "value" })
  end
end

local function url_of(webhook) return webhook and webhook.url end

-- Why no server can be had for a body of v2, or nil. A private host that was found is one.
local function refusal_of(body, given)
  local needs = given.needs
  if given.host then return nil end
  if needs.cpu_units > LARGEST.cpu_units or needs.memory_mib > LARGEST.memory_mib then
    return "No server has that much"
  end
  if body.require_cached_locations == true and not given.version.force_cache then
    return "No cached location could be allocated"
  end
end

--- Checks the body of a v2 deployment and makes it, on the host that host_of(body, needs) finds. What cannot be had
--- makes a 422 that carries the id of a deployment in error.
local function create_v2(world, request, rules, host_of)
  local body = edgegap.body_v2(request, rules)
  check_resources(body.resources)
  local given, problem = target(world, body.application, body.version)
  if not given then edgegap.refuse_v2(400, problem, { application = body.application, version = body.version }) end
  given.locations, given.point, given.tags = world.store.locations, first_point(body.users), body.tags
  given.webhooks = { ready = url_of(body.webhook_on_ready), error = url_of(body.webhook_on_error),
                     terminated = url_of(body.webhook_on_terminated) }
  local version = given.version
  given.needs = body.resources or { cpu_units = version.req_cpu, memory_mib = version.req_memory }
  given.host = host_of and host_of(body, given.needs)
  local refused = refusal_of(body, given)
  given.failure = refused or image_failure(given.version)
  local one = add(world, given)
  if refused then return 422, { request_id = one.id, message = refused } end
  return 202, { request_id = one.id }
end

-- }======================================================

-- {======================================================
-- Stopping
-- ======================================================

-- container_log_storage: true and false switch the deployment's own log storage, all else names one. A name that
-- is not known stores nothing.
local function choose_storage(world, one, wanted)
  if wanted == nil or wanted == "true" then return end
  one.storage = wanted ~= "false" and world.store.storages:get(wanted) and wanted or nil
end

local function stop(world, id, log_storage)
  local one, word = find(world, id)
  if one.stopped_at or word == "TERMINATING" or word == "TERMINATED" then
    edgegap.refuse(410, id .. " - Instance already terminated")
  end
  choose_storage(world, one, log_storage)
  if not one:stop(world.now()) then
    return 202, { message = id .. " - Delete request will be processed soon" }
  end
  return 200, { message = id .. " - Deployment is being stopped", deployment_summary = one:show() }
end

local function owned(one, field)
  if field == "request_id" then return { one.id } end
  return support.map(one.tags:list(), function(tag) return tag.name end)
end

local bulk_rules = { filters = { type = "array!", items = { type = "object", fields = {
  field = { type = "string!", enum = { "request_id", "deployment_tags" } }, values = texts,
  filter_type = { type = "string!", enum = { "any", "all", "not" } },
} } } }

-- No filters at all fit every deployment: the vendor does not say, and this is the dangerous way.
local function bulk_stop(world, request)
  local body = edgegap.body(request, bulk_rules)
  local stopped = edgegap.array()
  for _, one in ipairs(living(world)) do
    local fits = not one.stopped_at
    for _, filter in ipairs(body.filters) do fits = fits and edgegap.chooses(filter, owned(one, filter.field)) end
    if fits then
      one:stop(world.now())
      stopped[#stopped + 1] = { request_id = one.id }
    end
  end
  return 202, { processable = stopped }
end

-- }======================================================

-- {======================================================
-- Logs
-- ======================================================

local function log_lines(world, one, url)
  local lines = { "Starting " .. one.app_name .. " " .. one.version_name }
  local names, values = {}, one:environment(url)
  for name in pairs(values) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do lines[#lines + 1] = name .. "=" .. values[name] end
  for minute = 0, math.min(math.max(world.now() - one.ready_at, 0) // 60, 500) do
    lines[#lines + 1] = ("tick %d players %d"):format(minute, support.mix(world.seed, one.id, minute) % 16)
  end
  return lines
end

local function as_ndjson(line) return json.encode { message = line } end

local function logs(world, request)
  local one, word = find(world, request.params.deployment_id)
  if word == "TERMINATED" and not one.storage then
    edgegap.refuse(404, "The logs of a stopped deployment need an endpoint storage")
  end
  local format = request.query.format or "text"
  if format ~= "text" and format ~= "ndjson" then edgegap.refuse(400, "format must be text or ndjson") end
  local lines = log_lines(world, one, "http://" .. (request.headers.host or "127.0.0.1") .. "/" .. request.mount)
  if format == "ndjson" then lines = support.map(lines, as_ndjson) end
  local crashed = one.failure ~= nil and world.now() >= one.ready_at
  return 200, {
    logs = table.concat(lines, "\n"), encoding = "utf-8", crash_logs = crashed and one.failure or json.null,
    crash_data = crashed and { exit_code = 1, message = one.failure, restart_count = 0 } or json.null,
    logs_link = one.storage and "https://storage.invalid/" .. one.storage .. "/" .. one.id .. ".log" or json.null,
  }
end

-- }======================================================

-- {======================================================
-- Routes
-- ======================================================

local tag_rules = { name = { type = "string!", min_length = 1, max_length = 40 } }

local function tag_of(one, name)
  local tag = one.tags:get(name)
  if not tag then edgegap.refuse(404, "Tag " .. name .. " does not exist") end
  return tag
end

local function new_tag_name(one, request)
  local body = edgegap.body(request, tag_rules)
  if one.tags:get(body.name) then edgegap.refuse(409, "Tag " .. body.name .. " already exists") end
  return body.name
end

local function tag_routes(world)
  local base = "/v1/deployments/{deployment_id}/tags"
  local function one_of(request) return (find(world, request.params.deployment_id)) end
  world:route("POST", base, function(request)
    local one = one_of(request)
    return 200, one:add_tag(new_tag_name(one, request))
  end)
  world:route("GET", base, function(request)
    return edgegap.list(world, request, "tags", one_of(request).tags:list())
  end)
  world:route("GET", base .. "/{tag_name}", function(request)
    return 200, tag_of(one_of(request), request.params.tag_name)
  end)
  world:route("PATCH", base .. "/{tag_name}", function(request)
    local one = one_of(request)
    local tag, body = tag_of(one, request.params.tag_name), edgegap.body(request, tag_rules)
    if body.name == tag.name then return 200, tag end
    local name = new_tag_name(one, request)
    one.tags:remove(tag.name)
    tag.name, tag.last_updated = name, edgegap.date(world.now())
    return 200, one.tags:add(name, tag)
  end)
  world:route("DELETE", base .. "/{tag_name}", function(request)
    local one = one_of(request)
    one.tags:remove(tag_of(one, request.params.tag_name).name)
    return 204
  end)
end

local function create_routes(world)
  world:route("POST", "/v1/deploy", function(request) return create_v1(world, request) end, { bucket = "deploy" })
  world:route("POST", "/v2/deployments", function(request)
    return create_v2(world, request, deploy_v2_rules)
  end, { bucket = "deploy" })
  world:route("PATCH", "/v1/deployments/{request_id}", function(request)
    local one = find(world, request.params.request_id)
    local body = edgegap.body(request, { is_joinable_by_session = "boolean" })
    if body.is_joinable_by_session ~= nil then one.joinable = body.is_joinable_by_session end
    return 200, { is_joinable_by_session = one.joinable }
  end)
end

local function stop_routes(world)
  world:route("DELETE", "/v1/stop/{deployment_id}", function(request)
    return stop(world, request.params.deployment_id, request.query.container_log_storage)
  end)
  world:route("POST", "/v1/deployments/bulk-stop", function(request) return bulk_stop(world, request) end)
  world:route("DELETE", "/v1/self/stop/{deployment_id}/{stop_key}", function(request)
    local one = find(world, request.params.deployment_id)
    if request.params.stop_key ~= one:stop_key() then edgegap.refuse(403, "This key does not stop this deployment") end
    return stop(world, one.id, request.query.container_log_storage)
  end, { container = true })
end

local function watch_routes(world)
  world:route("GET", "/v1/status/{deployment_id}", function(request)
    return 200, find(world, request.params.deployment_id):show()
  end, { bucket = "status" })
  world:route("GET", "/v1/deployments", function(request)
    local chosen, messages = query.apply(request.query.query, living(world))
    local items, total, pagination = edgegap.page(world, request, chosen)
    return 200, { data = edgegap.array(items, deployment.row), total_count = total, pagination = pagination,
                  message = edgegap.array(messages) }
  end, { bucket = "list" })
  world:route("GET", "/v1/deployment/{deployment_id}/container-logs", function(request) return logs(world, request) end)
  world:route("GET", "/v1/metrics/deployment/{deployment_id}", function(request)
    return 200, metrics.of(world, find(world, request.params.deployment_id), request, calendar.parse)
  end)
  world:route("POST", "/v1/deployments/{deployment_id}:report", function(request)
    edgegap.body(request, { reason = { type = "string!", min_length = 1, max_length = 255 }, metadata = "object" })
    if not world.store.deployments:get(request.params.deployment_id) then
      edgegap.refuse(400, "Deployment " .. request.params.deployment_id .. " does not exist")
    end
    return 200
  end)
end

-- }======================================================

return function(world)
  world.store.deployments = support.shelf()
  world.store.find_deployment = function(id) return find(world, id) end
  world.store.create_v2 = function(request, more_rules, host_of)
    local rules = {}
    for name, rule in pairs(deploy_v2_rules) do rules[name] = rule end
    for name, rule in pairs(more_rules) do rules[name] = rule end
    return create_v2(world, request, rules, host_of)
  end
  create_routes(world)
  watch_routes(world)
  stop_routes(world)
  tag_routes(world)
end
