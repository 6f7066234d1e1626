-- Cygni. The production environment keeps the contract of the overview page
-- below /v1, with the server's further routes beside it; the calls of its SDK's
-- document stand at the root. The server environment is what the server's code
-- does: /api/v2, the deprecated /api/v1, and /api without a version.
--
-- Sizes: projects (25), deployments (45), log_rows (200). Switch: degraded (the
-- deep health check answers 503).

local support = require "moonrest.sandbox.support"
local cygni = require "moonrest.sandbox.cygni_support"
local projects = require "moonrest.sandbox.cygni_projects"
local deployments = require "moonrest.sandbox.cygni_deployments"
local webhooks = require "moonrest.sandbox.cygni_webhooks"
local platform = require "moonrest.sandbox.cygni_platform"
local assumed = require "moonrest.sandbox.cygni_assumed"
local sdk = require "moonrest.sandbox.cygni_sdk"

local HOUR, DAY = 3600, 86400
local DEFAULT_PROJECTS, DEFAULT_DEPLOYMENTS = 25, 45
local frameworks = { "nextjs", "astro", "express", "django" }
local branches = { "main", "main", "develop", "broken" }

-- Seeds -------------------------------------------------------------------

local function seed_projects(world)
  world.store.projects, world.store.project_ids = support.shelf(), {}
  for number = 1, world:size("projects", DEFAULT_PROJECTS) do
    local row = projects.new(world, {
      name = string.format("project-%02d", number), created = world.now() - (400 - number) * DAY,
      framework = support.pick(frameworks, world.seed, "framework", number),
      repository = string.format("https://git.example.com/moonlight/project-%02d", number),
      environmentVariables = { NODE_ENV = "production" },
    })
    if number % 7 == 0 then row.status = "paused" end
    world.store.project_ids[number] = row.id
  end
end

local function seed_deployments(world)
  world.store.deployments = support.shelf()
  local all = world.store.projects:list()
  if #all == 0 then return end
  local count = world:size("deployments", DEFAULT_DEPLOYMENTS)
  for number = 1, count do
    deployments.new(world, all[support.mix(world.seed, "deployed", number) % math.min(#all, 5) + 1], {
      branch = support.pick(branches, world.seed, "branch", number),
      created = world.now() - (count - number + 1) * HOUR,
      environment = number % 3 == 0 and "preview" or "production",
    })
  end
end

local function seed(world)
  platform.seed(world)
  world.store.webhooks = support.shelf()
  seed_projects(world)
  seed_deployments(world)
  assumed.seed(world, world.store.projects:list()[1])
end

-- Limits ------------------------------------------------------------------

-- Both windows count, and one set of headers speaks for the one that is nearest
-- to its end; the longer one when both are.
local function tightest(states)
  local chosen = states[1]
  for _, state in ipairs(states) do
    if state.remaining <= chosen.remaining then chosen = state end
  end
  return chosen
end

local function page_headers(states)
  local state = tightest(states)
  return {
    ["X-RateLimit-Limit"] = state.limit, ["X-RateLimit-Remaining"] = state.remaining,
    ["X-RateLimit-Reset"] = math.ceil(state.reset),
  }
end

local function page_limits(world, mount)
  world:limits {
    default = "account", style = "fixed",
    buckets = { account = {
      free = { "100/min", "1000/h" }, pro = { "1000/min", "10000/h" }, enterprise = {},
      default = { "100/min", "1000/h" },
    } },
    headers = page_headers,
    refuse = function()
      local reply = cygni.reply(world, mount, "page")
      return 429, reply:problem { code = "rate_limited", text = "Rate limit exceeded" }
    end,
  }
end

local function server_headers(states)
  local state = tightest(states)
  return {
    ["RateLimit-Limit"] = state.limit, ["RateLimit-Remaining"] = state.remaining,
    ["RateLimit-Reset"] = math.ceil(state.retry_after),
  }
end

-- Without a plan every caller is counted by address, as the real server comes
-- to do; the plans' own numbers are there for who wants them.
local function server_limits(world)
  world:limits {
    default = "account", style = "fixed",
    buckets = {
      account = {
        free = { "100/15min", "20/min" }, starter = { "1000/15min", "100/min" }, pro = { "5000/15min", "300/min" },
        enterprise = { "20000/15min", "1000/min" }, default = { "50/15min" },
      },
      login = { "10/15min" },
    },
    key = function() return "address" end,
    headers = server_headers,
    refuse = function(state)
      local seconds = math.ceil(state.retry_after)
      return 429, { error = "Too many requests", message = "Please try again later", retryAfter = seconds },
        { ["Retry-After"] = seconds }
    end,
  }
end

-- Mounts ------------------------------------------------------------------

local function page_world(world)
  local v1 = { prefix = "/v1", version = "v1", page = true }
  cygni.guard(world, v1)
  page_limits(world, v1)
  projects.routes(world, v1, deployments.view)
  deployments.routes(world, v1)
  webhooks.routes(world, v1, "/webhooks")
  platform.routes(world, v1)
  platform.log_routes(world, v1, "/logs")
  assumed.routes(world, v1)
  sdk.routes(world, v1)
  sdk.server_routes(world, v1)
  local root = { prefix = "", version = "v1" }
  sdk.routes(world, root, true)
  sdk.server_routes(world, root, true)
end

local deprecation = {
  ["X-API-Deprecated"] = "true", ["X-API-Deprecation-Date"] = "2025-01-01", ["X-API-End-Of-Life"] = "2027-01-01",
  ["X-API-Recommended-Version"] = cygni.CURRENT_VERSION,
}
local deprecation_names = { "X-API-Deprecated", "X-API-Deprecation-Date", "X-API-End-Of-Life",
  "X-API-Recommended-Version" }

local function old_endpoint(alternative)
  return { ["X-API-Warning"] = "This endpoint is deprecated", ["X-API-Alternative"] = alternative,
    ["X-API-Remove-In-Version"] = "v3" }
end

local known_versions = support.set { "v1", "v2" }

local function refuse_unknown_versions(world)
  world:before(function(request)
    local version = request.path:match "^/api/(v%d+)/" or request.path:match "^/api/(v%d+)$"
    if not version or known_versions[version] then return end
    return 404, {
      error = "API version not found", message = "API version " .. version .. " is not supported",
      supportedVersions = support.array { "v1", "v2" }, currentVersion = cygni.CURRENT_VERSION,
    }
  end)
end

-- Version 2 has the SDK's calls no more than the unversioned routes of webhooks and logs, which stand twice in
-- their own paths there. Version 1 has little more than signing in, logs and usage.
local function server_world(world)
  local v2 = { prefix = "/api/v2", version = "v2", uuids = true, login_bucket = { "login", "account" } }
  cygni.guard(world, v2)
  server_limits(world)
  refuse_unknown_versions(world)
  projects.routes(world, v2, deployments.view)
  deployments.routes(world, v2)
  webhooks.routes(world, v2, "/webhooks/webhooks")
  platform.routes(world, v2)
  platform.log_routes(world, v2, "/logs/logs")
  sdk.session_routes(world, v2)
  local v1 = { prefix = "/api/v1", version = "v1", uuids = true, headers = deprecation }
  platform.log_routes(world, v1, "/logs/logs")
  platform.usage_routes(world, v1)
  sdk.session_routes(world, v1)
  platform.profile_route(world, { prefix = "/api/v1", version = "v1",
    headers = support.assign(old_endpoint "/api/v2/users/me", deprecation, deprecation_names) })
  sdk.server_routes(world, { prefix = "/api", version = "v1", uuids = true })
  sdk.server_routes(world, { prefix = "", version = "v1" }, true)
  webhooks.routes(world, { prefix = "/api", version = "v1", uuids = true,
    headers = old_endpoint "/api/v2/webhooks/webhooks" }, "/webhooks")
  platform.log_routes(world, { prefix = "/api", version = "v1", uuids = true,
    headers = old_endpoint "/api/v2/logs/logs" }, "/logs")
end

return function(world)
  seed(world)
  if world.environment == "server" then server_world(world) else page_world(world) end
end
