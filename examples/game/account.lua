-- Servers as the developer's own account shows them. What is in here needs the account token, so it is for a tool on
-- the developer's machine and for the sandbox: a game that players have asks a relay instead (relay.lua).
--
-- A source of servers is a table with title, can_measure, and functions that are called in tasks and return
-- nil, err when the world fails:
--   list(page)   -> { items = { server, ... }, page =, pages =, total = }
--   describe(id) -> server
--   join()       -> the id of a server that is being started, or of one that can be joined
--   measure(id)  -> { { title =, unit =, values = { number, ... } }, ... }
-- A server: id, state (a lower-case word), address, tags (a text); when it has been described also city, country,
-- latitude, longitude, error.

local account = {}

local page_size <const> = 8

local newest_first <const> = { order_by = { { field = "created_at", order = "desc" } } }

-- "Status.READY" -> "ready"
local function state_of(deployment)
  local status = deployment.current_status or deployment.status or (deployment.ready and "READY" or "starting")
  return status:gsub("^Status%.", ""):lower()
end

local function address_of(deployment)
  local _, port = next(deployment.ports or {})
  return port and ("%s:%d"):format(deployment.fqdn, port.external) or deployment.fqdn
end

local function server_of(deployment)
  local place = deployment.location or {}
  return {
    id = deployment.request_id, state = state_of(deployment), address = address_of(deployment),
    tags = table.concat(deployment.tags or {}, " "), error = deployment.error and deployment.error_detail or nil,
    city = place.city, country = place.country, latitude = place.latitude, longitude = place.longitude,
  }
end

local function graph(title, unit, series, scale)
  local values = {}
  for place, value in ipairs(series.datasets) do values[place] = value * scale end
  return { title = title, unit = unit, values = values }
end

-- 'edgegap' is a client; 'near' a point { latitude =, longitude = } or a function that returns one.
function account.new(edgegap, app, version, near)
  local source = { title = ("%s %s"):format(app, version), can_measure = true }

  function source.list(page)
    local answer, err = edgegap.deployments:list { page = page, limit = page_size, query = newest_first }
    if not answer then return nil, err end
    local items = {}
    for place, row in ipairs(answer.data) do items[place] = server_of(row) end
    return { items = items, page = page, pages = answer.pagination.paginator.num_pages, total = answer.total_count }
  end

  function source.describe(id)
    local deployment, err = edgegap.deployments:get(id)
    if not deployment then return nil, err end
    return server_of(deployment)
  end

  function source.join()
    local made, err = edgegap.deployments:create {
      application = app, version = version, tags = { "browser" },
      users = { { user_type = "geo_coordinates", user_data = type(near) == "function" and near() or near } },
    }
    if not made then return nil, err end
    return made.request_id
  end

  function source.measure(id)
    local metrics, err = edgegap.deployments:metrics { deployment_id = id, steps = "5s" }
    if not metrics then return nil, err end
    return {
      graph("Processor", "%", metrics.cpu, 0.1),
      graph("Memory", "MiB", metrics.mem, 1),
      graph("Received", "KiB/s", metrics.network.receive, 1 / 1024),
      graph("Sent", "KiB/s", metrics.network.transmit, 1 / 1024),
    }
  end

  return source
end

return account
