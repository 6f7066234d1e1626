-- Ctrl-C, in words that tell which operation it ended and what to do. lua5.4 raises "interrupted!", with the place in
-- this library where that was noticed.

local caller = require "moonrest.caller"

local interruption = {}

function interruption.is(problem)
  return type(problem) == "string" and problem:find "interrupted!$" ~= nil
end

-- Raises an interruption anew. 'label' says what was interrupted.
function interruption.raise(label, words)
  local where = caller.where()
  error(("%s%s: interrupted! %s"):format(where and where .. ": " or "", label, words), 0)
end

local function words_for(is_safe, is_sent)
  if not is_sent then return "It waited for its turn and was not sent" end
  if is_safe then return "It had no answer yet; it only reads, so call it again" end
  return "It had no answer yet; the server may have carried it out, so look before you call it again"
end

-- The same for a request that had not ended. 'label' (may be nil) is the operation's, where the request does not know.
function interruption.raise_for(request, label)
  local own, is_safe, is_sent = request:about()
  interruption.raise(label or own or "a call", words_for(is_safe, is_sent))
end

-- "edgegap.apps:get (2 times), cygni.deployments:create"
local function list(names, counts)
  local parts = {}
  for place, name in ipairs(names) do
    parts[place] = counts[name] > 1 and ("%s (%d times)"):format(name, counts[name]) or name
  end
  return table.concat(parts, ", ")
end

local function add(names, counts, name)
  if not counts[name] then names[#names + 1] = name end
  counts[name] = (counts[name] or 0) + 1
end

-- What 'requests' of a loop of tasks had not ended: a list of closed ones and others.
function interruption.describe(requests)
  local names, counts, risky, risky_counts = {}, {}, {}, {}
  for _, request in ipairs(requests) do
    local name, is_safe, is_sent = request:about()
    if is_safe ~= nil and not request:finished() then
      add(names, counts, name or "a call")
      if is_sent and not is_safe then add(risky, risky_counts, name or "a call") end
    end
  end
  if #names == 0 then return "No call was on its way" end
  local words = "Without an answer yet: " .. list(names, counts)
  if #risky == 0 then return words end
  return ("%s; the server may have carried out %s, so look before you call it again")
    :format(words, #risky == #names and "what was sent" or list(risky, risky_counts))
end

return interruption
