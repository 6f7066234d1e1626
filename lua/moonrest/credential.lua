-- Credentials of a client: from the open options, or found by themselves in the variables that the
-- definition names. What is found goes only to the definition's own servers. The values are userdata of the core:
-- from a variable, a file or a command they never enter the Lua heap.

local caller = require "moonrest.caller"
local core = require "moonrest.core"
local types = require "moonrest.types"

local credential = {}

-- A secret out of what the user gave: text or a secret. Raises when it cannot be one.
function credential.read(value, name)
  if types.is_secret(value) then return value end
  if type(value) ~= "string" then
    caller.raise("moonrest.open: '%s' must be a string or a secret such as moonrest.env 'NAME', got a %s", name,
      type(value))
  end
  local secret, problem = core.secret(value)
  if not secret then caller.raise("moonrest.open: '%s': %s", name, problem) end
  return secret
end

local function basic(given)
  local name, password = given.username, given.password
  if name == nil and password == nil then return nil end
  if type(name) ~= "string" or type(password) ~= "string" then
    caller.raise "moonrest.open: Basic authentication needs username and password, both strings"
  end
  if name:find(":", 1, true) then caller.raise "moonrest.open: 'username' must not contain ':' (RFC 7617 section 2)" end
  return credential.read(require "moonrest.digest".base64(name .. ":" .. password), "password")
end

-- The first variable that holds a good value; nil and what is wrong with each.
local function find_in_environment(names)
  local problems = {}
  for _, name in ipairs(type(names) == "string" and { names } or names or {}) do
    local secret, problem = core.env(name)
    if secret then return secret end
    problems[#problems + 1] = problem
  end
  return nil, table.concat(problems, "; ")
end

local function place(auth, secret)
  if auth.query then return { query = auth.query, secret = secret } end
  return { header = auth.header or "Authorization", prefix = auth.prefix, secret = secret }
end

local function advice(at, auth, problem, is_own)
  local option = auth.scheme == "basic" and "username and password" or auth.option or "token"
  if not is_own then
    return ("the server is not one of %s's own, so no credential is sent that was not given for it: "
      .. "pass %s to moonrest.open"):format(at.name, option)
  end
  local variables = type(auth.env) == "string" and auth.env or table.concat(auth.env or {}, " or ")
  if variables == "" then return ("no credential: pass %s to moonrest.open"):format(option) end
  return ("no credential: set %s, or pass %s to moonrest.open (%s)"):format(variables, option, problem)
end

local function main_secret(auth, given, is_own)
  local option = auth.option or "token"
  if auth.scheme == "basic" then
    local secret = basic(given)
    if secret then return secret end
  elseif given[option] ~= nil then
    return credential.read(given[option], option)
  end
  if not is_own then return nil end
  return find_in_environment(auth.env)
end

-- The list of credentials that the core's endpoints take. A second value says what is missing; the client opens all the
-- same, and each call that needs the credential fails with it.
function credential.find(at, given, is_own)
  local auth = at.auth
  if not auth or not (auth.header or auth.query or auth.scheme) then return {}, nil end
  local secret, problem = main_secret(auth, given, is_own)
  if not secret then return {}, advice(at, auth, problem, is_own) end
  local shown = auth.scheme == "basic" and { header = auth.header, prefix = "Basic " } or auth
  local list = { place(shown, secret) }
  for option, header in pairs(auth.extra or {}) do
    if given[option] ~= nil then
      local value = math.type(given[option]) == "integer" and tostring(given[option]) or given[option]
      list[#list + 1] = { header = header, prefix = "", secret = credential.read(value, option) }
    end
  end
  return list, nil
end

-- Names the open options that this definition's authentication has.
function credential.option_names(at)
  local names = {}
  local auth = at.auth or {}
  if auth.scheme == "basic" then
    names.username, names.password = true, true
  else
    names[auth.option or "token"] = true
  end
  for option in pairs(auth.extra or {}) do names[option] = true end
  return names
end

return credential
