-- What an older Edgee project can be set to: the rules of its body, and the names of what is kept of it.

local conditions = { type = "object", fields = {
  present = { type = "array", items = "string!" }, absent = { type = "array", items = "string!" }, values = "object" } }

local cache_rule = { type = "object", fields = {
  path = "string", regex = "boolean", ttl = "number", swr = "number", pass = "boolean", rank = "number",
  conditions = { type = "object", fields = {
    request_cookies = conditions, request_headers = conditions, request_query_params = conditions,
    response_headers = conditions, request_methods = { type = "array", items = "string!" },
    response_status = { type = "array", items = "number!" } } } } }

local methods = { "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE" }
local continents = { "AF", "AN", "AS", "EU", "NA", "OC", "SA" }

local rate_rule = { type = "object", fields = {
  rank = { type = "integer!", min = 1 }, limit = { type = "integer!", min = 1 }, window = { "1s", "10s", "60s" },
  block_duration = { type = "integer", min = 1 }, key = { type = "array", items = { "ip", "ua" } },
  conditions = { type = "object", fields = {
    path = "string", regex = "boolean", method = { type = "array", items = methods },
    continent = { type = "array", items = continents },
    country = { type = "array", items = { type = "string", min_length = 2, max_length = 2 } } } } } }

local header = { type = "object", fields = { name = "string", value = "string" } }
local texts_or_null = { type = "array?", items = "string!" }

local autocapture = { type = "object", fields = {
  pageview = "boolean", spa_pageview = "boolean", engagement = "boolean", click = "boolean", form = "boolean",
  scroll = "boolean" } }

local rules = {
  id = { type = "string!", min_length = 1 }, slug = "string", description = "string",
  type = { "proxy", "ai_analytics", "mcp" },
  log_severity = { type = "string?", enum = { "DEBUG", "INFO", "WARNING", "ERROR" } },
  edgee_behind_proxy_cache = "boolean?", force_https = "boolean?", cache = "boolean?",
  override_cache = { type = "array", items = cache_rule }, override_cache_enabled = "boolean?",
  cookie_name = "string?", cookie_domain = "string?", proxy_only = "boolean?", proxy_only_path_regex = "string?",
  inject_sdk = "boolean?", inject_sdk_position = { type = "string?", enum = { "prepend", "append" } },
  cookieless = "boolean?", autocapture = autocapture, enforce_no_store_policy = "boolean?",
  trusted_ips = texts_or_null, password_protection = "boolean?", blocked_ips = texts_or_null,
  cookie_whitelist = texts_or_null, forwarded_headers = { type = "array?", items = header },
  rate_limiting = { type = "array?", items = rate_rule }, rate_limiting_enabled = "boolean?",
}

local names = {}
for name in pairs(rules) do
  if name ~= "id" then names[#names + 1] = name end
end

return { rules = rules, names = names }
