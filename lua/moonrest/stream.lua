-- Answers that are read while they come: server-sent events one by one, or the bytes of a file. Breaking out of the
-- loop ends the request. A stream has no time limit but the option timeout; when it falls silent it ends with an error.

local arguments = require "moonrest.arguments"
local call = require "moonrest.call"
local caller = require "moonrest.caller"
local core = require "moonrest.core"
local errors = require "moonrest.errors"
local iterator = require "moonrest.iterator"
local operation = require "moonrest.operation"
local response = require "moonrest.response"
local wait = require "moonrest.wait"

local stream = {}

local unbounded <const> = 10 * 366 * 86400 -- seconds
local most_error_bytes <const> = 1 << 20

local reader_type = iterator.type("moonrest.stream", { is_over = false })

local function transport_error(reader, kind, message)
  local reply = response.new(reader.recipe, reader.request, reader.request:status())
  return errors.of_transport(reader.recipe, reply, kind, message, nil, reader.given,
    call.secrets(reader.recipe, reader.values, reader.given))
end

local function read_error_body(request)
  local parts, size = {}, 0
  while size < most_error_bytes do
    local bytes = request:read()
    if bytes == nil then break end
    if bytes == "" then
      wait.activity(request)
    else
      parts[#parts + 1], size = bytes, size + #bytes
    end
  end
  return table.concat(parts)
end

local function answer_error(reader)
  local reply = response.new(reader.recipe, reader.request, reader.request:status())
  local text = read_error_body(reader.request)
  rawset(reply, "raw", text)
  local body, problem = core.json.decode(text)
  return errors.of_answer(reader.recipe, reply, body, body == nil and problem or nil, reader.given,
    call.secrets(reader.recipe, reader.values, reader.given))
end

-- The response of an err reads from its request: it is cancelled with the stream, but not closed.
local function raise(reader, err)
  reader.has_failed = err.response ~= nil
  error(err, 0)
end

local function finish(reader, kind, message)
  local err = kind and transport_error(reader, kind, message)
  reader.is_over = true
  if err then raise(reader, err) end
  return nil
end

local function next_event(reader)
  while not reader.is_over do
    local event, kind, message = reader.request:event()
    if event then return event end
    if event == nil then return finish(reader, kind, message) end
    wait.activity(reader.request)
  end
  return nil
end

local function next_bytes(reader)
  while not reader.is_over do
    local bytes, kind, message = reader.request:read()
    if bytes == nil then return finish(reader, kind, message) end
    if bytes ~= "" then return bytes end
    wait.activity(reader.request)
  end
  return nil
end

-- An answer of another type would be a stream without an event. One that names no type may be a stream all the same.
local function type_error(reader, status)
  local request, recipe = reader.request, reader.recipe
  local kind = request:header "content-type"
  local word = kind and kind:lower():match "^%s*([^;%s]*)" or ""
  if status == 204 or word == "" or word == "text/event-stream" then return nil end
  return errors.of_content(recipe, response.new(recipe, request, status), "decode",
    ("the answer is no event stream (Content-Type %s, not text/event-stream); a call without :stream returns it")
    :format(kind), nil, call.secrets(recipe, reader.values, reader.given))
end

-- Waits for the headers; an error status, or an answer of another type, becomes an err.
local function check_answer(reader)
  local request = reader.request
  local _ <close> = request
  while not request:status() and not request:finished() do wait.activity(request) end
  local kind, message = request:failure()
  if kind then return transport_error(reader, kind, message) end
  local status = request:status()
  if status < 200 or status >= 300 then return answer_error(reader) end
  return reader.advance == next_event and type_error(reader, status) or nil
end

local function close(reader)
  if reader.is_closed then return end
  reader.is_closed, reader.is_over = true, true
  reader.request:cancel()
  if not reader.has_failed then reader.request:close() end
end

reader_type.__close = close
reader_type.__gc = close

function reader_type.__tostring(reader)
  return ("moonrest.stream of %s"):format(reader.recipe.label)
end

-- for event in logs:stream(...): { event, data, id, retry }; for bytes in export:stream(...). The first value alone is
-- an iterator too, which is what moonrest.map takes.
function stream.open(self, ...)
  local recipe = operation.recipe(self)
  local returns = recipe.declaration.returns
  if returns ~= "events" and returns ~= "file" and returns ~= "text" then
    caller.raise("%s returns no stream: call it without :stream", recipe.label)
  end
  local values, given = arguments.read(recipe, "call", self.view.defaults, ...)
  for _, name in ipairs { "to", "progress" } do
    if given and given[name] then caller.raise("%s: option '%s' is for calls without :stream", recipe.label, name) end
  end
  local timeout = given and given.timeout or unbounded
  local request, err = call.start(recipe, values, given, { stream = true, timeout = timeout })
  if not request then error(err, 0) end
  local reader = setmetatable({
    recipe = recipe, request = request, given = given, values = values,
    advance = returns == "events" and next_event or next_bytes,
  }, reader_type)
  err = check_answer(reader)
  if err then
    local _ <close> = reader
    raise(reader, err)
  end
  return reader, nil, nil, reader
end

return stream
