-- Edgegap: game servers in containers, started close to their players.
--
-- One host carries two API versions that a script needs together: deployments are made by v2 and
-- watched by v1. The paths below therefore start with their version, and the server has none.
-- The vendor's documents leave three things out that this definition adds: the word `token` before
-- the key, the limits (no answer names them, so they are kept on this side alone), and the states
-- of a deployment, which arrive as `Status.READY` or as bare words: only a part is compared.
-- Webhooks of deployments and relays are not signed; whoever needs proof puts a secret into the
-- URL, which is why webhook addresses count as secrets here.

local positive = { type = "integer", min = 1 }
local required_units = { type = "integer!", min = 100 }
local webhook_url = { type = "string", secret = true }
local minutes = { type = "integer", min = -1, max = 1440, default = "1440", doc = "minutes, -1 for no end" }
local grace = { type = "integer", min = 5, max = 3600, doc = "seconds between SIGTERM and SIGKILL" }
local ready_within = { type = "integer", min = 15, doc = "seconds a deployment may take to become ready" }
local no_unless_said = { type = "boolean", default = "false" }
local tag_name = { type = "string!", max_length = 40 }
local app_name = { type = "string", max_length = 64, doc = "at least 3 characters" }
local required_app_name = { type = "string!", max_length = 64, doc = "at least 3 characters" }
local version_name = { type = "string", max_length = 64 }
local filter_type = { type = "string!", enum = { "any", "all", "not" } }
local output_format = { type = "string", enum = { "TEXT", "NDJSON" }, default = "TEXT" }
local source_type = { type = "string", enum = { "File", "Folder" } }
local required_source_type = { type = "string!", enum = { "File", "Folder" } }
local restart_policy = { type = "string", enum = { "always", "never", "on_failure" }, default = "always" }
local private_username = { type = "string", secret = true }
local private_token = { type = "string", secret = true }
local secret_string = { type = "string", secret = true }
local required_secret = { type = "string!", secret = true }
local location_text = { type = "string", doc = "slashes between owner and name stay as they are" }
local log_storage = { type = "string", doc = "true, false or an endpoint storage" }

-- Lists page alike, but each has a name of its own for its items, and the manual's page on pagination calls
-- them `data` and their number `count`. Where the parameters of pages are not documented although the answer
-- has pages, they are left out here; walks through pages use them.
local page_query = { page = positive, limit = positive }
local slashes = { image_name = "slashes" }

-- Three lists take page and limit and do not promise to say how many there are or whether more follow (the
-- beacons' `count` may be that of one page): their end is a page that brings nothing new.
local until_nothing_new = { ends = "no_new", overlap = true, total = "total_count" }

local app = { app_name = "my-game" }
local version = { app_name = "my-game", version_name = "v1.0" }
local deployment = { deployment_id = "93924761ccde" }
local deployment_tag = { deployment_id = "93924761ccde", tag_name = "europe" }
local image = { image_name = "my-org/my-server" }
local relay = { session_id = "1a2b3c4d5e6f-S" }
local storage = { endpoint_name = "logs-eu" }
local profile = { endpoint_name = "logs-eu", pull_profile_name = "maps" }
local linked_profile = {
  endpoint_name = "logs-eu", pull_profile_name = "maps", app_name = "my-game", version_name = "v1.0",
}

return {
  name = "edgegap",
  title = "Edgegap",
  summary = "Game server orchestration: applications, deployments, relays, storage, private fleets",
  home = "https://docs.edgegap.com/docs/api",
  servers = { production = "https://api.edgegap.com" },
  auth = { header = "Authorization", prefix = "token ", env = { "EDGEGAP_API_TOKEN" } },
  accept = "application/json",
  -- v2 refuses a deployment with 422 and the request_id of what it left behind: err.data has it.
  errors = { message = { "message" }, details = { "details" } },
  limits = {
    buckets = {
      deploy = { "40/s" },
      status = { "20/s" },
      list = { "10/s" },
      hosts = { "10/s" },
    },
  },
  pages = {
    style = "page", page = "page", size = "limit", first = 1,
    has_next = "pagination.has_next", next = "pagination.next_page_number",
    pages = "pagination.paginator.num_pages", total = { "total_count", "count" },
  },
  legacy = "moonrest.definitions.edgegap_legacy",

  shapes = {
    Port = {
      port = { type = "integer!", min = 0, max = 59999 },
      protocol = { type = "string!", doc = "UDP, TCP, WS, HTTP ..." },
      to_check = { type = "boolean", default = "true" },
      tls_upgrade = { type = "boolean", default = "false", doc = "for WS and HTTP ports" },
      name = "string",
    },
    Variable = {
      key = "string!",
      value = { type = "string!", secret = true, doc = "up to 4 KB" },
      is_hidden = { type = "boolean", default = "false", doc = "the value cannot be read back" },
    },
    EnvironmentVariable = { key = "string!", value = required_secret, is_hidden = "boolean!" },
    Resources = { cpu_units = required_units, memory_mib = required_units },
    DeployUser = {
      user_type = { type = "string!", enum = { "ip_address", "geo_coordinates", "..." } },
      user_data = { type = "object!", doc = "{ ip_address } or { latitude, longitude }" },
    },
    Webhook = { url = required_secret },
    GeoAddress = { ip = "string!", latitude = "number!", longitude = "number!" },
    DeployFilter = { field = "string!", values = "string[]!", filter_type = filter_type },
    StopFilter = {
      field = { type = "string!", enum = { "request_id", "deployment_tags" } },
      values = "string[]!",
      filter_type = filter_type,
    },
    LogStorage = { enabled = "boolean!", endpoint_storage = "string!" },
    ListFilter = {
      field = {
        type = "string!", doc = "at most one filter for each field",
        enum = {
          "status", "application", "version", "tags", "request_id", "created_at", "fleet_name",
          "host_name", "...",
        },
      },
      operator = { type = "string!", enum = { "eq", "neq", "gte", "lte", "in", "nin", "ilike", "..." } },
      value = { type = "any!", doc = "a list for in and nin; status in lower case" },
    },
    ListOrder = {
      field = { type = "string!", enum = { "created_at", "available_session_sockets", "..." } },
      order = { type = "string!", enum = { "asc", "desc" } },
    },
    ListQuery = { filters = "ListFilter[]", order_by = "ListOrder[]" },
  },

  results = {
    Application = { "name", "is_active", "image", "create_time", "last_updated" },
    AppVersion = {
      "name", "req_cpu", "req_memory", "req_video", "docker_repository", "docker_image",
      "docker_tag", "private_username", "private_token", "is_active", "verify_image", "force_cache",
      "caching_percent", "time_to_deploy", "max_duration", "restart_policy",
      "termination_grace_period_seconds", "will_deploy_in_mainland_china", "dns_config", "ports",
      "envs", "endpoint_storage", "create_time", "last_updated",
      secret = { "private_username", "private_token", "value" }, -- value: of the variables in envs
    },
    VersionChange = {
      "success", "version", "message", secret = { "private_username", "private_token", "value" },
    },
    ImageTag = { "tag", "last_push_at", "artifact" },
    DeletedImageTag = { "artifact", "deleted_tag" },
    DeletedImageTags = { "results", "summary" },
    DeploymentTag = { "name", "create_time", "last_updated" },
    DeploymentStatus = {
      "request_id", "fqdn", "public_ip", "app_name", "app_version", "current_status", "running",
      "error", "error_detail", "last_status", "start_time", "removal_time", "elapsed_time",
      "max_duration", "ports", "location", "tags", "command", "arguments",
    },
    DeploymentRow = {
      "request_id", "fqdn", "ready", "start_time", "public_ip", "ports", "tags", "status",
      "application", "version",
    },
    Stopping = { "message", "deployment_summary" },
    BulkStopping = { "processable" },
    ContainerLogs = { "logs", "crash_logs", "crash_data", "encoding", "logs_link" },
    Metrics = { "total", "cpu", "cpu_throttle_rate", "cpu_throttle_total", "mem", "network" },
    Requested = { "request_id" },
    RequestedV1 = {
      "request_id", "request_dns", "request_app", "request_version", "request_user_count",
      "filters", "tags", "container_log_storage",
    },
    Joinable = { "is_joinable_by_session" },
    Location = {
      "city", "country", "continent", "administrative_division", "timezone", "latitude", "longitude",
    },
    Beacon = { "host", "fqdn", "udp_port", "tcp_port", "location" },
    RelaySession = {
      "session_id", "status", "ready", "linked", "error", "authorization_token", "session_users",
      "relay", "webhook_url", secret = { "authorization_token", "webhook_url" },
    },
    RelayUser = {
      "session_id", "status", "ready", "linked", "error", "authorization_token", "session_user",
      "relay", "webhook_url", secret = { "authorization_token", "webhook_url" },
    },
    PullProfile = { "name", "source", "source_type", "destination", "create_time", "last_updated" },
    PullProfileLink = {
      "app", "app_version", "endpoint", "pull_profile", "create_time", "last_updated",
    },
    EndpointStorage = {
      "name", "access_key_id", "endpoint", "bucket", "output_format", "create_time", "last_updated",
    },
    Host = {
      "host_id", "status", "ip_address", "latitude", "longitude", "city", "country", "continent",
      "allocated_cpu_units", "allocated_memory_mb", "allocatable_cpu_units",
      "allocatable_memory_mb", "beacon", "created_at", "updated_at", "centroid", "delete_schedule",
      "fleet_host_specifications",
    },
    RegistryCredentials = {
      "registry_url", "project", "username", "token", secret = { "username", "token" },
    },
  },

  resources = {
    apps = {
      summary = "Applications: the games, each with versions",
      list = {
        "GET /v1/apps", "Lists the applications of the organization.",
        query = page_query, paged = true, items = { "applications", "data" }, key = "name",
        returns = "Application[]",
      },
      create = {
        "POST /v1/app", "Makes an application, still without a version.",
        body = {
          name = required_app_name,
          is_active = "boolean!",
          image = { type = "string!", doc = "icon, base64" },
        },
        returns = "Application",
        example = { name = "my-game", is_active = true, image = "iVBORw0KGgo=" },
      },
      get = {
        "GET /v1/app/{app_name}", "Shows one application.", returns = "Application", example = app,
      },
      -- A new name moves the application: a second attempt then finds nothing under the old one.
      update = {
        "PATCH /v1/app/{app_name}", "Renames, switches on or off, or redecorates an application.",
        body = { name = app_name, is_active = "boolean", image = "string" },
        repeatable = "idempotent", returns = "Application",
        example = { app_name = "my-game", is_active = false },
      },
      delete = {
        "DELETE /v1/app/{app_name}", "Deletes an application and all of its versions.",
        returns = "nothing", confirm = "deletes the application with every version of it",
        example = app,
      },
    },

    versions = {
      summary = "Versions of an application: image, resources, ports, variables",
      list = {
        "GET /v1/app/{app_name}/versions", "Lists the versions of one application.",
        paged = true, items = { "versions", "data" }, key = "name",
        returns = "AppVersion[]", example = app,
      },
      create = {
        "POST /v1/app/{app_name}/version", "Makes a version; with verify_image the image is looked up.",
        body = {
          name = { type = "string!", max_length = 64 },
          req_cpu = { type = "integer!", min = 100, doc = "1024 units are one virtual CPU" },
          req_memory = { type = "integer!", min = 100, doc = "MB, at most twice the CPU units" },
          req_video = { type = "integer", min = 0, doc = "1024 units are one GPU" },
          docker_repository = "string!",
          docker_image = { type = "string!", doc = location_text.doc },
          docker_tag = "string!",
          private_username = private_username,
          private_token = private_token,
          is_active = { type = "boolean", default = "true" },
          verify_image = no_unless_said,
          force_cache = "boolean",
          time_to_deploy = ready_within,
          max_duration = minutes,
          restart_policy = restart_policy,
          termination_grace_period_seconds = grace,
          will_deploy_in_mainland_china = no_unless_said,
          dns_config = "string",
          ports = "Port[]",
          envs = "Variable[]",
          endpoint_storage = "string",
        },
        failure = { field = "success", equals = false, message = "message" },
        returns = "VersionChange",
        example = {
          app_name = "my-game", name = "v1.0", req_cpu = 256, req_memory = 512,
          docker_repository = "registry.example.com", docker_image = "my-org/my-server",
          docker_tag = "1.0.0", ports = { { port = 7777, protocol = "UDP", name = "gameport" } },
        },
      },
      get = {
        "GET /v1/app/{app_name}/version/{version_name}", "Shows one version.",
        returns = "AppVersion", example = version,
      },
      update = {
        "PATCH /v1/app/{app_name}/version/{version_name}", "Changes a version; deployments keep theirs.",
        body = {
          name = version_name,
          is_active = "boolean",
          docker_repository = "string",
          private_username = private_username,
          private_token = private_token,
          docker_image = location_text,
          docker_tag = "string",
          verify_image = "boolean",
          force_cache = "boolean",
          time_to_deploy = ready_within,
          max_duration = minutes,
          restart_policy = restart_policy,
          termination_grace_period_seconds = grace,
          will_deploy_in_mainland_china = "boolean",
          dns_config = "string",
          ports = "Port[]",
          envs = "Variable[]",
          endpoint_storage = "string",
        },
        failure = { field = "success", equals = false, message = "message" },
        repeatable = "idempotent", returns = "VersionChange",
        example = { app_name = "my-game", version_name = "v1.0", is_active = false },
      },
      delete = {
        "DELETE /v1/app/{app_name}/version/{version_name}", "Deletes one version.",
        failure = { field = "success", equals = false, message = "message" },
        returns = "VersionChange", example = version,
      },
    },

    registry = {
      summary = "Image tags in Edgegap's own container registry",
      list_tags = {
        "GET /v1/container-registry/images/{image_name}/tags", "Lists the tags of an image.",
        path = slashes, query = page_query, paged = until_nothing_new, items = "data", key = "tag",
        returns = "ImageTag[]", example = image,
      },
      delete_tag = {
        "DELETE /v1/container-registry/images/{image_name}/tags/{tag_name}",
        "Deletes one tag and the image behind it.",
        path = slashes, returns = "DeletedImageTag",
        example = { image_name = "my-org/my-server", tag_name = "1.0.0" },
      },
      bulk_delete_tags = {
        "POST /v1/container-registry/images/{image_name}/tags/bulk-delete",
        "Deletes several tags and reports on each.",
        path = slashes, body = { tags = "string[]!" }, repeatable = "idempotent",
        partial = { items = "results", ok = { field = "status", equals = 204 } },
        returns = "DeletedImageTags",
        example = { image_name = "my-org/my-server", tags = { "1.0.0", "1.0.1" } },
      },
    },

    deployment_tags = {
      summary = "Tags of a running deployment",
      list = {
        "GET /v1/deployments/{deployment_id}/tags", "Lists the tags of a deployment.",
        query = page_query, paged = true, items = { "tags", "data" }, key = "name",
        returns = "DeploymentTag[]", example = deployment,
      },
      create = {
        "POST /v1/deployments/{deployment_id}/tags", "Puts a tag on a deployment.",
        body = { name = tag_name }, returns = "DeploymentTag",
        example = { deployment_id = "93924761ccde", name = "europe" },
      },
      get = {
        "GET /v1/deployments/{deployment_id}/tags/{tag_name}", "Shows one tag of a deployment.",
        returns = "DeploymentTag", example = deployment_tag,
      },
      update = {
        "PATCH /v1/deployments/{deployment_id}/tags/{tag_name}", "Renames a tag of a deployment.",
        body = { name = tag_name }, repeatable = "idempotent", returns = "DeploymentTag",
        example = { deployment_id = "93924761ccde", tag_name = "europe", name = "eu-west" },
      },
      delete = {
        "DELETE /v1/deployments/{deployment_id}/tags/{tag_name}", "Takes a tag off a deployment.",
        returns = "nothing", example = deployment_tag,
      },
    },

    deployments = {
      summary = "Running servers: start, watch, stop, read logs",
      list = {
        "GET /v1/deployments", "Lists deployments; rows carry ready, not the full status.",
        query = {
          query = { type = "ListQuery", encode = "json", doc = "filters and order" },
          page = positive, limit = positive,
        },
        paged = true, items = "data", key = "request_id", bucket = "list",
        returns = "DeploymentRow[]",
        example = {
          query = {
            filters = { { field = "status", operator = "eq", value = "ready" } },
            order_by = { { field = "created_at", order = "desc" } },
          },
        },
      },
      -- Accepted at once; what became of it is asked of get, which is still v1.
      create = {
        "POST /v2/deployments", "Starts a server near the given users; returns its request_id.",
        body = {
          application = "string!",
          version = "string!",
          users = "DeployUser[]!",
          resources = "Resources",
          require_cached_locations = { type = "boolean?", default = "false" },
          environment_variables = "EnvironmentVariable[]",
          tags = "string[]",
          webhook_on_ready = "Webhook",
          webhook_on_error = "Webhook",
          webhook_on_terminated = "Webhook",
        },
        bucket = "deploy", returns = "Requested",
        example = {
          application = "my-game", version = "v1.0", tags = { "europe" },
          users = {
            { user_type = "geo_coordinates", user_data = { latitude = 50.85, longitude = 4.35 } },
          },
        },
      },
      create_v1 = {
        "POST /v1/deploy", "Starts a server the older way, by addresses.",
        body = {
          app_name = "string!",
          version_name = { type = "string", doc = "the newest without it" },
          ip_list = { type = "string[]", doc = "the players; instead of geo_ip_list" },
          geo_ip_list = { type = "GeoAddress[]", doc = "the players; instead of ip_list" },
          filters = "DeployFilter[]",
          env_vars = "Variable[]",
          tags = "string[]",
          webhook_url = webhook_url,
          container_log_storage = "LogStorage",
          command = "string?",
          arguments = "string?",
        },
        bucket = "deploy", deprecated = "use deployments:create", returns = "RequestedV1",
        example = { app_name = "my-game", version_name = "v1.0", ip_list = { "203.0.113.7" } },
      },
      get = {
        "GET /v1/status/{deployment_id}", "Shows state, address, ports and place of a deployment.",
        bucket = "status", returns = "DeploymentStatus", example = deployment,
      },
      update = {
        "PATCH /v1/deployments/{request_id}", "Opens or closes a deployment for sessions.",
        body = { is_joinable_by_session = "boolean" },
        repeatable = "idempotent", deprecated = true, returns = "Joinable",
        example = { request_id = "93924761ccde", is_joinable_by_session = false },
      },
      stop = {
        "DELETE /v1/stop/{deployment_id}", "Stops a deployment, now or as soon as it can.",
        query = { container_log_storage = log_storage },
        returns = "Stopping", example = deployment,
      },
      bulk_stop = {
        "POST /v1/deployments/bulk-stop", "Stops every deployment that fits the filters.",
        body = { filters = "StopFilter[]!" }, repeatable = "idempotent",
        confirm = { empty = "filters", why = "may stop every deployment of the organization" },
        returns = "BulkStopping",
        example = {
          filters = { { field = "request_id", values = { "93924761ccde" }, filter_type = "any" } },
        },
      },
      -- For use inside a container: the token is the one injected there, not the organization's.
      self_stop = {
        "DELETE /v1/self/stop/{deployment_id}/{stop_key}", "Lets a server stop itself from inside.",
        path = { stop_key = required_secret },
        query = { container_log_storage = log_storage },
        header = { authorization = required_secret }, auth = false,
        returns = "Stopping",
        example = {
          deployment_id = "93924761ccde", stop_key = "4a1b2c3d", authorization = "in-container-token",
        },
      },
      logs = {
        "GET /v1/deployment/{deployment_id}/container-logs", "Reads a deployment's whole log.",
        query = { format = { type = "string", enum = { "text", "ndjson" }, doc = "undocumented" } },
        returns = "ContainerLogs", example = deployment,
      },
      metrics = {
        "GET /v1/metrics/deployment/{deployment_id}", "Reads processor, memory and network use.",
        query = {
          start_time = { type = "string", doc = "date and time; without it, when the deployment began" },
          end_time = { type = "string", doc = "date and time; without it, when the deployment ended" },
          steps = { type = "string", doc = "time between two values: 30s, 5m, 1h" },
          raw = no_unless_said,
        },
        returns = "Metrics", example = deployment,
      },
      report = {
        "POST /v1/deployments/{deployment_id}:report", "Reports a misbehaving deployment.",
        body = { reason = { type = "string!", max_length = 255 }, metadata = "object" },
        returns = "nothing",
        example = { deployment_id = "93924761ccde", reason = "players are dropped" },
      },
      waiters = {
        ready = {
          poll = "get", argument = "request_id", delay = 2, factor = 1.5, max_delay = 10, timeout = 180,
          accept = {
            { field = "error", equals = true, state = "failure" },
            { field = "current_status", matches = "ERROR", state = "failure" },
            { field = "current_status", matches = "TERMINATED", state = "failure" },
            { field = "running", equals = true, state = "success" },
            { field = "current_status", matches = "READY", state = "success" },
          },
        },
        terminated = {
          poll = "get", argument = "request_id", delay = 2, factor = 1.5, max_delay = 10, timeout = 180,
          accept = {
            { status = 404, state = "success" },
            { status = 410, state = "success" },
            { field = "current_status", matches = "TERMINATED", state = "success" },
          },
        },
      },
    },

    locations = {
      summary = "Places where servers can run",
      list = {
        "GET /v1/locations", "Lists locations, all or those an application version can use.",
        query = { app = "string", version = "string", page = positive, limit = positive },
        paged = true, items = { "locations", "data" }, returns = "Location[]",
      },
    },

    beacons = {
      summary = "Hosts for measuring a player's latency to the locations",
      list = {
        "GET /v1/locations/beacons", "Lists the latency beacons.",
        query = page_query, paged = until_nothing_new, items = { "locations", "data" }, key = "host",
        returns = "Beacon[]",
      },
    },

    relays = {
      summary = "Relay sessions: players connected without a server of their own",
      list = {
        "GET /v1/relays/sessions", "Lists the relay sessions.",
        paged = true, items = { "sessions", "data" }, key = "session_id",
        returns = "RelaySession[]",
      },
      create = {
        "POST /v1/relays/sessions", "Makes a relay session for the given users.",
        body = {
          users = { type = "any[]!", doc = "{ { ip = address }, ... }, one at least" },
          filters = "any[]",
          webhook_url = webhook_url,
        },
        returns = "RelaySession",
        example = { users = { { ip = "203.0.113.7" }, { ip = "203.0.113.8" } } },
      },
      get = {
        "GET /v1/relays/sessions/{session_id}", "Shows one relay session.",
        returns = "RelaySession", example = relay,
      },
      delete = {
        "DELETE /v1/relays/sessions/{session_id}", "Ends a relay session.",
        returns = "nothing", example = relay,
      },
      authorize_user = {
        "POST /v1/relays/sessions:authorize-user", "Adds one user to a relay session.",
        body = { session_id = "string!", user_ip = "string!" }, returns = "RelayUser",
        example = { session_id = "1a2b3c4d5e6f-S", user_ip = "203.0.113.9" },
      },
      revoke_user = {
        "POST /v1/relays/sessions:revoke-user", "Takes one user out of a relay session.",
        body = {
          session_id = "string!", authorization_token = { type = "integer!", secret = true },
        },
        repeatable = "gone", returns = "RelaySession",
        example = { session_id = "1a2b3c4d5e6f-S", authorization_token = 4026531841 },
      },
      waiters = {
        ready = {
          poll = "get", argument = "session_id", delay = 2, factor = 1.5, max_delay = 10, timeout = 120,
          accept = {
            { field = "ready", equals = true, state = "success" },
            { field = "status", matches = "error", state = "failure" },
            { field = "status", matches = "unprocessable", state = "failure" },
          },
        },
      },
    },

    pull_profiles = {
      summary = "What a deployment pulls from an endpoint storage before it starts",
      list = {
        "GET /v1/storage/endpoint/{endpoint_name}/pull-profiles", "Lists a storage's pull profiles.",
        query = page_query, paged = true, items = { "pull_profiles", "data" }, key = "name",
        returns = "PullProfile[]", example = storage,
      },
      create = {
        "POST /v1/storage/endpoint/{endpoint_name}/pull-profile", "Makes a pull profile.",
        body = {
          name = "string!", source = "string!", source_type = required_source_type,
          destination = "string!",
        },
        returns = "PullProfile",
        example = {
          endpoint_name = "logs-eu", name = "maps", source = "maps/", source_type = "Folder",
          destination = "/game/maps",
        },
      },
      get = {
        "GET /v1/storage/endpoint/{endpoint_name}/pull-profile/{pull_profile_name}",
        "Shows one pull profile.", returns = "PullProfile", example = profile,
      },
      -- The vendor describes no body at all: the fields are those of create.
      update = {
        "PATCH /v1/storage/endpoint/{endpoint_name}/pull-profile/{pull_profile_name}",
        "Changes a pull profile.",
        body = {
          name = "string", source = "string", source_type = source_type, destination = "string",
        },
        open = true, repeatable = "idempotent", returns = "PullProfile",
        example = { endpoint_name = "logs-eu", pull_profile_name = "maps", destination = "/maps" },
      },
      delete = {
        "DELETE /v1/storage/endpoint/{endpoint_name}/pull-profile/{pull_profile_name}",
        "Deletes a pull profile.", returns = "nothing", example = profile,
      },
      link = {
        "PUT /v1/storage/endpoint/{endpoint_name}/pull-profile/{pull_profile_name}"
          .. "/app/{app_name}/version/{version_name}",
        "Makes an application version use a pull profile.",
        returns = "PullProfileLink", example = linked_profile,
      },
      unlink = {
        "DELETE /v1/storage/endpoint/{endpoint_name}/pull-profile/{pull_profile_name}"
          .. "/app/{app_name}/version/{version_name}",
        "Ends an application version's use of a pull profile.",
        returns = "nothing", example = linked_profile,
      },
    },

    storages = {
      summary = "Endpoint storages: your own S3 buckets for logs and files",
      -- Its paging is not described beyond the name of the field.
      list = {
        "GET /v1/storage/endpoints", "Lists the endpoint storages.",
        query = page_query, header = { ["X-Fields"] = { type = "string", doc = "field mask" } },
        paged = until_nothing_new, items = { "endpoints", "data" }, key = "name",
        returns = "EndpointStorage[]",
      },
      create = {
        "POST /v1/storage/endpoint", "Makes an endpoint storage out of a bucket and its keys.",
        body = {
          name = "string!", access_key_id = "string!", secret_access_key = required_secret,
          endpoint = "string!", bucket = "string!", output_format = output_format,
        },
        returns = "EndpointStorage",
        example = {
          name = "logs-eu", access_key_id = "AKEXAMPLE", secret_access_key = "example-secret",
          endpoint = "https://s3.example.com", bucket = "game-logs",
        },
      },
      get = {
        "GET /v1/storage/endpoint/{endpoint_name}", "Shows one endpoint storage.",
        returns = "EndpointStorage", example = storage,
      },
      update = {
        "PATCH /v1/storage/endpoint/{endpoint_name}", "Changes an endpoint storage.",
        body = {
          name = "string", access_key_id = "string", secret_access_key = secret_string,
          endpoint = "string", bucket = "string", output_format = output_format,
        },
        repeatable = "idempotent", returns = "EndpointStorage",
        example = { endpoint_name = "logs-eu", bucket = "game-logs-2" },
      },
      delete = {
        "DELETE /v1/storage/endpoint/{endpoint_name}", "Deletes an endpoint storage, not the bucket.",
        returns = "nothing", example = storage,
      },
    },

    private_fleets = {
      summary = "Hosts of your own, and deployments on them",
      hosts = {
        "GET /v2/private-fleets/{fleet-name}/hosts", "Lists the hosts of a private fleet.",
        paged = true, items = "data", key = "host_id", bucket = "hosts",
        returns = "Host[]", example = { fleet_name = "my-fleet" },
      },
      deploy = {
        "POST /v2/private-fleets/deployments",
        "Starts a server on a host of a private fleet, or in the cloud when they are full.",
        body = {
          private_host_ids = { type = "string[]!", doc = "tried in this order" },
          application = "string!",
          version = "string!",
          users = "DeployUser[]!",
          resources = "Resources",
          require_cached_locations = { type = "boolean?", default = "false" },
          environment_variables = "EnvironmentVariable[]",
          tags = "string[]",
          webhook_on_ready = "Webhook",
          webhook_on_error = "Webhook",
          webhook_on_terminated = "Webhook",
        },
        bucket = "deploy", returns = "Requested",
        example = {
          private_host_ids = { "host-1" }, application = "my-game", version = "v1.0",
          users = { { user_type = "ip_address", user_data = { ip_address = "203.0.113.7" } } },
        },
      },
    },

    wizard = {
      summary = "What the vendor's own set-up tools call",
      registry_credentials = {
        "GET /v1/wizard/registry-credentials", "Reads the login for the container registry.",
        undocumented = true, returns = "RegistryCredentials",
      },
      init_quick_start = {
        "POST /v1/wizard/init-quick-start", "Prepares the account for a first deployment.",
        body = { source = "string" }, undocumented = true, repeatable = "idempotent",
        returns = "nothing", example = { source = "moonrest" },
      },
    },
  },
}
