-- The `query` parameter of Edgegap's deployment list: one JSON text with filters and order_by.

local calendar = require "moonrest.sandbox.calendar"
local check = require "moonrest.sandbox.check"
local edgegap = require "moonrest.sandbox.edgegap_support"
local json = require "moonrest.sandbox.json"
local support = require "moonrest.sandbox.support"

local query = {}

local set = support.set
local OPERATORS = {
  status = set { "eq", "neq" }, application = set { "eq", "neq", "in", "nin" },
  version = set { "eq", "neq", "in", "nin" }, tags = set { "eq", "neq", "in", "nin" },
  request_id = set { "eq", "neq", "in", "nin" }, created_at = set { "eq", "gte", "lte" },
  fleet_name = set { "eq", "neq", "in", "nin", "ilike" }, host_name = set { "eq", "neq", "in", "nin", "ilike" },
}
local ORDERS = { created_at = "created", available_session_sockets = "ready_at" }

local rules = {
  filters = { type = "array", items = { type = "object", fields = {
    field = "string!", operator = "string!", value = "any!" } } },
  order_by = { type = "array", items = { type = "object", fields = {
    field = "string!", order = { "asc", "desc" } } } },
}

-- A deployment's values of a field, as texts; tags have several.
local values_of = {
  status = function(one) return { (one:state(one.world.now()) or "TERMINATED"):lower() } end,
  application = function(one) return { one.app_name } end,
  version = function(one) return { one.version_name } end,
  request_id = function(one) return { one.id } end,
  tags = function(one) return support.map(one.tags:list(), function(tag) return tag.name end) end,
  fleet_name = function(one) return { one.fleet_name } end,
  host_name = function(one) return { one.host_name } end,
}

local function as_list(value) return type(value) == "table" and value or { value } end

local function contains_any(values, wanted)
  local chosen = set(as_list(wanted))
  for _, value in ipairs(values) do
    if chosen[value] then return true end
  end
  return false
end

-- SQL's ILIKE: % stands for any text.
local function like(values, wanted)
  local pattern = "^" .. tostring(wanted):lower():gsub("%p", "%%%0"):gsub("%%%%", ".*") .. "$"
  for _, value in ipairs(values) do
    if value:lower():find(pattern) then return true end
  end
  return false
end

local tests = {
  eq = contains_any, ["in"] = contains_any, ilike = like,
  neq = function(...) return not contains_any(...) end, nin = function(...) return not contains_any(...) end,
}

local function created_test(filter)
  local time = calendar.parse(filter.value)
  if not time then edgegap.refuse(400, "created_at needs a date") end
  if filter.operator == "gte" then return function(one) return one.created >= time end end
  if filter.operator == "lte" then return function(one) return one.created <= time end end
  return function(one) return math.floor(one.created) == math.floor(time) end
end

local function test_of(filter)
  local operators = OPERATORS[filter.field]
  if not operators then edgegap.refuse(400, "Unknown filter field " .. filter.field) end
  if not operators[filter.operator] then
    edgegap.refuse(400, "Operator " .. filter.operator .. " is not valid for " .. filter.field)
  end
  if filter.field == "created_at" then return created_test(filter) end
  local listed = filter.operator == "in" or filter.operator == "nin"
  if listed ~= (type(filter.value) == "table") then
    edgegap.refuse(400, "The value of " .. filter.operator .. (listed and " must be" or " must not be") .. " a list")
  end
  return function(one) return tests[filter.operator](values_of[filter.field](one), filter.value) end
end

local function read(text)
  local wanted = json.decode(text)
  local problem = check.body(wanted, rules)
  if problem then edgegap.refuse(400, "query: " .. problem.message) end
  local seen = {}
  for _, filter in ipairs(wanted.filters or {}) do
    if seen[filter.field] then edgegap.refuse(400, "query: more than one filter on " .. filter.field) end
    seen[filter.field] = true
  end
  return wanted
end

local function sort(list, order)
  local field = ORDERS[order.field]
  if not field then edgegap.refuse(400, "Cannot order by " .. order.field) end
  support.sort(list, function(one) return one[field] end, order.order == "desc")
end

--- The deployments that `text` (nil: all) chooses, in its order.
function query.apply(text, list)
  if not text then return list end
  local wanted, tested = read(text), {}
  for i, filter in ipairs(wanted.filters or {}) do tested[i] = test_of(filter) end
  local chosen = {}
  for _, one in ipairs(list) do
    local fits = true
    for _, test in ipairs(tested) do fits = fits and test(one) end
    if fits then chosen[#chosen + 1] = one end
  end
  local orders = wanted.order_by or {}
  for i = #orders, 1, -1 do sort(chosen, orders[i]) end
  return chosen
end

return query
