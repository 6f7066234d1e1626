-- Capgo: live updates for mobile apps (bundles, channels, devices) and native builds.
--
-- The credential travels bare in `authorization`, as the vendor's overview and its OpenAPI document
-- say; that works on every route for keys that are UUIDs, which all keys of today are. The server
-- also takes `capgkey` everywhere and `x-api-key` on some routes only; a `Bearer ` before the key is
-- refused. Whoever has a key of another form copies this table and changes auth.header to "capgkey".
-- One header is sent, never one after another: 20 refused keys block the address for 15 minutes.
--
-- The documents wrap answers in { data }, the server does not: both are read. Errors are a code in
-- `error` with a `message` on the server, a sentence in `error` in the documents. "Not found" is often
-- a 400, and 401 may mean a good key without the permission. Slashes at the end of paths are the
-- documents' own. Several DELETEs have a body.

local zero_based = { type = "integer", min = 0, doc = "from 0" }
local up_to_thousand = { type = "integer", min = 1, max = 1000, default = "50" }
local required_date = { type = "string!", doc = "YYYY-MM-DD" }
local platform = { type = "string!", enum = { "ios", "android" } }
local secret_string = { type = "string", secret = true }
local secret_object = { type = "object", secret = true }
local key_id = { id = { type = "string!", secret = true, doc = "number, or the key itself" } }
local webhook_events = {
  type = "string[]",
  enum = { "apps", "app_versions", "channels", "org_users", "orgs", "..." },
}
local required_webhook_events = { type = "string[]!", enum = webhook_events.enum }
local delivery_version = { type = "string", enum = { "legacy", "standard" } }
local usage_query = {
  from = required_date, to = required_date,
  noAccumulate = { type = "boolean", default = "false", doc = "true: each day's own figure, not the sum so far" },
}

-- 50 rows a page, but the server computes the end of the second page wrongly, so that pages overlap
-- and grow: rows are told apart by their id, and a page without a new one is the end.
local overlapping = { first = 0, fixed_size = 50, overlap = true, ends = "no_new" }
-- The server cannot be asked for a second page; a full first one may not be everything.
local first_fifty = { style = "single", fixed_size = 50 }
local first_hundred = { style = "single", fixed_size = 100 }
local whole = { style = "single" }

-- All requests of a key share one counter; those about one device have further ones.
local device_buckets = { "account", "app_devices", "device" }

local org = "046a36ac-e03c-4590-9257-bd6c9dba9ee8"
local in_org = { orgId = org }
local app_path = { appId = "com.example.app" }
local in_app = { app_id = "com.example.app" }
local bundle = { app_id = "com.example.app", version = "1.2.3" }
local channel = { app_id = "com.example.app", channel = "production" }
local device = { app_id = "com.example.app", device_id = "7f3a0c52-6d5e-4f6a-9d6b-2f1f0b1c7a11" }
local member = { orgId = org, email = "ada@example.com" }
local webhook = { orgId = org, webhookId = "5b0f7b3e-2c0d-4c8a-8a50-0a3e3b1d9c01" }
local job = { jobId = "job-1", app_id = "com.example.app" }
local upload = { jobId = "job-1", tail = "upload-1", ["Tus-Resumable"] = "1.0.0" }
local span = { from = "2024-01-01", to = "2024-01-31" }
local app_span = { appId = "com.example.app", from = "2024-01-01", to = "2024-01-31" }
local api_version = { type = "string", doc = "version asked for: a date such as 2025-10-01" }
local tus_version = { type = "string!", enum = { "1.0.0" } }

return {
  name = "capgo",
  title = "Capgo",
  summary = "Live updates for mobile apps: apps, bundles, channels, devices, builds",
  home = "https://capgo.app/docs/public-api/",
  servers = { production = "https://api.capgo.app" },
  tenant = {
    org_id = { parameter = "orgId", doc = "organization, a UUID" },
    app_id = { parameter = "app_id", doc = "app, a reverse domain" },
  },
  auth = {
    header = "authorization", prefix = "", env = { "CAPGO_TOKEN", "CAPGO_API_KEY" },
    extra = { sub_key = "x-limited-key-id" },
  },
  accept = "application/json",
  trace = { header = "cf-ray" },
  envelope = { data = "data" },
  -- moreInfo may repeat what was sent: secrets in it are masked like everywhere.
  errors = {
    code = { "error" },
    message = { "message", "error", "status" },
    details = { "moreInfo" },
    retry_after = { "moreInfo.retryAfterSeconds" },
    -- A good key without the permission is answered 401, too.
    rights = { "cannot_access_app", "no_access_to_app" },
    -- What a second DELETE is answered, mostly with 400.
    gone = { "cannot_find_channel", "cannot_find_version", "webhook_not_found" },
    final = {
      "need_plan_upgrade", "native_build_concurrency_limit_exceeded", "too_many_failed_auth_attempts",
    },
  },
  -- The server's counter is renewed by every request, refused ones included, and falls back to zero
  -- after a minute of silence only.
  limits = {
    default = "account",
    plans = { "standard", "enterprise" },
    default_plan = "standard",
    strategy = { account = "silence" },
    buckets = {
      account = { standard = { "100/min" }, enterprise = { "1000/min" } },
      app_devices = { "1000/min", per = { "app_id" } },
      device = { "5/s", per = { "app_id", "device_id" } },
      support_logs = { "1/min", "10/d" },
    },
  },
  pages = { style = "page", page = "page", first = 0, ends = "short" },
  -- The first is always there; the second with deliveryVersion = "standard". The first one's value is
  -- "v1=<seconds>.<hex>", over "<seconds>.<body>".
  webhooks = {
    {
      header = "X-Capgo-Signature", scheme = "timestamp-sha256-hex", prefix = "v1=",
      id_header = "X-Capgo-Event-ID", event_header = "X-Capgo-Event", timestamp_header = "X-Capgo-Timestamp",
    },
    {
      header = "webhook-signature", scheme = "standard-webhooks",
      id_header = "webhook-id", timestamp_header = "webhook-timestamp",
    },
  },

  shapes = {
    Binding = {
      role_name = "string!",
      scope_type = { type = "string!", enum = { "org", "app", "channel" } },
      org_id = "string!",
      app_id = "string",
      channel_id = "any",
    },
    Target = {
      externalId = "string", recipientKey = "string", deviceKey = "string", tag = "string",
      broadcast = "boolean",
    },
  },

  results = {
    Status = { "status", "message" },
    Organization = {
      "id", "name", "logo", "management_email", "customer_id", "website", "created_by", "created_at",
      "updated_at",
    },
    NewOrganization = { "id", "status" },
    Member = { "uid", "email", "image_url", "role", "is_tmp" },
    AuditEntry = { "id", "table_name", "operation", "record_id", "created_at" },
    App = {
      "app_id", "id", "name", "owner_org", "icon_url", "default_upload_channel", "last_version",
      "retention", "expose_metadata", "allow_device_custom_id", "need_onboarding", "user_id",
      "channel_device_count", "created_at", "updated_at",
    },
    DemoApp = { "status", "app_id", "name", "message" },
    StoreMetadata = {
      "status", "name", "icon_url", "icon_data_url", "screenshot_url", "app_id", "android_app_id",
      "ios_bundle_id", "url",
    },
    ApiKey = {
      "id", "name", "mode", "user_id", "rbac_id", "is_hashed_key", "global_permissions",
      "limited_to_apps", "limited_to_orgs", "created_at", "updated_at", "expires_at", "key",
      secret = { "key", "apikey" },
    },
    Channel = {
      "id", "name", "app_id", "version", "public", "disableAutoUpdate",
      "disableAutoUpdateUnderNative", "ios", "android", "electron", "allow_device_self_set",
      "allow_emulator", "allow_device", "allow_dev", "allow_prod", "rollout_percentage",
      "rollout_enabled", "created_by", "created_at", "updated_at",
    },
    ChannelChange = { "status", "id", "public" },
    Device = {
      "device_id", "custom_id", "app_id", "platform", "version", "version_name", "channel",
      "plugin_version", "os_version", "version_build", "is_prod", "is_emulator", "key_id",
      "updated_at",
    },
    Bundle = {
      "id", "app_id", "owner_org", "name", "checksum", "minUpdateVersion", "storage_provider", "external_url",
      "deleted", "link", "comment", "created_at", "updated_at", secret = { "session_key" },
    },
    NewBundle = { "status", "bundle", secret = { "session_key" } },
    Point = { "date", "mau", "storage", "bandwidth", "storage_byte_hours", "build_time_seconds" },
    BundleUsage = { "labels", "datasets" },
    StatisticsFile = { "format", "filename", "contentType", "limit", "rowCount", "csv" },
    Webhook = {
      "id", "org_id", "name", "url", "events", "enabled", "delivery_version", "stats_24h", "created_at",
      "updated_at", "secret", secret = { "secret" },
    },
    WebhookChange = { "status", "webhook", secret = { "secret" } },
    DeliveryTest = {
      "success", "status", "duration_ms", "response_preview", "delivery_id", "message",
    },
    Delivery = { "id", "webhook_id", "event_type", "status", "attempt_count", "created_at" },
    DeliveryRetry = { "status", "deliveryId" },
    BuildRequest = {
      "build_request_id", "job_id", "status", "upload_path", "upload_url", "upload_expires_at",
      "upload_session_key", secret = { "upload_session_key" },
    },
    BuildStart = { "job_id", "status", "logs_url", "logs_token", secret = { "logs_token" } },
    BuildStatus = {
      "job_id", "status", "machine", "started_at", "completed_at", "runner_wait_seconds",
      "build_time_seconds", "error", "upload_url",
    },
    BuildCancel = { "job_id", "status", "message" },
    SupportLogs = { "id", "url" },
    NotificationSettings = {
      "appId", "pushUpdateEnabled", "pushUpdateInstallMode", "pushUpdateChannel",
    },
    Sending = { "status", "campaignId", "queued", "queuedBuckets", "targeted" },
    Campaign = {
      "id", "owner_org", "app_id", "name", "kind", "status", "audience", "payload", "scheduled_at",
      "queued_at", "completed_at", "counters", "created_at", "updated_at",
    },
    Provider = {
      "id", "owner_org", "app_id", "platform", "status", "config", "secret_ref", "created_at",
      "updated_at",
    },
    Recipient = { "recipientKey", "devices", "count" },
    RecipientProof = { "identityProof", secret = { "identityProof" } },
  },

  resources = {
    organizations = {
      summary = "Organizations, owners of apps",
      list = {
        "GET /organization/", "Lists the organizations of the key; the first 50 only.",
        paged = first_fifty, key = "id", returns = "Organization[]",
      },
      get = {
        "GET /organization/", "Shows one organization.",
        query = { orgId = "string!" }, returns = "Organization", example = in_org,
      },
      create = {
        "POST /organization/", "Makes an organization.",
        body = {
          name = { type = "string!", doc = "at least 3 characters" },
          email = "string",
          estimatedMau = { type = "integer", min = 0, max = 1000000 },
          website = "string",
          intent = "string",
        },
        returns = "NewOrganization", example = { name = "My Organization" },
      },
      update = {
        "PUT /organization/", "Changes an organization or its rules for keys.",
        body = {
          orgId = "string!",
          name = "string",
          logo = "string",
          management_email = "string",
          website = "string",
          require_apikey_expiration = "boolean",
          max_apikey_expiration_days = { type = "integer?", min = 1, max = 365 },
          enforce_hashed_api_keys = "boolean",
        },
        open = true, envelope = {}, returns = "object",
        example = { orgId = org, name = "Other Name" },
      },
      delete = {
        "DELETE /organization/", "Deletes an organization.",
        query = { orgId = "string!" }, confirm = "deletes the organization with its apps",
        returns = "Status", example = in_org,
      },
    },

    members = {
      summary = "Members of an organization",
      list = {
        "GET /organization/members/", "Lists the members.",
        query = { orgId = "string!" }, paged = whole, key = "uid", returns = "Member[]",
        example = in_org,
      },
      -- The documents call it role and know five; the server wants invite_type.
      invite = {
        "POST /organization/members/", "Invites somebody or changes a member's role.",
        body = {
          orgId = "string!",
          email = "string!",
          invite_type = {
            type = "string!",
            enum = {
              "read", "upload", "write", "admin", "super_admin", "org_member", "org_billing_admin",
              "org_admin", "org_super_admin", "...",
            },
          },
          role = {
            type = "string", enum = { "read", "upload", "write", "admin", "super_admin", "..." },
            doc = "what the documents call invite_type",
          },
        },
        repeatable = "idempotent", returns = "Status",
        example = { orgId = org, email = "ada@example.com", invite_type = "read" },
      },
      remove = {
        "DELETE /organization/members/", "Removes a member.",
        body = { orgId = "string!", email = "string!" }, returns = "Status", example = member,
      },
    },

    audit = {
      summary = "Who changed what in an organization",
      list = {
        "GET /organization/audit", "Lists changes.",
        query = {
          orgId = "string!", tableName = "string", operation = "string", page = zero_based,
          limit = { type = "integer", min = 1, max = 100, default = "50" },
        },
        paged = { size = "limit", total = "total", default_size = 50, max_size = 100 },
        items = "data", key = "id", undocumented = true, returns = "AuditEntry[]", example = in_org,
      },
    },

    apps = {
      summary = "Apps",
      -- The server sorts nothing: a row may move from page to page in between.
      list = {
        "GET /app/", "Lists the apps the key can see.",
        query = { page = zero_based, limit = up_to_thousand, org_id = "string" },
        paged = { size = "limit", default_size = 50, max_size = 1000, overlap = true },
        key = "app_id", returns = "App[]",
      },
      create = {
        "POST /app/", "Makes an app; 409 if its app_id is taken.",
        body = {
          app_id = { type = "string!", doc = "reverse domain" },
          name = "string!",
          owner_org = "string!",
          icon = "string",
          need_onboarding = "boolean",
          existing_app = "boolean",
          ios_store_url = "string",
          android_store_url = "string",
        },
        returns = "App",
        example = { app_id = "com.example.app", name = "My App", owner_org = org },
      },
      get = { "GET /app/{appId}", "Shows one app.", returns = "App", example = app_path },
      update = {
        "PUT /app/{appId}", "Changes an app.",
        body = {
          name = "string",
          icon = "string",
          retention = { type = "integer", min = 0, max = 63113903, doc = "seconds, not days" },
          expose_metadata = "boolean",
          allow_device_custom_id = "boolean",
        },
        open = true, returns = "App", example = { appId = "com.example.app", retention = 2592000 },
      },
      delete = {
        "DELETE /app/{appId}", "Deletes an app.", confirm = "deletes the app with bundles, channels and devices",
        returns = "Status", example = app_path,
      },
      create_demo = {
        "POST /app/demo", "Makes a demonstration app, which goes away by itself.",
        body = { owner_org = "string!" }, undocumented = true, returns = "DemoApp",
        example = { owner_org = org },
      },
      store_metadata = {
        "POST /app/store-metadata", "Reads name and icon of an app from a store's page.",
        body = { url = "string!" }, read = true, repeatable = "safe", undocumented = true,
        returns = "StoreMetadata",
        example = { url = "https://apps.apple.com/app/id284882215" },
      },
    },

    apikeys = {
      summary = "API keys",
      list = {
        "GET /apikey/", "Lists the API keys, never the keys themselves.",
        paged = whole, key = "id", returns = "ApiKey[]",
      },
      get = {
        "GET /apikey/{id}", "Shows one API key.",
        path = key_id, undocumented = true, returns = "ApiKey", example = { id = "12" },
      },
      -- The server refuses this to API keys (cannot_create_apikey): it wants a signed-in person. mode
      -- and limited_to_* are the documents' way of saying bindings.
      create = {
        "POST /apikey/", "Makes an API key; only this answer holds it.",
        body = {
          name = "string!",
          bindings = "Binding[]!",
          mode = { type = "string", enum = { "read", "write", "upload", "all" } },
          limited_to_apps = "string[]",
          limited_to_orgs = "string[]",
          hashed = "boolean",
          expires_at = "string?",
          global_permissions = "string[]",
        },
        envelope = { data = { "apikey", "data" } }, returns = "ApiKey",
        example = {
          name = "ci", bindings = { { role_name = "org_member", scope_type = "org", org_id = org } },
        },
      },
      -- Not repeated by itself: with regenerate a second attempt makes a second key.
      update = {
        "PUT /apikey/{id}", "Renames, prolongs or regenerates an API key.",
        path = key_id,
        body = {
          name = "string",
          expires_at = { type = "string?", doc = "null: never" },
          regenerate = "boolean",
          bindings = "Binding[]",
          global_permissions = "string[]",
        },
        undocumented = true, repeatable = "never", returns = "ApiKey",
        example = { id = "12", name = "ci-2" },
      },
      update_by_body = {
        "PUT /apikey/", "The same with the id in the body.",
        body = {
          id = { type = "any!", secret = true },
          name = "string",
          expires_at = { type = "string?", doc = "null: never" },
          regenerate = "boolean",
          bindings = "Binding[]",
          global_permissions = "string[]",
        },
        undocumented = true, repeatable = "never", returns = "ApiKey",
        example = { id = 12, name = "ci-2" },
      },
      delete = {
        "DELETE /apikey/{id}/", "Deletes an API key, not the one in use.",
        path = { id = "integer!" }, returns = "Status", example = { id = 12 },
      },
    },

    channels = {
      summary = "Channels: which bundle which devices get",
      list = {
        "GET /channel/", "Lists an app's channels.",
        query = { app_id = "string!", page = zero_based }, paged = overlapping, key = "id",
        returns = "Channel[]", example = in_app,
      },
      get = {
        "GET /channel/", "Shows one channel.",
        query = { app_id = "string!", channel = "string!" }, returns = "Channel", example = channel,
      },
      -- More fields of rollouts and their automatic pauses pass as they are.
      set = {
        "POST /channel/", "Makes or changes a channel, rolls a bundle out or back.",
        body = {
          app_id = "string!",
          channel = "string!",
          version = { type = "string?", doc = "bundle, by name" },
          public = "boolean",
          disableAutoUpdate = {
            type = "string",
            enum = { "major", "minor", "metadata", "patch", "version_number", "none", "..." },
          },
          disableAutoUpdateUnderNative = "boolean",
          ios = "boolean",
          android = "boolean",
          electron = "boolean",
          allow_device_self_set = "boolean",
          allow_emulator = "boolean",
          allow_device = "boolean",
          allow_dev = "boolean",
          allow_prod = "boolean",
          rolloutVersion = "string?",
          rolloutPercentage = { type = "number", min = 0, max = 100 },
          rolloutEnabled = "boolean",
          rollback = "boolean",
          promoteToStable = "boolean",
        },
        open = true, repeatable = "idempotent", returns = "ChannelChange",
        example = { app_id = "com.example.app", channel = "production", version = "1.2.3" },
      },
      delete = {
        "DELETE /channel/", "Deletes a channel, with its bundle if told so.",
        body = { app_id = "string!", channel = "string!", delete_bundle = "boolean" },
        returns = "Status", example = channel,
      },
    },

    devices = {
      summary = "Devices that run an app",
      list = {
        "GET /device/", "Lists an app's devices.",
        query = {
          app_id = "string!",
          cursor = "string",
          limit = { type = "integer", min = 1, max = 50000, default = "50" },
          customIdMode = { type = "string", doc = "any text: only devices with a custom id" },
          updated_at = "string",
          order = { "asc", "desc" },
        },
        paged = {
          style = "cursor", cursor = "cursor", next = "nextCursor", has_more = "hasMore", size = "limit",
          max_size = 1000,
        },
        items = "data", key = "device_id", bucket = { "account", "app_devices" },
        returns = "Device[]", example = in_app,
      },
      get = {
        "GET /device/", "Shows one device.",
        query = { app_id = "string!", device_id = "string!" }, bucket = device_buckets,
        returns = "Device", example = device,
      },
      -- Without a channel the server does nothing and says ok, so one is required here.
      link = {
        "POST /device/", "Puts a device on a channel of its own; the same one again within a minute: 429.",
        body = {
          app_id = "string!", device_id = "string!", channel = "string!",
          version_id = { type = "string", doc = "documented, refused by the server" },
        },
        bucket = device_buckets, repeatable = "idempotent", returns = "Status",
        example = { app_id = device.app_id, device_id = device.device_id, channel = "beta" },
      },
      unlink = {
        "DELETE /device/", "Puts a device back on the default channel.",
        body = { app_id = "string!", device_id = "string!" }, bucket = device_buckets,
        repeatable = "idempotent", returns = "Status", example = device,
      },
    },

    bundles = {
      summary = "Bundles: versions of an app's web part",
      -- An empty page is a 400 with the code cannot_get_bundle. So is an app that is not there or not the key's,
      -- with another message, and what the database refuses, which moreInfo then tells.
      list = {
        "GET /bundle/", "Lists an app's bundles, the newest first.",
        query = { app_id = "string!", page = zero_based },
        paged = {
          first = 0, fixed_size = 50, overlap = true, ends = "no_new",
          end_errors = {
            cannot_get_bundle = { status = 400, message = "Cannot get bundle", absent = "moreInfo.supabaseError" },
          },
        },
        key = "id", returns = "Bundle[]", example = in_app,
      },
      create = {
        "POST /bundle/", "Registers a bundle that is stored elsewhere.",
        body = {
          app_id = "string!",
          version = { type = "string!", doc = "semantic version without a v" },
          external_url = { type = "string!", doc = "https, a zip" },
          checksum = { type = "string!", doc = "SHA-256 of the zip" },
          session_key = secret_string,
          key_id = "string",
        },
        returns = "NewBundle",
        example = {
          app_id = "com.example.app", version = "1.2.3",
          external_url = "https://example.com/app-1.2.3.zip",
          checksum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        },
      },
      set_channel = {
        "PUT /bundle/", "Puts a bundle on a channel, both by number.",
        body = { app_id = "string!", version_id = "integer!", channel_id = "integer!" },
        returns = "Status",
        example = { app_id = "com.example.app", version_id = 1, channel_id = 1 },
      },
      delete = {
        "DELETE /bundle/", "Deletes a bundle; without a version every one that no channel uses.",
        body = { app_id = "string!", version = "string" },
        confirm = { without = "version", why = "deletes every bundle that no channel uses" },
        returns = "Status", example = bundle,
      },
      set_metadata = {
        "POST /bundle/metadata", "Notes a link and a comment on a bundle.",
        body = {
          app_id = "string!", version_id = "integer!", link = "string", comment = "string",
        },
        repeatable = "idempotent", returns = "Status",
        example = { app_id = "com.example.app", version_id = 1, link = "https://example.com/c/abc" },
      },
    },

    statistics = {
      summary = "Users, storage and traffic by day",
      app = {
        "GET /statistics/app/{appId}/", "Lists the figures of one app.",
        query = usage_query, paged = whole, returns = "Point[]", example = app_span,
      },
      bundle_usage = {
        "GET /statistics/app/{appId}/bundle_usage", "Shows which bundles an app's devices run.",
        query = { from = required_date, to = required_date }, returns = "BundleUsage",
        example = app_span,
      },
      native_usage = {
        "GET /statistics/app/{appId}/native_usage", "Shows which native versions devices run.",
        query = { from = required_date, to = required_date }, undocumented = true,
        returns = "object", example = app_span,
      },
      -- A list; with breakdown { global, byApp }.
      org = {
        "GET /statistics/org/{orgId}/", "Shows the figures of an organization, or of each of its apps.",
        query = {
          from = required_date, to = required_date, noAccumulate = usage_query.noAccumulate,
          breakdown = { type = "boolean", default = "false" },
        },
        returns = "any", example = { orgId = org, from = "2024-01-01", to = "2024-01-31" },
      },
      user = {
        "GET /statistics/user/", "Lists the figures of everything the key can see.",
        query = { from = required_date, to = required_date }, paged = whole, returns = "Point[]",
        example = span,
      },
      -- A private route: JSON around the CSV text, up to 10,000 rows.
      export = {
        "POST /private/stats/export", "Exports an app's device events as CSV or JSON text.",
        body = {
          appId = "string!",
          rangeStart = "string",
          rangeEnd = "string",
          format = { "csv", "json" },
          limit = { type = "integer", min = 1, max = 10000 },
        },
        read = true, repeatable = "safe", undocumented = true, timeout = 120,
        returns = "StatisticsFile",
        example = {
          appId = "com.example.app", rangeStart = "2024-01-01T00:00:00Z",
          rangeEnd = "2024-01-31T00:00:00Z", format = "csv",
        },
      },
    },

    webhooks = {
      summary = "Calls to your own addresses when something changes",
      list = {
        "GET /webhooks", "Lists the webhooks of an organization.",
        query = { orgId = "string!", page = zero_based },
        paged = { first = 0, fixed_size = 50, ends = "short" }, key = "id", undocumented = true,
        returns = "Webhook[]", example = in_org,
      },
      get = {
        "GET /webhooks", "Shows one webhook with the figures of a day.",
        query = { orgId = "string!", webhookId = "string!" }, undocumented = true,
        returns = "Webhook", example = webhook,
      },
      create = {
        "POST /webhooks", "Makes a webhook; the answer holds its secret.",
        body = {
          orgId = "string!",
          name = "string!",
          url = { type = "string!", doc = "https, a public host by name" },
          events = required_webhook_events,
          enabled = "boolean",
          deliveryVersion = delivery_version,
        },
        undocumented = true, returns = "WebhookChange",
        example = {
          orgId = org, name = "ci", url = "https://example.com/hooks/capgo",
          events = { "app_versions", "channels" },
        },
      },
      update = {
        "PUT /webhooks", "Changes a webhook, switches it on again.",
        body = {
          orgId = "string!",
          webhookId = "string!",
          name = "string",
          url = "string",
          events = webhook_events,
          enabled = "boolean",
          deliveryVersion = delivery_version,
        },
        undocumented = true, returns = "WebhookChange",
        example = { orgId = org, webhookId = webhook.webhookId, enabled = true },
      },
      delete = {
        "DELETE /webhooks", "Deletes a webhook.",
        body = { orgId = "string!", webhookId = "string!" }, undocumented = true,
        returns = "Status", example = webhook,
      },
      test = {
        "POST /webhooks/test", "Sends a test event and tells how that went.",
        body = { orgId = "string!", webhookId = "string!" },
        failure = { field = "success", equals = false, message = { "message", "response_preview" } },
        undocumented = true, timeout = 90, returns = "DeliveryTest", example = webhook,
      },
      deliveries = {
        "GET /webhooks/deliveries", "Lists the deliveries of a webhook.",
        query = {
          orgId = "string!", webhookId = "string!", page = zero_based, status = "string",
        },
        paged = { first = 0, fixed_size = 50, has_next = "pagination.has_more", total = "pagination.total" },
        items = "deliveries", key = "id", undocumented = true, returns = "Delivery[]",
        example = webhook,
      },
      retry_delivery = {
        "POST /webhooks/deliveries/retry", "Sends a failed delivery again.",
        body = { orgId = "string!", deliveryId = "string!" }, undocumented = true,
        returns = "DeliveryRetry",
        example = { orgId = org, deliveryId = "5b0f7b3e-2c0d-4c8a-8a50-0a3e3b1d9c02" },
      },
    },

    builds = {
      summary = "Native builds: ask for one, upload the sources, start it, wait",
      request = {
        "POST /build/request", "Asks for a build; the answer says where the sources go.",
        body = {
          app_id = "string!",
          platform = platform,
          build_mode = { type = "string", enum = { "release", "debug" }, default = "release" },
          build_config = "object",
          build_options = "object",
          build_credentials = secret_object,
        },
        undocumented = true, returns = "BuildRequest",
        example = { app_id = "com.example.app", platform = "ios" },
      },
      start = {
        "POST /build/start/{jobId}", "Starts a build whose sources are uploaded.",
        body = { app_id = "string!" }, undocumented = true, returns = "BuildStart", example = job,
      },
      -- Asking also books the time that a finished build took.
      status = {
        "GET /build/status", "Shows the state of a build; terminal ones stay.",
        query = { job_id = "string!", app_id = "string!", platform = platform },
        undocumented = true, returns = "BuildStatus",
        example = { job_id = "job-1", app_id = "com.example.app", platform = "ios" },
      },
      logs = {
        "GET /build/logs/{jobId}", "Follows the log of a build; hanging up cancels the build.",
        query = { app_id = "string!" }, confirm = "leaving this stream early cancels the build",
        repeatable = "never", undocumented = true,
        deprecated = "use logs_url with the logs_token of builds:start", returns = "events",
        example = job,
      },
      cancel = {
        "POST /build/cancel/{jobId}", "Cancels a build.",
        body = { app_id = "string!" }, repeatable = "idempotent", undocumented = true,
        returns = "BuildCancel", example = job,
      },
      ai_analyze = {
        "POST /build/ai_analyze", "Always answers 426 by now.",
        undocumented = true, deprecated = "use builds:ai_analyze_stream", returns = "object",
      },
      ai_analyze_stream = {
        "POST /build/ai_analyze_stream", "Has the log of a failed build explained, as a stream.",
        body = { jobId = "string!", appId = "string!", logs = "string!" }, undocumented = true,
        returns = "events",
        example = { jobId = "job-1", appId = "com.example.app", logs = "error: no such module" },
      },
      support_logs = {
        "POST /build/support_logs", "Hands logs to the vendor's support; gives a link for 30 days.",
        body = {
          gzB64 = { type = "string!", doc = "text, gzip, base64; 10 MB before base64" },
          appId = "string",
          jobId = "string",
        },
        bucket = { "account", "support_logs" }, undocumented = true, returns = "SupportLogs",
        example = { gzB64 = "H4sIAAAAAAAAAwMAAAAAAAAAAAA=" },
      },
      -- builds:wait({ job_id =, app_id =, platform = }, "done")
      waiters = {
        done = {
          poll = "status", delay = 5, factor = 1.5, max_delay = 30, timeout = 1800,
          accept = {
            { field = "status", equals = "succeeded", state = "success" },
            {
              field = "status", state = "failure",
              one_of = { "failed", "expired", "released", "cancelled", "canceled" },
            },
          },
        },
      },

      uploads = {
        summary = "Resumable upload (TUS 1.0.0) of a build's sources as a zip",
        create = {
          "POST /build/upload/{jobId}", "Announces an upload; its address is in Location.",
          header = {
            ["Tus-Resumable"] = tus_version,
            ["Upload-Length"] = { type = "integer!", min = 0, doc = "bytes" },
            ["Upload-Metadata"] = "string",
          },
          undocumented = true, returns = "nothing",
          example = { jobId = "job-1", ["Tus-Resumable"] = "1.0.0", ["Upload-Length"] = 1024 },
        },
        offset = {
          "HEAD /build/upload/{jobId}/{tail}", "Tells in Upload-Offset how much has arrived.",
          path = { tail = "slashes" }, header = { ["Tus-Resumable"] = tus_version },
          undocumented = true, returns = "nothing", example = upload,
        },
        -- The bytes are options.body or, from a file, options.upload.
        send = {
          "PATCH /build/upload/{jobId}/{tail}", "Sends bytes from an offset on.",
          path = { tail = "slashes" },
          header = {
            ["Tus-Resumable"] = tus_version,
            ["Upload-Offset"] = { type = "integer!", min = 0, doc = "bytes" },
          },
          body_type = "raw", content_type = "application/offset+octet-stream", timeout = 3600,
          undocumented = true, returns = "nothing",
          example = {
            jobId = "job-1", tail = "upload-1", ["Tus-Resumable"] = "1.0.0", ["Upload-Offset"] = 0,
          },
        },
        capabilities = {
          "OPTIONS /build/upload/{jobId}", "Tells what the upload protocol can do here.",
          undocumented = true, returns = "nothing", example = { jobId = "job-1" },
        },
      },
    },

    notifications = {
      summary = "Push notifications to an app's users",
      send = {
        "POST /notifications/send", "Queues a notification for a user, a device, a tag or everybody.",
        body = {
          appId = "string!", target = "Target", payload = "object", campaignId = "string",
          limit = "integer",
        },
        open = true, undocumented = true, returns = "Sending",
        example = {
          appId = "com.example.app", target = { tag = "beta" }, payload = { title = "Hello" },
        },
      },
      stats = {
        "GET /notifications/stats", "Shows what became of notifications.",
        query = {
          app_id = "string!", campaign_id = "string",
          days = { type = "integer", min = 1, default = "30" },
        },
        undocumented = true, returns = "any", example = in_app,
      },

      settings = {
        summary = "Whether updates are announced by push",
        get = {
          "GET /notifications/settings", "Shows the settings of an app.",
          query = { app_id = "string!" }, undocumented = true, returns = "NotificationSettings",
          example = in_app,
        },
        update = {
          "PUT /notifications/settings", "Sets the settings of an app, all at once.",
          body = {
            appId = "string!",
            pushUpdateEnabled = "boolean",
            pushUpdateInstallMode = { "next", "set" },
            pushUpdateChannel = "string?",
          },
          open = true, undocumented = true, returns = "NotificationSettings",
          example = { appId = "com.example.app", pushUpdateEnabled = true },
        },
      },

      campaigns = {
        summary = "Campaigns",
        list = {
          "GET /notifications/campaigns", "Lists the latest 100 campaigns of an app.",
          query = { app_id = "string!" }, paged = first_hundred, items = "data", key = "id",
          undocumented = true, returns = "Campaign[]", example = in_app,
        },
        create = {
          "POST /notifications/campaigns", "Makes a campaign.",
          body = {
            appId = "string!",
            name = { type = "string!", max_length = 180 },
            kind = { type = "string", enum = { "alert", "background", "badge", "update_check", "..." } },
            status = {
              type = "string",
              enum = {
                "draft", "scheduled", "queued", "sending", "sent", "paused", "failed", "cancelled", "...",
              },
            },
            audience = "object",
            payload = "object",
            scheduledAt = "string?",
          },
          open = true, undocumented = true, returns = "Campaign",
          example = { appId = "com.example.app", name = "Spring" },
        },
      },

      providers = {
        summary = "Push services of an app",
        list = {
          "GET /notifications/providers", "Lists the push services.",
          query = { app_id = "string!" }, paged = whole, items = "data", key = "id",
          undocumented = true, returns = "Provider[]", example = in_app,
        },
        set = {
          "PUT /notifications/providers", "Sets up the push service of one platform.",
          body = {
            appId = "string!",
            platform = { type = "string", enum = { "ios", "android" } },
            provider = { type = "string", enum = { "apns", "fcm", "..." } },
            status = { type = "string", enum = { "draft", "configured", "disabled", "error", "..." } },
            config = secret_object,
            secretRef = "string?",
          },
          open = true, undocumented = true, returns = "Provider",
          example = { appId = "com.example.app", platform = "android", status = "draft" },
        },
      },

      recipients = {
        summary = "People with devices",
        lookup = {
          "POST /notifications/recipients/lookup", "Lists the devices of one person.",
          body = {
            appId = "string!", externalId = "string", recipientKey = "string", limit = "integer",
          },
          open = true, read = true, repeatable = "safe", undocumented = true, returns = "Recipient",
          example = { appId = "com.example.app", externalId = "user-1" },
        },
        proof = {
          "POST /notifications/recipients/proof", "Makes the proof that a device registers with.",
          body = { appId = "string!", externalId = "string!" },
          read = true, repeatable = "safe", undocumented = true, returns = "RecipientProof",
          example = { appId = "com.example.app", externalId = "user-1" },
        },
      },
    },

    health = {
      summary = "The service itself; needs no key",
      ping = {
        "GET /ok", "Tells whether the service is up.",
        header = { capgo_api = api_version },
        auth = false, bucket = "", undocumented = true, returns = "Status",
      },
      ping_post = {
        "POST /ok", "The same by POST.",
        header = { capgo_api = api_version },
        auth = false, bucket = "", read = true, repeatable = "safe", undocumented = true, returns = "Status",
      },
    },
  },
}
