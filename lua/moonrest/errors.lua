-- Errors of the world, as values. An err is a table that prints well, so that assert(...) reads well:
--   kind         one of errors.kinds
--   status       integer, when a response came
--   code         the API's own word, where it has one
--   message      text; details: whatever else the API said; data: the whole decoded body
--   response     the response; attempts: its attempts; url; operation
--   retryable    true when the very same call may succeed later and repeating it does no harm
--   retry_after  seconds, when the server or the limiter said so
--   request_id   only from the definition's trace field
--   waiter       the state that was waited for, and waited, for how many seconds, where :wait failed
--   where        the caller's file and line
-- Secrets are masked before anything is stored.

local caller = require "moonrest.caller"
local error_shapes = require "moonrest.error_shapes"
local redact = require "moonrest.redact"
local response = require "moonrest.response"

local errors = {}

errors.kinds = {
  http = "the server answered with an error",
  partial = "the server did a part of it: data has the results",
  network = "no connection, or it broke",
  timeout = "a deadline passed",
  throttled = "the limits leave no slot before the deadline: see retry_after",
  auth = "a credential is missing, unreadable, or was refused too often",
  decode = "the answer is not what the operation promises",
  too_large = "headers, body or decompressed body exceed a bound",
  truncated = "the answer ended before its end",
  redirect = "a redirect that is not followed",
  cancelled = "somebody cancelled the request, or closed its client",
  limit = "a bound of this library: queue, retries, pages",
  io = "a local file",
}

local transient = { [408] = true, [425] = true, [429] = true, [500] = true, [502] = true, [503] = true, [504] = true }
local refusals = { [429] = true, [503] = true } -- nothing was executed
local harmless_kinds = { throttled = true, limit = true }
local transient_kinds = { network = true, timeout = true, throttled = true, truncated = true, limit = true }

local metatable = { __name = "moonrest.error" }

-- Redirects are in the list of what was sent, but they are hops of one attempt.
local function count_note(err)
  local attempts = 1
  for index = 1, #(err.attempts or {}) - 1 do
    if err.attempts[index].reason ~= "redirect" then attempts = attempts + 1 end
  end
  return attempts > 1 and ("after %d attempts"):format(attempts) or nil
end

local function notes_of(err)
  local notes = {}
  local code = err.code and tostring(err.code)
  if code and not tostring(err.message):find(code, 1, true) then notes[#notes + 1] = "code " .. code end
  if err.request_id then notes[#notes + 1] = "request " .. tostring(err.request_id) end
  notes[#notes + 1] = count_note(err)
  if err.waiter and not tostring(err.message):find(("'%s'"):format(err.waiter), 1, true) then
    notes[#notes + 1] = ("waiting for '%s' for %.3g s"):format(err.waiter, err.waited)
  end
  if err.retry_after then notes[#notes + 1] = ("retry after %g s"):format(err.retry_after) end
  return #notes > 0 and (" (%s)"):format(table.concat(notes, ", ")) or ""
end

local function headline(err)
  if not err.status or err.kind ~= "http" then return err.kind end
  if err.status < 300 and err.waiter then return "failed" end
  if err.status < 300 then return ("error in a %d"):format(err.status) end
  return ("%d %s"):format(err.status, error_shapes.reason(err.status))
end

-- "script.lua:12: edgegap.apps:get: 404 Not Found: no such application (request 4f2)"
function metatable.__tostring(err)
  local head = headline(err)
  local message = err.message ~= error_shapes.reason(err.status) and err.message or nil
  message = message and ": " .. message or ""
  local text = ("%s: %s%s%s"):format(err.operation or "moonrest", head, message, notes_of(err))
  return err.where and ("%s: %s"):format(err.where, text) or text
end

function errors.is(value)
  return getmetatable(value) == metatable
end

-- An err of these fields; 'kind', 'message' and 'operation' at least.
function errors.make(fields)
  fields.where = fields.where or caller.where()
  if fields.retryable == nil then fields.retryable = false end
  return setmetatable(fields, metatable)
end

-- As call.start decides on a key: false is none, also where the definition has one in every write.
local function has_key(recipe, given)
  local key = given and given.idempotency_key
  if key == nil then return recipe.default_key end
  return key ~= false
end

local function is_repeatable(recipe, given)
  return recipe.repeatable ~= "never" or has_key(recipe, given)
end

local function is_retryable(recipe, given, kind, status, is_final)
  if is_final then return false end
  if status and kind == "http" then
    return transient[status] == true and (refusals[status] == true or is_repeatable(recipe, given))
  end
  return transient_kinds[kind] == true and (harmless_kinds[kind] == true or is_repeatable(recipe, given))
end

local function fill_from_response(fields, recipe, reply)
  fields.operation = recipe.label
  fields.status, fields.response = reply.status, reply.status and reply or nil
  fields.attempts, fields.url = reply.attempts, reply.url
  fields.request_id = reply.request_id
end

-- The secrets among the arguments, and the client's credentials.
local function all_secrets(recipe, secrets)
  local list = { table.unpack(secrets or {}) }
  for _, one in ipairs(recipe.site.credentials or {}) do
    list[#list + 1] = one.secret
    list[#list + 1] = one.plain
  end
  return list
end

-- The text with its secrets masked.
function errors.masked(recipe, text, secrets)
  return redact.text(text, all_secrets(recipe, secrets))
end

local function mask(fields, recipe, secrets)
  if recipe.secrets then
    redact.fields(fields.data, recipe.secrets)
    redact.fields(fields.details, recipe.secrets)
  end
  for _, name in ipairs { "message", "code", "details", "data", "url", "request_id" } do
    fields[name] = redact.texts(fields[name], secrets)
  end
end

-- The server answered, and the answer is an error. 'body' is the decoded body, or nil and 'problem' says why it
-- could not be decoded. 'secrets' are those among the arguments, 'given' the call's options, 'declared'
-- where to look in the body when that is not where the definition's errors are.
function errors.of_answer(recipe, reply, body, problem, given, secrets, declared)
  secrets = all_secrets(recipe, secrets)
  response.hide(reply, secrets)
  body = redact.texts(body, secrets)
  local text = type(body) ~= "table" and problem and reply.raw or nil
  local shape = error_shapes.read(declared or recipe.errors or {}, reply, body, text)
  local fields = {
    kind = shape.kind or "http", code = shape.code, message = shape.message, details = shape.details,
    data = body, retry_after = shape.retry_after,
  }
  fill_from_response(fields, recipe, reply)
  fields.retryable = is_retryable(recipe, given, fields.kind, reply.status, shape.final)
  if shape.final then fields.retry_after = nil end
  mask(fields, recipe, secrets)
  return errors.make(fields)
end

-- A whole answer came, but not what the operation promises.
function errors.of_content(recipe, reply, kind, message, body, secrets, details)
  local fields = { kind = kind, message = message, data = body, details = details }
  secrets = all_secrets(recipe, secrets)
  response.hide(reply, secrets)
  fill_from_response(fields, recipe, reply)
  fields.retryable = transient_kinds[kind] == true and is_repeatable(recipe)
  mask(fields, recipe, secrets)
  return errors.make(fields)
end

-- No whole answer came. 'reply' reads from the failed request.
function errors.of_transport(recipe, reply, kind, message, retry_after, given, secrets)
  local fields = { kind = kind, message = message, retry_after = retry_after }
  secrets = all_secrets(recipe, secrets)
  response.hide(reply, secrets)
  fill_from_response(fields, recipe, reply)
  fields.retryable = is_retryable(recipe, given, kind, nil, reply.request:lasting())
  mask(fields, recipe, secrets)
  return errors.make(fields)
end

-- The request was never started.
function errors.of_start(recipe, kind, message)
  local retryable = harmless_kinds[kind] == true
  return errors.make { kind = kind, message = message, operation = recipe.label, retryable = retryable }
end

return errors
