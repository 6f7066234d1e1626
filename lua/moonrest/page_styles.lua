-- How APIs hand out long lists, as data: each style knows where to begin, what to ask with, and from an answer,
-- where to go on. The loop itself is in pages.lua and is the same for all.
--
-- A style is { start, ask, after, ahead }:
--   start(walk)         the first position, or nil where the first request has none
--   ask(walk, values)   writes the walk's position into the values of the request, or returns an absolute URL
--   after(walk, page)   the next position; nil at the end; nil, kind and message when the answer makes no sense
--   ahead(walk, position)  the position behind one that was not asked for yet, nil where that is not known; 'single',
--                       'cursor', 'link' and 'url' have no such function: only an answer tells what comes next
-- A page here is { body, items, reply, fresh }: fresh is the number of items that were not seen before.

local caller = require "moonrest.caller"
local core = require "moonrest.core"
local lookup = require "moonrest.lookup"
local target = require "moonrest.target"

local page_styles = {}

local missing_end = "the answer does not tell whether there are more pages"

local function short_of(answer, total)
  return ("the page %s, but the server counts %d items in all, which is more than it gave"):format(
    #answer.items == 0 and "is empty" or "has only items that were there before", total)
end

-- {========================================================================
-- What the signals say
-- =========================================================================

-- Servers that do not know a number say -1.
local function is_count(value)
  local number = tonumber(value)
  return number ~= nil and number >= 0
end

local function number_at(body, paths)
  return math.tointeger(tonumber(lookup.first(body, paths, is_count)))
end

local function flag_at(body, paths)
  return lookup.first(body, paths, function(value) return type(value) == "boolean" end)
end

-- The number of items that a full page has, as far as it is certain: a size over the server's maximum is not.
local function full_page(walk)
  local style, asked = walk.style, walk.size
  if style.fixed_size then return style.fixed_size end
  if not asked then return style.default_size end
  if style.max_size then return math.min(asked, style.max_size) end
  return walk.largest and walk.largest >= asked and asked or nil
end

-- What the style's 'ends' says about an answer without any other signal: true, false, or nil when nothing is trusted.
-- A page of just the size that was asked for, or that the server cuts at, may be a part of the list.
local function ends_by_rule(walk, page)
  local rule = walk.style.ends
  if #page.items == 0 then return true end
  if rule == "missing" then return #page.items ~= full_page(walk) or nil end
  if rule == "empty" then return false end
  if rule == "no_new" then return page.fresh == 0 end
  if rule == "short" then
    local full = full_page(walk)
    return full ~= nil and #page.items < full
  end
  return nil
end

-- 'position' if there is more, else the end.
local function by_rule(walk, page, position)
  local is_end = ends_by_rule(walk, page)
  if is_end == nil then return nil, "truncated", missing_end end
  if is_end then return nil end
  return position
end

-- How many items there are up to the end of this page; those of overlapping pages count once. Where nobody told the
-- size of a page, the largest one is taken for a full one: if only the short last one was seen, the error is on the
-- side of asking once more.
local function items_until(walk, answer, position)
  if walk.started_first then return walk.gained + answer.fresh end
  return (position - (walk.style.first or 1)) * (full_page(walk) or walk.largest) + #answer.items
end

-- }========================================================================

local function set_field(walk, values, name, value)
  local field = name and walk.recipe.fields[name]
  if field and value ~= nil then values[field] = value end
end

local function given_number(walk, name, default)
  local field = name and walk.recipe.fields[name]
  local value = field and walk.values[field]
  return math.tointeger(tonumber(value)) or default
end

-- A position may come from a token, and a token from anywhere.
local function refuse_token(walk)
  caller.raise("%s: option 'resume' is no token of a place in this list", walk.recipe.label)
end

local function check_number(walk)
  if math.type(walk.position) ~= "integer" then refuse_token(walk) end
end

-- Asks for the position in the parameter that the style names in this field of its own.
local function ask_by(name)
  return function(walk, values)
    check_number(walk)
    set_field(walk, values, walk.style[name], walk.position)
    set_field(walk, values, walk.style.size, walk.size)
  end
end

-- {========================================================================
-- page = 1, 2, 3 ...
-- =========================================================================

local page = {}

function page.start(walk)
  local first = walk.style.first or 1
  local position = given_number(walk, walk.style.page, first)
  walk.started_first = position == first
  return position
end

page.ask = ask_by "page"

local function named_next(walk, answer, has_next)
  local following = number_at(answer.body, walk.style.next)
  if not following then return has_next and walk.position + 1 or nil end
  if following > walk.position then return following end
  return nil, "decode", ("the server says that page %d follows page %d"):format(following, walk.position)
end

local function by_counts(walk, answer)
  local style, position = walk.style, walk.position
  local pages, total = number_at(answer.body, style.pages), number_at(answer.body, style.total)
  walk.known_pages, walk.known_total = pages, total
  if pages then return position - (style.first or 1) + 1 < pages and position + 1 or nil end
  if total then
    if items_until(walk, answer, position) >= total then return nil end
    if answer.fresh > 0 then return position + 1 end
    -- How much came before this walk is a guess. And the server may count items that it gave twice.
    if not walk.started_first or walk.received >= total then return nil end
    return nil, "truncated", short_of(answer, total)
  end
  return by_rule(walk, answer, position + 1)
end

function page.after(walk, answer)
  local style = walk.style
  local has_next = flag_at(answer.body, style.has_next or style.has_more)
  if has_next == false then return nil end
  if has_next or number_at(answer.body, style.next) then
    walk.known_pages, walk.known_total = number_at(answer.body, style.pages), number_at(answer.body, style.total)
    return named_next(walk, answer, has_next)
  end
  return by_counts(walk, answer)
end

-- Beyond what the answers so far have counted there is nothing to ask for.
function page.ahead(walk, position)
  local index = position - (walk.style.first or 1) + 1 -- of that page, from 1
  local full = full_page(walk) or walk.largest
  if walk.known_pages and index >= walk.known_pages then return nil end
  if walk.known_total and full and index * full >= walk.known_total then return nil end
  return position + 1
end

-- }========================================================================

-- {========================================================================
-- offset = 0, 100, 200 ...
-- =========================================================================

local offset = {}

function offset.start(walk)
  return given_number(walk, walk.style.offset, walk.style.first or 0)
end

offset.ask = ask_by "offset"

function offset.after(walk, answer)
  local following = walk.position + #answer.items
  local has_more = flag_at(answer.body, walk.style.has_more or walk.style.has_next)
  if has_more ~= nil then
    if has_more and #answer.items == 0 then return nil, "truncated", "an empty page says that there are more items" end
    return has_more and following or nil
  end
  local total = number_at(answer.body, walk.style.total)
  walk.known_total = total
  if total then
    if following >= total then return nil end
    if #answer.items == 0 then return nil, "truncated", short_of(answer, total) end
    return following
  end
  return by_rule(walk, answer, following)
end

-- A page that proves shorter than a full one puts the walk elsewhere, and what was asked for ahead is thrown away.
function offset.ahead(walk, position)
  local full = full_page(walk) or walk.largest
  local following = full and full > 0 and position + full
  if not following or (walk.known_total and following >= walk.known_total) then return nil end
  return following
end

-- }========================================================================

-- {========================================================================
-- An opaque cursor
-- =========================================================================

local cursor = {}

function cursor.start(walk)
  local field = walk.recipe.fields[walk.style.cursor]
  return field and walk.values[field] or nil
end

function cursor.ask(walk, values)
  set_field(walk, values, walk.style.cursor, walk.position)
  set_field(walk, values, walk.style.size, walk.size)
end

local function is_cursor(value)
  return (type(value) == "string" and value ~= "") or type(value) == "number"
end

-- Null, false, "" and nothing at all end a list. An object and true do not say that it ends.
local function is_no_cursor(value)
  return value == true or (type(value) == "table" and next(value) ~= nil)
end

-- The end, or why what stands in the cursor's place is none.
local function without_cursor(walk, answer, what)
  if not is_no_cursor(lookup.first(answer.body, walk.style.next)) then return nil end
  return nil, "decode", ("the %s of the next page is neither text nor a number"):format(what)
end

function cursor.after(walk, answer)
  local style = walk.style
  local has_more = flag_at(answer.body, style.has_more or style.has_next)
  if has_more == false then return nil end
  local following = lookup.first(answer.body, style.next, is_cursor)
  if following ~= nil then return math.type(following) == "float" and math.tointeger(following) or following end
  local _, kind, message = without_cursor(walk, answer, "cursor")
  if kind then return nil, kind, message end
  if has_more then return nil, "truncated", "the answer says that there is more, but has no cursor" end
  if style.has_more == nil and style.has_next == nil or ends_by_rule(walk, answer) then return nil end
  return nil, "truncated", missing_end
end

-- }========================================================================

-- {========================================================================
-- The next URL: in a Link header (RFC 8288), or in the body
-- =========================================================================

-- Absolute, and of the same origin: another one could collect what is meant for this server only. Secrets are not in
-- it, so that no token holds them.
local function follow(walk, answer, reference)
  local base = walk.recipe.site:base(walk.recipe.declaration.server)
  local url = core.url.resolve(answer.reply.request:url(), reference)
  if not url then return nil, "decode", ("the next page's URL '%s' makes no sense"):format(reference) end
  if core.url.origin(url) ~= core.url.origin(base) then
    return nil, "redirect", ("the next page is said to be at another server (%s)"):format(core.url.origin(url))
  end
  return target.without_secrets(walk.recipe, walk.values, url)
end

local function is_at_home(walk, url)
  local base = walk.recipe.site:base(walk.recipe.declaration.server)
  return type(url) == "string" and core.url.origin(url) == core.url.origin(base)
end

local function ask_url(walk, values)
  if walk.position then
    if not is_at_home(walk, walk.position) then refuse_token(walk) end
    return target.with_secrets(walk.recipe, values, walk.position)
  end
  set_field(walk, values, walk.style.size, walk.size)
  return nil
end

local link = { start = function() return nil end, ask = ask_url }

local function link_header(answer)
  local value = answer.reply.headers.link
  return type(value) == "table" and table.concat(value, ", ") or value
end

-- A next page in a form that is none: single quotes, or no end of the address.
local function hides_next(header)
  local rest = header:lower():gsub("<[^>]*>", ""):gsub('"[^"]*"', "")
  return rest:find "%f[%w]rel%s*=[^;,]*%f[%w]next%f[%W]" ~= nil
end

function link.after(walk, answer)
  local header = link_header(answer)
  local reference = header and core.header.link(header, "next")
  if not reference and header and hides_next(header) then
    return nil, "decode", ("the Link header tells of a next page in a form that cannot be read: %s"):format(header)
  end
  if not reference then return nil end
  return follow(walk, answer, reference)
end

local url = { start = function() return nil end, ask = ask_url }

function url.after(walk, answer)
  local reference = lookup.first(answer.body, walk.style.next, is_cursor)
  if not reference then return without_cursor(walk, answer, "URL") end
  return follow(walk, answer, reference)
end

-- }========================================================================

-- One page, and that is all. Where the server cuts its answer at a size and cannot be asked for more, a full one
-- is not the end of the list as far as anybody knows.
local single = {
  start = function() return nil end,
  ask = function() return nil end,
}

function single.after(walk, answer)
  local most = walk.style.fixed_size
  if not most or #answer.items < most then return nil end
  return nil, "truncated", ("the server gives at most %d items and no way to ask for the rest: there may be more")
    :format(most)
end

page_styles.page, page_styles.offset, page_styles.cursor = page, offset, cursor
page_styles.link, page_styles.url, page_styles.single = link, url, single

return page_styles
