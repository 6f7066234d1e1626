-- Credentials of a client: from the open options, or found by themselves in the variables that the
-- definition names. What is found goes only to the definition's own servers. The values are userdata of the core:
-- from a variable, a file or a command they never enter the Lua heap.

local caller = require "moonrest.caller"
local core = require "moonrest.core"
local types = require "moonrest.types"
local words = require "moonrest.words"

local credential = {}

-- A secret out of what the user gave: text or a secret. Raises when it cannot be one.
function credential.read(value, name)
  if types.is_secret(value) then return value end
  if type(value) ~= "string" then
    caller.raise("moonrest.open: option '%s' must be a string or a secret such as moonrest.env 'NAME', got a %s", name,
      type(value))
  end
  local secret, problem = core.secret(value)
  if not secret then caller.raise("moonrest.open: option '%s': %s", name, problem) end
  return secret
end

local function basic(given)
  local name, password = given.username, given.password
  if name == nil and password == nil then return nil end
  if type(name) ~= "string" or type(password) ~= "string" then
    caller.raise "moonrest.open: Basic authentication needs username and password, both strings"
  end
  if name:find(":", 1, true) then caller.raise "moonrest.open: 'username' must not contain ':' (RFC 7617 section 2)" end
  local secret = credential.read(require "moonrest.digest".base64(name .. ":" .. password), "password")
  return secret, (core.secret(password))
end

-- The first variable that holds a good value; nil and what is wrong with those that are set.
local function find_in_environment(names)
  local problems = {}
  for _, name in ipairs(words.list(names)) do
    local secret, problem = core.env(name)
    if secret then return secret end
    if os.getenv(name) then problems[#problems + 1] = problem end
  end
  return nil, table.concat(problems, "; ")
end

-- 'plain' is what a server may make of the secret and repeat: a password.
local function place(auth, secret, plain)
  if auth.query then return { query = auth.query, secret = secret } end
  return { header = auth.header or "Authorization", prefix = auth.prefix, secret = secret, plain = plain }
end

local function option_of(auth)
  return auth.scheme == "basic" and "username and password" or auth.option or "token"
end

local function variables_of(auth)
  return table.concat(words.list(auth.env), " or ")
end

local function advice(auth, problem)
  local variables = variables_of(auth)
  if variables == "" then return ("no credential: pass %s to moonrest.open"):format(option_of(auth)) end
  local note = problem ~= "" and (" (%s)"):format(problem) or ""
  return ("no credential: set %s, or pass %s to moonrest.open%s"):format(variables, option_of(auth), note)
end

local function refuse_foreign(at, auth)
  local variables = variables_of(auth)
  caller.raise("moonrest.open: the base URL is none of %s's own servers, and a credential%s goes to those only: "
    .. "pass %s for this one, or %s = false for none", at.name, variables ~= "" and " from " .. variables or "",
    option_of(auth), auth.option or "token")
end

local function given_secret(auth, given)
  if auth.scheme == "basic" then return basic(given) end
  local option = auth.option or "token"
  return given[option] ~= nil and credential.read(given[option], option) or nil
end

-- The list of credentials that the core's endpoints take. A second value says what is missing; the client opens all the
-- same, and each call that needs the credential fails with it. Raises when the server is not the definition's own
-- and no credential was named for it; { token = false } says that there is none.
function credential.find(at, given, is_own)
  local auth = at.auth
  if not auth then
    if given.token then
      caller.raise("moonrest.open: definition '%s' declares no auth, so 'token' would be sent nowhere; give it auth",
        at.name)
    end
    return {}, nil
  end
  if given[auth.option or "token"] == false then return {}, nil end
  local secret, plain = given_secret(auth, given)
  local problem
  if not secret and not is_own then refuse_foreign(at, auth) end
  if not secret then secret, problem = find_in_environment(auth.env) end
  if not secret then return {}, advice(auth, problem) end
  local shown = auth.scheme == "basic" and { header = auth.header, prefix = "Basic " } or auth
  local list = { place(shown, secret, plain) }
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
  names[auth.option or "token"] = true
  if auth.scheme == "basic" then names.username, names.password = true, true end
  for option in pairs(auth.extra or {}) do names[option] = true end
  return names
end

return credential
