-- Edgee: the keys of the gateway and the organization's own provider keys.

local calendar = require "moonrest.sandbox.calendar"
local support = require "moonrest.sandbox.support"
local edgee = require "moonrest.sandbox.edgee_support"
local traffic = require "moonrest.sandbox.edgee_traffic"

-- What the server writes for "never": the date of a Go program's empty time.
local NEVER = "0001-01-01T00:00:00Z"
local MAX_NAME = 100

local assistants = { "claude_code", "opencode", "codex" }
local providers = { "anthropic", "openai", "google_vertex_ai", "mistral", "deepseek", "xai", "zai", "bedrock", "azure" }
-- Their credential is a JSON text inside the JSON.
local structured_providers = support.set { "google_vertex_ai", "bedrock", "azure" }

local texts = { type = "array", items = "string!" }
local routes = { type = "array?", items = { type = "object", fields = { model = "string!" } } }
local key_rules = {
  name = { type = "string!", min_length = 1 }, type = { "api", "coding_agent" }, models = texts, email = "string",
  coding_assistant = assistants, max_usage = { type = "integer", min = 0 },
  expires_in_days = { type = "integer", min = 1 },
}
local key_changes = {
  name = { type = "string", min_length = 1 }, active = "boolean", debug_mode = "boolean", byok_only = "boolean",
  models = texts, max_usage = { type = "integer?", min = 0 }, fallback = "boolean",
  fallbacks = routes, reroutes = routes, compression = { type = "object", fields = {
    tool_result_trimming = "boolean?", tool_surface_reduction = "boolean?", output_brevity = "boolean?" } },
}
local wanted_key = { coding_assistant = { type = "string!", enum = assistants }, compression = "boolean" }
local provider_key_rules = {
  provider = { type = "string!", enum = providers }, provider_key = { type = "string!", min_length = 1 },
  name = { type = "string!", min_length = 1, max_length = MAX_NAME },
  api_key_ids = { type = "array!", items = "string!" }, -- an empty one means the whole organization
}

local shown_fields = { "object", "id", "organization_id", "name", "type", "coding_assistant", "models", "max_usage",
  "active", "debug_mode", "email", "created_at", "expires_at", "last_used_at" }
local routing_fields = { "compression", "fallback", "fallbacks", "reroutes", "byok_only" }
local changeable = { "name", "active", "models", "max_usage", "debug_mode", "compression", "fallback", "fallbacks",
  "reroutes", "byok_only" }

local function secret_text(world, id)
  return string.format("sk-edgee-%014x%014x", support.mix(world.seed, "key", id), support.mix(world.seed, "tail", id))
end

local function new_key(world, org_id, id, fields)
  return support.assign({
    object = "ai_gateway_api_key", id = id, organization_id = org_id, type = "api", active = true, debug_mode = false,
    models = support.array {}, created_at = calendar.iso(world.now()), expires_at = NEVER, last_used_at = NEVER,
    key = secret_text(world, id),
  }, fields, { "name", "type", "coding_assistant", "models", "max_usage", "email", "expires_at", "compression" })
end

local function short_view(key)
  return support.assign({}, key, shown_fields)
end

local function full_view(key)
  return support.assign(short_view(key), key, routing_fields)
end

local function secret_view(key)
  return support.assign(short_view(key), key, { "key" })
end

local function find_key(org, request)
  local key = org.keys:get(request.params.apiKeyId)
  if not key then edgee.refuse(404, "API key not found") end
  return key
end

local function create_key(world, org, request)
  local body = edgee.body(request, key_rules)
  if body.type == "coding_agent" and not body.coding_assistant then
    edgee.refuse(400, "coding_assistant is required for a coding_agent key")
  end
  local id = world.id "key"
  local fields = support.assign({}, body, { "name", "type", "coding_assistant", "models", "max_usage", "email" })
  if body.expires_in_days then
    fields.expires_at = calendar.iso(world.now() + body.expires_in_days * 86400)
  end
  return 200, secret_view(org.keys:add(id, new_key(world, org.id, id, fields)))
end

-- null clears a field, an absent one stays as it is.
local function update_key(org, request)
  local key, body = find_key(org, request), edgee.body(request, key_changes)
  for _, name in ipairs(changeable) do
    if body[name] == support.null then
      key[name] = nil
    elseif body[name] ~= nil then
      key[name] = body[name]
    end
  end
  return 200, full_view(key)
end

local function get_or_create_key(world, org, request)
  local body = edgee.body(request, wanted_key)
  local assistant = body.coding_assistant
  local found = org.keys:find(function(key) return key.coding_assistant == assistant end)
  if found then return 200, secret_view(found) end
  local id = world.id "key"
  local fields = { name = assistant, type = "coding_agent", coding_assistant = assistant }
  if body.compression ~= nil then
    fields.compression = { tool_result_trimming = body.compression, tool_surface_reduction = body.compression }
  end
  local reply = secret_view(org.keys:add(id, new_key(world, org.id, id, fields)))
  reply.created = true
  return 200, reply
end

local function delete_key(org, request)
  local key = find_key(org, request)
  org.keys:remove(key.id)
  return 200, { object = key.object, id = key.id, deleted = true }
end

local function create_provider_key(world, org, request)
  local body = edgee.body(request, provider_key_rules)
  if structured_providers[body.provider] and type(support.decode(body.provider_key)) ~= "table" then
    edgee.refuse(400, "provider_key must be a JSON text for " .. body.provider)
  end
  for _, id in ipairs(body.api_key_ids) do
    if not org.keys:get(id) then edgee.refuse(400, "api_key_ids names a key that does not exist") end
  end
  local row = {
    id = world.id "pkey", provider = body.provider, name = body.name, active = true, created_by = "user_0001",
    created_at = calendar.iso(world.now()), api_key_ids = body.api_key_ids,
  }
  org.provider_keys:add(row.id, row)
  return 200, support.assign({}, row, { "id", "provider", "name", "created_at", "created_by" })
end

local keys = {}

-- The keys that an organization has from the start.
function keys.seed(world, org)
  org.keys, org.provider_keys = support.shelf(), support.shelf()
  for _, key in ipairs(traffic.KEYS) do
    org.keys:add(key.id, new_key(world, org.id, key.id, { name = key.name }))
  end
end

-- 'serve' is (method, path below the organization, handler(org, request)).
function keys.routes(world, serve)
  serve("POST", "/api_keys", function(org, request) return create_key(world, org, request) end)
  serve("GET", "/api_keys", function(org, request)
    return 200, edgee.cursor_list(world, request, org.keys, nil, short_view)
  end)
  serve("POST", "/api_keys/get-or-create", function(org, request) return get_or_create_key(world, org, request) end)
  serve("GET", "/api_keys/{apiKeyId}", function(org, request) return 200, full_view(find_key(org, request)) end)
  serve("POST", "/api_keys/{apiKeyId}", update_key)
  serve("DELETE", "/api_keys/{apiKeyId}", delete_key)
  serve("GET", "/api_keys/{apiKeyId}/reveal", function(org, request)
    return 200, secret_view(find_key(org, request))
  end)
  serve("POST", "/provider-keys", function(org, request) return create_provider_key(world, org, request) end)
  serve("GET", "/provider-keys", function(org) return 200, support.array(org.provider_keys:list()) end)
end

return keys
