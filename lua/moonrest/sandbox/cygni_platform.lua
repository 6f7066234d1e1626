-- Cygni: users, audit, logs and usage, which only the server's code shows; their
-- odd errors are that code's.

local calendar = require "moonrest.sandbox.calendar"
local support = require "moonrest.sandbox.support"
local cygni = require "moonrest.sandbox.cygni_support"

local DAY = 86400
local DEFAULT_LOG_ROWS = 200
local ME = "user_0001"
local levels = { "info", "info", "debug", "warn", "error" }
local known_levels = support.set { "error", "warn", "info", "http", "debug" }
local services = { "api", "builder", "billing", "auth" }

local platform = {}

-- Users -------------------------------------------------------------------

local function user_view(user)
  local shown = support.assign({}, user, { "id", "email", "name", "role", "metadata" })
  shown.createdAt = calendar.iso(user.created)
  return shown
end

local function seed_users(world)
  world.store.users = support.shelf()
  for number, name in ipairs { "Ada Moon", "Berk Tide", "Cleo Star" } do
    local id = string.format("user_%04d", number)
    world.store.users:add(id, {
      id = id, name = name, email = name:lower():gsub(" ", ".") .. "@example.com", created = world.now() - number * DAY,
      role = number == 1 and "admin" or "member",
    })
  end
end

local user_sorts = {
  createdAt = function(user) return user.created end, name = function(user) return user.name end,
  email = function(user) return user.email end,
}

local function list_users(world, request, reply)
  local search = request.query.search
  local rows = world.store.users:list(function(user)
    return not search or (user.name .. " " .. user.email):lower():find(search:lower(), 1, true) ~= nil
  end)
  return cygni.list(request, reply, rows, {
    name = "users", limits = { server = 10 }, sorts = user_sorts, view = user_view,
  })
end

local function update_me(world, request, reply)
  local user, body = world.store.users:get(ME), cygni.body(request, reply)
  if body.name ~= nil and not support.is_text(body.name) then cygni.refuse_field(reply, "name", "Expected string") end
  return 200, user_view(support.assign(user, body, { "name", "metadata" }))
end

local function remove_user(world, request, reply)
  local id = request.params.userId
  if id == ME then reply:refuse { status = 400, text = "Cannot delete yourself" } end
  if not world.store.users:remove(id) then cygni.refuse_missing(reply, "User") end
  cygni.audit(world, "user.delete", "user", id)
  return 200, { message = "User deleted successfully" }
end

local function user_routes(world, mount)
  local function serve(method, path, handler)
    cygni.route(world, mount, method, path, {}, function(request, reply) return handler(world, request, reply) end)
  end
  local function me() return 200, user_view(world.store.users:get(ME)) end
  serve("GET", "/users/me", me)
  serve("PUT", "/users/me", update_me)
  serve("GET", "/users", list_users)
  serve("DELETE", "/users/{userId}", remove_user)
end

function platform.profile_route(world, mount)
  cygni.route(world, mount, "GET", "/user/profile", {}, function()
    return 200, { message = "User profile of version 1", deprecated = true, alternative = "/api/v2/users/me" }
  end)
end

-- Audit -------------------------------------------------------------------

local audit_filters = { "actorId", "action", "resourceType", "resourceId", "riskLevel" }

local function audit_rows(world, query, reply)
  local from, to = cygni.time(query, "startDate", reply), cygni.time(query, "endDate", reply)
  local rows = support.array {}
  for _, entry in ipairs(world.store.audit) do
    local time = calendar.parse(entry.timestamp)
    local fits = (not from or time >= from) and (not to or time <= to)
    for _, field in ipairs(audit_filters) do
      fits = fits and (query[field] == nil or query[field] == entry[field])
    end
    if fits then rows[#rows + 1] = entry end
  end
  return rows
end

-- The query's texts are never turned into numbers, so that asking for a limit or
-- an offset at all is an error; and "total" counts this page only.
local function list_audit(world, request, reply)
  local issues = {}
  for _, name in ipairs { "limit", "offset" } do
    if request.query[name] then issues[#issues + 1] = cygni.issue(name, "Expected number, received string") end
  end
  if #issues > 0 then reply:refuse { status = 400, issues = issues } end
  local rows = support.slice(audit_rows(world, request.query, reply), 0, 100)
  return 200, { logs = support.array(rows), pagination = { limit = 100, offset = 0, total = #rows } }
end

local function get_audit(world, request, reply)
  for _, entry in ipairs(world.store.audit) do
    if entry.id == request.params.id then return 200, { log = entry } end
  end
  cygni.refuse_missing(reply, "Audit log")
end

local function audit_stats(world)
  local by_action = {}
  for _, entry in ipairs(world.store.audit) do by_action[entry.action] = (by_action[entry.action] or 0) + 1 end
  return 200, { stats = { total = #world.store.audit, byAction = by_action } }
end

-- A file of rows: columns are names of fields.
local function file(name, format, rows, columns)
  local disposition = { ["Content-Disposition"] = string.format('attachment; filename="%s.%s"', name, format) }
  if format ~= "csv" then
    disposition["Content-Type"] = "application/json"
    return 200, support.encode(support.array(rows)), disposition
  end
  local lines = { support.csv_row(columns) }
  for _, row in ipairs(rows) do
    lines[#lines + 1] = support.csv_row(support.map(columns, function(column) return row[column] or "" end))
  end
  disposition["Content-Type"] = "text/csv"
  return 200, table.concat(lines), disposition
end

local function export_audit(world, request, reply)
  return file("audit-logs", request.query.format or "json", audit_rows(world, request.query, reply),
    { "timestamp", "action", "actorEmail", "actorIp", "resourceType", "resourceId", "method", "path", "statusCode",
      "riskLevel" })
end

local function audit_routes(world, mount)
  local function serve(path, handler)
    cygni.route(world, mount, "GET", "/audit" .. path, {}, function(request, reply)
      return handler(world, request, reply)
    end)
  end
  serve("/logs", list_audit)
  serve("/logs/{id}", get_audit)
  serve("/stats", audit_stats)
  serve("/export", export_audit)
end

-- Logs --------------------------------------------------------------------

-- One line every seven minutes or so, the newest a minute old when the world began.
local function log_row(world, number)
  local projects = world.store.project_ids
  local level = support.pick(levels, world.seed, "level", number)
  return {
    time = world.store.began - 60 - (number - 1) * 431, level = level,
    service = support.pick(services, world.seed, "service", number), userId = ME,
    projectId = projects[support.mix(world.seed, "log project", number) % #projects + 1],
    requestId = string.format("req_%08x", support.mix(world.seed, "request", number) & 0xFFFFFFFF),
    message = level == "error" and "Request failed" or "Request completed",
  }
end

local log_filters = { "level", "userId", "projectId", "requestId", "service" }

local function log_view(row)
  local shown = support.assign({}, row, log_filters)
  shown.timestamp, shown.message = calendar.iso_ms(row.time), row.message
  return shown
end

-- What the query asks for; a mistake in it is reported as the server's own. Without a limit all lines are meant.
local function log_query(query, reply, what)
  local from = query.startTime and calendar.parse(query.startTime)
  local to = query.endTime and calendar.parse(query.endTime)
  local limit = query.limit == nil and math.huge or support.integer(query.limit, 1, 1000)
  if query.startTime and not from or query.endTime and not to or not limit
    or query.level and not known_levels[query.level] then
    reply:refuse { status = 500, text = "Failed to " .. what }
  end
  return { from = from, to = to, limit = limit, message = query.message and query.message:lower() }
end

local function log_rows(world, query, wanted, fixed)
  local rows = {}
  for number = 1, world:size("log_rows", DEFAULT_LOG_ROWS) do
    local row = log_row(world, number)
    local fits = (not wanted.from or row.time >= wanted.from) and (not wanted.to or row.time <= wanted.to)
      and (not wanted.message or row.message:lower():find(wanted.message, 1, true))
    for _, field in ipairs(log_filters) do
      local value = (fixed or {})[field] or query[field]
      fits = fits and (value == nil or value == row[field])
    end
    if fits then rows[#rows + 1] = log_view(row) end
    if #rows >= wanted.limit then break end
  end
  return rows
end

-- 'fixed' are fields that the address decides, 'most' the number of lines that it is cut at.
local function query_logs(world, request, reply, fixed, most)
  local wanted = log_query(request.query, reply, "query logs")
  wanted.limit = most or wanted.limit
  local rows = log_rows(world, request.query, wanted, fixed)
  return 200, { logs = support.array(rows), count = #rows }
end

local function need_span(request, reply)
  if request.query.startTime and request.query.endTime then return end
  reply:refuse { status = 400, text = "startTime and endTime are required" }
end

local function error_logs(world, request, reply)
  local query = request.query
  if not query.startTime or not query.endTime then query.startTime = calendar.iso_ms(world.now() - DAY) end
  return query_logs(world, request, reply, { level = "error" }, 100)
end

local function security_logs(world, request, reply)
  need_span(request, reply)
  return query_logs(world, request, reply, { service = "auth" }, math.huge)
end

local function billing_logs(world, request, reply)
  return query_logs(world, request, reply, { service = "billing" }, 50)
end

local function user_logs(world, request, reply)
  return query_logs(world, request, reply, { userId = request.params.id }, 100)
end

local function project_logs(world, request, reply)
  local project = cygni.find(world.store.projects, request.params.id)
  if not project then cygni.refuse_missing(reply, "Project") end
  return query_logs(world, request, reply, { projectId = project.id }, math.huge)
end

-- Of the routes whose mistakes are the server's own.
local function file_format(query, reply, what)
  local format = query.format or "json"
  if format ~= "json" and format ~= "csv" then reply:refuse { status = 500, text = "Failed to " .. what } end
  return format
end

local function export_logs(world, request, reply)
  local query = request.query
  local wanted = log_query(query, reply, "export logs")
  if not wanted.from or not wanted.to then reply:refuse { status = 500, text = "Failed to export logs" } end
  wanted.limit = math.huge
  return file("logs", file_format(query, reply, "export logs"), log_rows(world, query, wanted),
    { "timestamp", "level", "service", "projectId", "userId", "requestId", "message" })
end

local function log_stats(world, request, reply)
  local wanted = log_query(request.query, reply, "get log stats")
  need_span(request, reply)
  wanted.limit = math.huge
  local by_level = {}
  local rows = log_rows(world, {}, wanted)
  for _, row in ipairs(rows) do by_level[row.level] = (by_level[row.level] or 0) + 1 end
  return 200, { total = #rows, byLevel = by_level }
end

-- A line a second, without an end.
local function stream_logs(world)
  return 200, function(write, wait)
    local number, due = 0, world.now()
    while true do
      number, due = number + 1, due + 1
      local row = log_row(world, number)
      row.time = due - 1
      write("data: " .. support.encode(log_view(row)) .. "\n\n")
      if due > world.now() then wait(due - world.now()) end
    end
  end, { ["Content-Type"] = "text/event-stream", ["Cache-Control"] = "no-cache" }
end

function platform.log_routes(world, mount, prefix)
  local function serve(path, handler)
    cygni.route(world, mount, "GET", prefix .. path, {}, function(request, reply)
      return handler(world, request, reply)
    end)
  end
  serve("", function(_, request, reply) return query_logs(world, request, reply) end)
  serve("/export", export_logs)
  serve("/stats", log_stats)
  serve("/stream", stream_logs)
  serve("/errors", error_logs)
  serve("/security", security_logs)
  serve("/billing", billing_logs)
  serve("/user/{id}", user_logs)
  serve("/project/{id}", project_logs)
end

-- Usage -------------------------------------------------------------------

-- A wrong or missing date is the server's own failure, as it sees it.
local function usage_window(query, reply, what)
  local from, to = calendar.parse(query.startDate or ""), calendar.parse(query.endDate or "")
  if not from or not to then reply:refuse { status = 500, text = "Failed to " .. what } end
  return from, to
end

local function usage_days(world, project_id, from, to)
  local days = support.array {}
  for day = from // DAY, math.min(to // DAY, from // DAY + 366) do
    local number = math.tointeger(day)
    days[#days + 1] = {
      date = calendar.day(number * DAY), requests = support.mix(world.seed, "usage", project_id, number) % 5000,
      egress_gb = support.mix(world.seed, "egress", project_id, number) % 20,
    }
  end
  return days
end

local function usage_of(world, project_id, from, to)
  local usage = { projectId = project_id, data = usage_days(world, project_id, from, to), requests = 0, egress_gb = 0 }
  for _, day in ipairs(usage.data) do
    usage.requests, usage.egress_gb = usage.requests + day.requests, usage.egress_gb + day.egress_gb
  end
  return usage
end

local function each_usage(world, from, to)
  return support.map(world.store.project_ids, function(id) return usage_of(world, id, from, to) end)
end

local DOLLARS_A_GB, DOLLARS_A_REQUEST = 0.09, 0.0000002
local BUDGET = 100

local function cost_of(usage) return usage.egress_gb * DOLLARS_A_GB + usage.requests * DOLLARS_A_REQUEST end

local usage = {}

usage["/analytics"] = function(world, request, reply)
  local from, to = usage_window(request.query, reply, "get analytics")
  local wanted = request.query.projectId
  if not wanted then return 200, { projects = support.array(each_usage(world, from, to)) } end
  local project = cygni.find(world.store.projects, wanted)
  if not project then reply:refuse { status = 403, text = "Project not found" } end
  return 200, usage_of(world, project.id, from, to)
end

-- The month so far.
usage["/summary"] = function(world)
  local now = world.now()
  local from = calendar.parse(calendar.day(now):sub(1, 7) .. "-01")
  local metrics, rows, total = { requests = 0, egress_gb = 0 }, support.array {}, 0
  for _, one in ipairs(each_usage(world, from, now)) do
    local project = world.store.projects:get(one.projectId)
    for name in pairs(metrics) do metrics[name] = metrics[name] + one[name] end
    total = total + cost_of(one)
    rows[#rows + 1] = {
      id = one.projectId, name = project and project.name or support.null, cost = cost_of(one),
      status = project and project.status or "deleted", budgetExceededAt = support.null,
    }
  end
  return 200, {
    period = { start = calendar.iso(from), ["end"] = calendar.iso(now) }, projects = rows,
    totals = { cost = total, metrics = metrics }, currency = "USD",
  }
end

usage["/limits"] = function(world)
  return 200, {
    defaultLimit = BUDGET, notifications = { warningThreshold = 0.8, criticalThreshold = 1.0 },
    projects = support.array(support.map(world.store.projects:list(), function(project)
      return {
        projectId = project.id, projectName = project.name, budgetLimit = BUDGET, budgetExceeded = false,
        suspended = false,
      }
    end)),
  }
end

usage["/notifications"] = function()
  return 200, { notifications = support.array {} }
end

usage["/export"] = function(world, request, reply)
  local from, to = usage_window(request.query, reply, "export usage data")
  local rows = {}
  for _, one in ipairs(each_usage(world, from, to)) do
    for _, day in ipairs(one.data) do
      day.projectId = one.projectId
      rows[#rows + 1] = day
    end
  end
  return file("usage", file_format(request.query, reply, "export usage data"), rows,
    { "projectId", "date", "requests", "egress_gb" })
end

function platform.usage_routes(world, mount)
  for path, handler in pairs(usage) do
    cygni.route(world, mount, "GET", "/usage" .. path, {}, function(request, reply)
      return handler(world, request, reply)
    end)
  end
end

-- Once for a world.
function platform.seed(world)
  world.store.audit, world.store.began = {}, world.now()
  seed_users(world)
end

function platform.routes(world, mount)
  user_routes(world, mount)
  audit_routes(world, mount)
  platform.usage_routes(world, mount)
end

return platform
