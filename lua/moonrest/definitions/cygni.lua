-- Cygni: hosting of applications, with deployments, domains, logs and webhooks.
--
-- Its sources disagree. The vendor's overview page is the contract: base URL, token, the `data` and
-- `meta` envelope, error objects, limits, page numbers. Where the server's code is known to differ
-- (lists under the resource's own name with `totalPages`, errors that are a text or a list), its
-- answers are read as well, and its further routes stand below the same base URL. Resources that
-- the overview only names have the routes one would expect, marked `assumed`; billing and teams,
-- of which nothing but the name is known, are left out.
--
-- The servers are those of one host. Other hosts appear in some of the vendor's tools; a token that
-- was found in the environment is not sent to them, so they are left to base_url. `/metrics` is
-- the resource of the overview here, not the host's own monitoring text of the same name.
-- Below docs_v1 and docs_v2 the known server has its logs and webhooks at /logs/logs and
-- /webhooks/webhooks only: a client of the server "root" finds them where the overview puts them.

local positive = { type = "integer", min = 1 }
local date = { type = "string", doc = "ISO date" }
local time = { type = "string", doc = "ISO date and time" }
local required_time = { type = "string!", doc = "ISO date and time" }
local sort = { type = "string", doc = "field, with - before it from the last to the first" }
local format = { type = "string", enum = { "json", "csv" }, default = "json" }
local environment = {
  type = "string", enum = { "production", "preview", "development", "..." }, default = "production",
}
local secret_object = { type = "object", secret = true }
local page_query = { page = positive, limit = positive, sort = sort }

-- The server answers some lists whole and says nothing of pages. Others it cuts in silence: one
-- that is full may not be everything.
local maybe_whole = { ends = "missing" }
local latest_20 = { ends = "missing", fixed_size = 20 }
local latest_50 = { ends = "missing", fixed_size = 50 }
local latest_100 = { ends = "missing", fixed_size = 100 }

local id = { id = "abc123" }
local project = { projectId = "proj_123" }
local log_span = {
  startTime = "2024-01-01T00:00:00Z", endTime = "2024-01-02T00:00:00Z",
}
local usage_span = {
  startDate = "2024-01-01T00:00:00Z", endDate = "2024-02-01T00:00:00Z",
}

return {
  name = "cygni",
  title = "Cygni",
  summary = "Hosting platform: projects, deployments, domains, logs, webhooks",
  home = "https://docs.cygni.dev/docs/api",
  servers = {
    production = "https://api.cygni.dev/v1",
    docs_v1 = "https://api.cygni.dev/api/v1",
    docs_v2 = "https://api.cygni.dev/api/v2",
    root = "https://api.cygni.dev/api",
  },
  default_server = "production",
  auth = { header = "Authorization", prefix = "Bearer ", env = { "CYGNI_API_KEY" } },
  accept = "application/json",
  trace = { { body = "meta.requestId" }, { body = "requestId" } },
  envelope = { data = "data", meta = "meta" },
  -- `error` is an object, a text (beside `message` or alone), or a list of what is invalid.
  errors = {
    code = { "error.code", "error[1].code" },
    message = { "error.message", "message", "error" },
    details = { "error.details", "invalidEvents" },
    retry_after = { "error.retry_after", "retryAfter" },
  },
  deprecation = {
    headers = { "X-API-Deprecated", "X-API-Warning" }, since = "X-API-Deprecation-Date", ends = "X-API-End-Of-Life",
    ends_in_version = "X-API-Remove-In-Version", use_version = "X-API-Recommended-Version",
    use = "X-API-Alternative", message = "X-API-Warning",
  },
  -- Both windows hold at once; the answers carry one set of fields, which belongs to the window
  -- whose size it names.
  limits = {
    default = "account",
    plans = { "free", "pro", "enterprise" },
    default_plan = "free",
    buckets = {
      account = {
        free = { "100/min", "1000/h" },
        pro = { "1000/min", "10000/h" },
        enterprise = {},
      },
    },
  },
  pages = {
    style = "page", page = "page", size = "limit", first = 1,
    pages = { "meta.pagination.pages", "pagination.totalPages" },
    total = { "meta.pagination.total", "pagination.total" },
  },
  -- The key is the whole secret, `whsec_` included; the timestamp is not part of what is signed.
  webhooks = {
    header = "X-Webhook-Signature", scheme = "sha256-hex", prefix = "sha256=",
    id_header = "X-Webhook-Id", event_header = "X-Webhook-Event", timestamp_header = "X-Webhook-Timestamp",
  },

  results = {
    Project = {
      "id", "organizationId", "name", "slug", "description", "status", "framework", "repository",
      "metadata", "deployments", "domains", "environmentVariables", "createdAt", "updatedAt",
      secret = { "environmentVariables" },
    },
    Deployment = {
      "id", "projectId", "status", "environment", "branch", "commitSha", "url", "metadata",
      "project", "logs", "version", "strategy", "healthStatus", "rollbackFrom", "createdAt",
      "updatedAt", "completedAt",
    },
    DeploymentState = {
      "id", "status", "services", "environment", "provider", "createdAt", "completedAt",
    },
    LogLine = { "timestamp", "level", "message", "service", "projectId", "requestId", "userId" },
    Message = { "message" },
    User = { "id", "email", "name", "role", "organizations", "metadata", "createdAt" },
    Login = { "token", "user", "organizations", secret = { "token" } },
    Webhook = {
      "id", "url", "events", "description", "enabled", "createdAt", "updatedAt", "secret",
      "signingSecret", secret = { "secret", "signingSecret", "headers" },
    },
    Delivery = { "id", "webhookId", "eventType", "status", "statusCode", "attempts", "createdAt" },
    DeliveryTest = { "success", "statusCode", "response", "error" },
    EventType = { "key", "value", "category", "description" },
    Domain = { "id", "name", "projectId", "status", "createdAt", "updatedAt" },
    Variable = {
      "id", "key", "value", "projectId", "environment", "createdAt", "updatedAt",
      secret = { "value" },
    },
    Metric = { "id", "name", "value", "projectId", "timestamp" },
    Token = {
      "id", "name", "token", "lastUsedAt", "createdAt", secret = { "token", "key" },
    },
    Permission = { "id", "subject", "resource", "action", "createdAt" },
    AuditEntry = {
      "id", "timestamp", "action", "actorId", "actorEmail", "actorIp", "resourceType",
      "resourceId", "method", "path", "statusCode", "riskLevel",
    },
    Usage = { "period", "projects", "totals", "currency" },
    UsageLimits = { "defaultLimit", "projects", "notifications" },
    Notification = { "id", "type", "read", "createdAt" },
    Health = { "status", "version", "timestamp", "checks" },
    Versions = { "versions", "supportedVersions", "currentVersion" },
  },

  resources = {
    projects = {
      summary = "Applications",
      list = {
        "GET /projects", "Lists the projects.",
        query = {
          page = positive,
          limit = positive,
          status = { type = "string", enum = { "active", "paused", "deleted", "..." } },
          sort = sort,
          search = { type = "string", doc = "part of the name; the server's own" },
          sortBy = { type = "string", doc = "the server's own; an unknown field gives 500" },
          sortOrder = { "asc", "desc" },
        },
        paged = true, items = { "data", "projects" }, key = "id", returns = "Project[]",
        example = { status = "active", sort = "-createdAt" },
      },
      create = {
        "POST /projects", "Makes a project.",
        body = {
          name = { type = "string!", max_length = 100 },
          description = "string",
          framework = "string",
          repository = { type = "string", doc = "URL" },
          environmentVariables = secret_object,
          buildCommand = "string",
          outputDirectory = "string",
          installCommand = "string",
          devCommand = "string",
        },
        returns = "Project", example = { name = "my-site", framework = "nextjs" },
      },
      get = {
        "GET /projects/{projectId}", "Shows one project with its latest deployments and domains.",
        returns = "Project", example = project,
      },
      update = {
        "PATCH /projects/{projectId}", "Changes a project, pauses it or wakes it.",
        body = {
          name = { type = "string", max_length = 100 },
          description = "string",
          status = { "active", "paused", "deleted" },
          buildCommand = "string",
          outputDirectory = "string",
          installCommand = "string",
          devCommand = "string",
        },
        repeatable = "idempotent", returns = "Project",
        example = { projectId = "proj_123", status = "paused" },
      },
      delete = {
        "DELETE /projects/{projectId}", "Deletes a project; the server only marks it deleted.",
        repeatable = "idempotent", returns = "Message", example = project,
      },
      deployments = {
        "GET /projects/{projectId}/deployments", "Lists one project's deployments.",
        query = { environment = "string", limit = { type = "integer", default = "10" } },
        paged = { ends = "missing", default_size = 10 }, items = { "data", "deployments" }, key = "id",
        returns = "Deployment[]", example = project,
      },
    },

    deployments = {
      summary = "Versions of a project, being built or running",
      list = {
        "GET /deployments", "Lists deployments over all projects, the latest first.",
        query = {
          page = positive,
          limit = positive,
          projectId = "string",
          status = { type = "string", doc = "success on the contract, ready on the server" },
          since = date,
          sort = sort,
          startDate = time,
          endDate = time,
        },
        paged = true, items = { "data", "deployments" }, key = "id", returns = "Deployment[]",
        example = { projectId = "proj_123", since = "2024-01-01" },
      },
      -- The vendor's kit describes another body (cloudexpressConfig, provider): hence open.
      create = {
        "POST /deployments", "Starts a deployment of a project.",
        body = {
          projectId = "string!",
          branch = { type = "string", default = "main" },
          commitSha = "string",
          environment = environment,
          metadata = "object",
        },
        open = true, returns = "Deployment",
        example = { projectId = "proj_123", branch = "main" },
      },
      get = {
        "GET /deployments/{id}", "Shows one deployment with the first lines of its log.",
        returns = "Deployment", example = id,
      },
      status = {
        "GET /deployments/{deploymentId}/status", "Shows a deployment's state, service by service.",
        returns = "DeploymentState", example = { deploymentId = "abc123" },
      },
      -- With follow = true an endless stream of events, else the lines so far.
      logs = {
        "GET /deployments/{id}/logs", "Reads or follows a deployment's log.",
        query = { follow = { type = "boolean", doc = "true: new lines as they come, without end" } },
        accept = "text/event-stream, application/json",
        returns = "events", example = { id = "abc123", follow = true },
      },
      cancel = {
        "POST /deployments/{id}/cancel", "Cancels a deployment that is not finished.",
        repeatable = "idempotent", returns = "Deployment", example = id,
      },
      rollback = {
        "POST /deployments/{id}/rollback", "Makes a new deployment out of an earlier good one.",
        returns = "Deployment", example = id,
      },
      waiters = {
        ready = {
          poll = "get", argument = "id", delay = 2, factor = 1.5, max_delay = 15, timeout = 600,
          accept = {
            {
              field = "status", state = "success",
              one_of = { "ready", "success", "succeeded", "active", "completed" },
            },
            {
              field = "status", state = "failure",
              one_of = { "failed", "error", "cancelled", "canceled" },
            },
          },
        },
      },
    },

    domains = {
      summary = "Domains of your own",
      list = {
        "GET /domains", "Lists the domains.", query = page_query, paged = true,
        items = { "data", "domains" }, key = "id", assumed = true, returns = "Domain[]",
      },
      create = {
        "POST /domains", "Adds a domain.", body = { projectId = "string", name = "string" },
        open = true, assumed = true, returns = "Domain",
        example = { projectId = "proj_123", name = "www.example.com" },
      },
      get = {
        "GET /domains/{id}", "Shows one domain.", assumed = true, returns = "Domain", example = id,
      },
      update = {
        "PATCH /domains/{id}", "Changes a domain.", body = { name = "string" }, open = true,
        repeatable = "idempotent", assumed = true, returns = "Domain",
        example = { id = "abc123", name = "www.example.org" },
      },
      delete = {
        "DELETE /domains/{id}", "Removes a domain.", assumed = true, returns = "Message", example = id,
      },
    },

    env = {
      summary = "Environment variables",
      list = {
        "GET /env", "Lists the variables.",
        query = { projectId = "string", page = positive, limit = positive },
        paged = true, items = { "data", "env" }, key = "id", assumed = true, returns = "Variable[]",
      },
      create = {
        "POST /env", "Sets a new variable.",
        body = {
          projectId = "string", key = "string", value = { type = "string", secret = true },
          environment = environment,
        },
        open = true, assumed = true, returns = "Variable",
        example = { projectId = "proj_123", key = "LOG_LEVEL", value = "info" },
      },
      get = {
        "GET /env/{id}", "Shows one variable.", assumed = true, returns = "Variable", example = id,
      },
      update = {
        "PATCH /env/{id}", "Changes a variable.",
        body = { key = "string", value = { type = "string", secret = true } },
        open = true, repeatable = "idempotent", assumed = true, returns = "Variable",
        example = { id = "abc123", value = "debug" },
      },
      delete = {
        "DELETE /env/{id}", "Deletes a variable.", assumed = true, returns = "Message", example = id,
      },
    },

    metrics = {
      summary = "Performance figures",
      list = {
        "GET /metrics", "Lists the metrics.",
        query = { projectId = "string", since = date, page = positive, limit = positive },
        paged = true, items = { "data", "metrics" }, key = "id", assumed = true, returns = "Metric[]",
      },
      create = {
        "POST /metrics", "Adds a metric.", body = { projectId = "string", name = "string" },
        open = true, assumed = true, returns = "Metric",
        example = { projectId = "proj_123", name = "requests" },
      },
      get = {
        "GET /metrics/{id}", "Shows one metric.", assumed = true, returns = "Metric", example = id,
      },
      update = {
        "PATCH /metrics/{id}", "Changes a metric.", body = { name = "string" }, open = true,
        repeatable = "idempotent", assumed = true, returns = "Metric",
        example = { id = "abc123", name = "errors" },
      },
      delete = {
        "DELETE /metrics/{id}", "Deletes a metric.", assumed = true, returns = "Message", example = id,
      },
    },

    logs = {
      summary = "Logs of applications and of the platform",
      query = {
        "GET /logs", "Searches the logs; at most limit lines, without further pages.",
        query = {
          startTime = time,
          endTime = time,
          level = { "error", "warn", "info", "http", "debug" },
          userId = "string",
          projectId = "string",
          requestId = "string",
          service = "string",
          message = "string",
          limit = { type = "integer", min = 1, max = 1000 },
        },
        paged = maybe_whole, items = { "data", "logs" }, undocumented = true, returns = "LogLine[]",
      },
      export = {
        "GET /logs/export", "Exports the logs of a span of time as a file.",
        query = { startTime = required_time, endTime = required_time, format = format },
        undocumented = true, returns = "file", timeout = 600, example = log_span,
      },
      stats = {
        "GET /logs/stats", "Counts log lines.",
        query = { startTime = required_time, endTime = required_time },
        undocumented = true, returns = "object", example = log_span,
      },
      errors = {
        "GET /logs/errors", "Lists the latest 100 errors, those of the last day unless told otherwise.",
        query = { startTime = time, endTime = time },
        paged = latest_100, items = { "data", "logs" }, undocumented = true, returns = "LogLine[]",
      },
      security = {
        "GET /logs/security", "Lists events that bear on security.",
        query = { startTime = required_time, endTime = required_time, severity = "string" },
        paged = maybe_whole, items = { "data", "logs" }, undocumented = true, returns = "LogLine[]",
        example = log_span,
      },
      billing = {
        "GET /logs/billing", "Lists the latest 50 events that bear on billing.",
        paged = latest_50, items = { "data", "logs" }, undocumented = true, returns = "LogLine[]",
      },
      user = {
        "GET /logs/user/{id}", "Lists the latest 100 things one user did.",
        query = { startTime = time, endTime = time },
        paged = latest_100, items = { "data", "logs" }, undocumented = true, returns = "LogLine[]",
        example = id,
      },
      project = {
        "GET /logs/project/{id}", "Lists the logs of one project or of one of its deployments.",
        query = { deploymentId = "string" },
        paged = maybe_whole, items = { "data", "logs" }, undocumented = true, returns = "LogLine[]",
        example = { id = "proj_123" },
      },
      stream = {
        "GET /logs/stream", "Follows all logs; refused by production servers.",
        undocumented = true, returns = "events",
      },
    },

    usage = {
      summary = "What was used, and what it costs",
      analytics = {
        "GET /usage/analytics", "Breaks usage down by project.",
        query = {
          startDate = required_time, endDate = required_time, projectId = "string",
          groupBy = { "hour", "day", "week", "month" },
        },
        undocumented = true, returns = "object", example = usage_span,
      },
      summary_ = {
        "GET /usage/summary", "Sums up the current month.", undocumented = true, returns = "Usage",
      },
      limits = {
        "GET /usage/limits", "Shows budgets and what is over them.",
        undocumented = true, returns = "UsageLimits",
      },
      export = {
        "GET /usage/export", "Exports the usage of a span of time as a file.",
        query = { startDate = required_time, endDate = required_time, format = format },
        undocumented = true, returns = "file", timeout = 600, example = usage_span,
      },
      notifications = {
        "GET /usage/notifications", "Lists the latest 20 warnings about budgets.",
        paged = latest_20, items = { "data", "notifications" }, key = "id",
        undocumented = true, returns = "Notification[]",
      },
    },

    audit = {
      summary = "Who did what",
      -- The server counts this page only as the total and answers 400 to limit and offset: one page
      -- of 100 is all it gives.
      list = {
        "GET /audit/logs", "Lists entries of the audit log.",
        query = {
          actorId = "string",
          action = "string",
          resourceType = "string",
          resourceId = "string",
          startDate = time,
          endDate = time,
          riskLevel = { "low", "medium", "high", "critical" },
          limit = { type = "integer", min = 1, max = 1000, doc = "refused by the known server" },
          offset = { type = "integer", min = 0, doc = "refused by the known server" },
        },
        paged = { style = "single", fixed_size = 100 }, items = { "data", "logs" }, key = "id",
        undocumented = true, returns = "AuditEntry[]",
      },
      get = {
        "GET /audit/logs/{id}", "Shows one entry.", undocumented = true, returns = "object", example = id,
      },
      stats = {
        "GET /audit/stats", "Counts entries.",
        query = { days = { type = "integer", min = 1, default = "30" } },
        undocumented = true, returns = "object",
      },
      export = {
        "GET /audit/export", "Exports the audit log as a file.",
        query = {
          format = format, actorId = "string", action = "string", resourceType = "string",
          resourceId = "string", startDate = time, endDate = time,
          riskLevel = { "low", "medium", "high", "critical" },
        },
        undocumented = true, returns = "file", timeout = 600,
      },
    },

    users = {
      summary = "Members of the team",
      me = { "GET /users/me", "Shows the user of the token.", returns = "User" },
      update_me = {
        "PUT /users/me", "Changes the user of the token.",
        body = { name = "string", metadata = "object" }, returns = "User", example = { name = "Ada" },
      },
      list = {
        "GET /users", "Lists the members; for administrators.",
        query = { page = positive, limit = positive, search = "string" },
        paged = true, items = { "data", "users" }, key = "id", returns = "User[]",
      },
      remove = {
        "DELETE /users/{userId}", "Removes a member; for administrators, not for oneself.",
        returns = "Message", example = { userId = "user_123" },
      },
    },

    webhooks = {
      summary = "Calls to your own addresses when something happens",
      list = {
        "GET /webhooks", "Lists the webhooks.",
        query = { page = positive, limit = positive },
        paged = maybe_whole, items = { "data", "webhooks" }, key = "id", returns = "Webhook[]",
      },
      -- The contract lets the caller choose the secret; the server makes one of its own and shows
      -- it in this answer only. It also knows deployment.succeeded, not deployment.success.
      create = {
        "POST /webhooks", "Makes a webhook; keep the signingSecret of the answer.",
        body = {
          url = "string!",
          events = { type = "string[]!", doc = "one at least; see event_types" },
          secret = { type = "string", secret = true },
          description = "string",
          headers = secret_object,
          enabled = "boolean",
        },
        returns = "Webhook",
        example = {
          url = "https://example.com/webhooks/cygni",
          events = { "deployment.created", "deployment.failed" },
        },
      },
      get = { "GET /webhooks/{id}", "Shows one webhook.", returns = "Webhook", example = id },
      update = {
        "PUT /webhooks/{id}", "Changes a webhook.",
        body = {
          url = "string", events = "string[]", description = "string", headers = secret_object,
          enabled = "boolean",
        },
        returns = "Webhook", example = { id = "abc123", enabled = false },
      },
      delete = {
        "DELETE /webhooks/{id}", "Deletes a webhook.", returns = "Message", example = id,
      },
      test = {
        "POST /webhooks/{id}/test", "Sends a test event and tells how that went.",
        failure = { field = "success", equals = false, message = { "error", "response" } },
        returns = "DeliveryTest", example = id,
      },
      -- The known server takes both names for ids of webhooks and answers 404.
      deliveries = {
        "GET /webhooks/deliveries", "Lists deliveries, 100 at most.",
        query = {
          webhookId = "string", status = { "pending", "success", "failed" }, eventType = "string",
          startDate = time, endDate = time,
        },
        paged = { style = "single", fixed_size = 100 }, items = { "data", "deliveries" }, key = "id",
        undocumented = true, returns = "Delivery[]",
      },
      event_types = {
        "GET /webhooks/event-types", "Lists the events a webhook can be made for.",
        paged = { style = "single" }, items = { "data", "eventTypes" }, key = "key",
        undocumented = true, returns = "EventType[]",
      },
    },

    tokens = {
      summary = "API tokens",
      list = {
        "GET /tokens", "Lists the tokens, without their texts.", query = page_query, paged = true,
        items = { "data", "tokens" }, key = "id", assumed = true, returns = "Token[]",
      },
      create = {
        "POST /tokens", "Makes a token; only this answer holds it.", body = { name = "string" },
        open = true, assumed = true, returns = "Token", example = { name = "nightly-report" },
      },
      get = {
        "GET /tokens/{id}", "Shows one token.", assumed = true, returns = "Token", example = id,
      },
      update = {
        "PATCH /tokens/{id}", "Renames a token.", body = { name = "string" }, open = true,
        repeatable = "idempotent", assumed = true, returns = "Token",
        example = { id = "abc123", name = "weekly-report" },
      },
      delete = {
        "DELETE /tokens/{id}", "Revokes a token.", assumed = true, returns = "Message", example = id,
      },
    },

    permissions = {
      summary = "Who may do what",
      list = {
        "GET /permissions", "Lists the permissions.", query = page_query, paged = true,
        items = { "data", "permissions" }, key = "id", assumed = true, returns = "Permission[]",
      },
      create = {
        "POST /permissions", "Grants a permission.",
        body = { subject = "string", resource = "string", action = "string" },
        open = true, assumed = true, returns = "Permission",
        example = { subject = "user_123", resource = "proj_123", action = "deploy" },
      },
      get = {
        "GET /permissions/{id}", "Shows one permission.", assumed = true, returns = "Permission", example = id,
      },
      update = {
        "PATCH /permissions/{id}", "Changes a permission.", body = { action = "string" }, open = true,
        repeatable = "idempotent", assumed = true, returns = "Permission",
        example = { id = "abc123", action = "read" },
      },
      delete = {
        "DELETE /permissions/{id}", "Withdraws a permission.", assumed = true, returns = "Message", example = id,
      },
    },

    session = {
      summary = "Signing in with mail and password, as the vendor's own kit does",
      login = {
        "POST /auth/login", "Exchanges mail and password for a token of a day.",
        body = { email = "string!", password = { type = "string!", secret = true } },
        auth = false, returns = "Login",
        example = { email = "ada@example.com", password = "example-password" },
      },
      me = { "GET /auth/me", "Shows who is signed in.", returns = "User" },
    },

    service = {
      summary = "The server itself; these need no token",
      health = {
        "GET /health", "Tells whether the service is up; 503 when it is degraded.",
        query = { deep = "boolean" }, server = "root", auth = false, bucket = "", undocumented = true,
        returns = "Health",
      },
      versions = {
        "GET /versions", "Lists the versions of the API.",
        server = "root", auth = false, bucket = "", undocumented = true, returns = "Versions",
      },
      version = {
        "GET /version", "Shows the version that answers.",
        server = "root", auth = false, bucket = "", undocumented = true, returns = "object",
      },
    },
  },
}
