-- Resources are tables of operations and further resources. Children are made when first asked for. A name of the
-- API that is one of ours (each, pages, all, stream, wait) is reached with a trailing underscore.

local caller = require "moonrest.caller"
local definition = require "moonrest.definition"
local nearest = require "moonrest.nearest"
local operation = require "moonrest.operation"

local resource = {}

local methods = {}
local metatable = { __name = "moonrest.resource" }

resource.methods = methods

local function is_child(key, value)
  return type(value) == "table" and (key ~= "waiters" or definition.is_operation(value))
end

-- The name that users write for a name of the definition.
local function shown_name(key, reserved)
  return reserved[key] and key .. "_" or key
end

local function declared_child(declared, name, reserved)
  local key = name
  if name:sub(-1) == "_" and reserved[name:sub(1, -2)] then key = name:sub(1, -2) end
  local value = declared[key]
  return is_child(key, value) and value or nil, key
end

local function shown_names(declared, reserved)
  local names = {}
  for key, value in pairs(declared) do
    if is_child(key, value) then names[shown_name(key, reserved)] = value end
  end
  return names
end

-- Makes the child of that name for 'owner', a client or a resource whose part of the definition is 'declared', and
-- keeps it there. Raises for unknown names.
function resource.child(owner, view, declared, label, name, reserved)
  local value, key = declared_child(declared, name, reserved)
  if not value then
    local names = shown_names(declared, reserved)
    local known = {}
    for known_name in pairs(names) do known[known_name] = true end
    for method in pairs(reserved) do known[method] = true end
    caller.raise("%s has no '%s'%s (it has: %s)", label, name, nearest.hint(name, known), nearest.list(names))
  end
  local child
  if definition.is_operation(value) then
    child = operation.new(view, value, key, ("%s:%s"):format(label, name), owner)
  else
    child = resource.new(view, value, ("%s.%s"):format(label, name))
  end
  rawset(owner, name, child)
  return child
end

-- What is private stands at [1]: API names are strings, so that none can meet it.
function resource.new(view, declared, label)
  return setmetatable({ { view = view, declared = declared, label = label } }, metatable)
end

function metatable.__index(self, name)
  if methods[name] then return methods[name] end
  if type(name) ~= "string" or name:find "^__" then return nil end
  local inner = rawget(self, 1)
  return resource.child(self, inner.view, inner.declared, inner.label, name, methods)
end

-- The children by name, for pairs(); made as needed.
function resource.children(owner, declared, reserved)
  local children = {}
  for name in pairs(shown_names(declared, reserved)) do children[name] = owner[name] end
  return children
end

function metatable.__pairs(self)
  return next, resource.children(self, self[1].declared, methods), nil
end

function metatable.__tostring(self)
  return require "moonrest.show".resource(self)
end

local function check_self(self, method)
  if getmetatable(self) ~= metatable then
    caller.raise("call %s with a colon: client.resource:%s(...)", method, method)
  end
end

local function list_of(self, method)
  check_self(self, method)
  local declared = self[1].declared.list
  if not declared or not definition.is_operation(declared) then
    local label = self[1].label
    caller.raise("%s has no operation 'list', so :%s needs the operation: %s.<operation>:%s(...)", label, method,
      label, method)
  end
  return self.list
end

function methods.each(self, ...) return operation.methods.each(list_of(self, "each"), ...) end
function methods.pages(self, ...) return operation.methods.pages(list_of(self, "pages"), ...) end
function methods.all(self, ...) return operation.methods.all(list_of(self, "all"), ...) end
function methods.stream(self, ...) return operation.methods.stream(list_of(self, "stream"), ...) end

-- deployments:wait(id, "ready", { timeout = 120 }): polls until the state is reached. Returns what the last poll
-- returned, or nil, err.
function methods.wait(self, ...)
  check_self(self, "wait")
  return require "moonrest.waiter".wait(self, ...)
end

function resource.is(value)
  return getmetatable(value) == metatable
end

return resource
