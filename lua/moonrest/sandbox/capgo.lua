-- Capgo, as its server's code behaves; where that differs from its documents, the
-- definition has to live with both.
--
-- Sizes: organizations (2), apps (3), bundles (120) and devices (120) of the first
-- app, channels (0 more than production and beta). Switches: page_bug = false
-- mends the overlapping pages of bundles and channels; need_plan_upgrade = true
-- refuses what plans limit; build_concurrency = builds at once; subscription =
-- false makes the statistics of organizations and users cost money.

local support = require "moonrest.sandbox.support"
local capgo = require "moonrest.sandbox.capgo_support"
local organizations = require "moonrest.sandbox.capgo_organizations"
local apps = require "moonrest.sandbox.capgo_apps"
local bundles = require "moonrest.sandbox.capgo_bundles"
local devices = require "moonrest.sandbox.capgo_devices"
local statistics = require "moonrest.sandbox.capgo_statistics"
local webhooks = require "moonrest.sandbox.capgo_webhooks"
local builds = require "moonrest.sandbox.capgo_builds"
local notifications = require "moonrest.sandbox.capgo_notifications"

local API_VERSION_FORM = "^%d%d%d%d%-%d%d%-%d%d$"

-- Keys are UUIDs. "legacy" is one from before, which gate A cannot tell from a
-- session's token; "session" is such a token.
local function set_tokens(world)
  local function key(kind) return support.uuid(world.seed, "capgo key", kind) end
  world:tokens {
    valid = key "valid", invalid = key "invalid", forbidden = key "forbidden", read_only = key "read_only",
    legacy = "sandboxlegacykey0000000000000000",
    session = "eyJzYW5kYm94Ijp0cnVlfQ.eyJzdWIiOiJvd25lciJ9.c2lnbmF0dXJl",
  }
end

-- The published numbers, counted in the server's way: the counter lives for a
-- minute and every request, also a refused one, gives it another. The plan
-- "server" has the number of the server's code.
local function set_limits(world)
  world:limits {
    default = "key", style = "silence",
    buckets = {
      key = {
        free = { "100/min" }, standard = { "100/min" }, enterprise = { "1000/min" }, server = { "2000/min" },
        default = { "100/min" },
      },
      upload = { "20000/min" },
    },
    refuse = function(state, request)
      local own = world.store.apikeys:find(function(key) return key.key == request.identity.account end)
      local more, headers = capgo.wait_hints(world.now(), world.now() + state.seconds,
        { reason = "apikey_rate_limit_exceeded", apikey_id = own and own.id or support.null })
      return 429, capgo.problem("too_many_requests", "Too many requests", more), headers
    end,
  }
end

-- The only route that reads the date of the version asked for.
local function ok(request)
  local version = request.headers.capgo_api
  if version and not version:find(API_VERSION_FORM) then
    capgo.refuse(400, "invalid_api_version", "Invalid API version", { version = version })
  end
  return 200, { status = "ok" }
end

return function(world)
  world:loose_slashes()
  world.store.numbers, world.store.listeners = {}, {}
  set_tokens(world)
  capgo.guard(world)
  set_limits(world)
  organizations.seed(world)
  apps.seed(world)
  apps.seed_keys(world)
  bundles.seed(world)
  devices.seed(world)
  webhooks.seed(world)
  for _, part in ipairs { organizations, apps, bundles, devices, statistics, webhooks, builds, notifications } do
    part.routes(world)
  end
  for _, method in ipairs { "GET", "POST" } do capgo.route(world, method, "/ok", nil, nil, ok) end
end
