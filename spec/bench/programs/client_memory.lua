-- Lua memory of clients of one definition, every operation of them looked at, in KiB.
--   client_memory.lua NAME
-- Prints "first second operations": what the first client takes together with the parts of the library and the definition
-- that it loads, what a second one takes, and how many operations each has.

local moonrest = require "moonrest"

local function used_kib()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count"
end

local is_operation

-- How many operations there are below a client or a resource.
local function touch(node)
  if is_operation(node) then return 1 end
  local count = 0
  for _, child in pairs(node) do
    if type(child) == "table" then count = count + touch(child) end
  end
  return count
end

local function open_all()
  local client = moonrest.open(arg[1], { token = "0123456789abcdef" })
  return client, touch(client)
end

local before_kib = used_kib()
is_operation = require "moonrest.operation".is
local first, count = open_all()
local after_first_kib = used_kib()
local second = open_all()
local after_second_kib = used_kib()
print(("%.1f %.1f %d"):format(after_first_kib - before_kib, after_second_kib - after_first_kib, count))
assert(first and second)
