-- Lua memory of clients of one definition with every operation of them looked at, in KiB.
--   client_memory.lua NAME
-- Prints "library client prepared operations": what the parts of the library take that any client loads, what the
-- client takes with its definition, how much that grows when all its operations are prepared as by their first call,
-- and how many they are.

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

local function open_all(source)
  local client, count = moonrest.open(source, { token = "0123456789abcdef" }), 0
  each_operation(client, function() count = count + 1 end)
  return client, count
end

-- It makes the library load all that the other one needs.
local small <const> = {
  name = "small",
  servers = { production = "https://api.example.com" },
  auth = { header = "Authorization", prefix = "Bearer ", env = { "MOONREST_BENCH_TOKEN" } },
  limits = { default = "account", buckets = { account = { "10/s" } } },
  resources = { things = { list = { "GET /things", "Things." } } },
}

local before_kib = used_kib()
local other = open_all(small)
each_operation(other, require "moonrest.operation".recipe)
local library_kib = used_kib()
local client, count = open_all(arg[1])
local client_kib = used_kib()
each_operation(client, require "moonrest.operation".recipe)
local prepared_kib = used_kib()
print(("%.1f %.1f %.1f %d"):format(library_kib - before_kib, client_kib - library_kib, prepared_kib - client_kib,
  count))
