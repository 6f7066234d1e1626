-- A definition to copy: the generic "yourcompany" API, which the starter kit of a well-known
-- documentation host describes and which many real APIs resemble. It works as it stands
-- (moonrest.open "template"); to describe an API of your own, copy this file to my_api.lua, change
-- what differs, delete what your API does not have, and open it with
--
--     local mine = moonrest.open(require "my_api")
--
-- A definition is one plain table: data, no code. It is checked when it is opened, and a message
-- about a mistake names the field ("resources.jobs.list.query.page: ..."). Local variables
-- like the following keep repeated parts short; sharing a table between operations is safe.

-- A parameter's type is a word: string, integer, number, boolean, object, array, any, or the name
-- of a shape (see `shapes`). "string[]" is a list, a final ! means required, a final ? means that
-- null is allowed (moonrest.null clears the field). A table says more:
--   type      the word                      min, max     bounds of a number
--   enum      the values that are allowed   max_length   characters of a text, at most
--   doc       a few words for moonrest.help  default      what the server assumes: shown, never sent
--   secret    true: never shown             wire         the name in the request, if Lua's is another
--   encode    "json": a table is sent as a JSON text
-- A plain list is an enum: { "asc", "desc" }. A last "..." lets other values pass as well.
local page = { type = "integer", min = 1, default = "1" }
local per_page = { type = "integer", min = 1, max = 100, default = "20" }
local order = { "asc", "desc" }

local list_query = { page = page, per_page = per_page, sort = "string", order = order }
local by_id = { id = "123" }

return {
  -- Required: a Lua identifier. It stands in messages ("template.resources:list: ...").
  name = "template",

  -- For people: moonrest.help prints them.
  title = "yourcompany",
  summary = "The generic API to copy: resources, projects, users, jobs and more",
  home = "https://docs.yourcompany.com",

  -- Required: base URLs by name. Every operation's path is appended to one of them. Names in braces
  -- are variables, set by open { version = "v2" }. The caller chooses with
  -- open { server = "staging" }; base_url = "http://127.0.0.1:8080" replaces them all.
  servers = {
    production = "https://api.yourcompany.com/{version}",
    staging = "https://api-staging.yourcompany.com/{version}",
    sandbox = "https://api-sandbox.yourcompany.com/{version}",
  },
  default_server = "production", -- required when there is more than one
  variables = {
    version = { default = "v1", enum = { "v1", "v2" }, doc = "v2 is a beta and may change" },
  },

  -- Where the credential goes: a header (Authorization when none is named; or query = "key") and what
  -- stands before it, added only when it is missing ("" for a bare key). `env` lists environment
  -- variables in which a credential is looked for when the caller gives none; such a found one only
  -- ever goes to the servers above.
  -- scheme = "basic" takes open { username =, password = } instead.
  auth = { header = "Authorization", prefix = "Bearer ", env = { "YOURCOMPANY_API_KEY" } },

  -- What is asked for. Further fields of every request would be headers = { ["X-Name"] = "value" };
  -- Content-Type belongs to bodies and is set with them.
  accept = "application/json",

  -- A parameter that nearly every operation needs, such as an organization in the path, is said
  -- once to open:
  --   tenant = { org_id = { parameter = "orgId", doc = "..." } },
  -- Where answers carry the server's own name for a request, which then stands in err.request_id:
  --   trace = "X-Request-Id",          or { body = "meta.requestId" }
  -- A header that makes repeating a POST harmless:
  --   retry = { idempotency_header = "Idempotency-Key" },
  -- An environment variable that may replace the base URL, where open is given neither it nor a server:
  --   server_env = "YOURCOMPANY_API_URL",
  -- A module with operations that are loaded only by open { legacy = true }:
  --   legacy = "my_api_legacy",

  -- The wrapping of every good answer: calls return what stands under `data`; `meta` is
  -- response.meta. Here a 200 may still say that it failed, so `success` is looked at as well.
  envelope = {
    data = "data",
    meta = "meta",
    success = { field = "status", equals = "success" },
  },

  -- Where an error says what. A path goes into objects by dots and into lists by [1]; of several
  -- the first that is present counts. `final` names codes of 429 answers that waiting will not cure,
  -- `gone` those that tell a second DELETE that there is nothing left, where it is not a 404;
  -- `codes` gives single codes a meaning.
  errors = {
    code = { "error.code" },
    message = { "error.message", "message" },
    details = { "error.details" },
    retry_after = { "error.retry_after" }, -- seconds
  },

  -- Limits that the client keeps by itself, before the server has to refuse. A bucket is a list of
  -- windows ("40/s", "100/min", "1000/h", "10000/d"), all of which hold at once, or such lists by
  -- plan; an empty list is no limit. The caller says open { plan = "pro" }; the lowest plan is
  -- assumed otherwise. What the server says in X-RateLimit fields and Retry-After is obeyed besides.
  -- `per = { "app_id" }` in a bucket makes one bucket for each value of that parameter.
  limits = {
    default = "account", -- of operations that name none
    plans = { "free", "pro", "enterprise" },
    default_plan = "free",
    unlimited_servers = { "sandbox" },
    buckets = {
      account = { free = { "100/h" }, pro = { "1000/h" }, enterprise = { "10000/h" } },
    },
  },

  -- The standard's header fields Deprecation and Sunset are known, and told as an event. Where an API has fields of its
  -- own: `headers` are those whose presence says that an operation is going away, the others name what more is told.
  --   deprecation = { headers = { "X-Deprecated" }, since = "X-Deprecated-Since", ends = "X-Removed-On",
  --     ends_in_version = "X-Removed-In", use_version = "X-Use-Version", use = "X-Other", message = "X-Warning" },

  -- How lists come in pages; operations with `paged = true` use it, `paged = { ... }` changes
  -- single fields. Styles: page, offset, cursor, link, url, single. Name every sign of the end that
  -- the server gives (has_next, pages, total); an answer without any is an error, not an end,
  -- unless `ends` says what counts: "short", "empty", "no_new" or "missing". Where the end is an error, it is named
  -- by its code: end_errors = { no_more = 404 }, or, where the same code means other things as well,
  --   { no_more = { status = 400, message = "No more rows", absent = "error.cause" } }: nothing stands in that place.
  pages = {
    style = "page", page = "page", size = "per_page", first = 1,
    has_next = "meta.has_next", pages = "meta.total_pages", total = "meta.total_items",
    max_size = 100,
  },

  -- For webhooks that the API sends: where the signature is and how it is made. The encoding is not
  -- documented here; hexadecimal is the usual one.
  webhooks = { header = "X-Signature", scheme = "sha256-hex" },

  -- Named shapes for nested parameters. Unknown fields in them are refused, as in operations.
  shapes = {
    Config = { timeout = { type = "integer", min = 0, doc = "seconds" } },
  },

  -- What operations return: field names, for moonrest.help and for redaction. Fields in `secret`
  -- are never shown in messages, logs or traces.
  results = {
    Resource = { "id", "name", "type", "status", "config", "created_at", "updated_at" },
    Item = { "id", "name", "status", "created_at", "updated_at" },
    ApiKey = { "id", "name", "key", "created_at", secret = { "key" } },
    Webhook = { "id", "url", "events", "secret", "created_at", secret = { "secret" } },
  },

  -- Required: resources, each a table of operations; resources may stand within resources. A
  -- `summary` is for people.
  resources = {
    resources = {
      summary = "The main objects of the account",

      -- An operation begins with method and path, and a line that says what it does. Names in
      -- braces are path parameters: mine.resources:get "123" or mine.resources:get { id = "123" }.
      --   query, header, body   its parameters, by place
      --   paged                 it is a list: :each, :pages and :all work on it
      --   items, key            where the list is, if not under `data`; what tells items apart
      --   returns               a name out of `results`, with [] for a list, or a word: nothing,
      --                         object, text, file (streams to options.to), events (has :stream)
      --   example               valid arguments; required when a parameter is required
      -- and, where they are needed:
      --   path = { name = "slashes" }   a path parameter in which / stays as it is
      --   body_type                     json (the default), form, multipart, raw
      --   bucket                        the limit it counts against, or a list of them
      --   secret                        names of parameters and result fields that are not shown
      --   deprecated                    true, or what to use instead
      --   open = true                   names that stand nowhere here are sent as well, in the query
      --                                 of a GET, else in the body; here any field filters
      --   read = true                   a POST that only reads: read_only clients may call it
      --   auth = false                  sent without the credential
      --   timeout                       seconds, where the usual 60 are wrong
      --   server                        another of the servers above, by name
      --   failure, partial              a 2xx that tells of an error, or of failed items
      --   envelope, errors              instead of the definition's
      list = {
        "GET /resources", "Lists resources, filtered and sorted.",
        query = {
          page = page, per_page = per_page, sort = "string", order = order,
          status = "string", type = "string",
        },
        open = true, paged = true, key = "id", returns = "Resource[]",
        example = { status = "active", sort = "name", order = "asc" },
      },
      create = {
        "POST /resources", "Makes a resource.",
        body = { name = "string!", type = "string", config = "Config" },
        returns = "Resource",
        example = { name = "my-resource", type = "processor", config = { timeout = 30 } },
      },
      get = {
        "GET /resources/{id}", "Shows one resource.", returns = "Resource", example = by_id,
      },
      -- `repeatable` says whether a call whose fate is unknown may be sent again: safe (it only
      -- reads), idempotent (the second changes nothing), gone (the second answers 404, which
      -- counts as success), never. Left out, the method decides: GET is safe, PUT idempotent,
      -- DELETE gone, POST and PATCH never.
      update = {
        "PUT /resources/{id}", "Changes a resource; the fields left out stay.",
        body = { name = "string", type = "string", config = "Config" },
        returns = "Resource", example = { id = "123", name = "updated-resource" },
      },
      -- An operation that does great harm can demand options.confirm = true:
      --   confirm = "deletes the account and everything in it",
      delete = {
        "DELETE /resources/{id}", "Deletes a resource.", returns = "nothing", example = by_id,
      },

      -- Something slow can be waited for: mine.jobs:wait(id, "done") polls an operation until one of
      -- the conditions holds. This API does not document the states of its jobs; with states it
      -- would read
      --   waiters = { done = { poll = "get", argument = "id", delay = 2, max_delay = 15, timeout = 600,
      --     accept = { { field = "status", equals = "finished", state = "success" },
      --                { field = "status", equals = "failed", state = "failure" } } } },
    },

    -- The resources below are only named by the documentation, so their routes are the conventional
    -- ones: `assumed = true` says so in moonrest.help, and with `open = true` every field passes.
    projects = {
      summary = "Projects",
      list = {
        "GET /projects", "Lists the projects.",
        query = list_query, open = true, paged = true, key = "id", assumed = true, returns = "Item[]",
      },
      create = {
        "POST /projects", "Makes a project.", body = { name = "string" }, open = true, assumed = true,
        returns = "Item", example = { name = "my-project" },
      },
      get = {
        "GET /projects/{id}", "Shows one project.", assumed = true, returns = "Item", example = by_id,
      },
      update = {
        "PUT /projects/{id}", "Changes a project.", body = { name = "string" }, open = true, assumed = true,
        returns = "Item", example = { id = "123", name = "other-project" },
      },
      delete = {
        "DELETE /projects/{id}", "Deletes a project.", assumed = true, returns = "nothing", example = by_id,
      },
    },

    users = {
      summary = "Users",
      list = {
        "GET /users", "Lists the users.",
        query = list_query, open = true, paged = true, key = "id", assumed = true, returns = "Item[]",
      },
      create = {
        "POST /users", "Adds a user.", body = { name = "string", email = "string" }, open = true,
        assumed = true, returns = "Item", example = { name = "Ada", email = "ada@example.com" },
      },
      get = {
        "GET /users/{id}", "Shows one user.", assumed = true, returns = "Item", example = by_id,
      },
      update = {
        "PUT /users/{id}", "Changes a user.", body = { name = "string" }, open = true, assumed = true,
        returns = "Item", example = { id = "123", name = "Ada L." },
      },
      delete = {
        "DELETE /users/{id}", "Removes a user.", assumed = true, returns = "nothing", example = by_id,
      },
    },

    jobs = {
      summary = "Work that runs in the background",
      list = {
        "GET /jobs", "Lists the jobs.",
        query = list_query, open = true, paged = true, key = "id", assumed = true, returns = "Item[]",
      },
      create = {
        "POST /jobs", "Starts a job.", body = { name = "string" }, open = true, assumed = true,
        returns = "Item", example = { name = "my-job" },
      },
      get = {
        "GET /jobs/{id}", "Shows one job.", assumed = true, returns = "Item", example = by_id,
      },
      update = {
        "PUT /jobs/{id}", "Changes a job.", body = { name = "string" }, open = true, assumed = true,
        returns = "Item", example = { id = "123", name = "other-job" },
      },
      delete = {
        "DELETE /jobs/{id}", "Deletes a job.", assumed = true, returns = "nothing", example = by_id,
      },
    },

    tasks = {
      summary = "Tasks",
      list = {
        "GET /tasks", "Lists the tasks.",
        query = list_query, open = true, paged = true, key = "id", assumed = true, returns = "Item[]",
      },
      create = {
        "POST /tasks", "Makes a task.", body = { name = "string" }, open = true, assumed = true,
        returns = "Item", example = { name = "my-task" },
      },
      get = {
        "GET /tasks/{id}", "Shows one task.", assumed = true, returns = "Item", example = by_id,
      },
      update = {
        "PUT /tasks/{id}", "Changes a task.", body = { name = "string" }, open = true, assumed = true,
        returns = "Item", example = { id = "123", name = "other-task" },
      },
      delete = {
        "DELETE /tasks/{id}", "Deletes a task.", assumed = true, returns = "nothing", example = by_id,
      },
    },

    logs = {
      summary = "Log entries",
      list = {
        "GET /logs", "Lists the log entries.",
        query = list_query, open = true, paged = true, key = "id", assumed = true, returns = "Item[]",
      },
      create = {
        "POST /logs", "Writes a log entry.", body = { name = "string" }, open = true, assumed = true,
        returns = "Item", example = { name = "my-entry" },
      },
      get = {
        "GET /logs/{id}", "Shows one log entry.", assumed = true, returns = "Item", example = by_id,
      },
      update = {
        "PUT /logs/{id}", "Changes a log entry.", body = { name = "string" }, open = true, assumed = true,
        returns = "Item", example = { id = "123", name = "other-entry" },
      },
      delete = {
        "DELETE /logs/{id}", "Deletes a log entry.", assumed = true, returns = "nothing", example = by_id,
      },
    },

    api_keys = {
      summary = "API keys",
      list = {
        "GET /api_keys", "Lists the API keys.",
        query = list_query, open = true, paged = true, key = "id", assumed = true, returns = "ApiKey[]",
      },
      create = {
        "POST /api_keys", "Makes an API key.", body = { name = "string" }, open = true, assumed = true,
        returns = "ApiKey", example = { name = "nightly-report" },
      },
      get = {
        "GET /api_keys/{id}", "Shows one API key.", assumed = true, returns = "ApiKey", example = by_id,
      },
      update = {
        "PUT /api_keys/{id}", "Changes an API key.", body = { name = "string" }, open = true, assumed = true,
        returns = "ApiKey", example = { id = "123", name = "weekly-report" },
      },
      delete = {
        "DELETE /api_keys/{id}", "Revokes an API key.", assumed = true, returns = "nothing", example = by_id,
      },
    },

    webhooks = {
      summary = "Webhooks",
      list = {
        "GET /webhooks", "Lists the webhooks.",
        query = list_query, open = true, paged = true, key = "id", assumed = true, returns = "Webhook[]",
      },
      create = {
        "POST /webhooks", "Makes a webhook.",
        body = { url = "string", events = "string[]", secret = { type = "string", secret = true } },
        open = true, assumed = true, returns = "Webhook",
        example = { url = "https://example.com/hook", events = { "resource.created" } },
      },
      get = {
        "GET /webhooks/{id}", "Shows one webhook.", assumed = true, returns = "Webhook", example = by_id,
      },
      update = {
        "PUT /webhooks/{id}", "Changes a webhook.",
        body = { url = "string", events = "string[]", secret = { type = "string", secret = true } },
        open = true, assumed = true, returns = "Webhook",
        example = { id = "123", events = { "resource.deleted" } },
      },
      delete = {
        "DELETE /webhooks/{id}", "Deletes a webhook.", assumed = true, returns = "nothing", example = by_id,
      },
    },

    settings = {
      summary = "Settings of the account",
      list = {
        "GET /settings", "Lists the settings.",
        query = list_query, open = true, paged = true, key = "id", assumed = true, returns = "Item[]",
      },
      create = {
        "POST /settings", "Makes a setting.", body = { name = "string" }, open = true, assumed = true,
        returns = "Item", example = { name = "theme" },
      },
      get = {
        "GET /settings/{id}", "Shows one setting.", assumed = true, returns = "Item", example = by_id,
      },
      update = {
        "PUT /settings/{id}", "Changes a setting.", body = { name = "string" }, open = true, assumed = true,
        returns = "Item", example = { id = "123", name = "theme" },
      },
      delete = {
        "DELETE /settings/{id}", "Deletes a setting.", assumed = true, returns = "nothing", example = by_id,
      },
    },
  },
}
