local json = require "moonrest.core".json
local new_request = require "moonrest.sandbox.request".new
local world = require "moonrest.sandbox.world"

-- The vendor's documents are not part of the project: MOONREST_OPENAPI_DIR, or ../shared/openapi.
describe("the Edgegap sandbox and the vendor's documents", function()
  local directory = os.getenv "MOONREST_OPENAPI_DIR" or "../shared/openapi"
  local verbs = { get = true, post = true, put = true, patch = true, delete = true }

  local function read(name)
    local file <close> = io.open(directory .. "/" .. name, "rb")
    local found, yaml = pcall(require, "lyaml")
    return file and found and yaml.load(file:read "a")
  end

  local function new_world()
    local clock = { now = function() return 1767225600.0 end, at = function() end, cancel = function() end }
    local made = world.new("edgegap", "production", "edgegap", { limits = false }, { clock = clock })
    require "moonrest.sandbox.edgegap"(made)
    return made
  end

  local function required_fields(document, operation)
    local content = operation.requestBody and operation.requestBody.content["application/json"]
    local schema = content and content.schema
    if schema and schema["$ref"] then schema = document.components.schemas[schema["$ref"]:match "[^/]+$"] end
    return schema and schema.required or {}
  end

  -- What an operation with an empty body answers, its path parameters being these.
  local known = { image_name = "my-org-sandbox/my-game-server", app_name = "my-game", deployment_id = "none",
                  ["fleet-name"] = "test-fleet", endpoint_name = "logs" }

  local function ask(made, method, path)
    local uri = "/edgegap" .. path:gsub("{([^}]+)}", function(name) return known[name] or "any" end)
    local headers = { "Authorization", "token " .. made.named_tokens.valid, "Content-Type", "application/json" }
    return (made:serve(new_request(method, uri, headers, "{}")))
  end

  local function prepare(made)
    local function post(path, body)
      local headers = { "Authorization", "token " .. made.named_tokens.valid, "Content-Type", "application/json" }
      assert.equal(200, (made:serve(new_request("POST", "/edgegap" .. path, headers, json.encode(body)))))
    end
    post("/v1/storage/endpoint", { name = "logs", access_key_id = "a", secret_access_key = "s", endpoint = "e",
                                   bucket = "b" })
  end

  for name, prefix in pairs { ["edgegap-v1.yaml"] = "", ["edgegap-v2.yaml"] = "/v2" } do
    local document = read(name)
    if not document then
      print(("SKIPPED: %s is not in %s (set MOONREST_OPENAPI_DIR), or lyaml is missing"):format(name, directory))
    else
      it("agree on routes and required fields of " .. name, function()
        local made, wrong, count = new_world(), {}, 0
        prepare(made)
        for path, item in pairs(document.paths) do
          for verb, operation in pairs(item) do
            if verbs[verb] then
              count = count + 1
              local label = verb:upper() .. " " .. prefix .. path
              if not made.router:find(verb:upper(), prefix .. path:gsub("{[^}]*}", "any")) then
                wrong[#wrong + 1] = "no route: " .. label
              elseif #required_fields(document, operation) > 0 then
                local status = ask(made, verb:upper(), prefix .. path)
                -- Routes below a deployment look for it before they look at the body.
                local hidden = status == 404 and path:find("{deployment_id}", 1, true)
                if status ~= 400 and not hidden then wrong[#wrong + 1] = status .. " for an empty body: " .. label end
              end
            end
          end
        end
        assert.same({}, wrong)
        assert.equal(name == "edgegap-v1.yaml" and 48 or 3, count)
      end)
    end
  end
end)
