-- Limits: from the words of a definition ("40/s", "1000/h", by plan) to buckets of the core,
-- and the table that client:limits() shows. The counting itself is done in C.

local definition = require "moonrest.definition"
local events = require "moonrest.events"
local words = require "moonrest.words"

local limits = {}

local separator <const> = "/" -- between the parts of a bucket's key
local longest_key <const> = 1000 -- bytes; the core takes 1024

local function windows_of(rates)
  local windows = {}
  for _, word in ipairs(rates) do
    local count, seconds = definition.parse_limit(word)
    windows[#windows + 1] = { count, seconds }
  end
  return windows
end

local function is_unlimited(site)
  for _, name in ipairs(words.list(site.definition.limits.unlimited_servers)) do
    if name == site.server_name then return true end
  end
  return false
end

-- The words of a bucket under the client's plan: { "100/min", "1000/h" }.
local function words_of(site, bucket)
  return site.plan and bucket[site.plan] or bucket
end

-- Argument values that are too long for the core share a bucket with those that begin alike, which errs on the safe
-- side.
local function key_of(site, name, suffix)
  local key = table.concat({ site.definition.name, site:account(), name }, separator)
  return suffix and (key .. separator .. suffix):sub(1, longest_key) or key
end

-- "silence": the server's counter starts afresh only after a whole period without a request.
local function is_renewing(site, name)
  local strategy = site.definition.limits.strategy
  return strategy ~= nil and strategy[name] == "silence"
end

-- Clients of one account have one bucket, whose size is what the latest of them says: another plan is told, once.
local function tell_other_plan(site)
  for other in pairs(site.plan and not site.has_told_plan and site.opened or {}) do
    if other ~= site and not other.is_closed and other.plan and other.plan ~= site.plan
      and other.definition.name == site.definition.name and other.account_name == site:account() then
      local reason = ("two clients of one account of %s have the plans '%s' and '%s': '%s' counts from now on for both")
        :format(site.definition.name, other.plan, site.plan, site.plan)
      site.has_told_plan = true
      if not events.is_heard "limiter" then warn("moonrest: " .. reason) end
      return events.emit("limiter", { reason = reason })
    end
  end
end

local function make(site, name, suffix)
  tell_other_plan(site)
  local windows = windows_of(words_of(site, site.definition.limits.buckets[name]))
  if #windows == 0 then return nil end
  return site.engine:bucket(key_of(site, name, suffix),
    { windows = windows, strict = site.strict, renewing = is_renewing(site, name) })
end

local function shared(site, name)
  if site.buckets[name] == nil then site.buckets[name] = make(site, name) or false end
  return site.buckets[name] or nil
end

local function names_of(site, declaration)
  return words.list(declaration.bucket or site.definition.limits.default)
end

-- The buckets of an operation, and the names of those that depend on argument values; nil where there are none.
function limits.of(site, declaration)
  if not site.definition.limits or is_unlimited(site) then return nil, nil end
  local buckets, per = {}, nil
  for _, name in ipairs(names_of(site, declaration)) do
    local bucket = site.definition.limits.buckets and site.definition.limits.buckets[name]
    if bucket and bucket.per then
      per = per or {}
      per[#per + 1] = name
    elseif bucket then
      buckets[#buckets + 1] = shared(site, name)
    end
  end
  return #buckets > 0 and buckets or nil, per
end

local shortest_patience <const> = 3600 -- seconds

-- How long a call of the operation waits for its slots when nobody says otherwise: an hour, or the longest window and
-- a tenth of it, because a slot is free a margin after its window.
function limits.max_wait(site, declaration)
  local longest = 0
  for _, name in ipairs(site.definition.limits and names_of(site, declaration) or {}) do
    local bucket = (site.definition.limits.buckets or {})[name]
    for _, window in ipairs(bucket and windows_of(words_of(site, bucket)) or {}) do
      longest = math.max(longest, window[2])
    end
  end
  return math.max(shortest_patience, longest * 1.1)
end

-- {========================================================================
-- Buckets that argument values choose. They are held as long as they are alive: nobody who asks thousands of devices
-- once keeps thousands of buckets.
-- =========================================================================

local fewest <const> = 256 -- so many are held without a look whether they are alive

local function is_alive(view)
  if view.queued > 0 or view.running > 0 or view.paused > 0 then return true end
  for _, window in ipairs(view.windows) do
    if window.remaining < window.limit then return true end
  end
  return false
end

-- Lets those go that nobody uses; what is forgotten is nothing but a full bucket.
local function drop_idle(chosen)
  chosen.count = 0
  for key, one in pairs(chosen.by_key) do
    if is_alive(one.bucket:look()) then
      chosen.count = chosen.count + 1
    else
      chosen.by_key[key] = nil
    end
  end
  chosen.enough = math.max(fewest, 2 * chosen.count)
end

local function choose(site, name, parameters, values)
  local chosen, key = site.chosen, name .. separator .. table.concat(values, separator)
  local known = chosen.by_key[key]
  if known then return known.bucket end
  local bucket = make(site, name, table.concat(values, separator))
  if not bucket then return nil end
  if chosen.count >= chosen.enough then drop_idle(chosen) end
  local named = {}
  for index, parameter in ipairs(parameters) do named[parameter] = values[index] end
  chosen.by_key[key], chosen.count = { name = name, key = key, values = named, bucket = bucket }, chosen.count + 1
  return bucket
end

-- For a site: no such bucket yet.
function limits.none_chosen()
  return { by_key = {}, count = 0, enough = fewest }
end

local function parameters_of(site, name)
  return words.list(site.definition.limits.buckets[name].per)
end

-- The buckets of one call whose arguments choose some of them: 'value_of(parameter)' gives an argument's text.
function limits.for_call(site, recipe, value_of)
  local buckets = { table.unpack(recipe.buckets or {}) }
  for _, name in ipairs(recipe.per) do
    local parameters, values = parameters_of(site, name), {}
    for index, parameter in ipairs(parameters) do values[index] = tostring(value_of(parameter)) end
    buckets[#buckets + 1] = choose(site, name, parameters, values)
  end
  return buckets
end

-- }========================================================================

-- As if so much time had gone by for the limits of this client, where a server's clock is set: the sandbox's.
function limits.pass(site, seconds)
  for _, bucket in pairs(site.buckets) do
    if bucket then bucket:pass(seconds) end
  end
  for _, one in pairs(site.chosen.by_key) do one.bucket:pass(seconds) end
end

-- {========================================================================
-- What client:limits() returns
-- =========================================================================

local report_type = { __name = "moonrest.limits" }

local seconds_of <const> = { "reset", "paused", "waited" }

-- For people: seconds with one decimal, and never less than there are; the values that chose the bucket as columns.
local function flat(row)
  local copy = {}
  for name, value in pairs(row) do copy[name] = value end
  for _, name in ipairs(seconds_of) do copy[name] = math.ceil(row[name] * 10) / 10 end
  for parameter, value in pairs(row.values or {}) do copy[parameter] = value end
  return copy
end

-- A column for each parameter that chose buckets, behind the bucket's name.
function report_type.__tostring(report)
  local columns, known, rows = { "bucket" }, {}, {}
  for index, row in ipairs(report) do
    rows[index] = flat(row)
    for parameter in pairs(row.values or {}) do
      if not known[parameter] then columns[#columns + 1] = parameter end
      known[parameter] = true
    end
  end
  table.sort(columns, function(a, b) return a ~= b and (a == "bucket" or b ~= "bucket" and a < b) end)
  for _, name in ipairs { "limit", "remaining", "reset", "paused", "queued", "running", "waited", "refused" } do
    columns[#columns + 1] = name
  end
  return require "moonrest.show".table(rows, columns)
end

local function period_word(seconds)
  for _, word in ipairs { "s", "min", "h", "d" } do
    if definition.limit_periods[word] == seconds then return word end
  end
  return ("%gs"):format(seconds)
end

local function add_rows(rows, name, view, values)
  for _, window in ipairs(view.windows) do
    rows[#rows + 1] = {
      bucket = name, values = values, limit = ("%d/%s"):format(window.limit, period_word(window.period)),
      remaining = window.remaining, reset = window.reset, paused = view.paused, queued = view.queued,
      running = view.running, granted = view.granted, waited = view.waited, refused = view.refused,
      server_limit = view.server_limit,
    }
  end
end

local function add_shared(rows, site)
  local declared, names = site.definition.limits, {}
  for name, bucket in pairs(declared and declared.buckets or {}) do
    if not bucket.per and not is_unlimited(site) then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local bucket = shared(site, name)
    if bucket then add_rows(rows, name, bucket:look()) end
  end
end

local function add_chosen(rows, site)
  drop_idle(site.chosen)
  local alive = {}
  for _, one in pairs(site.chosen.by_key) do alive[#alive + 1] = one end
  table.sort(alive, function(a, b) return a.key < b.key end)
  for _, one in ipairs(alive) do add_rows(rows, one.name, one.bucket:look(), one.values) end
end

-- One row for each window of each bucket of the client's limits, as they stand now; tostring makes a table of it.
-- Buckets that argument values choose are there as long as something of them is used, with 'values' (by parameter).
-- 'reset', 'paused' (still) and 'waited' (by all requests together) are seconds, 'refused' counts 429s.
function limits.report(site)
  local rows = {}
  add_shared(rows, site)
  add_chosen(rows, site)
  return setmetatable(rows, report_type)
end

-- }========================================================================

return limits
