-- The Edgee Console: organizations, keys, exports, usage and sessions as its
-- documentation and its own clients show them, and the older routes of the same
-- host (edgee_legacy.lua).
--
-- Sizes: rows (of traffic in any window, 1000) and sessions (45).

local calendar = require "moonrest.sandbox.calendar"
local support = require "moonrest.sandbox.support"
local edgee = require "moonrest.sandbox.edgee_support"
local traffic = require "moonrest.sandbox.edgee_traffic"
local keys = require "moonrest.sandbox.edgee_keys"
local legacy = require "moonrest.sandbox.edgee_legacy"

local HOUR, DAY = 3600, 86400
local DEFAULT_ROWS, DEFAULT_SESSIONS, DEFAULT_PAGE = 1000, 45, 50

local export_periods = { ["1h"] = HOUR, ["24h"] = DAY, ["7d"] = 7 * DAY, ["30d"] = 30 * DAY }
local usage_periods = { ["24h"] = DAY, ["7d"] = 7 * DAY, ["30d"] = 30 * DAY }
local usage_rules = {
  period = { "24h", "7d", "30d" }, interval = { "hour", "day" }, user_id = { type = "array", items = "string!" },
}

-- Organizations -----------------------------------------------------------

-- The youngest two still go on.
local function seed_session(world, number)
  local function amount(what, most) return support.mix(world.seed, "session " .. what, number) % most end
  local started = world.now() - number * HOUR * 3
  return {
    session_id = string.format("sess_%04d", number), started_at = started, ended = number > 2,
    last_request = started + amount("length", HOUR), user_id = support.pick(traffic.USERS, world.seed, "user", number),
    key_uuid = support.pick(traffic.KEYS, world.seed, "session key", number).id, total_cost = amount("cost", 900000000),
    total_input_tokens = amount("input", 900000), total_output_tokens = amount("output", 90000),
    total_cached_input_tokens = amount("cached", 900000), total_cache_creation_input_tokens = amount("writing", 90000),
    total_reasoning_output_tokens = amount("reasoning", 9000),
  }
end

local function new_organization(world, id, fields)
  local now = calendar.iso(world.now())
  local org = { id = id, users = support.shelf(), sessions = support.shelf() }
  org.row = support.assign({ object = "organization", id = id, type = "pro", created_at = now, updated_at = now },
    fields, { "name", "slug", "type", "avatar_url", "gateway_api_url", "mcp_injection_disabled" })
  keys.seed(world, org)
  return org
end

local function seed_organizations(world)
  local store = world.store
  store.organizations = support.shelf()
  for number, name in ipairs { "Moonlight Games", "Side Project" } do
    local id = "org_" .. number
    store.organizations:add(id, new_organization(world, id, {
      name = name, slug = name:lower():gsub(" ", "-"), type = number == 1 and "pro" or "perso",
      gateway_api_url = "https://api.edgee.ai", mcp_injection_disabled = false,
    }))
  end
  local first = store.organizations:get "org_1"
  for number = world:size("sessions", DEFAULT_SESSIONS), 1, -1 do
    local session = seed_session(world, number)
    first.sessions:add(session.session_id, session)
  end
end

local function organization_of(world, id)
  local org = world.store.organizations:get(id)
  if not org then edgee.refuse(404, "Organization not found") end
  return org
end

local function organization_routes(world)
  world:route("GET", "/v1/organizations", function(request)
    edgee.check_query(request, { type = { "pro", "perso" } })
    local fits = edgee.filter(request, { "type" })
    return 200, edgee.cursor_list(world, request, world.store.organizations,
      function(org) return fits(org.row) end, function(org) return org.row end)
  end)
  world:route("GET", "/v1/organizations/{orgId}", function(request)
    return 200, organization_of(world, request.params.orgId).row
  end)
end

-- Export and usage --------------------------------------------------------

-- A day without a time of day ends at its midnight, so that from = to is one day.
local function date_of(text, at_the_end, name)
  local seconds = calendar.parse(text)
  if not seconds then edgee.refuse(400, name .. " must be an ISO date") end
  if at_the_end and #text == 10 then return seconds + DAY end
  return seconds
end

-- from_date and to_date override the period.
local function window_of(world, values, periods, default)
  local now = world.now()
  local period = values.period or default
  if not periods[period] then edgee.refuse(400, "period must be one of 1h, 24h, 7d, 30d") end
  local from, to = values.from_date, values.to_date
  local window = { from = now - periods[period], to = now }
  if to then window.to = date_of(to, true, "to_date") end
  if from then window.from = date_of(from, false, "from_date") end
  if window.from >= window.to then edgee.refuse(400, "from_date must be before to_date") end
  return window
end

local function source_of(world, window, filter)
  return {
    seed = world.seed, count = world:size("rows", DEFAULT_ROWS), window = window,
    filter = {
      keys = support.set(filter.keys), tags = support.set(filter.tags), users = support.set(filter.users),
    },
  }
end

local content_types = { csv = "text/csv; charset=utf-8", json = "application/json" }

local function export_logs(world, _, request)
  local query = request.query
  local format = query.format or "csv"
  if not content_types[format] then edgee.refuse(400, "format must be csv or json") end
  local window = window_of(world, query, export_periods, "24h")
  local source = source_of(world, window, { keys = query["api_key_id[]"], tags = query["tags[]"] })
  return 200, function(write) traffic.export(source, format, write) end, {
    ["Content-Type"] = content_types[format],
    ["Content-Disposition"] = string.format('attachment; filename="logs-%s-%s.%s"', calendar.day(window.from),
      calendar.day(window.to), format),
  }
end

local function query_usage(world, _, request)
  local body = edgee.body(request, usage_rules)
  local window = window_of(world, { period = body.period }, usage_periods, "24h")
  return 200, traffic.usage(source_of(world, window, { users = body.user_id }), body.interval or "day")
end

-- Sessions ----------------------------------------------------------------

local session_fields = { "session_id", "key_uuid", "total_cost", "total_input_tokens", "total_output_tokens",
  "total_cached_input_tokens", "total_cache_creation_input_tokens", "total_reasoning_output_tokens" }

local function session_view(session)
  local view = support.assign({}, session, session_fields)
  view.last_request = calendar.iso(session.last_request)
  return view
end

local function page_number(query, name, default)
  if query[name] == nil then return default end
  local number = support.integer(query[name], 1)
  if not number then edgee.refuse(400, name .. " must be a positive integer") end
  return number
end

local function session_filter(query)
  local users = support.set(query["user_id[]"])
  local key_ids = support.set(query["api_key_id[]"])
  local from = query.from_date and date_of(query.from_date, false, "from_date")
  local to = query.to_date and date_of(query.to_date, true, "to_date")
  return function(session)
    return (not next(users) or users[session.user_id]) and (not next(key_ids) or key_ids[session.key_uuid])
      and (not from or session.started_at >= from) and (not to or session.started_at < to)
  end
end

local function list_sessions(world, org, request)
  local query = request.query
  local page, size = page_number(query, "page", 1), page_number(query, "page_size", world.page_size or DEFAULT_PAGE)
  local rows = org.sessions:list(session_filter(query), true)
  local data = support.map(support.slice(rows, (page - 1) * size, size), session_view)
  return 200, { data = support.array(data), has_more = page * size < #rows }
end

local function live_session(org, request)
  local session = org.sessions:get(request.params.id)
  if not session or session.ended then edgee.refuse(404, "Session not found") end
  return session
end

local function finish_session(_, org, request)
  local session = live_session(org, request)
  session.ended = true
  return 200, session_view(session)
end

local function set_cli_version(_, org, request)
  local body = edgee.body(request, { version = { type = "string!", min_length = 1 } })
  live_session(org, request).cli_version = body.version
  return 204
end

local function session_summary(world, request)
  for _, org in ipairs(world.store.organizations:list()) do
    local session = org.sessions:get(request.params.id)
    if session then return 200, session_view(session) end
  end
  edgee.refuse(404, "Session not found")
end

-- Billing -----------------------------------------------------------------

local function billing(world)
  local plan = world.plan or "free"
  return 200, {
    ai_gateway_plan = plan, ai_gateway_subscription_status = plan == "free" and "none" or "active",
  }
end

return function(world)
  edgee.guard(world)
  seed_organizations(world)
  local function serve(method, path, handler)
    world:route(method, "/v1/organizations/{orgId}" .. path, function(request)
      return handler(organization_of(world, request.params.orgId), request)
    end)
  end
  local function serve_world(method, path, handler)
    serve(method, path, function(org, request) return handler(world, org, request) end)
  end
  organization_routes(world)
  keys.routes(world, serve)
  serve_world("GET", "/logs/export", export_logs)
  serve_world("POST", "/usage", query_usage)
  serve_world("GET", "/billing", billing)
  serve_world("GET", "/sessions", list_sessions)
  serve_world("POST", "/sessions/{id}/end", finish_session)
  serve_world("POST", "/sessions/{id}/cli-version", set_cli_version)
  world:route("GET", "/v1/models", function() return 200, support.array(traffic.model_list()) end)
  world:route("GET", "/v1/sessions/{id}/summary", function(request) return session_summary(world, request) end)
  legacy(world, new_organization)
end
