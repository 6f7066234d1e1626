-- What all parts of the Edgegap sandbox share: errors, bodies, lists, dates.

local calendar = require "moonrest.sandbox.calendar"
local check = require "moonrest.sandbox.check"
local json = require "moonrest.sandbox.json"
local pages = require "moonrest.sandbox.pages"
local support = require "moonrest.sandbox.support"
local world = require "moonrest.sandbox.world"

local edgegap = {}

-- The vendor documents neither; its own client asks for 50, and for 100 at most.
edgegap.DEFAULT_LIMIT, edgegap.MAX_LIMIT = 50, 100

--- The rule of v1 for environment variables.
edgegap.VARIABLES = { type = "array", items = { type = "object", fields = {
  key = "string!", value = { type = "string!", max_length = 4096 }, is_hidden = "boolean" } } }

--- Leaves the handler with an error of v1.
function edgegap.refuse(status, message) world.refuse(status, { message = message }) end

--- Leaves the handler with an error of v2.
function edgegap.refuse_v2(status, message, details)
  world.refuse(status, { message = message, details = details })
end

--- The JSON body, checked; a problem is a 400 of v1, or of v2 with `details`.
function edgegap.body(request, rules)
  local problem = check.body(request.body, rules)
  if not problem then return request.body end
  edgegap.refuse(400, problem.message)
end

function edgegap.body_v2(request, rules)
  local problem = check.body(request.body, rules)
  if not problem then return request.body end
  edgegap.refuse_v2(400, problem.message, { [problem.field] = problem.reason })
end

local function positive(request, name, otherwise)
  local text = request.query[name]
  if text == nil then return otherwise end
  local value = support.integer(text, 1)
  if not value then edgegap.refuse(400, name .. " must be an integer of at least 1") end
  return value
end

--- Items of the page that the query asks for, total_count and the pagination object.
function edgegap.page(made, request, list, default_limit)
  local number = positive(request, "page", 1)
  local limit = positive(request, "limit", made.page_size or default_limit or edgegap.DEFAULT_LIMIT)
  if request.query.limit then limit = math.min(limit, edgegap.MAX_LIMIT) end
  local items, known = pages.cut(list, number, limit)
  return items, known.total, {
    number = number, next_page_number = known.next or json.null, previous_page_number = known.previous or json.null,
    paginator = { num_pages = known.pages }, has_next = known.has_next, has_previous = known.has_previous,
  }
end

--- The answer of a list: the items under `key`, total_count and pagination.
function edgegap.list(made, request, key, list, default_limit)
  local items, total, pagination = edgegap.page(made, request, list, default_limit)
  return 200, { [key] = items, total_count = total, pagination = pagination }
end

--- Whether a filter of a bulk stop chooses what owns these values. any: one of the filter's; all: every one of them;
--- not: none.
function edgegap.chooses(filter, owned)
  local wanted, matched = support.set(filter.values), 0
  for _, value in ipairs(owned) do
    if wanted[value] then matched = matched + 1 end
  end
  if filter.filter_type == "not" then return matched == 0 end
  if filter.filter_type == "all" then return matched == #filter.values end
  return matched > 0
end

--- 2026-04-22 12:00:46.444265: no zone, as everything in v1.
edgegap.date = calendar.spaced

--- A JSON array of the values, also when there are none.
function edgegap.array(list, change)
  local values = json.array {}
  for i, item in ipairs(list or {}) do values[i] = change and change(item) or item end
  return values
end

return edgegap
