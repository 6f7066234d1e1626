-- Edgegap operations that the vendor's description of 2024 had and the one of 2026 has not: fleets,
-- context, the older matchmaker, sessions, lobbies, telemetry, addresses, whitelists. They may
-- still answer. Loaded by open { legacy = true } and merged into the definition "edgegap", whose
-- server, credential, buckets and page style they use.

local gone = "gone from the vendor's description since 2024"

local page_query = {
  page = { type = "integer", min = 1, default = "1" }, limit = { type = "integer", min = 1, default = "10" },
}
local whole_list = { style = "single" }
local webhook_url = { type = "string", secret = true }
local required_secret = { type = "string!", secret = true }
local policy_type = { type = "string", enum = { "Location", "Tag", "Coordinates" } }
local required_policy_type = { type = "string!", enum = policy_type.enum }
local required_count = { type = "integer!", min = 1, doc = "deployments" }
local threshold = { type = "number", min = 0.1, max = 1, doc = "fill level that starts another" }
local required_threshold = { type = "number!", min = 0.1, max = 1, doc = "fill level that starts another" }
local filter_type = { type = "string!", enum = { "any", "all", "not" } }

-- A server asks for its own context with the token that was injected into it; the number in the
-- path belongs to the same secret.
local context_path = { security_number = { type = "integer!", secret = true } }
local context_header = { authorization = required_secret }

local fleet = { fleet_name = "my-fleet" }
local policy = { fleet_name = "my-fleet", policy_name = "europe" }
local fleet_version = { fleet_name = "my-fleet", app_name = "my-game", version_name = "v1.0" }
local context = {
  request_id = "93924761ccde", security_number = 12345678, authorization = "in-container-token",
}
local matchmaker = { matchmaker_name = "my-matchmaker" }
local release = { matchmaker_name = "my-matchmaker", release_version = "1.0.0" }
local component = { component_name = "my-frontend" }
local variable = { component_name = "my-frontend", env_key = "LOG_LEVEL" }
local config = { config_name = "my-config" }
local session = { session_id = "1a2b3c4d5e6f-S" }
local session_users = { session_id = "1a2b3c4d5e6f-S", ip_list = { "203.0.113.7" } }
local deployment = { request_id = "93924761ccde" }
local custom_session = { request_id = "93924761ccde", custom_id = "match-1" }
local custom_session_users = {
  request_id = "93924761ccde", custom_id = "match-1", ip_list = { "203.0.113.7" },
}
local lobby = { name = "my-lobby" }
local version = { app_name = "my-game", version_name = "v1.0" }
local entry = { app_name = "my-game", version_name = "v1.0", entry_id = "1" }

return {
  shapes = {
    Credentials = { username = required_secret, token = required_secret },
    GeoUser = { ip = "string!", latitude = "number!", longitude = "number!" },
    Centroid = { latitude = "number!", longitude = "number!" },
    SelectorVariable = {
      key = { type = "string!", max_length = 255 },
      value = { type = "string!", max_length = 1024, secret = true },
    },
    Selector = {
      tag = { type = "string!", max_length = 20 },
      tag_only = { type = "boolean", default = "false", doc = "tags the session, looks for no deployment" },
      env = "SelectorVariable",
    },
    SessionFilter = { field = "string!", values = "string[]!", filter_type = filter_type },
    SessionStopFilter = {
      field = { type = "string!", enum = { "session_id", "deployment_tags", "request_id" } },
      values = "string[]!",
      filter_type = filter_type,
    },
    CustomSession = { custom_id = "string!", ip_list = "string[]!", webhook_url = webhook_url },
  },

  results = {
    Fleet = { "name", "enabled", "create_time", "last_updated" },
    FleetPolicy = {
      "name", "enabled", "type", "minimum", "maximum", "threshold", "data", "create_time",
      "last_updated",
    },
    FleetLink = { "fleet", "app", "app_version", "create_time", "last_updated" },
    Context = {
      "request_id", "public_ip", "status", "ready", "whitelisting_active", "fqdn", "ports",
      "location", "tags", "sockets", "sockets_usage", "is_joinable_by_session",
    },
    ContextTag = { "name", "create_time", "last_updated" },
    Matchmaker = { "name", "created_at", "updated_at" },
    Component = {
      "name", "repository", "image", "tag", "credentials", "created_at", "updated_at",
      secret = { "credentials" },
    },
    ComponentVariable = { "key", "value", "created_at", "updated_at", secret = { "value" } },
    Release = {
      "version", "frontend_component_name", "director_component_name",
      "match_function_component_name", "app_name", "version_name", "created_at", "updated_at",
    },
    ManagedRelease = {
      "version", "release_config_name", "app_name", "version_name", "created_at", "updated_at",
    },
    ReleaseConfig = { "name", "configuration", "created_at", "updated_at" },
    Session = {
      "session_id", "custom_id", "status", "ready", "linked", "kind", "user_count", "app", "version",
      "app_version", "deployment_request_id", "selectors",
      "create_time", "elapsed", "error", "session_users", "session_ips", "deployment",
      "webhook_url", secret = { "webhook_url" },
    },
    SessionUsers = { "session_users" },
    SessionUser = { "ip", "latitude", "longitude" },
    SessionsStopping = { "processable" },
    SessionGone = { "session_id", "custom_id", "message" },
    CustomSessions = { "sessions", "errors" },
    Message = { "message" },
    Lobby = { "name", "url", "status" },
    TelemetryRequest = { "retrieval_key", "expire" },
    Telemetry = { "retrieval_key", "scores", "partial_result" },
    OwnAddress = { "public_ip" },
    Address = { "type", "ip_address", "location" },
    Addresses = { "addresses" },
    WhitelistEntry = { "id", "cidr", "label", "is_active" },
    WhitelistChange = { "success", "whitelist_entry" },
    Monitor = { "name", "version", "host", "host_url", "spec_url", "messages", "errors" },
  },

  resources = {
    fleets = {
      summary = "Fleets: standing deployments, scaled by policies",
      list = {
        "GET /v1/fleets", "Lists the fleets.",
        query = page_query, paged = true, items = "fleets", key = "name",
        deprecated = gone, returns = "Fleet[]",
      },
      create = {
        "POST /v1/fleet", "Makes a fleet, switched off unless told otherwise.",
        body = { name = "string!", enabled = "boolean" },
        deprecated = gone, returns = "Fleet", example = { name = "my-fleet" },
      },
      get = {
        "GET /v1/fleet/{fleet_name}", "Shows one fleet.",
        deprecated = gone, returns = "Fleet", example = fleet,
      },
      update = {
        "PATCH /v1/fleet/{fleet_name}", "Renames a fleet or switches it on or off.",
        body = { name = "string", enabled = "boolean" }, repeatable = "idempotent",
        deprecated = gone, returns = "Fleet", example = { fleet_name = "my-fleet", enabled = true },
      },
      delete = {
        "DELETE /v1/fleet/{fleet_name}", "Deletes a fleet with its policies and links.",
        deprecated = gone, returns = "Message", example = fleet,
      },
      link = {
        "PUT /v1/fleet/{fleet_name}/app/{app_name}/version/{version_name}",
        "Gives an application version to a fleet.",
        deprecated = gone, returns = "FleetLink", example = fleet_version,
      },
      unlink = {
        "DELETE /v1/fleet/{fleet_name}/app/{app_name}/version/{version_name}",
        "Takes an application version away from a fleet.",
        deprecated = gone, returns = "nothing", example = fleet_version,
      },
    },

    fleet_policies = {
      summary = "How many deployments a fleet keeps, and where",
      list = {
        "GET /v1/fleet/{fleet_name}/policies", "Lists the policies of a fleet.",
        query = page_query, header = { ["X-Fields"] = { type = "string", doc = "field mask" } },
        paged = true, items = "policies", key = "name",
        deprecated = gone, returns = "FleetPolicy[]", example = fleet,
      },
      create = {
        "POST /v1/fleet/{fleet_name}/policies", "Makes a policy.",
        body = {
          name = "string!", enabled = "boolean!", type = required_policy_type,
          minimum = required_count, maximum = required_count, threshold = required_threshold,
          data = "object!",
        },
        deprecated = gone, returns = "FleetPolicy",
        example = {
          fleet_name = "my-fleet", name = "europe", enabled = true, type = "Location", minimum = 1,
          maximum = 4, threshold = 0.8, data = { continent = "Europe" },
        },
      },
      get = {
        "GET /v1/fleet/{fleet_name}/policies/{policy_name}", "Shows one policy.",
        deprecated = gone, returns = "FleetPolicy", example = policy,
      },
      update = {
        "PATCH /v1/fleet/{fleet_name}/policies/{policy_name}", "Changes a policy.",
        body = {
          name = "string", enabled = "boolean", type = policy_type,
          minimum = { type = "integer", min = 0 }, maximum = { type = "integer", min = 1 },
          threshold = threshold, data = "object",
        },
        repeatable = "idempotent", deprecated = gone, returns = "FleetPolicy",
        example = { fleet_name = "my-fleet", policy_name = "europe", maximum = 8 },
      },
      delete = {
        "DELETE /v1/fleet/{fleet_name}/policies/{policy_name}", "Deletes a policy.",
        deprecated = gone, returns = "nothing", example = policy,
      },
    },

    context = {
      summary = "What a deployment may know about itself, asked from inside it",
      get = {
        "GET /v1/context/{request_id}/{security_number}", "Shows the deployment's own context.",
        path = context_path, header = context_header, auth = false, bucket = "status",
        returns = "Context", example = context,
      },
      create_tag = {
        "POST /v1/context/{request_id}/{security_number}/tags", "Tags the deployment itself.",
        path = context_path, header = context_header, auth = false, body = { name = "string!" }, bucket = "status",
        returns = "ContextTag",
        example = {
          request_id = "93924761ccde", security_number = 12345678,
          authorization = "in-container-token", name = "full",
        },
      },
      delete_tag = {
        "DELETE /v1/context/{request_id}/{security_number}/tags/{tag_name}",
        "Takes a tag off the deployment itself.",
        path = context_path, header = context_header, auth = false, bucket = "status", returns = "nothing",
        example = {
          request_id = "93924761ccde", security_number = 12345678,
          authorization = "in-container-token", tag_name = "full",
        },
      },
    },

    matchmakers = {
      summary = "Matchmakers of the older kind",
      list = {
        "GET /v1/aom/matchmakers", "Lists the matchmakers.",
        paged = whole_list, items = "data", key = "name", deprecated = gone, returns = "Matchmaker[]",
      },
      create = {
        "POST /v1/aom/matchmaker", "Makes a matchmaker, still without a release.",
        body = { name = "string!" },
        deprecated = gone, returns = "Matchmaker", example = { name = "my-matchmaker" },
      },
      get = {
        "GET /v1/aom/matchmaker/{matchmaker_name}", "Shows one matchmaker.",
        deprecated = gone, returns = "Matchmaker", example = matchmaker,
      },
      update = {
        "PATCH /v1/aom/matchmaker/{matchmaker_name}", "Renames a matchmaker.",
        body = { name = "string" }, repeatable = "idempotent", deprecated = gone,
        returns = "Matchmaker", example = { matchmaker_name = "my-matchmaker", name = "ranked" },
      },
      delete = {
        "DELETE /v1/aom/matchmaker/{matchmaker_name}", "Deletes a matchmaker.",
        deprecated = gone, returns = "nothing", example = matchmaker,
      },
    },

    matchmaker_releases = {
      summary = "Releases of a matchmaker, put together out of components",
      list = {
        "GET /v1/aom/matchmaker/{matchmaker_name}/releases", "Lists a matchmaker's releases.",
        paged = whole_list, items = "data", key = "version",
        deprecated = gone, returns = "Release[]", example = matchmaker,
      },
      create = {
        "POST /v1/aom/matchmaker/{matchmaker_name}/release", "Makes a release out of components.",
        body = {
          version = "string!", frontend_component_name = "string!",
          director_component_name = "string!", match_function_component_name = "string!",
        },
        deprecated = gone, returns = "Release",
        example = {
          matchmaker_name = "my-matchmaker", version = "1.0.0", frontend_component_name = "front",
          director_component_name = "director", match_function_component_name = "function",
        },
      },
      get = {
        "GET /v1/aom/matchmaker/{matchmaker_name}/release/{release_version}", "Shows one release.",
        deprecated = gone, returns = "Release", example = release,
      },
      update = {
        "PATCH /v1/aom/matchmaker/{matchmaker_name}/release/{release_version}", "Changes a release.",
        body = {
          version = "string", frontend_component_name = "string",
          director_component_name = "string", match_function_component_name = "string",
        },
        repeatable = "idempotent", deprecated = gone, returns = "Release",
        example = {
          matchmaker_name = "my-matchmaker", release_version = "1.0.0", version = "1.0.1",
        },
      },
      delete = {
        "DELETE /v1/aom/matchmaker/{matchmaker_name}/release/{release_version}", "Deletes a release.",
        deprecated = gone, returns = "nothing", example = release,
      },
    },

    matchmaker_managed_releases = {
      summary = "Releases of a matchmaker that the vendor runs from a configuration",
      create = {
        "POST /v1/aom/matchmaker/{matchmaker_name}/release/managed", "Makes a managed release.",
        body = { version = "string!", release_config_name = "string!" },
        deprecated = gone, returns = "ManagedRelease",
        example = {
          matchmaker_name = "my-matchmaker", version = "1.0.0", release_config_name = "my-config",
        },
      },
      get = {
        "GET /v1/aom/matchmaker/{matchmaker_name}/release/managed/{release_version}",
        "Shows one managed release.",
        deprecated = gone, returns = "ManagedRelease", example = release,
      },
      update = {
        "PATCH /v1/aom/matchmaker/{matchmaker_name}/release/managed/{release_version}",
        "Changes a managed release.",
        body = { version = "string", release_config_name = "string" },
        repeatable = "idempotent", deprecated = gone, returns = "ManagedRelease",
        example = {
          matchmaker_name = "my-matchmaker", release_version = "1.0.0",
          release_config_name = "other-config",
        },
      },
      delete = {
        "DELETE /v1/aom/matchmaker/{matchmaker_name}/release/managed/{release_version}",
        "Deletes a managed release.",
        deprecated = gone, returns = "nothing", example = release,
      },
    },

    matchmaker_components = {
      summary = "Images that matchmaker releases are made of",
      list = {
        "GET /v1/aom/components", "Lists the components.",
        paged = whole_list, items = "data", key = "name", deprecated = gone, returns = "Component[]",
      },
      create = {
        "POST /v1/aom/component", "Makes a component out of an image.",
        body = {
          name = "string!", repository = "string!", image = "string!", tag = "string!",
          credentials = "Credentials",
        },
        deprecated = gone, returns = "Component",
        example = {
          name = "my-frontend", repository = "registry.example.com", image = "my-org/front",
          tag = "1.0.0",
        },
      },
      get = {
        "GET /v1/aom/component/{component_name}", "Shows one component.",
        deprecated = gone, returns = "Component", example = component,
      },
      update = {
        "PATCH /v1/aom/component/{component_name}", "Changes a component.",
        body = {
          name = "string", repository = "string", image = "string", tag = "string",
          credentials = "Credentials",
        },
        repeatable = "idempotent", deprecated = gone, returns = "Component",
        example = { component_name = "my-frontend", tag = "1.0.1" },
      },
      delete = {
        "DELETE /v1/aom/component/{component_name}", "Deletes a component.",
        deprecated = gone, returns = "nothing", example = component,
      },
    },

    matchmaker_variables = {
      summary = "Environment variables of a matchmaker component",
      list = {
        "GET /v1/aom/component/{component_name}/envs", "Lists a component's variables.",
        paged = whole_list, items = "data", key = "key",
        deprecated = gone, returns = "ComponentVariable[]", example = component,
      },
      create = {
        "POST /v1/aom/component/{component_name}/env", "Gives a component a variable.",
        body = { key = "string!", value = required_secret },
        deprecated = gone, returns = "ComponentVariable",
        example = { component_name = "my-frontend", key = "LOG_LEVEL", value = "info" },
      },
      get = {
        "GET /v1/aom/component/{component_name}/env/{env_key}", "Shows one variable.",
        deprecated = gone, returns = "ComponentVariable", example = variable,
      },
      update = {
        "PATCH /v1/aom/component/{component_name}/env/{env_key}", "Changes a variable.",
        body = { key = "string", value = { type = "string", secret = true } },
        repeatable = "idempotent", deprecated = gone, returns = "ComponentVariable",
        example = { component_name = "my-frontend", env_key = "LOG_LEVEL", value = "debug" },
      },
      delete = {
        "DELETE /v1/aom/component/{component_name}/env/{env_key}", "Deletes a variable.",
        deprecated = gone, returns = "nothing", example = variable,
      },
    },

    matchmaker_configs = {
      summary = "Configurations of managed releases",
      list = {
        "GET /v1/aom/release/configs", "Lists the configurations.",
        paged = whole_list, items = "data", key = "name",
        deprecated = gone, returns = "ReleaseConfig[]",
      },
      create = {
        "POST /v1/aom/release/config", "Makes a configuration.",
        body = { name = "string!", configuration = "string!" },
        deprecated = gone, returns = "ReleaseConfig",
        example = { name = "my-config", configuration = "{}" },
      },
      get = {
        "GET /v1/aom/release/config/{config_name}", "Shows one configuration.",
        deprecated = gone, returns = "ReleaseConfig", example = config,
      },
      update = {
        "PATCH /v1/aom/release/config/{config_name}", "Changes a configuration.",
        body = { name = "string", configuration = "string" },
        repeatable = "idempotent", deprecated = gone, returns = "ReleaseConfig",
        example = { config_name = "my-config", configuration = "{}" },
      },
      delete = {
        "DELETE /v1/aom/release/config/{config_name}", "Deletes a configuration.",
        deprecated = gone, returns = "nothing", example = config,
      },
    },

    sessions = {
      summary = "Groups of players, linked to deployments",
      list = {
        "GET /v1/sessions", "Lists the active sessions.",
        paged = true, items = "data", key = "session_id",
        deprecated = gone, returns = "Session[]",
      },
      create = {
        "POST /v1/session", "Makes a session and looks for a deployment for it.",
        body = {
          app_name = "string!",
          version_name = "string",
          ip_list = "string[]",
          geo_ip_list = "GeoUser[]",
          deployment_request_id = "string",
          location = "Centroid",
          city = "string",
          country = "string",
          continent = "string",
          administrative_division = "string",
          region = "string",
          selectors = "Selector[]",
          webhook_url = webhook_url,
          filters = "SessionFilter[]",
          skip_telemetry = "boolean",
        },
        deprecated = gone, returns = "Session",
        example = { app_name = "my-game", version_name = "v1.0", ip_list = { "203.0.113.7" } },
      },
      get = {
        "GET /v1/session/{session_id}", "Shows one session.",
        deprecated = gone, returns = "Session", example = session,
      },
      delete = {
        "DELETE /v1/session/{session_id}", "Deletes a session; its deployment goes on.",
        deprecated = gone, returns = "SessionGone", example = session,
      },
      users = {
        "GET /v1/session/{session_id}/users", "Lists the users of a session.",
        paged = whole_list, items = "session_users",
        deprecated = gone, returns = "SessionUser[]", example = session,
      },
      add_users = {
        "PUT /v1/session/{session_id}/users", "Puts users into a session.",
        body = { ip_list = "string[]!" },
        deprecated = gone, returns = "SessionUsers", example = session_users,
      },
      remove_users = {
        "DELETE /v1/session/{session_id}/users", "Takes users out of a session.",
        body = { ip_list = "string[]!" },
        deprecated = gone, returns = "SessionUsers", example = session_users,
      },
      bulk_stop = {
        "POST /v1/sessions/bulk-stop", "Deletes every session that fits the filters.",
        body = { filters = "SessionStopFilter[]!" }, repeatable = "idempotent",
        confirm = { empty = "filters", why = "may delete every session of the organization" },
        deprecated = gone, returns = "SessionsStopping",
        example = {
          filters = { { field = "session_id", values = { "1a2b3c4d5e6f-S" }, filter_type = "any" } },
        },
      },
    },

    custom_sessions = {
      summary = "Sessions of one deployment, under ids of your own",
      list = {
        "GET /v1/deployment/{request_id}/custom/sessions", "Lists a deployment's custom sessions.",
        paged = true, items = "data", key = "custom_id",
        deprecated = gone, returns = "Session[]", example = deployment,
      },
      -- Both answer 200 with what was done, and a text in errors for each session that failed.
      bulk_create = {
        "POST /v1/deployment/{request_id}/custom/sessions", "Makes several custom sessions.",
        body = { sessions = "CustomSession[]!" },
        partial = { items = "errors" },
        deprecated = gone, returns = "CustomSessions",
        example = {
          request_id = "93924761ccde",
          sessions = { { custom_id = "match-1", ip_list = { "203.0.113.7" } } },
        },
      },
      bulk_delete = {
        "DELETE /v1/deployment/{request_id}/custom/sessions", "Deletes several custom sessions.",
        body = { sessions = { type = "string[]!", doc = "custom ids" } },
        partial = { items = "errors" }, deprecated = gone, returns = "CustomSessions",
        example = { request_id = "93924761ccde", sessions = { "match-1" } },
      },
      create = {
        "POST /v1/deployment/{request_id}/custom/session/{custom_id}", "Makes a custom session.",
        body = { ip_list = "string[]!", webhook_url = webhook_url },
        deprecated = gone, returns = "Session", example = custom_session_users,
      },
      get = {
        "GET /v1/deployment/{request_id}/custom/session/{custom_id}", "Shows one custom session.",
        deprecated = gone, returns = "Session", example = custom_session,
      },
      update = {
        "PATCH /v1/deployment/{request_id}/custom/session/{custom_id}", "Changes a custom session.",
        body = { ip_list = "string[]!", webhook_url = webhook_url }, repeatable = "idempotent",
        deprecated = gone, returns = "Session", example = custom_session_users,
      },
      delete = {
        "DELETE /v1/deployment/{request_id}/custom/session/{custom_id}", "Deletes a custom session.",
        deprecated = gone, returns = "SessionGone", example = custom_session,
      },
    },

    lobbies = {
      summary = "Lobby services",
      create = {
        "POST /v1/lobbies", "Makes a lobby, still stopped.",
        body = { name = "string!" }, deprecated = gone, returns = "Lobby", example = lobby,
      },
      get = {
        "GET /v1/lobbies/{lobby_name}", "Shows one lobby with its state and address.",
        deprecated = gone, returns = "Lobby", example = { lobby_name = "my-lobby" },
      },
      deploy = {
        "POST /v1/lobbies:deploy", "Starts a lobby.",
        body = { name = "string!" }, deprecated = gone, returns = "Lobby", example = lobby,
      },
      terminate = {
        "POST /v1/lobbies:terminate", "Stops a lobby.",
        body = { name = "string!" }, repeatable = "idempotent",
        deprecated = gone, returns = "Lobby", example = lobby,
      },
    },

    telemetry = {
      summary = "Measures how well deployments are reached from addresses",
      request = {
        "POST /v1/telemetry/active-deployments", "Starts a measurement; the key fetches its result.",
        body = { deployments = "string[]!", ips = "string[]!", webhook_url = webhook_url },
        deprecated = gone, returns = "TelemetryRequest",
        example = { deployments = { "93924761ccde" }, ips = { "203.0.113.7" } },
      },
      get = {
        "GET /v1/telemetry/active-deployments/{retrieval_key}", "Fetches what is measured so far.",
        deprecated = gone, returns = "Telemetry", example = { retrieval_key = "7f3a5b" },
      },
      waiters = {
        complete = {
          poll = "get", argument = "retrieval_key", delay = 1, factor = 1.5, max_delay = 10, timeout = 60,
          accept = { { field = "partial_result", equals = false, state = "success" } },
        },
      },
    },

    ips = {
      summary = "Addresses and where they are",
      mine = {
        "GET /v1/ip", "Shows the caller's public address.", deprecated = gone, returns = "OwnAddress",
      },
      lookup = {
        "GET /v1/ip/{ip}/lookup", "Locates one address.",
        deprecated = gone, returns = "Address", example = { ip = "203.0.113.7" },
      },
      bulk_lookup = {
        "POST /v1/ips/lookup", "Locates up to 20 addresses.",
        body = { addresses = "string[]!" }, read = true, repeatable = "safe",
        deprecated = gone, returns = "Addresses",
        example = { addresses = { "203.0.113.7", "203.0.113.8" } },
      },
    },

    whitelist = {
      summary = "Networks that may reach the deployments of a version",
      list = {
        "GET /v1/app/{app_name}/version/{version_name}/whitelist", "Lists a version's entries.",
        paged = whole_list, items = "whitelist_entries", key = "id",
        deprecated = gone, returns = "WhitelistEntry[]", example = version,
      },
      create = {
        "POST /v1/app/{app_name}/version/{version_name}/whitelist", "Allows a network.",
        body = { cidr = "string!", label = "string", is_active = "boolean" },
        deprecated = gone, returns = "WhitelistChange",
        example = { app_name = "my-game", version_name = "v1.0", cidr = "203.0.113.0/24" },
      },
      get = {
        "GET /v1/app/{app_name}/version/{version_name}/whitelist/{entry_id}", "Shows one entry.",
        deprecated = gone, returns = "WhitelistEntry", example = entry,
      },
      delete = {
        "DELETE /v1/app/{app_name}/version/{version_name}/whitelist/{entry_id}", "Deletes an entry.",
        deprecated = gone, returns = "WhitelistChange", example = entry,
      },
    },

    monitor = {
      summary = "The service's own word on its state",
      get = {
        "GET /monitor", "Shows name, version and messages of the service.",
        auth = false, deprecated = gone, returns = "Monitor",
      },
    },
  },
}
