-- What :each, :pages and :stream give to a loop: a value that is called for the next item, and closed with the loop. It
-- is a table that no item stands in, so whoever takes it for a list is told, and does not go through nothing.

local caller = require "moonrest.caller"

local iterator = {}

local function refuse()
  caller.raise("what :each(), :pages() and :stream() give is called by the loop itself, as in 'for item in list:each()"
    .. " do', and is no list for ipairs, pairs, # or [1]: list:all() gives one")
end

local guard_type = { __index = function(_, key)
  if math.type(key) == "integer" then refuse() end
  return nil
end }

local function advance(self) return self:advance() end

-- The metatable of such values. Their field 'advance' is the function that gives the next item; 'fields' has what they
-- have in common: methods, and what loops look for with each item and may not find otherwise.
function iterator.type(name, fields)
  return {
    __name = name, __index = setmetatable(fields, guard_type), __call = advance, __len = refuse, __pairs = refuse,
  }
end

return iterator
