-- The relay's two answers:
--   GET /servers?page=&limit=   servers that can be joined: { items =, page =, pages =, total = }
--   POST /join                  200: a server with a seat for you; 202: one is being started, ask again soon
--
-- Players get their answers from memory and never cause a call of the API by themselves: one task keeps the list, and
-- one at most starts a server. However many players ask, and however often, the account's limits are not in danger.
-- What a real backend adds is who asks: sign players in, and bound what each of them may start.

local moonrest = require "moonrest"

local seats <const> = 2       -- joins for each server; a real backend hears from its servers who has left
local most_servers <const> = 10
local list_every <const> = 2  -- seconds

-- What a player may know of a deployment.
local function show(deployment)
  local _, port = next(deployment.ports)
  local place = deployment.location
  return {
    id = deployment.request_id, state = "ready", address = ("%s:%d"):format(deployment.fqdn, port.external),
    city = place.city, country = place.country, latitude = place.latitude, longitude = place.longitude,
  }
end

return function(options)
  local edgegap = moonrest.open("edgegap", moonrest.json.decode(options).client)
  local deployments = edgegap.deployments
  local servers, known, joined = moonrest.array {}, {}, {} -- the list; servers and seats taken, by id
  local starting, problem                                  -- a task, and what the last one failed with

  local function read_list()
    local list = moonrest.array {}
    local is_ready = { filters = { { field = "status", operator = "eq", value = "ready" } } }
    for row in deployments:each { query = is_ready } do
      known[row.request_id] = known[row.request_id] or show(assert(deployments:get(row.request_id)))
      list[#list + 1] = known[row.request_id]
    end
    servers = list
  end

  local function keep_list()
    while true do
      local fine, err = pcall(read_list)
      if not fine then io.stderr:write("relay: ", tostring(err), "\n") end
      moonrest.sleep(list_every)
    end
  end

  -- A real backend takes the point from the player's address.
  local function start_server()
    local made, err = deployments:create {
      application = "my-game", version = "v1.0",
      users = { { user_type = "geo_coordinates", user_data = { latitude = 50.85, longitude = 4.35 } } },
    }
    local ready
    if made then ready, err = deployments:wait(made.request_id, "ready") end
    if ready then
      known[made.request_id] = show(ready)
      servers[#servers + 1] = known[made.request_id]
    else
      problem = err
    end
    starting = nil
  end

  local function list(uri)
    local page = math.tointeger(tonumber(uri:match "[?&]page=(%d+)")) or 1
    local limit = math.max(1, math.min(math.tointeger(tonumber(uri:match "[?&]limit=(%d+)")) or 20, 100))
    local items = table.move(servers, (page - 1) * limit + 1, math.min(page * limit, #servers), 1, moonrest.array {})
    return 200, { items = items, page = page, pages = math.ceil(#servers / limit), total = #servers }
  end

  local function join()
    for _, server in ipairs(servers) do
      if (joined[server.id] or 0) < seats then
        joined[server.id] = (joined[server.id] or 0) + 1
        return 200, server
      end
    end
    if problem or #servers >= most_servers then
      if problem then io.stderr:write("relay: ", tostring(problem), "\n") end -- for us; players learn no details
      problem = nil
      return 409, { message = "No server can be started right now" }
    end
    starting = starting or moonrest.spawn(start_server)
    return 202, { id = "your server", state = "starting" }
  end

  local answers = { ["GET /servers"] = list, ["POST /join"] = join }
  local app = {}

  function app.dispatch(_, method, uri)
    local answer = answers[method .. " " .. uri:match "^[^?]*"]
    local status, body = 404, { message = "There is GET /servers and POST /join" }
    if answer then status, body = answer(uri) end
    return status, { "Content-Type", "application/json" }, moonrest.json.encode(body)
  end

  -- The server calls this again after as many seconds as it returns; the tasks run in here.
  function app.tick()
    moonrest.step(0.005)
    return 0.02
  end

  function app.closed() end

  moonrest.spawn(keep_list)
  return app
end
