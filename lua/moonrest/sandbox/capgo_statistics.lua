-- Capgo: statistics, seeded by app and day. Sums run up from day to day unless
-- noAccumulate=true; the days come as full times.

local calendar = require "moonrest.sandbox.calendar"
local support = require "moonrest.sandbox.support"
local capgo = require "moonrest.sandbox.capgo_support"

local DAY = 86400
local DAYS_MAX = 731
local EXPORT_MAX = 10000
local measures = { "mau", "storage", "bandwidth", "storage_byte_hours", "build_time_seconds" }
local scales = { mau = 400, storage = 5000000, bandwidth = 90000000, storage_byte_hours = 120000000,
  build_time_seconds = 900 }

local statistics = {}

local function flag(input, name)
  local value = input[name]
  if value == nil then return false end
  if value == "true" or value == true then return true end
  if value == "false" or value == false then return false end
  capgo.refuse(400, "invalid_body", name .. " must be true or false", { body = input })
end

local function days_of(input)
  local from, to = input.from and calendar.parse(input.from), input.to and calendar.parse(input.to)
  if not from or not to or from > to or (to - from) / DAY > DAYS_MAX then
    capgo.refuse(400, "invalid_body", "from and to must be dates, and from not after to", { body = input })
  end
  local days = {}
  for day = math.tointeger(from // DAY), math.tointeger(to // DAY) do days[#days + 1] = day end
  return days
end

local function value_of(world, app_id, measure, day)
  return support.mix(world.seed, measure, app_id, day) % scales[measure]
end

-- One row a day, the sums of the apps given.
local function rows_of(world, app_list, days, running)
  local rows, sums = support.array {}, {}
  for index, day in ipairs(days) do
    local row = { date = calendar.iso_ms(day * DAY) }
    for _, measure in ipairs(measures) do
      local value = 0
      for _, app in ipairs(app_list) do value = value + value_of(world, app.id, measure, day) end
      sums[measure] = (sums[measure] or 0) + value
      row[measure] = running and sums[measure] or value
    end
    rows[index] = row
  end
  return rows
end

local function app_of(world, request)
  return capgo.app(world, { app_id = request.params.appId }, 401, "no_access_to_app")
end

local function of_app(world, request, input)
  local app = app_of(world, request)
  return 200, rows_of(world, { app }, days_of(input), not flag(input, "noAccumulate"))
end

-- The channel whose devices are counted: the public one.
local function public_channel(app)
  return app.channels:find(function(channel) return channel.public end) or {}
end

-- A rollout reaches its percentage at once; devices that get a bundle with "broken" in its name go back to the one
-- that they had.
local function share_today(channel, row)
  local rolling = channel.rollout_enabled and channel.rollout_version or nil
  local percentage = rolling and not rolling.name:find "broken" and channel.rollout_percentage or 0
  if row == rolling then return percentage end
  return row == channel.version and 100 - percentage or 0
end

-- The last bundles and those of the channel.
local function bundles_in_use(app, channel)
  local list = support.slice(app.bundles:list(function(row) return not row.deleted end, true), 0, 3)
  for _, row in ipairs { channel.version or false, channel.rollout_version or false } do
    local is_listed = false
    for _, listed in ipairs(list) do is_listed = is_listed or listed == row end
    if row and not is_listed then list[#list + 1] = row end
  end
  return list
end

-- Shares in percent, day by day: today's follow the public channel, earlier ones are seeded.
local function bundle_usage(world, request, input)
  local app, days = app_of(world, request), days_of(input)
  local channel, today = public_channel(app), world.now() // DAY
  local datasets = support.map(bundles_in_use(app, channel), function(row)
    return { label = row.name, data = support.array(support.map(days, function(day)
      return day == today and share_today(channel, row) or support.mix(world.seed, "share", row.id, day) % 1000 / 10
    end)) }
  end)
  return 200, { labels = support.array(support.map(days, function(day) return calendar.day(day * DAY) end)),
    datasets = support.array(datasets) }
end

local function native_usage(world, request, input)
  local app, days = app_of(world, request), days_of(input)
  local datasets = support.map({ "1.0.0", "1.1.0" }, function(build)
    return { label = build, data = support.array(support.map(days, function(day)
      return support.mix(world.seed, "native", app.id, build, day) % 100
    end)) }
  end)
  return 200, { labels = support.array(support.map(days, function(day) return calendar.day(day * DAY) end)),
    datasets = support.array(datasets) }
end

local function check_subscription(world)
  if world.switches.subscription ~= false then return end
  capgo.refuse(402, "subscription_required", "An active subscription is required")
end

local function apps_of(world, org_id)
  return world.store.apps:list(function(app) return app.row.owner_org == org_id end)
end

local function of_organization(world, request, input)
  local org = capgo.organization(world, request.params.orgId, 401, "no_access_to_organization")
  check_subscription(world)
  local days, running = days_of(input), not flag(input, "noAccumulate")
  local global = rows_of(world, apps_of(world, org.id), days, running)
  if not flag(input, "breakdown") then return 200, global end
  local by_app = support.array {}
  for _, app in ipairs(apps_of(world, org.id)) do
    for _, row in ipairs(rows_of(world, { app }, days, running)) do
      row.app_id = app.id
      by_app[#by_app + 1] = row
    end
  end
  return 200, { global = global, byApp = by_app }
end

local function of_user(world, _, input)
  check_subscription(world)
  return 200, rows_of(world, world.store.apps:list(), days_of(input), not flag(input, "noAccumulate"))
end

-- A CSV text inside JSON.
local function export(world, _, input)
  capgo.need(input, "appId")
  local app = capgo.app(world, { app_id = input.appId }, 401, "no_access_to_app")
  local format = input.format or "csv"
  if format ~= "csv" and format ~= "json" then
    capgo.refuse(400, "invalid_body", "format must be csv or json", { body = input })
  end
  local rows = rows_of(world, { app }, days_of { from = input.rangeStart, to = input.rangeEnd }, false)
  local limit = math.min(support.integer(input.limit or EXPORT_MAX, 1) or EXPORT_MAX, EXPORT_MAX)
  rows = support.slice(rows, 0, limit)
  local reply = { format = format, limit = limit, rowCount = #rows, filename = app.id .. "-stats." .. format,
    contentType = format == "csv" and "text/csv" or "application/json" }
  if format == "json" then
    reply.rows = support.array(rows)
    return 200, reply
  end
  local lines = { support.csv_row { "date", table.unpack(measures) } }
  for _, row in ipairs(rows) do
    local values = support.map(measures, function(measure) return row[measure] end)
    lines[#lines + 1] = support.csv_row { row.date, table.unpack(values) }
  end
  reply.csv = table.concat(lines)
  return 200, reply
end

function statistics.routes(world)
  local denied = { 401, "no_access_to_app" }
  local function serve(method, path, handler)
    capgo.route(world, method, path, "A", denied, function(request, input) return handler(world, request, input) end)
  end
  serve("GET", "/statistics/app/{appId}", of_app)
  serve("GET", "/statistics/app/{appId}/bundle_usage", bundle_usage)
  serve("GET", "/statistics/app/{appId}/native_usage", native_usage)
  serve("GET", "/statistics/org/{orgId}", of_organization)
  serve("GET", "/statistics/user", of_user)
  serve("POST", "/private/stats/export", export)
end

return statistics
