-- Families of Edgegap's document of 2024 that are in no newer one: fleets, context, matchmaker, lobbies,
-- telemetry, addresses and white lists here; sessions in edgegap_sessions.lua. Simple, but with state.

local edgegap = require "moonrest.sandbox.edgegap_support"
local json = require "moonrest.sandbox.json"
local support = require "moonrest.sandbox.support"

-- {======================================================
-- Collections of named things
-- ======================================================

local DEFAULT_LIMIT = 10 -- of the lists that had page and limit in 2024

-- The same rules for a change, where nothing is required.
local function optional(rules)
  local changes = {}
  for name, rule in pairs(rules) do
    changes[name] = type(rule) == "string" and rule:gsub("!", "") or rule
    if type(rule) == "table" and rule.type then
      changes[name] = support.assign({}, rule, { "enum", "min", "max", "fields" })
      changes[name].type = rule.type:gsub("!", "")
    end
  end
  return changes
end

local function names_of(rules)
  local names = {}
  for name in pairs(rules) do names[#names + 1] = name end
  return names
end

-- The matchmaker calls its dates otherwise.
local DATES = { plain = { "create_time", "last_updated" }, matchmaker = { "created_at", "updated_at" } }

local function assign(row, body, given, now)
  support.assign(row, body, names_of(given.rules))
  row[DATES[given.dates or "plain"][2]] = edgegap.date(now)
  return row
end

local function row_of(shelf, key, what)
  local row = shelf:get(key)
  if not row then edgegap.refuse(404, what .. " " .. tostring(key) .. " does not exist") end
  return row
end

--- POST, GET, PATCH and DELETE of one kind of thing. given: single (path of POST), one (path with the key's
--- parameter; default single .. "/{param}"), param, key (field), rules, what, dates ("plain" or "matchmaker"),
--- changes (rules of PATCH; those of rules, with nothing required), more(request) -> fields that the server adds,
--- shelf_of(request) -> shelf, gone = status and body of DELETE. A name that is taken is a 400: the document knows no
--- 409 here.
local function crud(world, given)
  local key, rules = given.key, given.rules
  local one = given.one or given.single .. "/{" .. given.param .. "}"
  local changes = support.assign(optional(rules), given.changes or {}, names_of(given.changes or {}))
  local function find(request)
    local shelf = given.shelf_of(request)
    return row_of(shelf, request.params[given.param], given.what), shelf
  end
  local function want_free(shelf, name)
    if shelf:get(name) then edgegap.refuse(400, given.what .. " " .. name .. " already exists") end
  end
  world:route("POST", given.single, function(request)
    local shelf, body = given.shelf_of(request), edgegap.body(request, rules)
    want_free(shelf, body[key])
    local row = given.more and given.more(request) or {}
    row[DATES[given.dates or "plain"][1]] = edgegap.date(world.now())
    return 200, shelf:add(body[key], assign(row, body, given, world.now()))
  end)
  world:route("GET", one, function(request) return 200, (find(request)) end)
  world:route("PATCH", one, function(request)
    local row, shelf = find(request)
    local body, old = edgegap.body(request, changes), row[key]
    if body[key] and body[key] ~= old then want_free(shelf, body[key]) end
    assign(row, body, given, world.now())
    if row[key] ~= old then
      shelf:remove(old)
      shelf:add(row[key], row)
    end
    return 200, row
  end)
  world:route("DELETE", one, function(request)
    local row, shelf = find(request)
    shelf:remove(row[key])
    return given.gone[1], given.gone[2]
  end)
end

local function one_shelf(shelf) return function() return shelf end end

-- A shelf inside each row of another collection.
local function inner_shelf(outer, param, field, what)
  return function(request)
    local row = row_of(outer, request.params[param], what)
    local all = outer.inner or {}
    outer.inner = all
    all[row] = all[row] or {}
    all[row][field] = all[row][field] or support.shelf()
    return all[row][field], row
  end
end

-- }======================================================

-- {======================================================
-- Fleets
-- ======================================================

local policy_rules = {
  name = "string!", enabled = "boolean!", type = { type = "string!", enum = { "Location", "Tag", "Coordinates" } },
  minimum = { type = "integer!", min = 1 }, maximum = { type = "integer!", min = 1 },
  threshold = { type = "number!", min = 0.1, max = 1 }, data = "object!",
}

local function fleets(world)
  local shelf = support.shelf()
  crud(world, { single = "/v1/fleet", param = "fleet_name", key = "name", what = "Fleet", shelf_of = one_shelf(shelf),
                rules = { name = "string!", enabled = "boolean" }, more = function() return { enabled = false } end,
                gone = { 200, { message = "Fleet deleted" } } })
  world:route("GET", "/v1/fleets", function(request)
    local items, _, pagination = edgegap.page(world, request, shelf:list(), DEFAULT_LIMIT)
    return 200, { fleets = items, pagination = pagination }
  end)
  local policies = inner_shelf(shelf, "fleet_name", "policies", "Fleet")
  local base = "/v1/fleet/{fleet_name}/policies"
  crud(world, { single = base, param = "policy_name", key = "name", what = "Policy", shelf_of = policies,
                rules = policy_rules, changes = { minimum = { type = "integer", min = 0 } }, gone = { 204 } })
  world:route("GET", base, function(request)
    local list = policies(request):list()
    local items, _, pagination = edgegap.page(world, request, list, DEFAULT_LIMIT)
    return 200, { policies = items, pagination = pagination }
  end)
  return shelf
end

local function fleet_links(world, shelf)
  local links = inner_shelf(shelf, "fleet_name", "links", "Fleet")
  local path = "/v1/fleet/{fleet_name}/app/{app_name}/version/{version_name}"
  world:route("PUT", path, function(request)
    local linked, fleet = links(request)
    local names = request.params
    local app = row_of(world.store.apps, names.app_name, "Application")
    row_of(app.versions, names.version_name, "Version")
    local key = names.app_name .. "\0" .. names.version_name
    local row = { fleet = fleet.name, app = names.app_name, app_version = names.version_name,
                  create_time = edgegap.date(world.now()), last_updated = edgegap.date(world.now()) }
    return 200, linked:get(key) or linked:add(key, row)
  end)
  world:route("DELETE", path, function(request)
    local linked = links(request)
    local key = request.params.app_name .. "\0" .. request.params.version_name
    row_of(linked, key, "Link")
    linked:remove(key)
    return 204
  end)
end

-- }======================================================

-- {======================================================
-- Context: what a deployment may ask about itself, with the token in its environment
-- ======================================================

local function show_context(one)
  local status = one:show()
  return {
    request_id = one.id, public_ip = one.ip, status = status.current_status, ready = status.running,
    whitelisting_active = false, fqdn = one.fqdn, ports = one.ports, location = one.place, tags = status.tags,
    sockets = json.null, sockets_usage = json.null, is_joinable_by_session = one.joinable,
  }
end

local function context(world)
  local base = "/v1/context/{request_id}/{security_number}"
  local options = { container = true, bucket = "status" }
  local function find(request)
    local one = world.store.find_deployment(request.params.request_id)
    if tonumber(request.params.security_number) ~= one:security_number() then
      edgegap.refuse(403, "Wrong security number")
    end
    return one
  end
  world:route("GET", base, function(request) return 200, show_context(find(request)) end, options)
  world:route("POST", base .. "/tags", function(request)
    local one = find(request)
    local body = edgegap.body(request, { name = { type = "string!", min_length = 1, max_length = 40 } })
    if one.tags:get(body.name) then edgegap.refuse(409, "Tag " .. body.name .. " already exists") end
    return 200, one:add_tag(body.name)
  end, options)
  world:route("DELETE", base .. "/tags/{tag_name}", function(request)
    local one = find(request)
    row_of(one.tags, request.params.tag_name, "Tag")
    one.tags:remove(request.params.tag_name)
    return 204
  end, options)
end

-- }======================================================

-- {======================================================
-- Matchmaker ("aom")
-- ======================================================

local release_rules = { version = "string!", frontend_component_name = "string!", director_component_name = "string!",
                        match_function_component_name = "string!" }
local managed_rules = { version = "string!", release_config_name = "string!" }

-- A release names what it deploys; nothing in its body says what that is.
local function release_fields() return { app_name = "my-game", version_name = "v1" } end

-- A component shows credentials also when it has none.
local function component_fields() return { credentials = {} } end

local function counted_list(world, path, shelf_of)
  world:route("GET", path, function(request)
    local list = shelf_of(request):list()
    return 200, { count = #list, data = edgegap.array(list) }
  end)
end

local function matchmaker(world)
  local matchmakers, components, configs = support.shelf(), support.shelf(), support.shelf()
  local function add(single, plural, param, key, what, rules, shelf_of)
    crud(world, { single = single, param = param, key = key, what = what, rules = rules, shelf_of = shelf_of,
                  dates = "matchmaker", gone = { 200 },
                  more = rules.version and release_fields or rules.repository and component_fields or nil })
    if plural then counted_list(world, plural, shelf_of) end
  end
  local aom = "/v1/aom/"
  add(aom .. "matchmaker", aom .. "matchmakers", "matchmaker_name", "name", "Matchmaker", { name = "string!" },
      one_shelf(matchmakers))
  add(aom .. "component", aom .. "components", "component_name", "name", "Component",
      { name = "string!", repository = "string!", image = "string!", tag = "string!",
        credentials = { type = "object", fields = { username = "string!", token = "string!" } } },
      one_shelf(components))
  add(aom .. "release/config", aom .. "release/configs", "config_name", "name", "Configuration",
      { name = "string!", configuration = "string!" }, one_shelf(configs))
  local env = aom .. "component/{component_name}/env"
  add(env, env .. "s", "env_key", "key", "Variable", { key = "string!", value = "string!" },
      inner_shelf(components, "component_name", "envs", "Component"))
  local releases = inner_shelf(matchmakers, "matchmaker_name", "releases", "Matchmaker")
  local release = aom .. "matchmaker/{matchmaker_name}/release"
  add(release, release .. "s", "release_version", "version", "Release", release_rules, releases)
  add(release .. "/managed", nil, "release_version", "version", "Release", managed_rules, releases)
end

-- }======================================================

-- {======================================================
-- Lobbies, telemetry, addresses, white lists
-- ======================================================

local function lobbies(world)
  local shelf = support.shelf()
  local function named(request)
    return row_of(shelf, edgegap.body(request, { name = "string!" }).name, "Lobby")
  end
  world:route("POST", "/v1/lobbies", function(request)
    local body = edgegap.body(request, { name = "string!" })
    if shelf:get(body.name) then edgegap.refuse(409, "Lobby " .. body.name .. " already exists") end
    return 200, shelf:add(body.name, { name = body.name, status = "INITIALIZED", url = "" })
  end)
  world:route("GET", "/v1/lobbies/{lobby_name}", function(request)
    return 200, row_of(shelf, request.params.lobby_name, "Lobby")
  end)
  world:route("POST", "/v1/lobbies:deploy", function(request)
    local lobby = named(request)
    lobby.status, lobby.url = "DEPLOYED", "https://" .. lobby.name .. ".lobby.edgegap.net"
    return 202, lobby
  end)
  world:route("POST", "/v1/lobbies:terminate", function(request)
    local lobby = named(request)
    lobby.status, lobby.url = "TERMINATED", ""
    return 200, lobby
  end)
end

local TELEMETRY_AFTER = 3

local function telemetry(world)
  local jobs = support.shelf()
  world:route("POST", "/v1/telemetry/active-deployments", function(request)
    local texts = { type = "array!", items = "string!" }
    local body = edgegap.body(request, { deployments = texts, ips = texts, webhook_url = "string" })
    local key = world.uuid()
    jobs:add(key, { started = world.now(), deployments = body.deployments })
    return 200, { retrieval_key = key, expire = edgegap.date(world.now() + 300) }
  end)
  world:route("GET", "/v1/telemetry/active-deployments/{retrieval_key}", function(request)
    local job = row_of(jobs, request.params.retrieval_key, "Retrieval key")
    local partial = world.now() < job.started + TELEMETRY_AFTER
    local scores = edgegap.array(not partial and job.deployments or nil, function(id) return { request_id = id } end)
    return 200, { retrieval_key = request.params.retrieval_key, scores = scores, partial_result = partial }
  end)
end

-- Two letters are enough of a code here.
local function code_of(name) return name:sub(1, 2):upper() end

local function look_up(world, ip)
  local four, six = ip:find "^%d+%.%d+%.%d+%.%d+$", ip:find "^[%x:]+$"
  if not four and not six then edgegap.refuse(400, ip .. " is not an address") end
  local place = support.pick(world.store.locations, world.seed, "address", ip)
  return { ip_address = ip, type = four and "ipv4" or "ipv6", location = {
    continent = { code = code_of(place.continent), name = place.continent },
    country = { code = code_of(place.country), name = place.country },
    latitude = place.latitude, longitude = place.longitude,
  } }
end

local function addresses(world)
  world:route("GET", "/v1/ip", function(request) return 200, { public_ip = request.client } end)
  world:route("GET", "/v1/ip/{ip}/lookup", function(request) return 200, look_up(world, request.params.ip) end)
  world:route("POST", "/v1/ips/lookup", function(request)
    local body = edgegap.body(request, { addresses = { type = "array!", items = "string!" } })
    if #body.addresses > 20 then edgegap.refuse(400, "At most 20 addresses at once") end
    return 200, { addresses = edgegap.array(body.addresses, function(ip) return look_up(world, ip) end) }
  end)
end

local function white_lists(world)
  local base = "/v1/app/{app_name}/version/{version_name}/whitelist"
  local lists = {}
  local function list_of(request)
    local app = row_of(world.store.apps, request.params.app_name, "Application")
    local version = row_of(app.versions, request.params.version_name, "Version")
    lists[version] = lists[version] or support.shelf()
    return lists[version]
  end
  world:route("GET", base, function(request)
    return 200, { whitelist_entries = edgegap.array(list_of(request):list()) }
  end)
  world:route("POST", base, function(request)
    local list = list_of(request)
    local body = edgegap.body(request, { cidr = "string!", label = "string", is_active = "boolean" })
    local row = { id = world.hex(12), cidr = body.cidr, label = body.label, is_active = body.is_active ~= false }
    return 200, { success = true, whitelist_entry = list:add(row.id, row) }
  end)
  world:route("GET", base .. "/{entry_id}", function(request)
    return 200, row_of(list_of(request), request.params.entry_id, "Entry")
  end)
  world:route("DELETE", base .. "/{entry_id}", function(request)
    local list = list_of(request)
    local row = row_of(list, request.params.entry_id, "Entry")
    list:remove(row.id)
    return 200, { success = true, whitelist_entry = row }
  end)
end

-- }======================================================

return function(world)
  fleet_links(world, fleets(world))
  context(world)
  matchmaker(world)
  lobbies(world)
  telemetry(world)
  addresses(world)
  white_lists(world)
  require "moonrest.sandbox.edgegap_sessions"(world)
  world:route("GET", "/monitor", function(request)
    local url = "http://" .. (request.headers.host or request.client) .. "/" .. request.mount
    return 200, { name = "api", version = "v1", host = "sandbox", host_url = url, spec_url = url .. "/swagger.json" }
  end, { auth = false })
end
