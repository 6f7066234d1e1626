-- The schemas of OpenAPI documents: looked up through $ref, and through allOf as one.

local schemas = {}

function schemas.resolve(document, node)
  while type(node) == "table" and node["$ref"] do
    local at = document
    for part in node["$ref"]:gmatch "[^#/]+" do at = at[(part:gsub("~1", "/"):gsub("~0", "~"))] end
    node = at
  end
  return node
end

function schemas.each_property(document, schema, visit)
  schema = schemas.resolve(document, schema)
  if type(schema) ~= "table" then return end
  for _, part in ipairs(schema.allOf or {}) do schemas.each_property(document, part, visit) end
  for name, property in pairs(schema.properties or {}) do visit(name, property) end
end

function schemas.each_required(document, schema, visit)
  schema = schemas.resolve(document, schema)
  if type(schema) ~= "table" then return end
  for _, part in ipairs(schema.allOf or {}) do schemas.each_required(document, part, visit) end
  for _, name in ipairs(schema.required or {}) do visit(name) end
end

-- A keyword of a schema or of one of the parts it consists of.
function schemas.keyword(document, schema, name)
  schema = schemas.resolve(document, schema)
  if type(schema) ~= "table" then return nil end
  if schema[name] ~= nil then return schema[name] end
  for _, part in ipairs(schema.allOf or {}) do
    local value = schemas.keyword(document, part, name)
    if value ~= nil then return value end
  end
  return nil
end

function schemas.type_of(document, schema)
  local kind = schemas.keyword(document, schema, "type")
  if type(kind) ~= "table" then return kind, schemas.keyword(document, schema, "nullable") == true end
  local nullable, word = false, nil
  for _, one in ipairs(kind) do
    if one == "null" then nullable = true else word = word == nil and one or "any" end
  end
  return word, nullable
end

-- The schema of an operation's JSON body, or nil.
function schemas.of_body(document, operation)
  local body = schemas.resolve(document, operation.requestBody)
  local content = body and body.content and body.content["application/json"]
  return content and content.schema
end

-- visit(status, schema) for each successful answer in JSON; the status is a text.
function schemas.each_answer(document, operation, visit)
  for status, given in pairs(operation.responses or {}) do
    local answer = schemas.resolve(document, given)
    local content = type(answer) == "table" and answer.content and answer.content["application/json"]
    if tostring(status):find "^2" and content then visit(tostring(status), content.schema or {}) end
  end
end

-- visit(method, path, operation) for each operation, in the order of their paths.
function schemas.each_operation(document, visit)
  local paths = {}
  for path in pairs(document.paths) do paths[#paths + 1] = path end
  table.sort(paths)
  for _, path in ipairs(paths) do
    for _, verb in ipairs { "get", "post", "put", "patch", "delete" } do
      local operation = document.paths[path][verb]
      if operation then visit(verb:upper(), path, operation) end
    end
  end
end

return schemas
