-- Edgegap private fleets (v2): hosts of one's own, and deployments on them.

local calendar = require "moonrest.sandbox.calendar"
local edgegap = require "moonrest.sandbox.edgegap_support"
local support = require "moonrest.sandbox.support"

local FLEET = "test-fleet"
local DEFAULT_HOSTS = 3
local CAPACITY = { cpu_units = 16384, memory_mb = 32768, base_clock_speed_mhz = 2000 }
local DEFAULT_NEED = { cpu_units = 1024, memory_mib = 2048 }

-- The last host of a fleet is not ready yet.
local function new_host(world, number, count)
  local place = support.pick(world.store.locations, world.seed, "host", number)
  local now = calendar.iso_us(world.now())
  local ip = "192.0.2." .. (number - 1) % 254 + 1
  local active = number < count or count == 1
  return {
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
end

local function populate(world)
  local hosts = support.shelf()
  local count = world:size("hosts", DEFAULT_HOSTS)
  for number = 1, count do
    local host = new_host(world, number, count)
    hosts:add(host.host_id, host)
  end
  world.store.fleets, world.store.hosts = { [FLEET] = hosts }, hosts
end

local function fits(host, need)
  return host.allocatable_cpu_units - host.allocated_cpu_units >= need.cpu_units
    and host.allocatable_memory_mb - host.allocated_memory_mb >= need.memory_mib
end

-- Takes room on the first host that has some; else a text that says why none has.
local function allocate(world, body)
  local need = body.resources or DEFAULT_NEED
  for _, id in ipairs(body.private_host_ids) do
    local host = world.store.hosts:get(id)
    if host and host.status == "ACTIVE" and fits(host, need) then
      host.allocated_cpu_units = host.allocated_cpu_units + need.cpu_units
      host.allocated_memory_mb = host.allocated_memory_mb + need.memory_mib
      return nil
    end
  end
  return "No private host could be allocated"
end

return function(world)
  populate(world)
  world:route("GET", "/v2/private-fleets/{fleet-name}/hosts", function(request)
    local hosts = world.store.fleets[request.params["fleet-name"]]
    if not hosts then edgegap.refuse_v2(400, "Unknown private fleet", { fleet_name = request.params["fleet-name"] }) end
    local list = hosts:list()
    return edgegap.list(world, request, "data", list, math.max(#list, 1))
  end, { bucket = "hosts" })
  world:route("POST", "/v2/private-fleets/deployments", function(request)
    local ids = { type = "array!", items = "string!", min_items = 1, distinct = true }
    return world.store.create_v2(request, { private_host_ids = ids }, function(body) return allocate(world, body) end)
  end, { bucket = "deploy" })
end
