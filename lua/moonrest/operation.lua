-- Operations are callable tables: edgegap.apps:get "my-game". Both r:op{} and r.op{} work. Lists have :each, :pages and
-- :all, event streams and files have :stream.

local arguments = require "moonrest.arguments"
local call = require "moonrest.call"
local caller = require "moonrest.caller"

local operation = {}

local methods = {}
local metatable = { __name = "moonrest.operation", __index = methods }

-- Fields of an operation: name, label, declaration, view, resource (its owner, for the colon), and recipe once
-- it was called.
function operation.new(view, declaration, name, label, owner)
  local self = { name = name, label = label, declaration = declaration, view = view, resource = owner }
  return setmetatable(self, metatable)
end

function operation.is(value)
  return getmetatable(value) == metatable
end

local function recipe_of(self)
  local recipe = self.view.site:recipe(self.declaration, self.label)
  self.recipe = recipe
  return recipe
end

-- The recipe of an operation, prepared when first asked for.
function operation.recipe(self)
  return self.recipe or recipe_of(self)
end

local function perform(self, ...)
  local recipe, view = self.recipe or recipe_of(self), self.view
  local values, given, request, err
  if recipe.single and select("#", ...) == 1 and (type((...)) == "string" or type((...)) == "number") then
    given = view.defaults
    if recipe.writes then arguments.check_permission(recipe, {}, given) end
    request, err = call.start_single(recipe, (...), view.sent)
  else
    values, given = arguments.read(recipe, "call", view.defaults, ...)
    request, err = call.start(recipe, values, given)
  end
  if not request then return call.deliver(given, nil, err) end
  local data, reply = call.finish(recipe, request, given, values)
  if data ~= nil then return data, reply end
  return call.deliver(given, nil, reply)
end

function metatable.__call(self, first, ...)
  if rawequal(first, self.resource) then return perform(self, ...) end
  return perform(self, first, ...)
end

function metatable.__tostring(self)
  return require "moonrest.show".operation(self)
end

function metatable.__pairs(self)
  local shown = { name = self.name, route = self.declaration[1], summary = self.declaration[2] }
  return next, shown, nil
end

local function check_self(self, method)
  if getmetatable(self) ~= metatable then
    caller.raise("call %s with a colon: client.resource.operation:%s { ... }", method, method)
  end
end

local function walk(self, method, ...)
  check_self(self, method)
  return require "moonrest.pages"[method](self, ...)
end

-- for item, place in list:each(...): every item of every page. 'place' tells where the walk is.
function methods.each(self, ...) return walk(self, "each", ...) end

-- for page in list:pages(...): { number, items, response, resume, reason }.
function methods.pages(self, ...) return walk(self, "pages", ...) end

-- All items in one table, and the reason why there are no more: "end", "max_items", "max_pages". Or nil, err.
function methods.all(self, ...) return walk(self, "all", ...) end

-- for event in logs:stream(...), or for bytes in export:stream(...) where the result is a file.
function methods.stream(self, ...)
  check_self(self, "stream")
  return require "moonrest.stream".open(self, ...)
end

operation.methods = methods

return operation
