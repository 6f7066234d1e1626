-- A streamed answer that can be asked for its next part. Two forms: a function(write, wait, await), run as a
-- coroutine, where write(text) gives bytes out, wait(seconds) sleeps on the sandbox's clock, and
-- await(register) calls register(resume) and sleeps until resume() is called; or a table
-- { next = function() -> text | seconds to sleep | register function | nil at the end,
-- close = function() (optional) }.

local stream = {}
stream.__index = stream
stream.__name = "moonrest.sandbox.stream"

local function write(text) coroutine.yield(tostring(text)) end

local function wait(seconds) coroutine.yield(seconds + 0.0) end

local function await(register) coroutine.yield(register) end

local function of_function(body)
  local thread = coroutine.create(function() body(write, wait, await) end)
  local function following()
    if coroutine.status(thread) == "dead" then return nil end
    local fine, value = coroutine.resume(thread)
    if not fine then error(debug.traceback(thread, tostring(value)), 0) end
    return value
  end
  local function close()
    if coroutine.status(thread) == "suspended" then coroutine.close(thread) end
  end
  return { next = following, close = close }
end

--- True for what a handler may return as a streamed body.
function stream.accepts(body)
  return type(body) == "function" or type(body) == "table" and type(body.next) == "function"
end

function stream.new(body)
  local source = type(body) == "function" and of_function(body) or body
  return setmetatable({ source = source }, stream)
end

--- Text, a number of seconds to sleep, a register function, or nil at the end. Raises what the generator raises.
function stream:next() return self.source and self.source.next() end

--- The receiver is gone, or has it all. Idempotent.
function stream:close()
  local source = self.source
  self.source = nil
  if source and source.close then source.close() end
end

return stream
