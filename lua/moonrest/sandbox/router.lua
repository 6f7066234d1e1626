-- Routes of one system: method and path template to handler.
--
-- A template is literal text with {names}. A name matches one path segment or the part of one
-- ("{id}:report"), never a slash; {name...} matches one or more segments. Matching is on the raw
-- path, so that %2F stays inside its segment; parameters are decoded afterwards. Of several
-- templates that match, the one with fewer names wins, then the one with more literal text.

local router = {}
router.__index = router
router.__name = "moonrest.sandbox.router"

function router.new() return setmetatable({ routes = {}, sorted = true }, router) end

local function escape(text) return (text:gsub("%p", "%%%0")) end

local function compile(template)
  local names, literal = {}, 0
  local pattern, position = {}, 1
  for start, name, dots, stop in template:gmatch "(){([%w_-]+)(%.*)}()" do
    local text = template:sub(position, start - 1)
    pattern[#pattern + 1] = escape(text) .. (dots == "..." and "(.+)" or "([^/]+)")
    names[#names + 1], literal, position = name, literal + #text, stop
  end
  local rest = template:sub(position)
  pattern[#pattern + 1] = escape(rest)
  return "^" .. table.concat(pattern) .. "$", names, literal + #rest
end

local function without_slash(text) return #text > 1 and text:gsub("/$", "") or text end

--- Adds a route. `options` is kept as it is.
function router:add(method, template, handler, options)
  if self.loose then template = without_slash(template) end
  local pattern, names, literal = compile(template)
  self.routes[#self.routes + 1] = {
    method = method, template = template, handler = handler, options = options or {},
    pattern = pattern, names = names, literal = literal, order = #self.routes,
  }
  self.sorted = false
end

local function before(a, b)
  if #a.names ~= #b.names then return #a.names < #b.names end
  if a.literal ~= b.literal then return a.literal > b.literal end
  return a.order < b.order
end

-- Bytes that are no UTF-8 become U+FFFD: an answer that repeats them would be no JSON.
local function repair(text)
  local is_good, bad = utf8.len(text)
  while not is_good do
    text = text:sub(1, bad - 1) .. "\u{FFFD}" .. text:sub(bad + 1)
    is_good, bad = utf8.len(text, bad + #"\u{FFFD}")
  end
  return text
end

--- Percent-decodes into UTF-8; what is not a valid escape stays as it is.
function router.decode(text)
  return repair((text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)))
end

local function parameters(route, captures)
  local values = {}
  for i, name in ipairs(route.names) do values[name] = router.decode(captures[i]) end
  return values
end

local function other_methods(self, path)
  local methods, seen = {}, {}
  for _, route in ipairs(self.routes) do
    if not seen[route.method] and path:find(route.pattern) then
      methods[#methods + 1], seen[route.method] = route.method, true
    end
  end
  table.sort(methods)
  return methods
end

--- The route and its path parameters, or nil and the list of methods that the path does have.
function router:find(method, path)
  if self.loose then path = without_slash(path) end
  if not self.sorted then
    table.sort(self.routes, before)
    self.sorted = true
  end
  for _, route in ipairs(self.routes) do
    if route.method == method and path:find(route.pattern) then
      return route, parameters(route, table.pack(path:match(route.pattern)))
    end
  end
  return nil, other_methods(self, path)
end

return router
