-- Lua memory of clients of one definition with every operation of them looked at, in KiB.
--   client_memory.lua NAME
-- Prints "first second prepared operations": what the first client takes together with the definition and the parts of
-- the library that are loaded for it, what a second one takes, how much that grows when all its operations are
-- prepared as their first call does it, and how many they are.

local moonrest = require "moonrest"

local function used_kib()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count"
end

-- Calls 'visit' for the operations below a client or a resource. What is private stands at [1].
local function each_operation(node, visit)
  local operation = require "moonrest.operation"
  for key, child in pairs(node) do
    if operation.is(child) then
      visit(child)
    elseif type(key) == "string" then
      each_operation(child, visit)
    end
  end
end

local function open_all()
  local client, count = moonrest.open(arg[1], { token = "0123456789abcdef" }), 0
  each_operation(client, function() count = count + 1 end)
  return client, count
end

local before_kib = used_kib()
local first, count = open_all()
local first_kib = used_kib()
local second = open_all()
local second_kib = used_kib()
each_operation(second, require "moonrest.operation".recipe)
local prepared_kib = used_kib()
print(("%.1f %.1f %.1f %d"):format(first_kib - before_kib, second_kib - first_kib, prepared_kib - second_kib, count))
assert(first)
