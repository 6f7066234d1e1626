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

-- Sets 'quick' too: the recipe again, when calls with one path parameter may take the short way.
local function recipe_of(self)
  local view = self.view
  local recipe = view.site:recipe(self.declaration, self.label)
  self.recipe = recipe
  self.quick = recipe.quick and not view.defaults and not view.site.missing and recipe or nil
  return recipe
end

-- The recipe of an operation, prepared when first asked for.
function operation.recipe(self)
  return self.recipe or recipe_of(self)
end

local function perform(self, ...)
  local recipe = self.recipe or recipe_of(self)
  local values, given = arguments.read(recipe, "call", self.view.defaults, ...)
  local request, err = call.start(recipe, values, given)
  if not request then return call.deliver(given, nil, err) end
  local data, reply = call.finish(recipe, request, given, values)
  if data ~= nil then return data, reply end
  return call.deliver(given, nil, reply)
end

-- r:op "x" has the resource in front, r.op "x" has not.
function metatable.__call(self, first, ...)
  local is_own, quick = rawequal(first, self.resource), self.quick
  if quick and select("#", ...) == (is_own and 1 or 0) and not self.view.site.is_closed then
    local data, reply = call.quick(quick, is_own and (...) or first)
    if data ~= false then return data, reply end
  end
  if is_own then return perform(self, ...) end
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
