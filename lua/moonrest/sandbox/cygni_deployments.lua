-- Cygni: deployments, which take five seconds of the sandbox's time, their
-- logs as a list or as a stream, cancelling and rolling back. A branch named
-- "broken" fails while it is built.

local calendar = require "moonrest.sandbox.calendar"
local support = require "moonrest.sandbox.support"
local cygni = require "moonrest.sandbox.cygni_support"
local webhooks = require "moonrest.sandbox.cygni_webhooks"
local projects = require "moonrest.sandbox.cygni_projects"

local LOGS_IN_GET = 100
local HEARTBEAT_SECONDS = 30

-- What happens, at how many seconds after the start.
local course = {
  { 0, "pending", { "Queued" } },
  { 1, "building", { "Cloning repository", "Installing dependencies", "Building" } },
  { 3, "deploying", { "Uploading artifacts", "Starting instances" } },
  { 5, "ready", { "Deployment is live" } },
}
local broken_course = {
  course[1], course[2],
  { 3, "failed", { "Build failed: exit status 1" } },
}

local events = {
  building = "deployment.updated", deploying = "deployment.updated", ready = "deployment.succeeded",
  failed = "deployment.failed", cancelled = "deployment.cancelled",
}
local environments = support.set { "production", "preview", "development" }
local final = support.set { "ready", "failed", "cancelled" }

local deployments = {}

-- State -------------------------------------------------------------------

local function stage_at(row, now)
  local current = row.course[1]
  for _, stage in ipairs(row.course) do
    if now >= row.created + stage[1] then current = stage end
  end
  return current
end

-- The word for the state, and when that state began.
local function status_of(row, now)
  if row.cancelled and now >= row.cancelled then return "cancelled", row.cancelled end
  local stage = stage_at(row, now)
  return stage[2], row.created + stage[1]
end

function deployments.status(world, row)
  return (status_of(row, world.now()))
end

function deployments.view(row, reply)
  local now = reply.world.now()
  local status, since = status_of(row, now)
  local view = support.assign({}, row, { "branch", "commitSha", "environment", "metadata", "url", "rollbackFrom" })
  view.id, view.projectId, view.status = cygni.id(reply, row), cygni.id(reply, row.project), status
  view.createdAt, view.updatedAt = calendar.iso(row.created), calendar.iso(since)
  view.completedAt = final[status] and calendar.iso(since) or nil
  return view
end

-- Says what came about since it was looked at last. Called at every change of
-- state, in the sandbox's time.
local function announce(world, row)
  local status = deployments.status(world, row)
  if status == row.announced then return end
  row.announced = status
  if events[status] then
    local reply = cygni.reply(world, {}, "server")
    webhooks.announce(world, events[status], row.project.id, deployments.view(row, reply))
  end
end

function deployments.new(world, project, fields)
  local row = support.assign({ branch = "main", environment = "production" }, fields,
    { "branch", "commitSha", "environment", "metadata", "created", "rollbackFrom" })
  cygni.identify(world, row, "dep")
  row.project = project
  row.course = row.branch == "broken" and broken_course or course
  row.commitSha = row.commitSha or string.format("%013x%013x", support.mix(world.seed, row.id), support.mix(row.id))
  row.url = string.format("https://%s-%s.cygni.app", project.slug, row.id:gsub("[^%w]", ""))
  return world.store.deployments:add(row.id, row)
end

-- Lets a new deployment take its course.
function deployments.start(world, row, reply)
  row.announced = "pending"
  cygni.audit(world, "deployment.create", "deployment", row.id)
  webhooks.announce(world, "deployment.created", row.project.id, deployments.view(row, reply))
  for _, stage in ipairs(row.course) do
    world.at(row.created + stage[1], function() announce(world, row) end)
  end
  return row
end

local function deployment_of(world, request, reply)
  local row = cygni.find(world.store.deployments, request.params.id)
  if not row then cygni.refuse_missing(reply, "Deployment") end
  return row
end

-- Listing and making ------------------------------------------------------

local sorts = {
  createdAt = function(row) return row.created end, branch = function(row) return row.branch end,
  updatedAt = function(row) return row.updated end, environment = function(row) return row.environment end,
}

-- The overview page says "success" where the server says "ready".
local function status_wanted(query)
  local status = query.status
  return status == "success" and "ready" or status
end

local function list(world, request, reply)
  local query, now = request.query, world.now()
  local status, project = status_wanted(query), query.projectId
  local from = cygni.time(query, reply.shape == "page" and "since" or "startDate", reply)
  local to = reply.shape ~= "page" and cygni.time(query, "endDate", reply) or nil
  local rows = world.store.deployments:list(function(row)
    return (not status or status_of(row, now) == status)
      and (not project or row.project.id == project or row.project.uuid == project)
      and (not from or row.created >= from) and (not to or row.created <= to)
  end)
  return cygni.list(request, reply, rows, {
    name = "deployments", limits = { page = 20, server = 20 }, sorts = sorts,
    view = function(row) return deployments.view(row, reply) end,
  })
end

local function create(world, request, reply)
  local body = cygni.body(request, reply)
  if not support.is_text(body.projectId) then cygni.refuse_field(reply, "projectId", "Required") end
  if reply.mount.uuids and not support.is_uuid(body.projectId) then
    cygni.refuse_field(reply, "projectId", "Invalid uuid")
  end
  if body.branch ~= nil and not support.is_text(body.branch) then
    cygni.refuse_field(reply, "branch", "Expected string")
  end
  if body.environment ~= nil and not environments[body.environment] then
    cygni.refuse_field(reply, "environment", "Invalid enum value")
  end
  local project = projects.find(world, body.projectId)
  if not project then cygni.refuse_missing(reply, "Project") end
  local row = deployments.new(world, project, support.assign({}, body,
    { "branch", "commitSha", "environment", "metadata" }))
  return reply:one(201, deployments.view(deployments.start(world, row, reply), reply))
end

-- Logs --------------------------------------------------------------------

-- All lines of the course, each with the time at which it is written.
local function log_lines(row)
  local lines = {}
  for _, stage in ipairs(row.course) do
    for number, text in ipairs(stage[3]) do
      local time = row.created + stage[1] + (number - 1) * 0.25
      if row.cancelled and time >= row.cancelled then break end
      lines[#lines + 1] = {
        time = time, timestamp = calendar.iso_ms(time), level = stage[2] == "failed" and "error" or "info",
        message = text, deploymentId = row.id,
      }
    end
  end
  if row.cancelled then
    lines[#lines + 1] = { time = row.cancelled, timestamp = calendar.iso_ms(row.cancelled), level = "warn",
      message = "Deployment cancelled", deploymentId = row.id }
  end
  return lines
end

local function line_view(line)
  return support.assign({}, line, { "timestamp", "level", "message", "deploymentId" })
end

local function logs_until(row, now)
  local lines = {}
  for _, line in ipairs(log_lines(row)) do
    if line.time <= now then lines[#lines + 1] = line_view(line) end
  end
  return lines
end

-- What is written since, then a comment every half minute, without an end.
local function follow(world, row, write, wait)
  local sent, heartbeat = 0, world.now() + HEARTBEAT_SECONDS
  while true do
    local now = world.now()
    local lines = logs_until(row, now)
    for number = sent + 1, #lines do write("data: " .. support.encode(lines[number]) .. "\n\n") end
    sent = #lines
    if now >= heartbeat then
      heartbeat = now + HEARTBEAT_SECONDS
      write ":heartbeat\n\n"
    end
    local coming = log_lines(row)[sent + 1]
    local pause = math.min(coming and coming.time or heartbeat, heartbeat) - world.now()
    if pause > 0 then wait(pause) end
  end
end

local function logs(world, request, reply)
  local row = deployment_of(world, request, reply)
  if request.query.follow == "true" then
    return 200, function(write, wait) follow(world, row, write, wait) end,
      { ["Content-Type"] = "text/event-stream", ["Cache-Control"] = "no-cache" }
  end
  return 200, { logs = support.array(logs_until(row, world.now())) }
end

local function get(world, request, reply)
  local row = deployment_of(world, request, reply)
  local view = deployments.view(row, reply)
  view.logs = support.array(support.slice(logs_until(row, world.now()), 0, LOGS_IN_GET))
  return reply:one(200, view)
end

-- Changing ----------------------------------------------------------------

local function cancel(world, request, reply)
  local row = deployment_of(world, request, reply)
  local status = deployments.status(world, row)
  if final[status] then
    reply:refuse {
      status = 400, code = "cannot_cancel", text = "Cannot cancel deployment",
      message = "Deployment is already " .. status,
    }
  end
  row.cancelled, row.updated = world.now(), world.now()
  cygni.audit(world, "deployment.cancel", "deployment", row.id)
  announce(world, row)
  return reply:one(200, deployments.view(row, reply))
end

local function rollback(world, request, reply)
  local row = deployment_of(world, request, reply)
  if deployments.status(world, row) ~= "ready" then
    reply:refuse {
      status = 400, code = "cannot_roll_back", text = "Cannot rollback deployment",
      message = "Only a ready deployment can be rolled back to",
    }
  end
  local again = deployments.new(world, row.project, {
    branch = row.branch, commitSha = row.commitSha, environment = row.environment,
    rollbackFrom = cygni.id(reply, row), metadata = { rollback = true },
  })
  return reply:one(201, deployments.view(deployments.start(world, again, reply), reply))
end

function deployments.routes(world, mount)
  local function serve(method, path, shape, handler)
    cygni.route(world, mount, method, "/deployments" .. path, { shape = shape }, function(request, reply)
      return handler(world, request, reply)
    end)
  end
  serve("GET", "", "page", list)
  serve("POST", "", "page", create)
  serve("GET", "/{id}", "server", get)
  serve("GET", "/{id}/logs", "server", logs)
  serve("POST", "/{id}/cancel", "server", cancel)
  serve("POST", "/{id}/rollback", "server", rollback)
end

return deployments
