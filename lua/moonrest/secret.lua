-- Credentials and other secret values, as userdata of the core: they print as nothing, encode into requests in C, and
-- those from a variable, a file or a command never enter the Lua heap.
--
-- A secret that cannot be read raises here, at the caller's line. These functions stand inside tables of options, where
-- a nil would vanish without a word.

local caller = require "moonrest.caller"
local core = require "moonrest.core"

local secret = {}

-- An error that ended the reading: Ctrl-C's names what it ended.
local function raise(name, argument, problem)
  local interruption = require "moonrest.interruption"
  if interruption.is(problem) then interruption.raise("moonrest." .. name, "This was killed: " .. argument) end
  error(problem, 0)
end

local function read(name, reader, argument)
  if type(argument) ~= "string" then caller.raise("moonrest.%s needs a string, got a %s", name, type(argument)) end
  local is_good, value, problem = pcall(reader, argument)
  if not is_good then raise(name, argument, value) end
  if not value then caller.raise("moonrest.%s: %s", name, problem) end
  return value
end

-- A secret of this text.
function secret.literal(text) return read("secret", core.secret, text) end

-- The value of an environment variable.
function secret.env(name) return read("env", core.env, name) end

-- The content of a file without its last newline; read again when the server answers 401.
function secret.file(path) return read("file", core.file, path) end

-- What a command writes, without its last newline; run again when the server answers 401.
function secret.command(line) return read("command", core.command, line) end

return secret
