-- Cygni: what the document of its own SDK describes, and the routes about the
-- server itself.

local calendar = require "moonrest.sandbox.calendar"
local support = require "moonrest.sandbox.support"
local cygni = require "moonrest.sandbox.cygni_support"
local projects = require "moonrest.sandbox.cygni_projects"
local deployments = require "moonrest.sandbox.cygni_deployments"

local words = {
  pending = "pending", building = "in_progress", deploying = "in_progress", ready = "completed", failed = "failed",
  cancelled = "failed",
}

local function user()
  return {
    id = "user_0001", email = "ada.moon@example.com",
    organizations = support.array { { id = "org_1", name = "Moonlight Games", slug = "moonlight", role = "admin" } },
  }
end

-- Any password but "wrong" fits.
local function login(world, request, reply)
  local body = cygni.body(request, reply)
  for _, name in ipairs { "email", "password" } do
    if not support.is_text(body[name]) then cygni.refuse_field(reply, name, "Required") end
  end
  if body.password == "wrong" then reply:refuse { status = 401, text = "Invalid credentials" } end
  local me = user()
  return 200, { token = world.named_tokens.valid, user = me, organizations = me.organizations }
end

local function status_of(world, request, reply)
  local row = cygni.find(world.store.deployments, request.params.deploymentId)
  if not row then cygni.refuse_missing(reply, "Deployment") end
  local view = deployments.view(row, reply)
  local word = words[view.status]
  return 200, {
    id = view.id, status = word, createdAt = view.createdAt, completedAt = view.completedAt,
    environment = view.environment, provider = row.provider or "aws",
    services = support.array { { name = "web", type = "frontend", status = word, url = view.url } },
  }
end

local function list_of_project(world, request, reply)
  local project = projects.find(world, request.params.projectId)
  if not project then cygni.refuse_missing(reply, "Project") end
  local limit = support.integer(request.query.limit or "10", 1)
  if not limit then cygni.refuse_field(reply, "limit", "Must be a positive integer") end
  local environment = request.query.environment
  local rows = world.store.deployments:list(function(row)
    return row.project == project and (not environment or row.environment == environment)
  end, true)
  return 200, { deployments = support.array(support.map(support.slice(rows, 0, limit), function(row)
    local view = deployments.view(row, reply)
    view.status, view.version, view.healthStatus, view.strategy = words[view.status], row.commitSha:sub(1, 7),
      "healthy", "rolling"
    return view
  end)) }
end

-- The SDK sends a configuration and names no project: the first one takes it.
local function deploy(world, request, reply)
  local body = cygni.body(request, reply)
  if not support.is_object(body.cloudexpressConfig) then
    cygni.refuse_field(reply, "cloudexpressConfig", "Required")
  end
  local project = world.store.projects:find(function(row) return row.status == "active" end)
  if not project then cygni.refuse_missing(reply, "Project") end
  local row = deployments.start(world, deployments.new(world, project, { environment = body.environment }), reply)
  row.provider = body.provider
  return 200, { deploymentId = cygni.id(reply, row), status = "pending" }
end

local sdk = {}

local function server_of(world, mount)
  return function(method, path, handler, options)
    cygni.route(world, mount, method, path, options or {}, function(request, reply)
      return handler(world, request, reply)
    end)
  end
end

function sdk.session_routes(world, mount)
  local serve = server_of(world, mount)
  serve("POST", "/auth/login", login, { auth = false, bucket = mount.login_bucket })
  serve("GET", "/auth/me", function() return 200, user() end)
end

-- Below the prefix of a mount; 'whole' adds the calls that collide with others there.
function sdk.routes(world, mount, whole)
  sdk.session_routes(world, mount)
  local serve = server_of(world, mount)
  serve("GET", "/deployments/{deploymentId}/status", status_of)
  serve("GET", "/projects/{projectId}/deployments", list_of_project)
  if not whole then return end
  serve("POST", "/deployments", deploy)
  serve("GET", "/projects/{projectId}", function(_, request, reply)
    local project = projects.find(world, request.params.projectId)
    if not project then cygni.refuse_missing(reply, "Project") end
    return 200, { id = cygni.id(reply, project), name = project.name, slug = project.slug, organizationId = "org_1" }
  end)
end

local versions = support.array { "v1", "v2" }

local function health(world, request)
  local report = { status = "ok", timestamp = calendar.iso(world.now()), version = cygni.CURRENT_VERSION }
  if request.query.deep == "true" then
    local degraded = world.switches.degraded == true
    report.checks = { database = degraded and "slow" or "ok", queue = "ok" }
    if degraded then
      report.status = "degraded"
      return 503, report
    end
  end
  return 200, report
end

local function prometheus(world)
  local lines = { "# HELP cygni_projects Number of projects", "# TYPE cygni_projects gauge",
    "cygni_projects " .. world.store.projects.count, "# HELP cygni_deployments_total Deployments made",
    "# TYPE cygni_deployments_total counter", "cygni_deployments_total " .. world.store.deployments.last, "" }
  return 200, table.concat(lines, "\n"), { ["Content-Type"] = "text/plain; version=0.0.4" }
end

-- health, version and versions need no token. 'metrics' is where the text for
-- Prometheus stands, which below /v1 would hide the named resource.
function sdk.server_routes(world, mount, metrics)
  local function serve(path, handler)
    cygni.route(world, mount, "GET", path, { auth = false }, function(request) return handler(world, request) end)
  end
  serve("/health", health)
  serve("/versions", function()
    return 200, { versions = versions, currentVersion = cygni.CURRENT_VERSION }
  end)
  serve("/version", function() return 200, { version = mount.version, currentVersion = cygni.CURRENT_VERSION } end)
  if metrics then serve("/metrics", prometheus) end
end

return sdk
