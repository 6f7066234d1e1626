-- Who shares the limits: this process, all processes of the user, or a fleet through Redis. The choice holds for
-- the whole process, and from the first call on.

local core = require "moonrest.core"

local sharing = {}

local function is_redis(choice)
  return choice:find "^rediss?://" ~= nil
end

local function share_by_redis(url)
  local ok, redis = pcall(require, "moonrest.redis")
  if not ok then
    return nil, "this moonrest was built without Redis (the module moonrest.redis cannot be loaded)"
  end
  local shared, _, problem = core.share("fleet", redis.keeper, url)
  return shared, problem
end

-- true, or nil and what is wrong.
function sharing.choose(choice)
  if is_redis(choice) then return share_by_redis(choice) end
  if choice ~= "shared" and choice ~= "local" then
    local got = choice:find("@", 1, true) and "something else" or ("'%s'"):format(choice) -- no password is repeated
    return nil, "give 'shared', 'local', 'redis://host:port' or 'rediss://host:port', got " .. got
  end
  local ok, _, problem = core.share(choice)
  return ok, problem
end

return sharing
