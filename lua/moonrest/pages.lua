-- Walks over lists: :each, :pages and :all, one loop for every style of page_styles.lua.
--
-- Only the true end or a limit of the caller's own ends a walk. An error, a cap of the library's, a page or a cursor
-- that comes again, an answer that does not tell whether there is more: all of these raise (:all returns nil, err and
-- the items so far). What is wrong about the way on is raised behind the items of its page, and only if they are not
-- enough.
-- Memory is constant: the page in use, the one before it, the answers that the option prefetch asked for, and 16 bytes
-- for each item where pages overlap.

local arguments = require "moonrest.arguments"
local call = require "moonrest.call"
local caller = require "moonrest.caller"
local core = require "moonrest.core"
local errors = require "moonrest.errors"
local iterator = require "moonrest.iterator"
local lookup = require "moonrest.lookup"
local operation = require "moonrest.operation"
local page_styles = require "moonrest.page_styles"
local resume_token = require "moonrest.resume_token"
local seen = require "moonrest.seen"
local wait = require "moonrest.wait"

local pages = {}

-- Work for the collector with each page: at its own pace it lets some nine decoded pages stand, with such a step three.
-- Where little is in memory, all of it can be looked through: 0.1 ms for 600 KiB, and one page stands besides the next.
local page_step_kib <const>, small_heap_kib <const> = 400, 2048
local most_pages <const> = 10000 -- of a walk without max_pages; a server that never ends is stopped there
local most_empty <const> = 100 -- pages in a row without an item: the same

-- A walk is also what loops get beside the item: its number, and a token to go on from there.
local walk_methods = { is_closed = false, max_items = false }
local walk_type = iterator.type("moonrest.place", walk_methods)

-- {========================================================================
-- Starting
-- =========================================================================

local function size_field(recipe)
  return recipe.pages.size and recipe.fields[recipe.pages.size]
end

-- The number of a page that the caller begins with counts the server's own pages: in larger ones it is another place.
local function page_size(walk)
  local style, field = walk.style, size_field(walk.recipe)
  local asked = field and math.tointeger(tonumber(walk.values[field]))
  if asked or not field or not style.max_size or walk.started_first == false then return asked end
  return math.min(style.max_size, walk.max_items or style.max_size)
end

-- A word for the parameters that say which list it is, and not where in it.
local function mark_of(walk)
  if not walk.mark then
    local ignored = {}
    for _, name in ipairs { "page", "offset", "cursor", "size" } do
      local field = walk.style[name] and walk.recipe.fields[walk.style[name]]
      if field then ignored[field] = true end
    end
    walk.mark = resume_token.mark(walk.values, ignored)
  end
  return walk.mark
end

-- In pages of another size the place would be elsewhere: items would be missing, or come again. An offset and a cursor
-- are the same place in pages of any size.
local function keep_size(walk, place)
  if walk.style.style ~= "page" and place.index == 0 then return end
  local field = size_field(walk.recipe)
  if field and walk.values[field] ~= nil and walk.size ~= place.size then
    caller.raise("%s: option 'resume' is a token of pages of %s items, not of %s: leave '%s' as it was",
      walk.recipe.label, place.size or "the server's own number of", walk.size, field.name)
  end
  walk.size = place.size
end

local function go_to_token(walk, token)
  local place, problem = resume_token.read(token, walk.recipe.label, mark_of(walk))
  if not place then caller.raise("%s: %s", walk.recipe.label, problem) end
  keep_size(walk, place)
  walk.position, walk.skip, walk.number = place.position, place.index, place.number - 1
  walk.started_first = false
end

local function pages_ahead(given)
  local wanted = given and given.prefetch
  return wanted == true and 1 or wanted or 0
end

-- Opaque positions do not come twice in a walk. A token's, or the caller's, is one that the server has sent.
local function is_cursor(walk, position)
  return type(position) == "string" or (position ~= nil and walk.style.style == "cursor")
end

local function new_walk(self, ...)
  local recipe = operation.recipe(self)
  if not recipe.pages then
    caller.raise("%s is no list: it has no :each, :pages and :all", recipe.label)
  end
  local values, given = arguments.read(recipe, "list", self.view.defaults, ...)
  if given and given.to then caller.raise("%s: option 'to' is not for lists", recipe.label) end
  local walk = setmetatable({
    recipe = recipe, style = recipe.pages, engine = page_styles[recipe.pages.style], values = values, given = given,
    number = 0, index = 0, count = 0, received = 0, gained = 0, fetched = 0, length = 0, empty = 0,
    max_items = given and given.max_items, max_pages = given and given.max_pages,
    ahead = {}, most_ahead = pages_ahead(given),
  }, walk_type)
  walk.position = walk.engine.start(walk)
  walk.size = page_size(walk)
  if given and given.resume then go_to_token(walk, given.resume) end
  if walk.style.overlap then walk.seen = seen.new() end
  walk.places = seen.new()
  if is_cursor(walk, walk.position) then walk.places:add(walk.position) end
  return walk
end

-- }========================================================================

-- {========================================================================
-- One page
-- =========================================================================

local function start_request(walk)
  local values = {}
  for field, value in pairs(walk.values) do values[field] = value end
  local where = walk.engine.ask(walk, values)
  return call.start(walk.recipe, values, walk.given, where and { absolute = true }, where)
end

-- An object without fields counts as an empty list: servers whose language has one type for both send {} for [], as
-- does lua-cjson, and no item is lost by it.
local function is_list(value)
  if type(value) ~= "table" then return false end
  return core.json.is_array(value) or value[1] ~= nil or next(value) == nil
end

-- What the definition says is the list; without a word of it, the answer's data.
local function find_items(walk, data, body)
  local paths = walk.style.items
  local found = paths and lookup.first(body, paths, is_list)
  if found then return found end
  if body == nil then return {} end
  return is_list(data) and (data ~= body or not paths or next(data) ~= nil) and data or nil
end

-- What stands where the list should be, if anything does.
local function in_the_place(walk, data, body)
  local paths = walk.style.items
  if paths then return lookup.first(body, paths) end
  local envelope = walk.recipe.envelope
  if envelope and envelope.data and data == body then return nil end -- its field is not there
  return data
end

-- An answer without the list is an empty page when it says itself that there is nothing.
local function says_nothing(walk, body)
  local total = lookup.first(body, walk.style.total)
  local has_next = lookup.first(body, walk.style.has_next or walk.style.has_more)
  return total == 0 or (has_next == false and total == nil and walk.fetched == 0)
end

local function describe(value)
  if type(value) == "table" then return "an object" end
  return value == true and "true" or ("a %s"):format(type(value))
end

local function fail(walk, reply, kind, message)
  return nil, errors.of_content(walk.recipe, reply, kind, ("page %d: %s"):format(walk.number + 1, message), nil,
    call.secrets(walk.recipe, walk.values, walk.given))
end

local function is_there(value) return value ~= core.null end

-- Under one code a server may also tell of what is no end: then the definition says what the end looks like.
local function is_end_error(walk, err)
  local rule = err.code and walk.style.end_errors and walk.style.end_errors[err.code]
  if type(rule) ~= "table" then return rule == true or (rule ~= nil and rule == err.status) end
  return (rule.status or err.status) == err.status and (rule.message or err.message) == err.message
    and lookup.first(err.data, rule.absent, is_there) == nil
end

local function same(left, right, depth)
  if left == right then return true end
  if type(left) ~= "table" or type(right) ~= "table" or depth > 8 then return false end
  for key, value in pairs(left) do
    if not same(value, right[key], depth + 1) then return false end
  end
  for key in pairs(right) do
    if left[key] == nil then return false end
  end
  return true
end

-- A server that does not know the parameter sends the first page again and again.
local function is_repeated(walk, items)
  return walk.items ~= nil and #items > 0 and type(items[1]) == "table" and #items == walk.raw_length
    and not walk.seen and same(walk.items, items, 1)
end

local function key_of(walk, item)
  if type(item) ~= "table" then return item end
  return walk.style.key and lookup.at(item, walk.style.key)
end

-- The items that were not seen before; all of them where pages do not overlap.
local function fresh_items(walk, items)
  if not walk.seen then return items end
  local fresh = {}
  for _, item in ipairs(items) do
    local key = key_of(walk, item)
    if key == nil or walk.seen:add(key) then fresh[#fresh + 1] = item end
  end
  return fresh
end

-- Where the walk goes on after this page; false at the end.
local function next_position(walk, page)
  local position, kind, message = walk.engine.after(walk, page)
  if kind then return nil, kind, message end
  if position == nil then return false end
  if is_cursor(walk, position) then
    if walk.places:add(position) then return position end
    return nil, "decode", "the server sent a cursor that it had sent before, so the list would never end"
  end
  if page.fresh > 0 or #page.items == 0 then return position end
  return nil, "truncated", "it has only items that were there before, and there should be more: perhaps the server "
    .. "does not know the parameters of pages"
end

local function take_answer(walk, data, reply, body)
  local items = find_items(walk, data, body)
  if not items then
    local there = in_the_place(walk, data, body)
    if there ~= nil and there ~= core.null then
      return fail(walk, reply, "decode", ("the answer has %s where the list should be"):format(describe(there)))
    end
    if not says_nothing(walk, body) then
      return fail(walk, reply, "decode", "the answer has no list where one should be")
    end
    items = {}
  end
  if is_repeated(walk, items) then
    return fail(walk, reply, "decode", "the server sent the page before it once more, so the list would never end")
  end
  walk.largest = math.max(walk.largest or 0, #items)
  local fresh = fresh_items(walk, items)
  local page = { body = body, items = items, reply = reply, fresh = #fresh }
  local position, kind, message = next_position(walk, page)
  if position == nil then walk.blocked = select(2, fail(walk, reply, kind, message)) end
  walk.received, walk.gained = walk.received + #items, walk.gained + #fresh
  walk.empty = #items == 0 and walk.empty + 1 or 0
  walk.raw_length = #items
  return fresh, position
end

local function drop_ahead(walk)
  local list = walk.ahead
  walk.ahead = {}
  for _, one in ipairs(list) do
    one.request:cancel()
    one.request:close()
  end
end

-- The request for the walk's position, when it was made ahead. One for another place means that the positions turned
-- out to be other ones than expected: all that was asked for is of no use then.
local function take_ahead(walk)
  local next_one = walk.ahead[1]
  if not next_one then return nil end
  if next_one.position == walk.position then
    table.remove(walk.ahead, 1)
    return next_one.request
  end
  drop_ahead(walk)
  return nil
end

-- The client was closed after the walk began.
local function is_cut_off(walk)
  return walk.fetched > 0 and walk.recipe.site.is_closed
end

-- Asks for the page at the walk's position. Returns its items, the next position (false at the end, nil where
-- walk.blocked says why there is no way on) and the response; nil, err when it fails.
local function fetch(walk)
  if is_cut_off(walk) then
    return nil, errors.of_start(walk.recipe, "cancelled", ("%s before page %d"):format(walk.recipe.site.closed,
      walk.number + 1))
  end
  local request, err = take_ahead(walk), nil
  if not request then request, err = start_request(walk) end
  if not request then return nil, err end
  local data, reply, body = call.finish(walk.recipe, request, walk.given, walk.values)
  if data == nil then
    if is_end_error(walk, reply) then return {}, false, reply.response end
    return nil, reply
  end
  local items, position = take_answer(walk, data, reply, body)
  if not items then return nil, position end
  return items, position, reply
end

-- }========================================================================

-- {========================================================================
-- Page after page
-- =========================================================================

local function token_at(walk, position, number, index)
  return resume_token.write(walk.recipe.label, position, number, index, walk.size, mark_of(walk))
end

local function check_cap(walk)
  if walk.max_pages or (walk.fetched < most_pages and walk.empty < most_empty) then return nil end
  local what = walk.fetched < most_pages
    and ("%d pages without an item in a row, and the server says that there are more"):format(walk.empty)
    or ("more than %d pages"):format(most_pages)
  return errors.make {
    kind = "limit", operation = walk.recipe.label, message = what .. "; pass max_pages = n if that is meant",
  }
end

-- Where the page behind all that was asked for is; nil when that is not known, or nobody wants it.
local function position_ahead(walk)
  local count = #walk.ahead
  if not walk.following or count >= walk.most_ahead or walk.recipe.site.is_closed then return nil end
  if walk.max_pages and walk.fetched + count >= walk.max_pages then return nil end
  if walk.max_items and walk.count + walk.length + count * (walk.largest or 0) >= walk.max_items then return nil end
  if count == 0 then return walk.following end
  local position_after = walk.engine.ahead
  return position_after and position_after(walk, walk.ahead[count].position)
end

-- What cannot be started now is asked for again, and reported, when its turn comes.
local function prefetch(walk)
  local here, position = walk.position, position_ahead(walk)
  while position do
    walk.position = position
    local request = start_request(walk)
    walk.position = here
    if not request then return end
    walk.ahead[#walk.ahead + 1] = { position = position, request = request }
    request:hold()
    position = position_ahead(walk)
  end
end

-- The reason why no page follows, or nil when one may.
local function reason_to_stop(walk)
  if walk.following == false or walk.is_closed then return "end" end
  if walk.max_items and walk.count >= walk.max_items then return "max_items" end
  if walk.max_pages and walk.fetched >= walk.max_pages then return "max_pages" end
  return nil
end

-- Whoever has stopped the collector wants it stopped, and a step with a budget has it work in its own time.
local function collect()
  if wait.is_in_step() or not collectgarbage "isrunning" then return end
  if collectgarbage "count" < small_heap_kib then
    collectgarbage()
  else
    collectgarbage("step", page_step_kib)
  end
end

-- Moves on to the next page. True when there is one; false when the walk has ended (walk.reason says why); nil, err.
local function turn(walk)
  local reason = reason_to_stop(walk)
  if reason then
    walk.reason = reason
    return false
  end
  if walk.blocked then
    walk.blocked.resume = token_at(walk, walk.position, walk.number, walk.length)
    return nil, walk.blocked
  end
  if walk.following then walk.position = walk.following end
  collect()
  local err = check_cap(walk)
  local items, following, reply
  if not err then
    items, following, reply = fetch(walk)
    if not items then err = following end
  end
  if err then
    err.resume = token_at(walk, walk.position, walk.number + 1, walk.skip or 0)
    return nil, err
  end
  walk.items, walk.following, walk.reply = items, following, reply
  walk.number, walk.fetched, walk.length = walk.number + 1, walk.fetched + 1, #items
  walk.index, walk.skip = math.min(walk.skip or 0, #items), nil
  prefetch(walk)
  return true
end

-- The bytes of a page that nobody can ask for any more are given back before the next one comes. An err that is still
-- to be raised has its response.
local function forget_reply(walk)
  if walk.reply and not walk.keeps_replies and not walk.blocked then walk.reply.request:close() end
  walk.reply = nil
end

local function next_item(walk)
  while not walk.is_closed do
    if walk.index < walk.length and walk.count ~= walk.max_items then
      walk.index, walk.count = walk.index + 1, walk.count + 1
      return walk.items[walk.index], walk
    end
    if walk.index < walk.length then
      walk.reason = "max_items"
      return nil
    end
    local turned, err = turn(walk)
    if err then error(err, 0) end
    if not turned then return nil end
    forget_reply(walk)
  end
end

local function cut(walk)
  local items = walk.items
  local left = walk.max_items and walk.max_items - walk.count
  if walk.index == 0 and (not left or left >= #items) then return items end
  return table.move(items, walk.index + 1, math.min(#items, walk.index + (left or #items)), 1, {})
end

local function next_page(walk)
  local turned, err = turn(walk)
  if err then error(err, 0) end
  if not turned then return nil end
  local start = walk.index
  local items = cut(walk)
  walk.index, walk.count = start + #items, walk.count + #items
  local page = { number = walk.number, items = items, response = walk.reply }
  if walk.index < walk.length then
    page.reason, page.resume = "max_items", token_at(walk, walk.position, walk.number, walk.index)
    walk.following = false
  else
    page.reason, page.resume = reason_to_stop(walk), walk:resume()
  end
  return page
end

-- }========================================================================

-- {========================================================================
-- What users call
-- =========================================================================

-- A token to go on behind the current item, in this process or another: pass it as the option resume. Nil at the end.
-- Where pages overlap, what was seen is not in the token: items may come again.
function walk_methods.resume(walk)
  if walk.index < walk.length or walk.blocked then return token_at(walk, walk.position, walk.number, walk.index) end
  if not walk.following then return nil end
  return token_at(walk, walk.following, walk.number + 1, 0)
end

-- Ends the walk: pages that are on their way are cancelled. Loops call it by themselves. The place can still be told.
function walk_methods.close(walk)
  walk.items, walk.is_closed = nil, true
  drop_ahead(walk)
end

walk_type.__close = walk_methods.close

function walk_type.__tostring(walk)
  return ("moonrest.place: %s, page %d, item %d"):format(walk.recipe.label, walk.number, walk.count)
end

-- for item, place in list:each(...). The first value alone is an iterator too, which is what moonrest.map takes.
function pages.each(self, ...)
  local walk = new_walk(self, ...)
  walk.advance = next_item
  return walk, nil, nil, walk
end

-- for page in list:pages(...)
function pages.pages(self, ...)
  local walk = new_walk(self, ...)
  walk.keeps_replies, walk.advance = true, next_page
  return walk, nil, nil, walk
end

-- All items and the reason for the end; or nil, err and the items before it, behind which err.resume goes on.
function pages.all(self, ...)
  local walk <close> = new_walk(self, ...)
  local items, count = core.json.array {}, 0
  while true do
    local turned, err = turn(walk)
    if err then
      call.deliver(walk.given, nil, err)
      return nil, err, items
    end
    if not turned then return items, walk.reason end
    forget_reply(walk)
    local part = cut(walk)
    table.move(part, 1, #part, count + 1, items)
    count = count + #part
    walk.count = count
    if #part < walk.length - walk.index then return items, "max_items" end
    walk.index = walk.length
  end
end

-- }========================================================================

return pages
