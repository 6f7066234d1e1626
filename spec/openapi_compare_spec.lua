-- Compares the built-in definitions with the vendors' OpenAPI documents, which are not part of the
-- project: the directory is MOONREST_OPENAPI_DIR, or ../shared/openapi. Every difference must be listed
-- below with its reason, and every listed one must still be there.

local definition = require "moonrest.definition"
local openapi = require "spec.support.openapi_routes"

local directory = os.getenv "MOONREST_OPENAPI_DIR" or "../shared/openapi"

local function read_file(name)
  local file = io.open(directory .. "/" .. name, "rb")
  if not file then return nil end
  local text = file:read "a"
  file:close()
  return text
end

local function read_document(name)
  local text = read_file(name)
  if not text then return nil end
  if name:find "%.json$" then return require "cjson.safe".decode(text) end
  return require "lyaml".load(text)
end

local function copy_routes(base, more)
  for key, route in pairs(more) do base[key] = route end
  return base
end

-- {========================================================================
-- The documents and the differences we know of
-- =========================================================================

local edgegap = {
  {
    why = "the vendor's newer client sends it",
    "GET /v1/deployment/{deployment_id}/container-logs: query format: is not documented",
  },
  {
    why = "the document has an empty schema here: the fields are those of creating a profile",
    "PATCH /v1/storage/endpoint/{endpoint_name}/pull-profile/{pull_profile_name}: body destination: is not documented",
    "PATCH /v1/storage/endpoint/{endpoint_name}/pull-profile/{pull_profile_name}: body name: is not documented",
    "PATCH /v1/storage/endpoint/{endpoint_name}/pull-profile/{pull_profile_name}: body source: is not documented",
    "PATCH /v1/storage/endpoint/{endpoint_name}/pull-profile/{pull_profile_name}: body source_type: is not documented",
  },
  {
    why = "the name of something that exists already is the server's to judge",
    "POST /v1/app/{app_name}/version: path app_name: max_length is nil, documented 64",
  },
}

local edgee = {
  {
    why = "the organization is a tenant parameter in the current product, with its name",
    "GET /v1/organizations/{id}: path id: is missing",
    "GET /v1/organizations/{id}: path orgId: is not documented, and required",
  },
  {
    why = "the document calls the id read-only and requires it: it is sent, as for purging a cache",
    "POST /v1/organizations/{id}: body id: is not documented, and required",
    "POST /v1/projects/{id}: body id: is not documented, and required",
  },
  {
    why = "inherited by the document from the whole organization; an update changes what it names",
    "POST /v1/organizations/{id}: body name: is documented as required",
    "POST /v1/organizations/{id}: body slug: is documented as required",
  },
  {
    why = "the document requires a field here that it does not have",
    "POST /v1/organizations/{id}/users/{userId}: body slug: is missing",
  },
}

-- What the answers hold, as the definitions say it and as the documents do.
local edgegap_results = {
  {
    why = "users of the list see them, the document is behind",
    "GET /v1/deployments: result application: is not documented",
    "GET /v1/deployments: result status: is not documented",
    "GET /v1/deployments: result version: is not documented",
  },
  {
    why = "one result for the three: only a deletion has a message, and it has no version",
    "DELETE /v1/app/{app_name}/version/{version_name}: result version: is not documented",
    "PATCH /v1/app/{app_name}/version/{version_name}: result message: is not documented",
    "POST /v1/app/{app_name}/version: result message: is not documented",
  },
  {
    why = "the schema of the 200 is empty here: it is that of stopping from outside",
    "DELETE /v1/self/stop/{deployment_id}/{stop_key}: result deployment_summary: is not documented",
  },
}

local edgee_results = {
  {
    why = "the current product's organizations have more than the older document knows",
    "GET /v1/organizations/me: result gateway_api_url: is not documented",
    "GET /v1/organizations/me: result mcp_injection_disabled: is not documented",
    "GET /v1/organizations/{id}: result gateway_api_url: is not documented",
    "GET /v1/organizations/{id}: result mcp_injection_disabled: is not documented",
    "GET /v1/organizations: result gateway_api_url: is not documented",
    "GET /v1/organizations: result mcp_injection_disabled: is not documented",
    "POST /v1/organizations/{id}: result gateway_api_url: is not documented",
    "POST /v1/organizations/{id}: result mcp_injection_disabled: is not documented",
    "POST /v1/organizations: result gateway_api_url: is not documented",
    "POST /v1/organizations: result mcp_injection_disabled: is not documented",
  },
  {
    why = "the document requires a field here that it does not describe",
    "GET /v1/organizations/{id}/users: result slug: is not documented",
    "POST /v1/organizations/{id}/users/{userId}: result slug: is not documented",
  },
}

local cygni = {
  {
    why = "the kit's document has another body for this route than page and server; unknown fields pass (open)",
    "POST /deployments: body branch: is not documented",
    "POST /deployments: body cloudexpressConfig: is missing",
    "POST /deployments: body commitSha: is not documented",
    "POST /deployments: body metadata: is not documented",
    "POST /deployments: body projectId: is not documented, and required",
    "POST /deployments: body provider: is missing",
  },
}

local capgo = {
  {
    why = "the server reads it, the document is behind",
    "DELETE /channel/: body delete_bundle: is not documented",
    "GET /device/: query customIdMode: is not documented",
    "GET /device/: query order: is not documented",
    "GET /device/: query updated_at: is not documented",
    "GET /statistics/app/{appId}/: query noAccumulate: is not documented",
    "POST /apikey/: body global_permissions: is not documented",
    "POST /app/: body android_store_url: is not documented",
    "POST /app/: body existing_app: is not documented",
    "POST /app/: body ios_store_url: is not documented",
    "POST /app/: body need_onboarding: is not documented",
    "POST /bundle/: body key_id: is not documented",
    "POST /bundle/: body session_key: is not documented",
    "POST /channel/: body allow_device: is not documented",
    "POST /channel/: body allow_prod: is not documented",
    "POST /channel/: body promoteToStable: is not documented",
    "POST /channel/: body rollback: is not documented",
    "POST /channel/: body rolloutEnabled: is not documented",
    "POST /channel/: body rolloutPercentage: is not documented",
    "POST /channel/: body rolloutVersion: is not documented",
    "POST /organization/: body email: is not documented",
    "POST /organization/: body estimatedMau: is not documented",
    "POST /organization/: body intent: is not documented",
    "POST /organization/: body website: is not documented",
    "PUT /app/{appId}: body allow_device_custom_id: is not documented",
    "PUT /app/{appId}: body expose_metadata: is not documented",
    "PUT /organization/: body enforce_hashed_api_keys: is not documented",
    "PUT /organization/: body max_apikey_expiration_days: is not documented",
    "PUT /organization/: body require_apikey_expiration: is not documented",
    "PUT /organization/: body website: is not documented",
  },
  {
    why = "the server's bounds, not the document's",
    "GET /device/: query limit: max is 50000, documented 1000",
    "PUT /app/{appId}: body retention: max is 63113903, documented nil",
    "PUT /app/{appId}: body retention: min is 0, documented 1",
  },
  {
    why = "the server wants bindings where the document has mode",
    "POST /apikey/: body bindings: is not documented, and required",
    "POST /apikey/: body mode: is documented as required",
  },
  {
    why = "the server wants invite_type where the document has role",
    "POST /organization/members/: body invite_type: is not documented, and required",
    "POST /organization/members/: body role: is documented as required",
  },
  {
    why = "without a channel the server does nothing and says ok",
    "POST /device/: body channel: is required here only",
  },
}

-- whole: every operation of the definition that is not marked as undocumented must be in the documents.
-- results: the differences between the results; without it they are not compared.
local document_sets = {
  {
    name = "edgegap", files = { "edgegap-v1.yaml", "edgegap-v2.yaml" },
    prefixes = { ["edgegap-v2.yaml"] = "/v2" }, -- its server's URL ends in it
    whole = true, differences = edgegap, results = edgegap_results,
  },
  {
    name = "edgee", files = { "edgee-older.json" }, legacy = true, differences = edgee, results = edgee_results,
  },
  { name = "cygni", files = { "cygni-sdk.json" }, differences = cygni },
  { name = "capgo", files = { "capgo.json" }, whole = true, differences = capgo },
}

-- }========================================================================

-- The documents' routes, or nil and the name of a document that is not there.
local function read_documents(set)
  local routes = {}
  for _, file in ipairs(set.files) do
    local document = read_document(file)
    if not document then return nil, file end
    copy_routes(routes, openapi.routes(document, set.prefixes and set.prefixes[file] or ""))
  end
  return routes
end

local function listed_lines(differences)
  local listed = {}
  for _, group in ipairs(differences) do
    assert(type(group.why) == "string", "a group of differences needs a reason")
    for _, line in ipairs(group) do
      assert(not listed[line], "listed twice: " .. line)
      listed[line] = true
    end
  end
  return listed
end

-- The lines that are not listed, and the listed ones that are not found.
local function sort_out(found, listed)
  local unlisted, stale = {}, {}
  for _, line in ipairs(found) do
    if not listed[line] then unlisted[#unlisted + 1] = line end
    listed[line] = nil
  end
  for line in pairs(listed) do stale[#stale + 1] = line end
  table.sort(stale)
  return table.concat(unlisted, "\n"), table.concat(stale, "\n")
end


describe("definitions and OpenAPI documents", function()
  for _, set in ipairs(document_sets) do
    it(("of %s differ as listed and in nothing else"):format(set.name), function()
      local documented, missing = read_documents(set)
      if not documented then
        print(("SKIPPED: %s is not in %s (set MOONREST_OPENAPI_DIR)"):format(missing, directory))
        return
      end
      local at = definition.find(set.name)
      if set.legacy then at = definition.with_legacy(at) end
      local defined = openapi.defined_routes(at)
      local unlisted, stale = sort_out(openapi.compare(documented, defined, set.whole), listed_lines(set.differences))
      assert.equal("", unlisted)
      assert.equal("", stale)
      if not set.results then return end
      unlisted, stale = sort_out(openapi.compare_results(documented, defined), listed_lines(set.results))
      assert.equal("", unlisted)
      assert.equal("", stale)
    end)
  end

  it("are compared in what matters", function()
    local part = { type = "object", required = { "size" }, properties = { size = { type = "integer" } } }
    local document = {
      paths = {
        ["/things/{id}"] = {
          post = {
            deprecated = true,
            parameters = {
              { name = "id", ["in"] = "path", required = true, schema = { type = "string" } },
              { name = "page", ["in"] = "query", schema = { type = "integer", minimum = 1 } },
            },
            requestBody = {
              content = {
                ["application/json"] = {
                  schema = {
                    type = "object", required = { "name" },
                    properties = {
                      name = { type = "string" },
                      kind = { type = "string", enum = { "a", "b" } },
                      id = { type = "string", readOnly = true },
                      parts = { type = "array", items = part },
                    },
                  },
                },
              },
            },
          },
        },
        ["/others"] = { get = {} },
      },
    }
    local at = {
      shapes = { Part = { size = "integer" } },
      resources = {
        things = {
          change = {
            "POST /things/{key}", "", query = { page = "string" },
            body = { name = "string", kind = { "a" }, parts = "Part[]", extra = "string!" },
          },
          more = { "GET /more", "" },
          known = { "GET /known", "", undocumented = true },
        },
      },
    }
    assert.same({
      "GET /more: is not documented",
      "GET /others: is missing",
      "POST /things/{id}: body extra: is not documented, and required",
      "POST /things/{id}: body kind: value b is refused",
      "POST /things/{id}: body name: is documented as required",
      "POST /things/{id}: body parts size: is documented as required",
      "POST /things/{id}: is not marked as deprecated",
      "POST /things/{id}: path id: is missing",
      "POST /things/{id}: path key: is not documented, and required",
      "POST /things/{id}: query page: is string, documented as integer",
    }, openapi.compare(openapi.routes(document, ""), openapi.defined_routes(at), true))
  end)

  it("are compared in what they return", function()
    local thing = { type = "object", properties = { id = { type = "string" }, size = { type = "integer" } } }
    local function answer(schema)
      return { responses = { ["200"] = { content = { ["application/json"] = { schema = schema } } } } }
    end
    local list = { type = "object", properties = { things = { type = "array", items = thing } } }
    local document = { paths = { ["/things"] = { get = answer(list) }, ["/things/{id}"] = { get = answer(thing) } } }
    local at = {
      results = { Thing = { "id", "colour" } },
      resources = {
        things = {
          list = { "GET /things", "", items = { "things", "data" }, returns = "Thing[]" },
          get = { "GET /things/{id}", "", returns = "Thing" },
        },
      },
    }
    assert.same({
      "GET /things/{id}: result colour: is not documented",
      "GET /things/{id}: result size: is missing",
      "GET /things: result colour: is not documented",
      "GET /things: result size: is missing",
    }, openapi.compare_results(openapi.routes(document, ""), openapi.defined_routes(at)))
  end)
end)
