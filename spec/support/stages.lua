-- What must be there before the examples of the definitions can succeed in a sandbox: for each system the operations
-- that make it, called with their own examples, and the real ids in place of those that the examples invent.
--
-- A step is { operation, [what the examples say] = where its answer has the real thing, ... } or { advance = seconds };
-- with `may_fail` its failure is what is wanted. The steps of `always` come first, then those of the operation's
-- resource and those of its own; an operation that is itself a step ends them.

local definition = require "moonrest.definition"
local sandbox_mix = require "moonrest.sandbox.support".mix

local stages = { SEED = 3 }

local function with_deployment(...)
  return { { "deployments.create", ["93924761ccde"] = "request_id" }, ... }
end

local function with_project(...)
  return { { "projects.create", project_1 = "id" }, ... }
end

-- The address of an upload is in a header, its last part is what the examples call upload-1.
local upload = {
  "builds.uploads.create",
  ["upload-1"] = function(response) return response.headers.location:match "[^/]+$" end,
}

local steps = {
  edgegap = {
    always = { { "apps.create" }, { "versions.create" } },
    deployments = with_deployment(),
    deployment_tags = with_deployment(), -- which has the tag of the examples
    context = with_deployment { "context.create_tag" },
    custom_sessions = with_deployment { "custom_sessions.create" },
    telemetry = with_deployment { "telemetry.request", ["7f3a5b"] = "retrieval_key" },
    private_fleets = { { "private_fleets.hosts", ["host-1"] = "data.1.host_id" } },
    registry = { { "registry.list_tags", ["1.0.0"] = "data.2.tag", ["1.0.1"] = "data.3.tag" } },
    relays = {
      {
        "relays.create", ["1a2b3c4d5e6f-S"] = "session_id",
        [4026531841] = "session_users.1.authorization_token",
      },
    },
    storages = { { "storages.create" } },
    pull_profiles = { { "storages.create" }, { "pull_profiles.create" }, { "pull_profiles.link" } },
    fleets = { { "fleets.create" }, { "fleets.link" } },
    fleet_policies = { { "fleets.create" }, { "fleet_policies.create" } },
    lobbies = { { "lobbies.create" } },
    matchmakers = { { "matchmakers.create" } },
    matchmaker_components = { { "matchmaker_components.create" } },
    matchmaker_variables = { { "matchmaker_components.create" }, { "matchmaker_variables.create" } },
    matchmaker_configs = { { "matchmaker_configs.create" } },
    matchmaker_releases = { { "matchmakers.create" }, { "matchmaker_releases.create" } },
    matchmaker_managed_releases = {
      { "matchmakers.create" }, { "matchmaker_configs.create" }, { "matchmaker_managed_releases.create" },
    },
    sessions = { { "sessions.create", ["1a2b3c4d5e6f-S"] = "session_id" } },
    whitelist = { { "whitelist.create", ["1"] = "whitelist_entry.id" } },
  },
  edgee = {
    api_keys = { { "api_keys.create", key_1 = "id" } },
    sessions = { { "sessions.list", session_1 = "data.1.session_id" } },
    tokens = { { "tokens.create", token_1 = "id" } },
    organization_users = { { "organization_users.list", user_1 = "data.1.id" } },
    users = { { "users.me", user_1 = "id" } },
    projects = with_project(),
    components = { { "components.create", component_1 = "id" } },
    component_versions = { { "components.create", component_1 = "id" }, { "component_versions.create" } },
    invitations = { { "invitations.create", invitation_1 = "id" } },
    debug = { { "projects.list", project_1 = "data.1.id" }, { "debug.incoming", event_1 = "data.1.uuid" } },
    domains = with_project { "domains.create" },
    proxy_settings = with_project({ "proxy_settings.create" }, { "proxy_settings.create" }),
    project_components = with_project { "project_components.create", component_1 = "id" },
  },
  cygni = {
    always = { { "projects.list", proj_123 = "1.id" } },
    audit = { { "projects.create" }, { "audit.list", abc123 = "logs.1.id" } },
    deployments = { { "deployments.create", abc123 = "id" } },
    ["deployments.rollback"] = { { advance = 600 } },
    logs = { { "users.me", abc123 = "id" } },
    users = { { "users.list", user_123 = "users.2.id" } },
  },
  template = {},
  capgo = {
    always = { { "organizations.list", ["046a36ac-e03c-4590-9257-bd6c9dba9ee8"] = "1.id" } },
    apikeys = { { "apikeys.list", ["12"] = "2.id", [12] = "2.id" } },
    members = { { "members.invite" } },
    devices = { { "devices.list", ["7f3a0c52-6d5e-4f6a-9d6b-2f1f0b1c7a11"] = "1.device_id" } },
    webhooks = {
      { "webhooks.create", ["5b0f7b3e-2c0d-4c8a-8a50-0a3e3b1d9c01"] = "webhook.id" },
    },
    ["webhooks.retry_delivery"] = {
      { "webhooks.test", may_fail = true },
      { "webhooks.deliveries", ["5b0f7b3e-2c0d-4c8a-8a50-0a3e3b1d9c02"] = "deliveries.1.id" },
    },
    builds = { { "builds.request", ["job-1"] = "job_id" } },
    ["builds.uploads.offset"] = { upload },
    ["builds.uploads.send"] = { upload },
    ["builds.start"] = { upload, { "builds.uploads.send" } },
  },
}

for _, resource in ipairs { "domains", "env", "metrics", "permissions", "tokens", "webhooks" } do
  steps.cygni[resource] = { { resource .. ".create", abc123 = "id" } }
end
for resource in pairs(definition.find "template".resources) do
  steps.template[resource] = { { resource .. ".create", ["123"] = "id" } }
end

-- What a sandbox has from the beginning, in place of what the examples invent.
local from_the_start = {
  edgegap = {
    ["my-org/my-server"] = "my-org-sandbox/my-game-server", ["my-fleet"] = "test-fleet",
    ["in-container-token"] = "sandbox-container-token-edgegap",
  },
  edgee = { ["my-org"] = "moonlight-games" },
  capgo = { ["com.example.app"] = "com.example.moon" },
}

-- What is made must not be there already.
local new = {
  edgegap = {
    ["deployment_tags.create"] = { name = "asia" },
    ["custom_sessions.bulk_create"] = { sessions = { { custom_id = "match-2", ip_list = { "203.0.113.7" } } } },
  },
  edgee = {
    ["organizations.create"] = { slug = "new-org" },
    ["component_versions.create_by_slug"] = { version = "1.0.1" },
  },
  capgo = {
    ["apps.create"] = { app_id = "com.example.new" },
    ["bundles.create"] = { version = "9.9.9" },
  },
}

-- What is given besides parameters.
local options = { ["builds.uploads.send"] = { body = ("x"):rep(1024) } }

-- What no answer shows, but follows from one.
local derived = {
  edgegap = function(real)
    local id = real["93924761ccde"]
    if not id then return end
    real["4a1b2c3d"] = "key-" .. id
    real[12345678] = sandbox_mix(stages.SEED, "security", id) % 100000000
  end,
}

local function replaced(value, real)
  if real[value] ~= nil then return real[value] end
  if type(value) ~= "table" then return value end
  local copy = setmetatable({}, getmetatable(value))
  for key, field in pairs(value) do copy[key] = replaced(field, real) end
  return copy
end

local function field_at(value, path)
  for part in path:gmatch "[^.]+" do value = value[math.tointeger(part) or part] end
  return value
end

local function note(real, step, answer, response)
  for said, where in pairs(step) do
    if said ~= 1 and said ~= "may_fail" then
      real[said] = type(where) == "function" and where(response) or field_at(answer, where)
    end
  end
end

local function example_of(stage, path)
  local example = replaced(stage.declarations[path].example or {}, stage.real)
  for name, value in pairs((new[stage.name] or {})[path] or {}) do example[name] = value end
  return example
end

local function call(stage, path)
  local node = stage.client
  for part in path:gmatch "[^.]+" do node = node[part == "stream" and "stream_" or part] end
  local given = { confirm = true }
  for option, value in pairs(options[path] or {}) do given[option] = value end
  return node(example_of(stage, path), given)
end

local function play(stage, step)
  if step.advance then return stage.server:advance(step.advance) end
  local answer, response = call(stage, step[1])
  if answer == nil and not step.may_fail then error(("%s: %s"):format(step[1], tostring(response)), 0) end
  note(stage.real, step, answer, response)
  if derived[stage.name] then derived[stage.name](stage.real) end
end

-- Makes what the operation at 'path' needs, up to itself.
local function prepare(stage, path)
  stage.real = {}
  for said, thing in pairs(from_the_start[stage.name] or {}) do stage.real[said] = thing end
  for _, part in ipairs { "always", path:match "^[^.]+", path } do
    for _, step in ipairs(steps[stage.name][part] or {}) do
      if step[1] == path then return end
      play(stage, step)
    end
  end
end

-- Makes what the operation at 'path' needs, and calls it with its example, in which the real ids stand now.
-- 'stage': { name = of the system, server =, client =, declarations = all operations by path }.
function stages.call(stage, path)
  prepare(stage, path)
  return call(stage, path)
end

-- The same without the call: returns the example.
function stages.example(stage, path)
  prepare(stage, path)
  return example_of(stage, path)
end

return stages
