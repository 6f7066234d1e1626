-- Edgee operations of the product before the AI gateway (edge components, proxies, projects) on the
-- same host: tokens, organizations and invitations are probably still served, the rest perhaps.
-- Loaded by open { legacy = true } and merged into the definition "edgee". Listing organizations
-- and showing one are there already, as organizations:list and organizations:get.

local cursor_query = {
  limit = "integer",
  start_key = { type = "string", doc = "last_key of the page before" },
  order_direction = { type = "string", enum = { "ASC", "DESC" }, default = "DESC" },
}

local category = {
  type = "string",
  enum = {
    "data_collection", "edge_function", "js_gateway", "security", "consent_management", "identity",
    "stitching", "...",
  },
}
local subcategory = {
  type = "string",
  enum = {
    "analytics", "warehouse", "attribution", "conversion_api", "wasm_function",
    "server_side_tagging", "microservice", "kv_store", "bot_protection", "rate_limiting",
    "anti_fraud", "consent_mapping", "cmp", "native_cookies", "unique_id", "ab_testing",
    "web_performance", "...",
  },
}
local required_category = { type = "string!", enum = category.enum }
local required_subcategory = { type = "string!", enum = subcategory.enum }
-- Some lists answer in pages as well, but no parameter for the next page is described: they are left
-- out below, walks through pages use them.
local component_query = { category = category, subcategory = subcategory }
local count_query = {
  month = { type = "string", doc = "ISO date" }, day = { type = "string", doc = "ISO date" },
}
local role = { type = "string!", enum = { "admin", "editor", "member" } }
local project_type = { type = "string", enum = { "proxy", "ai_analytics", "mcp" } }
local component_change = {
  name = "string",
  description = "string",
  documentation_link = "string",
  repo_link = "string",
  avatar_url = "string",
  is_archived = "boolean",
  public = "boolean",
}
local component_version = {
  version = "string!",
  wit_version = "string!",
  wasm_url = "string!",
  dynamic_fields = "ComponentField[]",
  changelog = "string",
}
local project_component = {
  component_id = "string",
  component_slug = "string",
  component_version = "string",
  active = { type = "boolean", default = "true" },
  settings = "object?",
}

-- Updates of organizations and projects, and purges, carry the id of the path in the body as well.

local token = { id = "token_1" }
local organization = { id = "org_1" }
local organization_user = { id = "org_1", userId = "user_1" }
local project = { id = "project_1" }
local domain = { id = "project_1", name = "www.example.com" }
local in_project = { id = "project_1", project_component_id = "component_1" }
local component = { id = "component_1" }
local by_slug = { orgSlug = "my-org", componentSlug = "my-component" }
local invitation = { id = "invitation_1" }
local user = { id = "user_1" }

return {
  shapes = {
    Conditions = {
      present = "string[]", absent = "string[]", values = "object",
    },
    CacheConditions = {
      request_cookies = "Conditions", request_headers = "Conditions",
      request_query_params = "Conditions", request_methods = "string[]",
      response_status = "number[]", response_headers = "Conditions",
    },
    CacheRule = {
      path = "string", regex = "boolean", ttl = "number", swr = "number", pass = "boolean",
      rank = "number", conditions = "CacheConditions",
    },
    Autocapture = {
      pageview = "boolean", spa_pageview = "boolean", engagement = "boolean", click = "boolean",
      form = "boolean", scroll = "boolean",
    },
    ForwardedHeader = { name = "string", value = { type = "string", secret = true } },
    RateConditions = {
      path = "string",
      regex = "boolean",
      method = {
        type = "string[]",
        enum = { "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE" },
      },
      continent = { type = "string[]", enum = { "AF", "AN", "AS", "EU", "NA", "OC", "SA" } },
      country = { type = "string[]", doc = "two letters" },
    },
    RateRule = {
      rank = { type = "integer!", min = 1 },
      limit = { type = "integer!", min = 1 },
      window = { type = "string", enum = { "1s", "10s", "60s" }, default = "10s" },
      block_duration = { type = "integer", min = 1, default = "60", doc = "seconds" },
      key = { type = "string[]", enum = { "ip", "ua" } },
      conditions = "RateConditions",
    },
    Backend = {
      name = "string", address = "string", enable_ssl = "boolean", check_certificate = "string",
      ca_certificate = "string", sni_hostname = "string", default = "boolean",
      override_host = "string",
    },
    ProxyRoute = {
      path = "string", regex = "boolean", backend_name = "string", rank = "string",
      continent = "any[]", region = "any[]", country = "any[]",
    },
    ComponentField = {
      name = "string!", title = "string!", required = "boolean!",
      type = { type = "string!", enum = { "string", "bool", "number" } },
      options = "string[]?", description = "string", secret = "boolean",
    },
  },

  results = {
    Token = {
      "object", "id", "user_id", "name", "from_browser", "last_used_at", "expires_at", "created_at",
      "updated_at", "token", secret = { "token" },
    },
    OrganizationUser = {
      "object", "id", "email", "name", "slug", "avatar_url", "role", "created_at", "updated_at",
    },
    NewProject = {
      "object", "id", "organization_id", "slug", "description", "type", "avatar_url", "external_project_url",
      "created_at", "updated_at",
    },
    Project = {
      "object", "id", "organization_id", "slug", "description", "type", "avatar_url", "external_project_url",
      "created_at", "updated_at", "log_severity", "edgee_behind_proxy_cache", "force_https", "cache",
      "override_cache", "override_cache_enabled", "cookie_name", "cookie_domain", "proxy_only",
      "proxy_only_path_regex", "inject_sdk", "inject_sdk_position", "cookieless", "autocapture",
      "enforce_no_store_policy", "trusted_ips", "password_protection", "blocked_ips", "cookie_whitelist",
      "forwarded_headers", "rate_limiting", "rate_limiting_enabled", secret = { "forwarded_headers" },
    },
    ProjectCounters = { "object", "project_id", "request_count", "event_count", "month", "day" },
    ComponentCounters = {
      "object", "project_id", "component_id", "user_count", "track_count", "page_count", "month", "day",
    },
    Domain = { "object", "name", "project_id", "dns_status", "ssl_status", "created_at", "updated_at" },
    ProxySettings = { "object", "revision", "description", "is_active", "backends", "routes" },
    ProjectComponent = {
      "object", "id", "component_id", "component_slug", "component_version", "category", "subcategory",
      "active", "settings", secret = { "settings" },
    },
    Purge = { "message" },
    Component = {
      "object", "id", "name", "slug", "avatar_url", "category", "subcategory", "description",
      "latest_version", "versions", "repo_link", "documentation_link", "is_public", "is_archived",
      "created_at", "updated_at",
    },
    ComponentVersion = {
      "object", "version", "wit_world_version", "wasm_url", "dynamic_fields", "changelog", "created_at",
    },
    Invitation = { "object", "id", "organization_id", "role", "email", "created_at" },
    User = { "object", "id", "email", "name", "avatar_url", "roles", "created_at", "updated_at" },
    IncomingEvent = { "object", "uuid", "timestamp", "type", "from", "data", "context" },
    OutgoingEvent = {
      "object", "uuid", "component_id", "component_slug", "component_request", "component_response",
    },
    Upload = { "upload_url", secret = { "upload_url" } },
  },

  resources = {
    tokens = {
      summary = "Tokens of the Console API",
      -- Its answer is described without has_more and last_key.
      list = {
        "GET /v1/api_tokens", "Lists the Console tokens.",
        query = {
          name = "string", limit = cursor_query.limit, start_key = cursor_query.start_key,
          order_direction = cursor_query.order_direction,
        },
        paged = { ends = "missing" }, items = "data", key = "id", returns = "Token[]",
      },
      create = {
        "POST /v1/api_tokens", "Makes a Console token; only this answer holds it.",
        body = { name = "string!", expires_at = { type = "string", doc = "RFC 3339" } },
        returns = "Token", example = { name = "nightly-report" },
      },
      get = {
        "GET /v1/api_tokens/{id}", "Shows one token, not its text.", returns = "Token", example = token,
      },
      delete = {
        "DELETE /v1/api_tokens/{id}", "Revokes a token.", returns = "Deleted", example = token,
      },
    },

    organizations = {
      create = {
        "POST /v1/organizations", "Makes an organization.",
        body = { name = "string!", slug = "string!" },
        returns = "Organization", example = { name = "My Org", slug = "my-org" },
      },
      me = {
        "GET /v1/organizations/me", "Shows the caller's personal organization.", returns = "Organization",
      },
      update = {
        "POST /v1/organizations/{id}", "Changes an organization's name or slug.",
        body = { id = "string!", name = "string", slug = "string" },
        repeatable = "idempotent", returns = "Organization",
        example = { id = "org_1", name = "My Other Org" },
      },
      delete = {
        "DELETE /v1/organizations/{id}", "Deletes an organization.",
        confirm = "deletes the organization and everything in it",
        returns = "Deleted", example = organization,
      },
      components = {
        "GET /v1/organizations/{id}/components", "Lists the components of an organization.",
        query = component_query, paged = true, items = "data", key = "id",
        returns = "Component[]", example = organization,
      },
    },

    organization_users = {
      summary = "Members of an organization",
      list = {
        "GET /v1/organizations/{id}/users", "Lists the members that have a role.",
        query = {
          role = role, limit = cursor_query.limit, start_key = cursor_query.start_key,
          order_direction = cursor_query.order_direction,
        },
        paged = true, items = "data", key = "id", returns = "OrganizationUser[]",
        example = { id = "org_1", role = "member" },
      },
      update = {
        "POST /v1/organizations/{id}/users/{userId}", "Changes a member's role.",
        body = { role = role }, repeatable = "idempotent", returns = "OrganizationUser",
        example = { id = "org_1", userId = "user_1", role = "editor" },
      },
      delete = {
        "DELETE /v1/organizations/{id}/users/{userId}", "Removes a member.",
        returns = "Deleted", example = organization_user,
      },
    },

    projects = {
      summary = "Sites behind the proxy",
      list = {
        "GET /v1/projects", "Lists the projects.",
        query = {
          organization_id = "string", limit = cursor_query.limit, start_key = cursor_query.start_key,
          order_direction = cursor_query.order_direction,
        },
        paged = true, items = "data", key = "id", returns = "Project[]",
      },
      create = {
        "POST /v1/projects", "Makes a project.",
        body = {
          organization_id = "string!",
          slug = "string!",
          type = { type = "string!", enum = project_type.enum },
          description = "string",
          external_project_url = "string",
        },
        returns = "NewProject",
        example = { organization_id = "org_1", slug = "my-site", type = "proxy" },
      },
      get = {
        "GET /v1/projects/{id}", "Shows one project with its settings.",
        query = { organization_id = "string" }, returns = "Project", example = project,
      },
      update = {
        "POST /v1/projects/{id}", "Changes a project's settings.",
        body = {
          id = "string!",
          slug = "string",
          description = "string",
          type = project_type,
          log_severity = { type = "string?", enum = { "DEBUG", "INFO", "WARNING", "ERROR" } },
          edgee_behind_proxy_cache = "boolean?",
          force_https = "boolean?",
          cache = "boolean?",
          override_cache = "CacheRule[]",
          override_cache_enabled = "boolean?",
          cookie_name = "string?",
          cookie_domain = "string?",
          proxy_only = "boolean?",
          proxy_only_path_regex = "string?",
          inject_sdk = "boolean?",
          inject_sdk_position = { type = "string?", enum = { "prepend", "append" } },
          cookieless = "boolean?",
          autocapture = "Autocapture",
          enforce_no_store_policy = "boolean?",
          trusted_ips = "string[]?",
          password_protection = "boolean?",
          blocked_ips = "string[]?",
          cookie_whitelist = "string[]?",
          forwarded_headers = "ForwardedHeader[]?",
          rate_limiting = "RateRule[]?",
          rate_limiting_enabled = "boolean?",
        },
        repeatable = "idempotent", returns = "Project",
        example = { id = "project_1", force_https = true },
      },
      delete = {
        "DELETE /v1/projects/{id}", "Deletes a project.", returns = "Deleted", example = project,
      },
      counters = {
        "GET /v1/projects/{id}/counters", "Counts a project's requests and events.",
        query = count_query, returns = "ProjectCounters", example = project,
      },
      purge_cache = {
        "POST /v1/projects/{id}/purge-cache", "Empties a project's cache, whole or for one path.",
        body = { id = "string!", path = "string", override_cache = "boolean" },
        repeatable = "idempotent", returns = "Purge", example = { id = "project_1", path = "/news" },
      },
    },

    project_components = {
      summary = "Components at work in a project",
      list = {
        "GET /v1/projects/{id}/components", "Lists a project's components.",
        query = component_query, paged = true, items = "data", key = "id",
        returns = "ProjectComponent[]", example = project,
      },
      create = {
        "POST /v1/projects/{id}/components", "Adds a component to a project.",
        body = project_component, secret = { "settings" }, returns = "ProjectComponent",
        example = { id = "project_1", component_slug = "my-org/my-component", active = true },
      },
      get = {
        "GET /v1/projects/{id}/components/{project_component_id}", "Shows one of them.",
        returns = "ProjectComponent", example = in_project,
      },
      update = {
        "POST /v1/projects/{id}/components/{project_component_id}", "Changes one of them.",
        body = project_component, secret = { "settings" }, repeatable = "idempotent",
        returns = "ProjectComponent",
        example = { id = "project_1", project_component_id = "component_1", active = false },
      },
      delete = {
        "DELETE /v1/projects/{id}/components/{project_component_id}", "Removes one of them.",
        returns = "Deleted", example = in_project,
      },
      counters = {
        "GET /v1/projects/{id}/components/{componentId}/counters", "Counts a component's calls.",
        query = count_query, returns = "ComponentCounters",
        example = { id = "project_1", componentId = "component_1" },
      },
    },

    domains = {
      summary = "Domains of a project",
      list = {
        "GET /v1/projects/{id}/domains", "Lists a project's domains.",
        paged = true, items = "data", key = "name",
        returns = "Domain[]", example = project,
      },
      create = {
        "POST /v1/projects/{id}/domains", "Adds a domain.",
        body = { name = "string!" }, returns = "Domain",
        example = { id = "project_1", name = "www.example.com" },
      },
      get = {
        "GET /v1/projects/{id}/domains/{name}", "Shows one domain with DNS and TLS state.",
        returns = "Domain", example = domain,
      },
      update = {
        "POST /v1/projects/{id}/domains/{name}", "Notes DNS and TLS state of a domain.",
        body = { dns_status = "boolean", ssl_status = "boolean" },
        repeatable = "idempotent", returns = "Domain",
        example = { id = "project_1", name = "www.example.com", dns_status = true },
      },
      delete = {
        "DELETE /v1/projects/{id}/domains/{name}", "Removes a domain.",
        returns = "Deleted", example = domain,
      },
    },

    proxy_settings = {
      summary = "Revisions of a project's proxy set-up",
      list = {
        "GET /v1/projects/{id}/proxy-settings", "Lists the revisions.",
        paged = true, items = "data", key = "revision",
        returns = "ProxySettings[]", example = project,
      },
      create = {
        "POST /v1/projects/{id}/proxy-settings", "Makes a revision.",
        body = { description = "string!", backends = "Backend[]!", routes = "ProxyRoute[]" },
        returns = "ProxySettings",
        example = {
          id = "project_1", description = "first",
          backends = { { name = "origin", address = "origin.example.com", enable_ssl = true } },
        },
      },
      update = {
        "POST /v1/projects/{id}/proxy-settings/{revision}", "Describes or activates a revision.",
        body = { description = "string", is_active = "boolean" },
        repeatable = "idempotent", returns = "ProxySettings",
        example = { id = "project_1", revision = "2", is_active = true },
      },
    },

    components = {
      summary = "Edge components, by id or by the slugs of organization and component",
      list = {
        "GET /v1/components", "Lists the public components.",
        query = component_query, paged = true, items = "data", key = "id", returns = "Component[]",
      },
      create = {
        "POST /v1/components", "Makes a component.",
        body = {
          name = "string!",
          organization_id = "string!",
          category = required_category,
          subcategory = required_subcategory,
          slug = "string",
          documentation_link = "string",
          repo_link = "string",
          description = "string",
          avatar_url = "string",
          public = "boolean",
        },
        returns = "Component",
        example = {
          name = "My Component", organization_id = "org_1", category = "data_collection",
          subcategory = "analytics",
        },
      },
      get = {
        "GET /v1/components/{id}", "Shows one component.", returns = "Component", example = component,
      },
      update = {
        "PUT /v1/components/{id}", "Changes a component.",
        body = component_change, returns = "Component",
        example = { id = "component_1", description = "Counts visits." },
      },
      delete = {
        "DELETE /v1/components/{id}", "Deletes a component.", returns = "Deleted", example = component,
      },
      get_by_slug = {
        "GET /v1/components/{orgSlug}/{componentSlug}", "Shows one component, found by its slugs.",
        returns = "Component", example = by_slug,
      },
      update_by_slug = {
        "PUT /v1/components/{orgSlug}/{componentSlug}", "Changes a component, found by its slugs.",
        body = component_change, returns = "Component",
        example = { orgSlug = "my-org", componentSlug = "my-component", is_archived = true },
      },
      delete_by_slug = {
        "DELETE /v1/components/{orgSlug}/{componentSlug}", "Deletes a component, found by its slugs.",
        returns = "Deleted", example = by_slug,
      },
    },

    component_versions = {
      summary = "Published versions of a component",
      create = {
        "POST /v1/components/{id}/versions", "Publishes a version.",
        body = component_version, returns = "ComponentVersion",
        example = {
          id = "component_1", version = "1.0.0", wit_version = "1.0.0",
          wasm_url = "https://example.com/component.wasm",
        },
      },
      create_by_slug = {
        "POST /v1/components/{orgSlug}/{componentSlug}/versions", "Publishes a version, by slugs.",
        body = component_version, returns = "ComponentVersion",
        example = {
          orgSlug = "my-org", componentSlug = "my-component", version = "1.0.0",
          wit_version = "1.0.0", wasm_url = "https://example.com/component.wasm",
        },
      },
      update_by_slug = {
        "PUT /v1/components/{orgSlug}/{componentSlug}/versions/{versionId}",
        "Rewrites the change log of a version.",
        body = { changelog = "string" }, returns = "ComponentVersion",
        example = {
          orgSlug = "my-org", componentSlug = "my-component", versionId = "1.0.0",
          changelog = "First version.",
        },
      },
    },

    invitations = {
      summary = "Invitations into an organization",
      list = {
        "GET /v1/invitations", "Lists the open invitations.",
        query = {
          organization_id = "string", limit = cursor_query.limit, start_key = cursor_query.start_key,
          order_direction = cursor_query.order_direction,
        },
        paged = true, items = "data", key = "id", returns = "Invitation[]",
      },
      create = {
        "POST /v1/invitations", "Invites somebody by mail.",
        body = { organization_id = "string!", email = "string!", role = role },
        returns = "Invitation",
        example = { organization_id = "org_1", email = "ada@example.com", role = "member" },
      },
      get = {
        "GET /v1/invitations/{id}", "Shows one invitation.", returns = "Invitation", example = invitation,
      },
      delete = {
        "DELETE /v1/invitations/{id}", "Takes an invitation back.", returns = "Deleted", example = invitation,
      },
    },

    users = {
      summary = "People",
      me = { "GET /v1/users/me", "Shows the user of the token.", returns = "User" },
      get = { "GET /v1/users/{id}", "Shows one user.", returns = "User", example = user },
      update = {
        "POST /v1/users/{id}", "Changes a user's picture or accepted terms.",
        body = { avatar_url = "string", terms_version = "string", privacy_version = "string" },
        repeatable = "idempotent", returns = "User",
        example = { id = "user_1", terms_version = "2" },
      },
    },

    debug = {
      summary = "Events that passed through data collection",
      incoming = {
        "GET /v1/projects/{id}/debug/data-collection/incoming", "Lists events that came in.",
        query = cursor_query, paged = true, items = "data", key = "uuid",
        returns = "IncomingEvent[]", example = project,
      },
      outgoing = {
        "GET /v1/projects/{id}/debug/data-collection/outgoing/{event_id}",
        "Lists what went out because of one event.",
        query = cursor_query, paged = true, items = "data", key = "uuid",
        returns = "OutgoingEvent[]", example = { id = "project_1", event_id = "event_1" },
      },
    },

    uploads = {
      summary = "Files to be uploaded",
      presign = {
        "GET /v1/upload/presign", "Gets an address to which one file may be uploaded.",
        returns = "Upload",
      },
    },
  },
}
