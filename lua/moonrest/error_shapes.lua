-- What a server means by an error, whatever shape it says it in: { message }, { error = "text" },
-- { error = { code, message } }, { error = { issue, issue } }, a list, plain text, a proxy's HTML page, nothing.
-- The definition says where to look first; what follows is common ground.

local lookup = require "moonrest.lookup"
local words = require "moonrest.words"

local error_shapes = {}

local usual = {
  code = { "error.code", "error.type", "code" },
  message = { "error.message", "message", "error", "detail", "error_description", "title", "reason" },
  details = { "error.details", "details", "error.params", "errors", "moreInfo" },
  lists = { "error", "errors", "issues", "message" },
}

local longest <const> = 500 -- bytes of a body that becomes a message
local most_issues <const> = 3 -- of a list that becomes a message
local longest_code <const> = 100

local reasons = {
  [300] = "Multiple Choices", [301] = "Moved Permanently", [302] = "Found", [303] = "See Other", [304] = "Not Modified",
  [307] = "Temporary Redirect", [308] = "Permanent Redirect",
  [400] = "Bad Request", [401] = "Unauthorized", [402] = "Payment Required", [403] = "Forbidden", [404] = "Not Found",
  [405] = "Method Not Allowed", [406] = "Not Acceptable", [408] = "Request Timeout", [409] = "Conflict",
  [410] = "Gone", [411] = "Length Required", [412] = "Precondition Failed", [413] = "Content Too Large",
  [414] = "URI Too Long", [415] = "Unsupported Media Type", [422] = "Unprocessable Content",
  [424] = "Failed Dependency", [425] = "Too Early", [426] = "Upgrade Required", [428] = "Precondition Required",
  [429] = "Too Many Requests", [431] = "Request Header Fields Too Large", [451] = "Unavailable For Legal Reasons",
  [500] = "Internal Server Error", [501] = "Not Implemented", [502] = "Bad Gateway", [503] = "Service Unavailable",
  [504] = "Gateway Timeout",
}

-- "Not Found", or a word about the class of a status without a name (RFC 9110 section 15).
function error_shapes.reason(status)
  if not status then return "" end
  local class = status >= 500 and "Server Error" or status >= 400 and "Client Error" or "Unexpected Status"
  return reasons[status] or class
end

-- {========================================================================
-- Text
-- =========================================================================

local function is_text(value)
  return type(value) == "string" and value:find "%S" ~= nil
end

-- A code is one word or a number; a sentence in its place is a message.
local function is_code(value)
  if type(value) == "number" then return math.tointeger(value) ~= nil end -- lua-cjson makes it a float
  return type(value) == "string" and #value <= longest_code and value:find "^%S+$" ~= nil
end

local function cut(text)
  text = text:gsub("[%s%c]+", " "):match "^%s*(.-)%s*$"
  if #text <= longest then return text end
  local stop = utf8.offset(text, 0, longest + 1) or longest + 1
  return text:sub(1, stop - 1) .. "..."
end
error_shapes.cut = cut

-- The title of an HTML page, or nil when the text is none.
function error_shapes.html_title(text)
  local head = text:sub(1, 4096)
  if not head:find "^%s*<" then return nil end
  return head:match "<[Tt][Ii][Tt][Ll][Ee][^>]*>%s*(.-)%s*</" or head:match "<[Hh]1[^>]*>%s*(.-)%s*</" or "no title"
end

-- }========================================================================

-- {========================================================================
-- Lists of issues
-- =========================================================================

local function issue_path(issue)
  local path = issue.path or issue.field or issue.param or issue.loc
  if type(path) ~= "table" then return path end
  local parts = {}
  for index, part in ipairs(path) do parts[index] = tostring(part) end
  return table.concat(parts, ".")
end

local function issue_text(issue)
  if type(issue) ~= "table" then return tostring(issue) end
  local text = issue.message or issue.msg or issue.detail or issue.error or issue.reason or issue.code
  local path = issue_path(issue)
  if type(text) ~= "string" then return path and tostring(path) or "an issue without a message" end
  return is_text(path) and ("%s: %s"):format(path, text) or text
end

local function issues_text(list)
  local texts = {}
  for index, issue in ipairs(list) do
    if index > most_issues then
      texts[#texts + 1] = ("and %d more"):format(#list - most_issues)
      break
    end
    texts[index] = issue_text(issue)
  end
  return cut(table.concat(texts, "; "))
end

-- What the throttle heeds as well: a time of the day, or one without an end, is no wait.
local longest_wait <const> = 366 * 86400 -- seconds

local function is_wait(value)
  local seconds = tonumber(value)
  return seconds ~= nil and seconds >= 0 and seconds <= longest_wait
end

local function find_list(body)
  if body[1] ~= nil then return body end
  return lookup.first(body, usual.lists, function(value) return type(value) == "table" and value[1] ~= nil end)
end

-- }========================================================================

local function read_body(body, declared, found)
  local code = lookup.first(body, declared.code or usual.code, is_code)
  found.code = type(code) == "number" and math.tointeger(code) or code
  found.message = lookup.first(body, declared.message, is_text) or lookup.first(body, usual.message, is_text)
  found.details = lookup.first(body, declared.details) or lookup.first(body, usual.details)
  local list = find_list(body)
  if list then
    found.message = found.message or issues_text(list)
    found.details = found.details or list
  end
  if found.message == found.code then found.message = nil end
  found.retry_after = tonumber((lookup.first(body, declared.retry_after, is_wait)))
end

local function read_text(text, found, status)
  local title = error_shapes.html_title(text)
  if title then
    found.message = ("an HTML page instead of JSON, as proxies send it: %s"):format(cut(title))
  elseif is_text(text) then
    found.message = cut(text)
  else
    found.message = error_shapes.reason(status)
  end
end

local function apply_meaning(found, declared)
  local meaning = found.code ~= nil and declared.codes and declared.codes[found.code]
  if type(meaning) == "table" then
    found.kind, found.final = meaning.kind, meaning.final
  end
  for _, code in ipairs(words.list(declared.final)) do
    if code == found.code then found.final = true end
  end
end

local redirects = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

-- 'declared' are the paths of a definition's 'errors', 'text' the answer's where its body is no JSON. Returns
-- { code, message, details, retry_after, kind, final }, of which only the message is always there.
function error_shapes.read(declared, reply, body, text)
  local found = {}
  if type(body) == "table" then
    read_body(body, declared, found)
  elseif is_text(body) then
    found.message = cut(body)
  elseif text then
    read_text(text, found, reply.status)
  end
  found.message = found.message and cut(found.message) or (found.code and tostring(found.code))
    or error_shapes.reason(reply.status)
  if redirects[reply.status] then found.message = "a redirect that does not say where to: it has no Location" end
  local limits = reply.limits
  found.retry_after = limits and limits.retry_after or found.retry_after
  apply_meaning(found, declared)
  return found
end

return error_shapes
