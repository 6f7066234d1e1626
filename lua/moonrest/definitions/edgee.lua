-- Edgee Console: manages an organization on the Edgee AI gateway (keys, costs, provider keys).
--
-- Not the gateway itself, which is another host with other keys; the letters a token begins with
-- do not tell the two apart. Nearly every path names the organization: open { org_id = } fills it.
-- Updates are POST on the item's address. Money is integer nano-dollars in usage and sessions,
-- dollars in max_usage. No limits are published, so none are kept.

local route_lists = { type = "Route[]?", doc = "null clears the list, leaving it out keeps it" }
local coding_assistant = { type = "string", enum = { "claude_code", "opencode", "codex", "..." } }
-- Today's answers of older lists may lack has_more and last_key: that is the end as well, unless the page has just as
-- many items as were asked for.
local maybe_whole = { ends = "missing" }
local api_key = { apiKeyId = "key_1" }
local session = { id = "session_1" }
local no_expiry = "expires_at 0001-01-01T00:00:00Z stands for a key that never expires"

return {
  name = "edgee",
  title = "Edgee Console",
  summary = "AI gateway management: API keys, provider keys, usage and cost exports",
  home = "https://www.edgee.ai/docs",
  servers = { production = "https://api.edgee.app" },
  server_env = "EDGEE_CONSOLE_API_URL",
  tenant = {
    org_id = { parameter = "orgId", env = { "EDGEE_ORG_ID" }, doc = "organization; see organizations:list" },
  },
  auth = { header = "Authorization", prefix = "Bearer ", env = { "EDGEE_CONSOLE_API_TOKEN" } },
  accept = "application/json",
  -- `error` is a short title beside `message`, or an object that holds both.
  errors = {
    code = { "error.type", "error.code", "error" },
    message = { "error.message", "message", "error" },
    details = { "error.params" },
  },
  pages = {
    style = "cursor", cursor = "start_key", next = "last_key", has_more = "has_more", size = "limit",
  },
  legacy = "moonrest.definitions.edgee_legacy",

  shapes = {
    Route = { model = "string!" },
    -- null: as the organization or the group has it
    Compression = {
      tool_result_trimming = "boolean?", tool_surface_reduction = "boolean?", output_brevity = "boolean?",
    },
  },

  results = {
    Organization = {
      "object", "id", "slug", "name", "gateway_api_url", "mcp_injection_disabled", "type", "avatar_url",
      "created_at", "updated_at",
    },
    Billing = { "ai_gateway_plan", "ai_gateway_subscription_status" },
    ApiKey = {
      "object", "id", "organization_id", "name", "type", "coding_assistant", "models", "max_usage", "active",
      "debug_mode", "compression", "fallback", "fallbacks", "reroutes", "byok_only", "created_at",
      "expires_at", "last_used_at", "created", "key", secret = { "key" },
    },
    ProviderKey = { "id", "provider", "name", "active", "api_key_ids", "created_at", "created_by" },
    Model = {
      "model_id", "author_id", "display_name", "aliases", "providers", "active", "plan_fallback",
    },
    Usage = { "summary", "stats_by_model", "stats_by_time" },
    Session = {
      "session_id", "key_uuid", "name", "last_request", "total_cost", "total_input_tokens",
      "total_output_tokens", "total_cached_input_tokens", "total_cache_creation_input_tokens",
      "total_reasoning_output_tokens",
    },
    Deleted = { "object", "id", "deleted" },
  },

  resources = {
    logs = {
      summary = "Request logs with their costs",
      export = {
        "GET /v1/organizations/{orgId}/logs/export", "Exports requests and costs as a CSV or JSON file.",
        query = {
          period = { type = "string", enum = { "1h", "24h", "7d", "30d" }, default = "24h" },
          from_date = { type = "string", doc = "ISO date; goes before period" },
          to_date = { type = "string", doc = "ISO date; goes before period" },
          format = { type = "string", enum = { "csv", "json" }, default = "csv" },
          ["api_key_id[]"] = "string[]",
          ["tags[]"] = "string[]",
        },
        returns = "file", timeout = 600, example = { period = "7d", format = "csv" },
      },
    },

    api_keys = {
      summary = "Keys for the gateway",
      -- Neither parameters nor the form of the answer are published: an array, { data } and the
      -- cursor lists of the rest of this host are all read.
      list = {
        "GET /v1/organizations/{orgId}/api_keys", "Lists the organization's API keys.",
        paged = maybe_whole, items = { "data", "api_keys" }, key = "id", returns = "ApiKey[]", doc = no_expiry,
      },
      create = {
        "POST /v1/organizations/{orgId}/api_keys", "Makes an API key; the answer holds it in clear.",
        body = {
          name = "string!",
          type = { type = "string", enum = { "api", "coding_agent" }, default = "api" },
          coding_assistant = coding_assistant,
          models = { type = "string[]", doc = "none or an empty list: every model" },
          max_usage = { type = "integer", doc = "US dollars a month" },
          expires_in_days = { type = "integer", min = 1 },
          email = "string",
        },
        returns = "ApiKey", doc = no_expiry,
        example = { name = "nightly-report", models = { "gpt-4o" }, max_usage = 50, expires_in_days = 90 },
      },
      get = {
        "GET /v1/organizations/{orgId}/api_keys/{apiKeyId}", "Shows one API key, not the key itself.",
        returns = "ApiKey", doc = no_expiry, example = api_key,
      },
      update = {
        "POST /v1/organizations/{orgId}/api_keys/{apiKeyId}", "Changes an API key or its routing.",
        body = {
          name = "string",
          active = "boolean",
          models = "string[]",
          max_usage = "integer?",
          compression = "Compression",
          fallback = "boolean",
          fallbacks = route_lists,
          reroutes = route_lists,
        },
        open = true, repeatable = "idempotent", returns = "ApiKey",
        example = { apiKeyId = "key_1", active = false },
      },
      delete = {
        "DELETE /v1/organizations/{orgId}/api_keys/{apiKeyId}", "Deletes an API key.",
        returns = "Deleted", example = api_key,
      },
      reveal = {
        "GET /v1/organizations/{orgId}/api_keys/{apiKeyId}/reveal", "Shows an API key in clear.",
        returns = "ApiKey", example = api_key,
      },
      get_or_create = {
        "POST /v1/organizations/{orgId}/api_keys/get-or-create",
        "Finds or makes the key of a coding assistant; created tells which.",
        body = {
          coding_assistant = { type = "string!", enum = coding_assistant.enum },
          compression = "boolean",
        },
        undocumented = true, repeatable = "idempotent", returns = "ApiKey",
        example = { coding_assistant = "claude_code", compression = true },
      },
    },

    provider_keys = {
      summary = "Your own keys at model providers",
      list = {
        "GET /v1/organizations/{orgId}/provider-keys", "Lists the provider keys.",
        paged = { style = "single" }, undocumented = true, returns = "ProviderKey[]",
      },
      create = {
        "POST /v1/organizations/{orgId}/provider-keys", "Stores a key of a model provider.",
        body = {
          provider = {
            type = "string!",
            enum = {
              "anthropic", "openai", "google_vertex_ai", "mistral", "deepseek", "xai", "zai",
              "bedrock", "azure", "...",
            },
          },
          provider_key = {
            type = "any!", encode = "json", secret = true,
            doc = "text; a table for bedrock, azure and google_vertex_ai",
          },
          name = { type = "string!", max_length = 100 },
          api_key_ids = { type = "string[]!", doc = "an empty list: the whole organization" },
        },
        returns = "ProviderKey",
        example = {
          provider = "openai", provider_key = "example-provider-key", name = "openai-eu", api_key_ids = {},
        },
      },
    },

    organizations = {
      summary = "Organizations that the token can reach",
      list = {
        "GET /v1/organizations", "Lists the organizations of the token.",
        query = {
          type = { "pro", "perso" }, limit = "integer", start_key = "string",
          order_direction = { "ASC", "DESC" },
        },
        paged = maybe_whole, items = "data", key = "id", returns = "Organization[]",
      },
      get = {
        "GET /v1/organizations/{orgId}", "Shows the organization.",
        returns = "Organization",
      },
      billing = {
        "GET /v1/organizations/{orgId}/billing", "Shows plan and subscription.",
        undocumented = true, returns = "Billing",
      },
    },

    models = {
      summary = "Models that the gateway offers",
      list = {
        "GET /v1/models", "Lists the models with providers and rates; a missing rate is zero.",
        paged = { style = "single" }, key = "model_id", undocumented = true, returns = "Model[]",
      },
    },

    usage = {
      summary = "Requests, tokens and costs, added up",
      query = {
        "POST /v1/organizations/{orgId}/usage", "Adds up usage in all, by model and over time.",
        body = {
          period = { "24h", "7d", "30d" },
          user_id = "string[]",
          interval = { "hour", "day" },
        },
        read = true, repeatable = "safe", undocumented = true, returns = "Usage",
        doc = "costs are integers in nano-dollars; a model may stand in stats_by_model twice",
        example = { period = "30d", interval = "day" },
      },
    },

    sessions = {
      summary = "Sessions of coding assistants",
      list = {
        "GET /v1/organizations/{orgId}/sessions", "Lists sessions within a span of time.",
        query = {
          from_date = { type = "string", doc = "RFC 3339" },
          to_date = { type = "string", doc = "RFC 3339" },
          ["user_id[]"] = "string[]",
          ["api_key_id[]"] = "string[]",
          page = { type = "integer", min = 1 },
          page_size = { type = "integer", min = 1 },
        },
        paged = { style = "page", page = "page", size = "page_size", first = 1, has_next = "has_more" },
        items = "data", key = "session_id", undocumented = true, returns = "Session[]",
        doc = "total_cost is in nano-dollars; a server that ignores a filter gives rows of others",
      },
      finish = {
        "POST /v1/organizations/{orgId}/sessions/{id}/end", "Closes a session, also a live one.",
        repeatable = "gone", undocumented = true, returns = "object", example = session,
      },
      set_cli_version = {
        "POST /v1/organizations/{orgId}/sessions/{id}/cli-version", "Notes the client's version.",
        body = { version = "string!" }, repeatable = "idempotent", undocumented = true,
        returns = "object", example = { id = "session_1", version = "1.0.0" },
      },
      -- The vendor's client asks the gateway's host for this; whether the Console's answers too is
      -- not known, and the Console's token is not sent to another host.
      summary_ = {
        "GET /v1/sessions/{id}/summary", "Sums up one session.",
        undocumented = true, returns = "object", example = session,
      },
    },
  },
}
