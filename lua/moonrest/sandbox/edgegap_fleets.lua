-- Edgegap private fleets (v2): hosts of one's own, and deployments on them.

local calendar = require "moonrest.sandbox.calendar"
local edgegap = require "moonrest.sandbox.edgegap_support"
local support = require "moonrest.sandbox.support"

local FLEET = "test-fleet"
local DEFAULT_HOSTS = 3
local CAPACITY = { cpu_units = 16384, memory_mb = 32768, base_clock_speed_mhz = 2000 }

-- The last host of a fleet is not ready yet. A host is the row that is shown, and the place where it is.
local function new_host(world, number, count)
  local place = support.pick(world.store.locations, world.seed, "host", number)
  local now = calendar.iso_us(world.now())
  local ip = "192.0.2." .. (number - 1) % 254 + 1
  local active = number < count or count == 1
  local row = {
    host_id = ("alpha-%s-%08x"):format(place.continent:lower():gsub(" ", "-"),
      support.mix(world.seed, "host id", number) & 0xFFFFFFFF),
    status = active and "ACTIVE" or "PENDING", ip_address = ip, latitude = place.latitude,
    longitude = place.longitude, city = place.city, country = place.country, continent = place.continent,
    allocated_cpu_units = 1152, allocated_memory_mb = 2176, allocatable_cpu_units = 12928,
    allocatable_memory_mb = 25178, beacon = { tcp_port = 30974, udp_port = 31843, ip_address = ip },
    created_at = now, updated_at = now, fleet_host_specifications = CAPACITY,
    centroid = { label = "Alpha", latitude = place.latitude, longitude = place.longitude, radius_km = 250.5,
                 desired_host_count = 1 },
  }
  local fields = {}
  for name in pairs(row) do fields[#fields + 1] = name end
  return { row = row, fields = fields, place = place, fleet_name = FLEET }
end

local function populate(world)
  local hosts = support.shelf()
  local count = world:size("hosts", DEFAULT_HOSTS)
  for number = 1, count do
    local host = new_host(world, number, count)
    hosts:add(host.row.host_id, host)
  end
  world.store.fleets, world.store.hosts = { [FLEET] = hosts }, hosts
end

-- The row of a host, with what its deployments take of it now.
local function show(world, host)
  local row = support.assign({}, host.row, host.fields)
  for _, one in ipairs(world.store.deployments:list()) do
    local word = one.host_name == row.host_id and one:state(world.now())
    if word and word ~= "TERMINATED" then
      row.allocated_cpu_units = row.allocated_cpu_units + one.needs.cpu_units
      row.allocated_memory_mb = row.allocated_memory_mb + one.needs.memory_mib
    end
  end
  return row
end

local function fits(row, needs)
  return row.status == "ACTIVE" and row.allocatable_cpu_units - row.allocated_cpu_units >= needs.cpu_units
    and row.allocatable_memory_mb - row.allocated_memory_mb >= needs.memory_mib
end

-- The first of the hosts that has room; nil when none has, and the deployment goes to the cloud.
local function find_host(world, ids, needs)
  for _, id in ipairs(ids) do
    local host = world.store.hosts:get(id)
    if host and fits(show(world, host), needs) then return host end
  end
end

return function(world)
  populate(world)
  world:route("GET", "/v2/private-fleets/{fleet-name}/hosts", function(request)
    local hosts = world.store.fleets[request.params["fleet-name"]]
    if not hosts then edgegap.refuse_v2(400, "Unknown private fleet", { fleet_name = request.params["fleet-name"] }) end
    local list = support.map(hosts:list(), function(host) return show(world, host) end)
    return edgegap.list(world, request, "data", list, math.max(#list, 1))
  end, { bucket = "hosts" })
  world:route("POST", "/v2/private-fleets/deployments", function(request)
    local ids = { type = "array!", items = "string!", min_items = 1, distinct = true }
    return world.store.create_v2(request, { private_host_ids = ids }, function(body, needs)
      return find_host(world, body.private_host_ids, needs)
    end)
  end, { bucket = "deploy" })
end
