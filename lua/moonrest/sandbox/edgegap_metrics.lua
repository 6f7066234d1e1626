-- Metrics of an Edgegap deployment: numbers that depend on the seed, the deployment and the time alone.

local edgegap = require "moonrest.sandbox.edgegap_support"
local support = require "moonrest.sandbox.support"

local metrics = {}

local MAX_POINTS = 11000 -- as the time series databases behind such routes refuse more
local UNITS = { s = 1, m = 60, h = 3600 }

local function read_time(request, name, otherwise, parse)
  local text = request.query[name]
  if not text then return otherwise end
  local time = parse(text)
  if not time then edgegap.refuse(400, name .. " is not a date") end
  return time
end

local function read_step(text)
  local count, unit = (text or "1m"):match "^(%d+)([smh])$"
  local seconds = count and tonumber(count) * UNITS[unit]
  if not seconds or seconds < 1 then edgegap.refuse(400, "steps must look like 30s or 1m") end
  return seconds
end

local function series(seed, id, name, from, count, step, scale)
  local model = { labels = edgegap.array(), datasets = edgegap.array(), timestamps = edgegap.array() }
  for i = 1, count do
    local time = from + (i - 1) * step
    model.labels[i] = os.date("!%H:%M:%S", math.floor(time))
    model.timestamps[i] = edgegap.date(time):sub(1, -4)
    model.datasets[i] = support.mix(seed, id, name, math.floor(time)) % scale
  end
  return model
end

--- The body for one deployment; start_time, end_time, steps and raw come from the query.
function metrics.of(world, one, request, parse)
  local raw = request.query.raw
  if raw and raw ~= "true" and raw ~= "false" then edgegap.refuse(400, "raw must be true or false") end
  local from = read_time(request, "start_time", one.ready_at, parse)
  local to = read_time(request, "end_time", math.max(world.now(), one.ready_at + 60), parse)
  local step = read_step(request.query.steps)
  if to <= from then edgegap.refuse(422, "end_time must be after start_time") end
  local count = math.floor((to - from) / step) + 1
  if count > MAX_POINTS then edgegap.refuse(422, "The range has too many steps") end
  local function model(name, scale) return series(world.seed, one.id, name, from, count, step, scale) end
  return {
    total = { receive_total = model("receive_total", 1000000), transmit_total = model("transmit_total", 1000000),
              disk_read_total = model("disk_read_total", 10000), disk_write_total = model("disk_write_total", 10000) },
    cpu = model("cpu", 1000), cpu_throttle_rate = model("cpu_throttle_rate", 100),
    cpu_throttle_total = model("cpu_throttle_total", 100), mem = model("mem", 2048),
    network = { receive = model("receive", 10000), transmit = model("transmit", 10000) },
  }
end

return metrics
