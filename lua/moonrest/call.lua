-- The life of a call above the core: from checked values to a request, and from its answer to what the caller gets.
-- Operations, pages, waiters, streams and client:request all go through here.

local arguments = require "moonrest.arguments"
local body_writer = require "moonrest.body"
local caller = require "moonrest.caller"
local core = require "moonrest.core"
local deprecation = require "moonrest.deprecation"
local echo = require "moonrest.echo"
local errors = require "moonrest.errors"
local header = require "moonrest.header"
local limits = require "moonrest.limits"
local lookup = require "moonrest.lookup"
local options = require "moonrest.options"
local redact = require "moonrest.redact"
local response = require "moonrest.response"
local target = require "moonrest.target"
local types = require "moonrest.types"
local wait = require "moonrest.wait"

local call = {}

local response_type <const> = response.type

-- What of a call an err must not show, for whoever makes one of an answer.
call.secrets = echo.secrets

-- {========================================================================
-- Sending
-- =========================================================================

local function write_headers(recipe, values, given, sent)
  local lines = {}
  for _, field in ipairs(recipe.header) do
    local value = values[field]
    if value ~= nil then
      lines[#lines + 1] = header.line(field.wire, target.value(field, value, recipe.label), recipe.label)
    end
  end
  for name, value in pairs(given and given.headers or {}) do
    recipe.site:check_header(name, recipe.label)
    lines[#lines + 1] = header.line(name, value, recipe.label)
  end
  if #lines > 0 then sent.headers = lines end
end

local function fresh_key()
  local engine = core.engine()
  local parts = {}
  for index = 1, 4 do parts[index] = ("%08x"):format(math.floor(engine:random() * 2 ^ 32)) end
  return table.concat(parts)
end

local function write_key(recipe, given, sent)
  local key = given and given.idempotency_key
  if key == nil and recipe.default_key then key = true end
  if not key then return end
  sent.idempotency_key = key == true and fresh_key() or key
  sent.idempotency_header = recipe.idempotency_header
end

local function write_buckets(recipe, values, sent)
  sent.buckets = limits.for_call(recipe.site, recipe, function(parameter)
    local field = recipe.fields[parameter]
    local value = field and values[field]
    return value == nil and "" or (types.is_secret(value) and "secret" or value)
  end)
end

local function send(recipe, where, sent, task)
  local site = recipe.site
  if site.is_closed then caller.raise("%s: the client is closed", recipe.label) end
  if site.missing and recipe.declaration.auth ~= false then
    return nil, errors.of_start(recipe, "auth", site.missing)
  end
  local request, kind, message = recipe.endpoint:start(where, sent, task, wait.go_on)
  if request then
    if type(where) == "table" and where.hides_path then response.hide_path(request) end
    return request
  end
  if kind == "misuse" then caller.raise("%s: %s", recipe.label, message) end
  return nil, errors.of_start(recipe, kind, message)
end

-- Starts the request of a call. 'values' and 'given' come from arguments.read; 'extra' are options of the core that
-- the library itself adds, 'where' a target that is there already. Returns the request, or nil and the err.
function call.start(recipe, values, given, extra, where)
  arguments.check(recipe, values, given)
  local sent = options.apply(given, nil) or {}
  write_headers(recipe, values, given, sent)
  write_key(recipe, given, sent)
  local unread = body_writer.write(sent, recipe, values, given, recipe.site.codec)
  if unread then return nil, errors.of_start(recipe, "io", unread) end
  if recipe.per then write_buckets(recipe, values, sent) end
  for name, value in pairs(extra or {}) do sent[name] = value end
  local task = wait.task()
  return send(recipe, where or arguments.target(recipe, values), next(sent) ~= nil and sent or nil,
    task and task.number)
end

-- }========================================================================

-- {========================================================================
-- Success
-- =========================================================================

local function fits(body, condition)
  if type(body) ~= "table" then return false end
  local value = lookup.at(body, condition.field)
  if condition.one_of then
    for _, word in ipairs(condition.one_of) do
      if value == word then return true end
    end
    return false
  end
  return value == condition.equals
end

local function default_partial(body)
  local list = type(body) == "table" and (body[1] and body or lookup.first(body, { "results", "data", "items" }))
  return type(list) == "table" and list or {}
end

-- Where the definition names a list and no condition, it is a list of what failed.
local function is_failed_item(item, partial)
  if partial and partial.ok then return not fits(item, partial.ok) end
  if type(item) == "table" and type(item.status) == "number" then return item.status >= 400 end
  return partial ~= nil
end

-- The failed items of an answer that reports on several, or nil.
local function failed_items(recipe, status, body)
  local partial = recipe.declaration.partial
  if not partial and status ~= 207 then return nil end
  local items = partial and partial.items and lookup.first(body, partial.items) or default_partial(body)
  local failed = {}
  for _, item in ipairs(type(items) == "table" and items or {}) do
    if is_failed_item(item, partial) then failed[#failed + 1] = item end
  end
  return #failed > 0 and failed or nil, type(items) == "table" and #items or 0
end

-- How many failed. Of a list of failures alone nobody knows how many items there were.
local function count_text(partial, failed, total)
  local has_all = not partial or partial.ok or type(failed[1]) == "table" and type(failed[1].status) == "number"
  return has_all and ("%d of %d items failed"):format(#failed, total)
    or ("%d item%s failed"):format(#failed, #failed == 1 and "" or "s")
end

local function partial_error(recipe, reply, body, failed, total, secrets)
  local partial = recipe.declaration.partial
  local first = failed[1]
  if type(first) == "table" then
    first = lookup.first(first, partial and partial.message or { "message", "error", "reason" })
  end
  local reason = type(first) == "string" and ": " .. first or ""
  local message = count_text(partial, failed, total) .. reason
  return errors.of_content(recipe, reply, "partial", message, body, secrets, failed)
end

-- A 2xx that is an error all the same: where the definition says so. Returns the paths to read it by, or nil.
local function hidden_failure(recipe, body)
  local failure = recipe.declaration.failure
  if failure and fits(body, failure) then return { message = failure.message, code = failure.code } end
  local success = recipe.envelope and recipe.envelope.success
  if success and type(body) == "table" and lookup.at(body, success.field) ~= nil and not fits(body, success) then
    return recipe.errors or {}
  end
  return nil
end

-- The data of a body: what the envelope holds, else the whole body; never nil or false.
local function unwrap(recipe, body)
  local envelope = recipe.envelope
  if envelope and envelope.data and type(body) == "table" then
    local data = lookup.first(body, envelope.data)
    if data ~= nil then body = data end
  end
  if body == false then return core.null end
  return body
end

local function accept(recipe, reply, body, given, values)
  local declared = hidden_failure(recipe, body)
  if declared then
    return nil, errors.of_answer(recipe, reply, body, nil, given, call.secrets(recipe, values, given), declared)
  end
  local failed, total = failed_items(recipe, reply.status, body)
  if failed then
    return nil, partial_error(recipe, reply, body, failed, total, call.secrets(recipe, values, given))
  end
  if recipe.secrets then redact.mark(body, recipe.secrets) end
  return unwrap(recipe, body), reply, body
end

-- }========================================================================

-- {========================================================================
-- Reading the answer
-- =========================================================================

local function is_json(request)
  local kind = request:header "content-type"
  return kind == nil or core.header.is_json(kind)
end

local function wants_text(recipe, request)
  local returns = recipe.declaration.returns
  if returns == "text" or returns == "file" then return true end
  return (returns == "auto" or returns == "events") and not is_json(request)
end

-- The decoded body; nil when there is none; nil and why when it is not JSON; nil, why and the kind of error when
-- something else is wrong with it.
local function decode(recipe, request, given)
  local keep = given ~= nil and given.null == "keep"
  local codec = recipe.site.codec
  if codec then return codec.decode(request:body(), keep) end
  return wait.decode(request, keep)
end

-- Why there was a next attempt after one that the server surely did not carry out.
local unexecuted = { redirect = true, resolve = true, connect = true, ["connect timeout"] = true, ["status 429"] = true,
  ["the credential was read again"] = true }

-- An earlier attempt was carried out, or may have been: what it deleted is gone now.
local function was_executed(reply)
  local attempts = reply.attempts
  for index = 1, #attempts - 1 do
    local attempt = attempts[index]
    if not unexecuted[attempt.reason] or attempt.status == 303 then return true end
  end
  return false
end

-- Some servers say with another status, and a code, that there is nothing to delete.
local function says_gone(recipe, reply, body)
  if reply.status == 404 or reply.status == 410 then return true end
  local declared = recipe.errors or {}
  local gone = declared.gone
  if not gone then return false end
  local code = lookup.first(body, declared.code)
  for _, one in ipairs(type(gone) == "string" and { gone } or gone) do
    if one == code then return true end
  end
  return false
end

local function is_gone(recipe, reply, body)
  return recipe.repeatable == "gone" and says_gone(recipe, reply, body) and was_executed(reply)
end

local function refuse(recipe, request, reply, given, values)
  local body, problem = decode(recipe, request, given)
  if body == nil and not problem then problem = "no body" end
  reply.body = body
  if is_gone(recipe, reply, body) then return true, reply, body end
  return nil, errors.of_answer(recipe, reply, body, problem, given, call.secrets(recipe, values, given))
end

local function not_json(recipe, request, reply, problem, secrets)
  local kind = request:header "content-type" or "none"
  local error_shapes = require "moonrest.error_shapes"
  local text = errors.masked(recipe, request:body(), secrets)
  local title = error_shapes.html_title(text)
  if text ~= request:body() then problem = problem:match "^.-%(byte %d+%)" or problem end -- around it stands a secret
  local message = title and ("the answer is an HTML page (%s), not JSON"):format(error_shapes.cut(title))
    or ("the answer is not JSON: %s"):format((problem:gsub("^cannot decode JSON: ", "")))
  return nil, errors.of_content(recipe, reply, "decode", ("%s (Content-Type %s)"):format(message, kind), nil, secrets)
end

local function read_success(recipe, request, status, given, values)
  if given and given.to then
    return { path = given.to, bytes = (request:progress()) }, response.new(recipe, request, status)
  end
  if wants_text(recipe, request) then return request:body(), response.new(recipe, request, status) end
  local body, problem, kind = decode(recipe, request, given)
  local reply = response.new(recipe, request, status, body)
  if body == nil and not problem then return true, reply end
  if body ~= nil then return accept(recipe, reply, body, given, values) end
  local secrets = call.secrets(recipe, values, given)
  if kind then return nil, errors.of_content(recipe, reply, kind, problem, nil, secrets) end
  return not_json(recipe, request, reply, problem, secrets)
end

-- What most answers are: data and nothing else. Nil when this one is anything more.
local function read_plain(recipe, request)
  local status, body = request:plain()
  if not status then return nil end
  return unwrap(recipe, body), response.new(recipe, request, status, body), body
end

-- Waits for a started request and reads its answer. Returns data, response and the whole decoded body;
-- or nil and the err.
function call.finish(recipe, request, given, values)
  local wanted = given and given.progress
  wait.finish(request, wanted and require "moonrest.progress".watch(recipe.label, wanted), recipe.label)
  if recipe.plain and not given then
    local data, reply, body = read_plain(recipe, request)
    if data ~= nil then return data, reply, body end
  end
  local status, kind, message, retry_after = request:outcome()
  if kind then
    return nil, errors.of_transport(recipe, response.new(recipe, request, status), kind, message, retry_after, given,
      call.secrets(recipe, values, given))
  end
  deprecation.look(recipe, request)
  if status >= 200 and status < 300 then return read_success(recipe, request, status, given, values) end
  return refuse(recipe, request, response.new(recipe, request, status), given, values)
end

-- The commonest call of all: a read of 'recipe.quick' with one path parameter and no options. Returns what a call
-- returns, or false when this one must be made by call.start.
function call.quick(recipe, value)
  local task, seconds = wait.claim()
  local request
  if task then
    request = recipe.endpoint:start_single(value, task.number, task.thread)
    if request then wait.finish_for(task, request) end
  else
    request = recipe.endpoint:await_single(value, wait.go_on, seconds)
  end
  if not request then return false end
  local body, reply = request:plain_single(recipe, response_type)
  if body == nil then return call.finish(recipe, request) end
  if recipe.bare then return body, reply end
  if recipe.keeps_body then response.keep(reply, recipe, body) end
  return unwrap(recipe, body), reply
end

-- What a call returns: failures as values, or raised where the options say so.
function call.deliver(given, data, reply)
  if data == nil and given and given.on_error == "raise" then error(reply, 0) end
  return data, reply
end

-- }========================================================================

return call
