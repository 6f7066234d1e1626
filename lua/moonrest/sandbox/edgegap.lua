-- Edgegap: v1 below /v1, v2 below /v2, and the families of 2024 that have gone from its documents.
--
-- What makes things fail here, as it does there:
--   docker_tag "missing" with verify_image        424, the image cannot be pulled
--   docker_tag "broken"                           deployments of the version end in Status.ERROR
--   v1 filters that no location meets             422
--   v2 require_cached_locations, not force_cache  422 with the request_id of a deployment in error
--   more resources than any server has            422 likewise
--   registry tag "locked"                         500 in the results of a bulk delete
-- Times: a deployment is SEEKING, DEPLOYING after 1 s, READY after 5 s; stopped, it is TERMINATING for
-- 2 s, TERMINATED for 60 s, and then unknown. A relay session is ready after 2 s.
-- sizes: apps (without a word: one, my-game with version v2, which the manual's examples deploy), tags (of the
-- registry's image), hosts.

local function set_limits(world)
  world:limits {
    buckets = { deploy = { "40/s" }, status = { "20/s" }, list = { "10/s" }, hosts = { "10/s" } },
    -- No 429 is documented: neither a body nor a header.
    refuse = function() return 429, { message = "Too many requests" } end,
  }
end

local function authenticate(world)
  world:tokens {
    valid = "sandbox-token-edgegap", invalid = "sandbox-invalid-edgegap", forbidden = "sandbox-forbidden-edgegap",
    container = "sandbox-container-token-edgegap", -- what a deployment finds in its own environment
  }
  world:authenticate(function(request)
    local identity, why = world:credential(request, "Authorization", "token ", request.route.options.container)
    if why == "missing" then return 401, { message = "Authorization header is missing" } end
    if why == "malformed" then return 401, { message = "Authorization header must be: token <your token>" } end
    if not identity or (identity.kind == "container") ~= (request.route.options.container == true) then
      return 401, { message = "Unknown token" }
    end
    if identity.kind == "forbidden" then return 403, { message = "This token has been deleted" } end
    request.identity = identity
  end)
end

return function(world)
  set_limits(world)
  authenticate(world)
  world:unknown(function(_, methods)
    if methods[1] then return 405, { message = "Method not allowed" }, { Allow = table.concat(methods, ", ") } end
    return 404, { message = "Not found" }
  end)
  world:bad_json(function() return 400, { message = "The body is not valid JSON" } end)
  for _, part in ipairs { "apps", "registry", "locations", "storage", "relays", "deployments", "fleets", "legacy" } do
    require("moonrest.sandbox.edgegap_" .. part)(world)
  end
end
