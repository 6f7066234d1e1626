-- Which keys the parts of a definition may have, and of what kind. A kind is a word, with a
-- final "!" when the key is required:
--   string boolean number integer table    as in Lua
--   name      a Lua identifier
--   words     a string or a list of strings
--   paths     where something is in a body: a path or a list of paths
--   strings   strings by name
--   map       anything by name
--   any       not looked at here
-- or the table of another record.

local acceptor = {
  field = "string", equals = "any", matches = "string", one_of = "words", status = "integer", code = "string",
  state = "string!",
}

local condition = { field = "string!", equals = "any", one_of = "words", message = "paths", code = "paths" }

local envelope = { data = "paths", meta = "paths", success = condition }

local errors = {
  code = "paths", message = "paths", details = "paths", retry_after = "paths", codes = "map", final = "words",
  rights = "words", gone = "words",
}

local pages = {
  style = "string", page = "string", offset = "string", cursor = "string", size = "string", in_body = "boolean",
  first = "integer", next = "paths", has_next = "paths", has_more = "paths", pages = "paths", total = "paths",
  default_size = "integer", max_size = "integer", fixed_size = "integer", ends = "string", end_errors = "map",
  overlap = "boolean", items = "paths", key = "string",
}

-- What must hold of an error besides its code: its message, and that nothing stands in those places of its body.
local end_error = { status = "integer", message = "string", absent = "paths" }

local deprecation = {
  headers = "words", since = "string", ends = "string", ends_in_version = "string", use_version = "string",
  use = "string", message = "string",
}

local webhook = {
  header = "string!", scheme = "string!", prefix = "string", id_header = "string", event_header = "string",
  timestamp_header = "string",
}

return {
  acceptor = acceptor,
  condition = condition,
  envelope = envelope,
  errors = errors,
  error_code = { kind = "string", final = "boolean", rights = "boolean", doc = "string" },
  pages = pages,
  end_error = end_error,
  webhook = webhook,

  definition = {
    name = "name!", title = "string", summary = "string", home = "string",
    servers = "strings!", default_server = "string", variables = "map", server_env = "string",
    tenant = "map", auth = "any", headers = "strings", accept = "string", trace = "any", envelope = envelope,
    errors = errors, limits = "table", pages = pages, retry = "table", results = "map", shapes = "map",
    webhooks = "table", resources = "table!", legacy = "string", deprecation = deprecation,
  },

  auth = {
    header = "string", query = "string", prefix = "string", env = "words", option = "string", extra = "strings",
    scheme = "string",
  },

  limits = {
    default = "string", plans = "words", default_plan = "string", unlimited_servers = "words", buckets = "map",
    strategy = "strings", headers = "table",
  },

  retry = { idempotency_header = "string", attempts = "integer", backoff = "number", max_backoff = "number" },

  trace = { header = "string", body = "paths" },

  tenant = { parameter = "string!", env = "words", doc = "string" },

  variable = { default = "string!", enum = "words", doc = "string" },

  operation = {
    "string!", "string!", -- method and path, summary
    path = "map", query = "map", header = "map", body = "map", body_type = "string", content_type = "string",
    paged = "any", items = "paths", key = "string", bucket = "words", repeatable = "string", returns = "string",
    partial = { items = "paths", ok = condition, message = "paths" }, failure = condition, secret = "words",
    confirm = "any", deprecated = "any", assumed = "boolean", undocumented = "boolean", timeout = "number",
    read = "boolean", server = "string", envelope = envelope, errors = errors, example = "table", open = "boolean",
    auth = "boolean", accept = "string", doc = "string",
  },

  confirm = { without = "string", empty = "string", why = "string!" },

  waiter = {
    poll = "string!", delay = "number", factor = "number", max_delay = "number", timeout = "number",
    argument = "string", accept = "table!", doc = "string",
  },
}
