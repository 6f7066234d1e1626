-- Lists in pages.

local json = require "moonrest.sandbox.json"

local pages = {}

--- Page `number` (1-based) of `list`: its items, and what is known: { number, size, total, pages, has_next,
--- has_previous, next, previous }. An empty list has one page.
function pages.cut(list, number, size)
  local total = #list
  local items = json.array {}
  for i = (number - 1) * size + 1, math.min(number * size, total) do items[#items + 1] = list[i] end
  local count = math.max((total + size - 1) // size, 1)
  return items, {
    number = number, size = size, total = total, pages = count,
    has_next = number < count, has_previous = number > 1,
    next = number < count and number + 1 or nil, previous = number > 1 and number - 1 or nil,
  }
end

return pages
