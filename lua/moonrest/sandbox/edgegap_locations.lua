-- Where Edgegap's servers are, and its ping beacons.

local edgegap = require "moonrest.sandbox.edgegap_support"
local support = require "moonrest.sandbox.support"

-- city, country, continent, administrative division, time zone, latitude, longitude
local PLACES = {
  { "Montreal", "Canada", "North America", "Quebec", "Eastern Time", 45.508888, -73.561668 },
  { "Toronto", "Canada", "North America", "Ontario", "Eastern Time", 43.6532, -79.3832 },
  { "Newark", "United States of America", "North America", "New Jersey", "Eastern Time", 40.7357, -74.1724 },
  { "Chicago", "United States of America", "North America", "Illinois", "Central Time", 41.8781, -87.6298 },
  { "Dallas", "United States of America", "North America", "Texas", "Central Time", 32.7767, -96.797 },
  { "Los Angeles", "United States of America", "North America", "California", "Pacific Time", 34.0522, -118.2437 },
  { "Seattle", "United States of America", "North America", "Washington", "Pacific Time", 47.6062, -122.3321 },
  { "Sao Paulo", "Brazil", "South America", "Sao Paulo", "Brasilia Time", -23.5505, -46.6333 },
  { "Santiago", "Chile", "South America", "Santiago Metropolitan", "Chile Time", -33.4489, -70.6693 },
  { "London", "United Kingdom", "Europe", "England", "Greenwich Mean Time", 51.5072, -0.1276 },
  { "Paris", "France", "Europe", "Ile-de-France", "Central European Time", 48.8566, 2.3522 },
  { "Frankfurt", "Germany", "Europe", "Hesse", "Central European Time", 50.1109, 8.6821 },
  { "Madrid", "Spain", "Europe", "Community of Madrid", "Central European Time", 40.4168, -3.7038 },
  { "Stockholm", "Sweden", "Europe", "Stockholm", "Central European Time", 59.3293, 18.0686 },
  { "Warsaw", "Poland", "Europe", "Masovia", "Central European Time", 52.2297, 21.0122 },
  { "Johannesburg", "South Africa", "Africa", "Gauteng", "South Africa Time", -26.2041, 28.0473 },
  { "Mumbai", "India", "Asia", "Maharashtra", "India Time", 19.076, 72.8777 },
  { "Singapore", "Singapore", "Asia", "Singapore", "Singapore Time", 1.3521, 103.8198 },
  { "Seoul", "South Korea", "Asia", "Seoul", "Korea Time", 37.5665, 126.978 },
  { "Tokyo", "Japan", "Asia", "Tokyo", "Japan Time", 35.6762, 139.6503 },
  { "Sydney", "Australia", "Oceania", "New South Wales", "Eastern Australia Time", -33.8688, 151.2093 },
}
local BEACONS = 17

local function location(place)
  return { city = place[1], country = place[2], continent = place[3], administrative_division = place[4],
           timezone = place[5], latitude = place[6], longitude = place[7] }
end

local function beacon(world, number)
  local function port(name) return 30000 + support.mix(world.seed, name, number) % 2768 end
  return {
    host = "198.51.100." .. number, location = location(PLACES[number]),
    fqdn = ("b-%012x.pr.edgegap.net"):format(support.mix(world.seed, "beacon", number) & 0xFFFFFFFFFFFF),
    udp_port = port "udp", tcp_port = port "tcp",
  }
end

local function known_version(world, app_name, version_name)
  local app = world.store.apps:get(app_name)
  return app and (not version_name or app.versions:get(version_name))
end

return function(world)
  world.store.locations = support.map(PLACES, location)
  world:route("GET", "/v1/locations", function(request)
    local app, version = request.query.app, request.query.version
    local list, messages = world.store.locations, edgegap.array()
    if version and not app then edgegap.refuse(400, "version needs app") end
    if app and not known_version(world, app, version) then
      list, messages[1] = {}, "No such application or version: it is not cached anywhere"
    end
    local status, body = edgegap.list(world, request, "locations", list)
    body.messages = messages
    return status, body
  end)
  world:route("GET", "/v1/locations/beacons", function(request)
    local list = {}
    for number = 1, BEACONS do list[number] = beacon(world, number) end
    return 200, { locations = (edgegap.page(world, request, list)), count = #list }
  end)
end
