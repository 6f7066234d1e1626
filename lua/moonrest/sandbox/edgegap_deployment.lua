-- One Edgegap deployment: what state it is in at a time, how it ends, what it shows.

local edgegap = require "moonrest.sandbox.edgegap_support"
local json = require "moonrest.sandbox.json"
local support = require "moonrest.sandbox.support"

local deployment = {}
deployment.__index = deployment
deployment.__name = "moonrest.sandbox.edgegap_deployment"

-- Seconds after the request, and after the stop.
deployment.DEPLOYING_AFTER, deployment.READY_AFTER = 1, 5
deployment.TERMINATED_AFTER, deployment.FORGOTTEN_AFTER = 2, 62

local function distance(place, at)
  local longitude = math.abs(place.longitude - at.longitude) % 360
  return (place.latitude - at.latitude) ^ 2 + math.min(longitude, 360 - longitude) ^ 2
end

--- The location nearest to a point, or any one (the same for the same seed and id).
function deployment.place(world, locations, point, id)
  if not point then return support.pick(locations, world.seed, "place", id) end
  local best = locations[1]
  for _, one in ipairs(locations) do
    if distance(one, point) < distance(best, point) then best = one end
  end
  return best
end

local function port_map(id, seed, fqdn, version)
  local map = {}
  for i, port in ipairs(version.ports) do
    local external = 30000 + support.mix(seed, "port", id, i) % 2768
    local name = port.name or (i == 1 and "gameport" or tostring(port.port))
    local scheme = ({ HTTP = "http://", HTTPS = "https://", WS = "ws://", WSS = "wss://" })[port.protocol] or ""
    map[name] = { name = name, internal = port.port, external = external, protocol = port.protocol,
                  tls_upgrade = port.tls_upgrade or false, link = scheme .. fqdn .. ":" .. external }
  end
  return map
end

--- given: app, version (their rows), point, locations, host (a private one: { row, place, fleet_name }), needs
--- { cpu_units, memory_mib }, tags (names), webhooks { ready, error, terminated }, failure (text: it ends in error),
--- command, arguments, storage (of its logs; nil: the version's, false: none). Times begin now.
function deployment.new(world, given)
  local id = world.hex(12)
  local fqdn, now = id .. ".pr.edgegap.net", world.now()
  local self = setmetatable({
    world = world, id = id, fqdn = fqdn, created = now, ready_at = now + deployment.READY_AFTER,
    app_name = given.app.name, version_name = given.version.name, max_duration = given.version.max_duration,
    place = deployment.place(world, given.locations, given.point, id), needs = given.needs,
    ports = port_map(id, world.seed, fqdn, given.version), failure = given.failure,
    ip = ("203.0.113.%d"):format(1 + support.mix(world.seed, "ip", id) % 254),
    webhooks = given.webhooks or {}, command = given.command, arguments = given.arguments,
    storage = given.storage, joinable = true, tags = support.shelf(),
  }, deployment)
  if given.host then self:move_to(given.host) end
  if given.storage == nil then self.storage = given.version.endpoint_storage end
  for _, name in ipairs(given.tags or {}) do
    if not self.tags:get(name) then self:add_tag(name) end
  end
  self:schedule()
  return self
end

-- To a private host.
function deployment:move_to(host)
  self.place, self.ip = host.place, host.row.ip_address
  self.fleet_name, self.host_name = host.fleet_name, host.row.host_id
end

function deployment:add_tag(name)
  local now = edgegap.date(self.world.now())
  return self.tags:add(name, { name = name, create_time = now, last_updated = now })
end

-- {======================================================
-- Life
-- ======================================================

-- When it begins to stop: asked for, or after max_duration minutes.
local function stopping_at(self)
  if self.stopped_at then return self.stopped_at end
  if self.max_duration and self.max_duration > 0 and not self.failure then
    return self.ready_at + self.max_duration * 60
  end
  return math.huge
end

--- SEEKING, DEPLOYING, READY, ERROR, TERMINATING, TERMINATED or nil once forgotten; and the word before.
function deployment:state(now)
  local stopped, ended = stopping_at(self), self.failure and "ERROR" or "READY"
  if now >= stopped + deployment.FORGOTTEN_AFTER then return nil end
  if now >= stopped + deployment.TERMINATED_AFTER then return "TERMINATED", "TERMINATING" end
  if now >= stopped then return "TERMINATING", ended end
  if now >= self.ready_at then return ended, "DEPLOYING" end
  if now >= self.created + deployment.DEPLOYING_AFTER then return "DEPLOYING", "SEEKING" end
  return "SEEKING"
end

local function send(self, url)
  if not url then return end
  self.world:post(url, { ["Content-Type"] = "application/json" }, json.encode(self:show()))
end

function deployment:schedule()
  local hooks = self.webhooks
  if hooks.ready or hooks.error then
    self.world.at(self.ready_at, function() send(self, self.failure and hooks.error or
      not self.failure and hooks.ready or nil) end)
  end
  if hooks.terminated and stopping_at(self) < math.huge then self:schedule_end() end
end

function deployment:schedule_end()
  if self.end_timer then self.world.cancel(self.end_timer) end
  self.end_timer = self.world.at(stopping_at(self) + deployment.TERMINATED_AFTER,
    function() send(self, self.webhooks.terminated) end)
end

--- Stops it, at once or once it is deployed. Returns whether that is at once.
function deployment:stop(now)
  self.stopped_at = math.max(now, self.ready_at)
  if self.webhooks.terminated then self:schedule_end() end
  return now >= self.ready_at
end

-- }======================================================

-- {======================================================
-- What it shows
-- ======================================================

local function tag_names(self)
  return edgegap.array(self.tags:list(), function(tag) return tag.name end)
end

--- V1DeploymentStatus
function deployment:show()
  local now = self.world.now()
  local word, last = self:state(now)
  word = word or "TERMINATED"
  local began = math.min(now, self.ready_at)
  local stopped = stopping_at(self)
  local ended = math.min(now, stopped)
  return {
    request_id = self.id, fqdn = self.fqdn, public_ip = self.ip, app_name = self.app_name,
    app_version = self.version_name, current_status = "Status." .. word, running = word == "READY",
    start_time = edgegap.date(began), elapsed_time = math.floor(math.max(ended - self.ready_at, 0)),
    max_duration = self.max_duration, error = self.failure ~= nil and now >= self.ready_at,
    removal_time = now >= stopped and edgegap.date(stopped) or nil,
    last_status = last and "Status." .. last or nil, ports = self.ports, location = self.place, tags = tag_names(self),
    error_detail = now >= self.ready_at and self.failure or nil, command = self.command, arguments = self.arguments,
  }
end

--- A row of the list. The last three fields are not in the vendor's document, but are met.
function deployment:row()
  local now = self.world.now()
  local word = self:state(now)
  return {
    request_id = self.id, fqdn = self.fqdn, ready = word == "READY",
    start_time = edgegap.date(math.min(now, self.ready_at)), public_ip = self.ip, ports = self.ports,
    tags = tag_names(self), status = "Status." .. word, application = self.app_name, version = self.version_name,
  }
end

--- What its container sees, and what self-stop and context want.
function deployment:environment(url)
  return {
    ARBITRIUM_REQUEST_ID = self.id, ARBITRIUM_PUBLIC_IP = self.ip,
    ARBITRIUM_DELETE_URL = url .. "/v1/self/stop/" .. self.id .. "/" .. self:stop_key(),
    ARBITRIUM_DELETE_TOKEN = self.world.named_tokens.container,
    ARBITRIUM_CONTEXT_URL = url .. "/v1/context/" .. self.id .. "/" .. self:security_number(),
    ARBITRIUM_CONTEXT_TOKEN = self.world.named_tokens.container,
  }
end

function deployment:stop_key() return "key-" .. self.id end

function deployment:security_number() return support.mix(self.world.seed, "security", self.id) % 100000000 end

-- }======================================================

return deployment
