-- Every item of a long list, page after page, with the collector as Lua starts it.
--   pages_moonrest.lua URL COUNT
-- URL is the first page's; there are COUNT items. Prints "second last most": the resident memory in KiB after the
-- second page and after the last one, and the most of any page from the second on.

local moonrest = require "moonrest"

local base, path = arg[1]:match "^(http://[^/]+)(/.*)$"
local count <const> = tonumber(arg[2])
local memory_page_kib <const> = 4

local client = moonrest.open({
  name = "bench",
  servers = { production = base },
  auth = { header = "Authorization", prefix = "Bearer ", env = { "MOONREST_BENCH_TOKEN" } },
  limits = { default = "account", buckets = { account = { "100000/s" } } },
  pages = { style = "url", next = "next", items = "data" },
  resources = { things = { list = { "GET " .. path, "Things.", paged = true } } },
}, { token = "0123456789abcdef" })

-- The second field of statm is the resident set.
local function resident_kib()
  local file <close> = assert(io.open "/proc/self/statm")
  local _, resident = file:read("n", "n")
  return resident * memory_page_kib
end

local seen, second_kib, last_kib, most_kib = 0, nil, nil, 0
for page in client.things:pages() do
  for _, item in ipairs(page.items) do
    assert(item.id)
    seen = seen + 1
  end
  last_kib = resident_kib()
  if page.number >= 2 then
    second_kib = second_kib or last_kib
    most_kib = math.max(most_kib, last_kib)
  end
end
assert(seen == count, seen)
print(second_kib, last_kib, most_kib)
