-- Holds the sandbox against the vendors' OpenAPI documents, which are not part of the project: the directory is
-- MOONREST_OPENAPI_DIR, or ../shared/openapi. Every route of a document is played, and an empty body is refused
-- where a document requires a field.

local json = require "moonrest.core".json
local new_request = require "moonrest.sandbox.request".new
local world = require "moonrest.sandbox.world"

local directory = os.getenv "MOONREST_OPENAPI_DIR" or "../shared/openapi"

local documents = {
  { system = "edgee", file = "edgee-older.json", header = "authorization", prefix = "Bearer " },
  { system = "cygni", file = "cygni-sdk.json", header = "authorization", prefix = "Bearer " },
  { system = "capgo", file = "capgo.json", header = "capgkey", prefix = "" },
}

local function read_document(name)
  local file <close> = io.open(directory .. "/" .. name, "rb")
  return file and assert(json.decode(file:read "a"))
end

local function new_world(set)
  local clock = { now = function() return 1767225600.0 end, at = function() end, cancel = function() end }
  local options = { limits = false }
  local made = world.new(set.system, "production", set.system, options, { clock = clock })
  require("moonrest.sandbox." .. set.system)(made)
  return made
end

local verbs = { get = true, post = true, put = true, patch = true, delete = true }

local function each_operation(document, visit)
  for path, item in pairs(document.paths) do
    for verb, operation in pairs(item) do
      if verbs[verb] then visit(verb:upper(), path, operation) end
    end
  end
end

local function resolve(document, node)
  local name = node and node["$ref"] and node["$ref"]:match "[^/]+$"
  return name and document.components.schemas[name] or node
end

-- True when the JSON body has a required field that the caller can write.
local function has_required_field(document, operation)
  local content = operation.requestBody and operation.requestBody.content["application/json"]
  local schema = content and resolve(document, content.schema)
  return schema ~= nil and schema.required ~= nil and #schema.required > 0
end

local function headers_of(set, made)
  return { set.header, set.prefix .. made.named_tokens.valid, "Content-Type", "application/json" }
end

describe("the sandbox and the OpenAPI documents", function()
  for _, set in ipairs(documents) do
    local document = read_document(set.file)
    if not document then
      print(("SKIPPED: %s is not in %s (set MOONREST_OPENAPI_DIR)"):format(set.file, directory))
    else
      it("agree on the routes of " .. set.system, function()
        local made, missing = new_world(set), {}
        each_operation(document, function(method, path)
          local concrete = path:gsub("{[^}]*}", "anything")
          if not made.router:find(method, concrete) then missing[#missing + 1] = method .. " " .. path end
        end)
        assert.same({}, missing)
      end)

      it("agree on what bodies must hold in " .. set.system, function()
        local made, accepted, count = new_world(set), {}, 0
        each_operation(document, function(method, path, operation)
          if not has_required_field(document, operation) then return end
          count = count + 1
          local uri = "/" .. set.system .. path:gsub("{[^}]*}", "anything")
          local status = made:serve(new_request(method, uri, headers_of(set, made), "{}"))
          if status < 400 then accepted[#accepted + 1] = method .. " " .. path end
        end)
        assert.is_true(count > 0)
        assert.same({}, accepted)
      end)
    end
  end
end)
