-- Call options: how to call, never what. The last table of a call, and the table of client:with.

local caller = require "moonrest.caller"
local header = require "moonrest.header"
local nearest = require "moonrest.nearest"
local types = require "moonrest.types"

local options = {}

local most_ahead <const> = 64 -- pages that wait for their turn in memory

-- 'use' tells which calls an option is for: every one, or lists only.
options.known = {
  timeout = { type = "number", use = "call", doc = "seconds for everything: queue, attempts, redirects, body" },
  max_wait = { type = "number", use = "call", doc = "seconds in the queue of the limits at most" },
  priority = { type = "string", use = "call", doc = "'high', 'normal' or 'low'",
    words = { high = true, normal = true, low = true } },
  retry = { type = "boolean number", use = "call", doc = "attempts in all; false: one" },
  to = { type = "string", use = "call", doc = "path of a file that the body goes to, in constant memory" },
  progress = { type = "boolean function", use = "call",
    doc = "true: a line on stderr; or function(received, expected, sent, to_send), in bytes" },
  idempotency_key = { type = "string boolean", use = "call", doc = "the key, true for a fresh one, false for none" },
  null = { type = "string", use = "call", doc = "'keep': null in objects comes as moonrest.null",
    words = { keep = true, drop = true } },
  confirm = { type = "boolean", use = "call", doc = "true: a dangerous operation is meant" },
  body = { type = "any", use = "call", doc = "the whole body: a table, or bytes" },
  upload = { type = "string", use = "call", doc = "path of a file that is streamed as the body" },
  content_type = { type = "string", use = "call", doc = "of the body that is sent" },
  headers = { type = "table", use = "call", doc = "further header fields by name" },
  on_error = { type = "string", use = "call", doc = "'raise': failures raise; 'return': nil, err",
    words = { raise = true, ["return"] = true } },
  max_items = { type = "integer", use = "list", doc = "end after so many items" },
  max_pages = { type = "integer", use = "list", doc = "end after so many pages" },
  prefetch = { type = "boolean number", use = "list",
    doc = "how many pages to ask for ahead, where their numbers are known; true: the next one" },
  resume = { type = "string", use = "list", doc = "the token of a place to go on from" },
}

local function has_type(value, wanted)
  if value ~= value then return false end
  if wanted == "any" or wanted == type(value) then return true end
  if wanted == "integer" then return math.type(value) == "integer" end
  for word in wanted:gmatch "%a+" do
    if word == type(value) then return true end
  end
  return false
end

-- Texts that go on as they are, to the system or into a header, with what they must not contain.
local plain_texts = {
  to = "[\r\n%z]", upload = "[\r\n%z]", idempotency_key = header.unfit, content_type = header.unfit,
}

local positive = { timeout = true, max_wait = true, max_items = true, max_pages = true }

-- nil, or what is wrong with one option.
local function problem_of(name, value)
  local option = options.known[name]
  if not option then return ("unknown option '%s'%s"):format(tostring(name), nearest.hint(name, options.known)) end
  if not has_type(value, option.type) then
    local wanted = types.with_article((option.type:gsub(" ", " or a ")))
    return ("option '%s' must be %s%s"):format(name, wanted, types.got(value))
  end
  if option.words and not option.words[value] then
    return ("option '%s' must be one of %s%s"):format(name, nearest.list(option.words), types.got(value))
  end
  if positive[name] and value < 0 then return ("option '%s' must not be negative%s"):format(name, types.got(value)) end
  if plain_texts[name] and type(value) == "string" and (value == "" or value:find(plain_texts[name])) then
    return ("option '%s' must not be empty, nor contain control characters such as a line break or NUL"):format(name)
  end
  if name == "retry" and type(value) == "number" and (math.type(value) ~= "integer" or value < 1) then
    return "option 'retry' must be false or the number of attempts, at least 1" .. types.got(value)
  end
  if name == "prefetch" and type(value) == "number"
    and not (math.type(value) == "integer" and value >= 1 and value <= most_ahead) then
    return ("option 'prefetch' must be true or a number of pages, 1 to %d%s"):format(most_ahead, types.got(value))
  end
  return nil
end

-- Raises at the caller's level when an option is unknown, wrong, or not for this use ("call" or "list").
-- 'fields' are the parameters of the operation, if any: one among the options is told where it goes.
function options.check(given, label, use, fields)
  for name, value in pairs(given) do
    if fields and fields[name] and not options.known[name] then
      caller.raise("%s: '%s' is a parameter, not an option: it goes into the table before the options", label, name)
    end
    local problem = problem_of(name, value)
    if problem then caller.raise("%s: %s", label, problem) end
    if options.known[name].use == "list" and use == "call" then
      caller.raise("%s: option '%s' is for :each, :pages and :all", label, name)
    end
  end
end

-- Both (each may be nil), the given ones first. Those are copied: while a call waits its caller may change the table
-- for another one.
function options.merge(defaults, given)
  if not given then return defaults end
  local merged = {}
  for name, value in pairs(defaults or {}) do merged[name] = value end
  for name, value in pairs(given) do merged[name] = value end
  return merged
end

-- The part that the core understands, added to 'call' (may be nil). Returns nil when there is nothing to tell.
function options.apply(given, call)
  if not given then return call end
  call = call or {}
  call.timeout, call.max_wait, call.priority, call.to = given.timeout, given.max_wait, given.priority, given.to
  if given.retry == false then
    call.attempts = 1
  elseif math.type(given.retry) == "integer" then
    call.attempts = given.retry
  end
  return next(call) ~= nil and call or nil
end

return options
