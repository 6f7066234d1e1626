-- What all parts of the Edgee sandbox share: who may call, the three shapes of
-- errors that this API has, and its cursor lists.
--
-- The three shapes: refused tokens have a text under "error"; the current
-- routes an object with a message; the older ones an object with a type, a
-- message and the parameters at fault. The older ones also name the type under
-- one status each.

local calendar = require "moonrest.sandbox.calendar"
local check = require "moonrest.sandbox.check"
local support = require "moonrest.sandbox.support"

local edgee = {}

edgee.DEFAULT_SIZE = 20
edgee.MAX_SIZE = 100

local typed_status = {
  invalid_request_error = 400, not_found_error = 404, creation_error = 422, update_error = 422,
  deletion_error = 422, forbidden_error = 403, authentication_error = 401, conflict_error = 409,
}

-- Leaves the handler with an error of the current routes.
function edgee.refuse(status, message)
  support.refuse(status, { error = { message = message } })
end

-- Leaves the handler with an error of the older routes; 'params': { name = message }.
function edgee.refuse_typed(kind, message, params)
  local list = {}
  for name, text in pairs(params or {}) do list[#list + 1] = { param = name, message = text } end
  table.sort(list, function(a, b) return a.param < b.param end)
  support.refuse(typed_status[kind], {
    error = { type = kind, message = message, params = #list > 0 and list or nil },
  })
end

-- Sets who may call, and the shapes of refusals that no handler makes.
function edgee.guard(world)
  world:authenticate(function(request)
    local identity = world:credential(request, "authorization", "Bearer ")
    if not identity then
      return 401, { error = "Unauthorized", message = "Invalid or expired API token" }
    end
    if identity.kind == "forbidden" or identity.kind == "read_only" and request.method ~= "GET" then
      return 403, { error = "Forbidden", message = "Your token does not have permission to access this resource" }
    end
    request.identity = identity
  end)
  world:unknown(function(_, methods)
    local status = methods[1] and 405 or 404
    return status, { error = { type = "not_found_error", message = "Unrecognized request" } }
  end)
end

-- The request's body, which must be an object that keeps to the rules of check.lua.
function edgee.body(request, rules)
  if not support.is_object(request.body) then
    edgee.refuse(400, request.body_error and "The body is not JSON" or "The body must be a JSON object")
  end
  local problem = check.body(request.body, rules)
  if problem then edgee.refuse(400, problem.message) end
  return request.body
end

-- Complains in one answer about all the fields that are missing or wrong.
local function check_typed(body, rules)
  local params, missing = {}, false
  for name, rule in pairs(rules) do
    local problem = check.value(body[name], rule, name)
    if problem then
      missing = missing or problem.reason == "required"
      params[problem.field] = problem.message
    end
  end
  if not next(params) then return end
  local message = missing and "Some parameters are missing" or "Some parameters are not valid"
  edgee.refuse_typed("invalid_request_error", message, params)
end

-- The same for the older routes.
function edgee.typed_body(request, rules)
  if not support.is_object(request.body) then
    local message = request.body_error and "The body is not JSON" or "The body must be a JSON object"
    edgee.refuse_typed("invalid_request_error", message)
  end
  check_typed(request.body, rules)
  return request.body
end

-- The older routes' check of the query: names with their rules, all of them texts.
function edgee.check_query(request, rules) check_typed(request.query, rules) end

local function bad_parameter(name, message)
  edgee.refuse_typed("invalid_request_error", "Some parameters are not valid", { [name] = message })
end

local function list_size(world, query)
  if query.limit == nil then return world.page_size or edgee.DEFAULT_SIZE end
  local size = support.integer(query.limit, 1)
  if not size then bad_parameter("limit", "Must be a positive integer") end
  return math.min(size, edgee.MAX_SIZE)
end

local function list_start(query)
  local key = query.start_key
  if not key or key == "" then return nil end
  local place = key:match "^k(%x+)$"
  if not place then bad_parameter("start_key", "Not a key of this list") end
  return tonumber(place, 16)
end

-- A page of a shelf: { object, url, has_more, last_key, data }. The newest
-- comes first unless order_direction says ASC; last_key also stands on the last
-- page, so that only has_more tells the end.
function edgee.cursor_list(world, request, shelf, fits, view)
  local query = request.query
  local direction = query.order_direction or "DESC"
  if direction ~= "ASC" and direction ~= "DESC" then bad_parameter("order_direction", "Must be ASC or DESC") end
  local size, start = list_size(world, query), list_start(query)
  local ascending = direction == "ASC"
  local rows = shelf:list(function(row)
    local place = shelf:place(row.id)
    if start and (ascending and place <= start or not ascending and place >= start) then return false end
    return not fits or fits(row)
  end, not ascending)
  local data = support.slice(rows, 0, size)
  local last = data[#data]
  return {
    object = "list", url = request.path, has_more = #rows > size,
    last_key = last and string.format("k%08x", shelf:place(last.id)) or nil,
    data = support.array(view and support.map(data, view) or data),
  }
end

-- A list of the older routes that knows no cursor: all of it at once.
function edgee.whole_list(request, rows)
  return { object = "list", url = request.path, has_more = false, data = support.array(rows) }
end

-- Refuses a parameter of the query (older routes) that is there and is no ISO date.
function edgee.check_date(request, name)
  local text = request.query[name]
  if text and not calendar.parse(text) then bad_parameter(name, "Must be an ISO date") end
end

-- The value of one filter: no filter fits every row.
function edgee.filter(request, fields)
  local wanted = {}
  for _, field in ipairs(fields) do wanted[field] = request.query[field] end
  return function(row)
    for field, value in pairs(wanted) do
      if row[field] ~= value then return false end
    end
    return true
  end
end

return edgee
