-- An application for the sandbox server whose answers take their time. The options are JSON: { latency = seconds,
-- pages = how many pages the list has }.
--   /things/ID         { "id": "ID" }
--   /items?page=&limit=    a page of the list: { "items": [ { "id": n } ... ], "pages": n, "total": n }
--   /sized/BYTES       JSON of about so many bytes
--   /bytes/COUNT       as many bytes as a file
--   /held/ID           no answer before the command "release"
--   /posted            { "size": bytes of the body }

local json = require "moonrest.sandbox.json"

local item <const> = '{"id":%d,"name":"item number %d","tags":["a","b"],"size":%d.5}'

-- 250 bytes, as an application or a deployment of a real API takes.
local record <const> = '{"id":%d,"name":"deployment number %d","status":"ready","created_at":"2026-01-01T00:00:00Z",'
  .. '"owner":{"id":7,"name":"somebody","email":"somebody@example.com"},"tags":["europe","stable"],"size":%d.5,'
  .. '"url":"https://deployment.example.com/0001","public":true,"note":null}'

return function(options, native)
  options = json.decode(options)
  local due, first, last = {}, 1, 0
  local held, seen, most, open = {}, 0, 0, 0
  local large = {}
  local app, pages = {}, {}

  local function items(from, to, shape)
    local list = {}
    for id = from, to do list[#list + 1] = (shape or item):format(id, id, id) end
    return "[" .. table.concat(list, ",") .. "]"
  end

  function pages.things(uri) return ('{"id":"%s"}'):format(uri:match "/things/([^?]*)") end

  function pages.items(uri)
    local page = tonumber(uri:match "[?&]page=(%d+)" or 1)
    local size = tonumber(uri:match "[?&]limit=(%d+)" or 100)
    local total = options.pages * 100
    local from = (page - 1) * size + 1
    return ('{"items":%s,"pages":%d,"total":%d}'):format(items(from, math.min(total, from + size - 1)),
      (total + size - 1) // size, total)
  end

  function pages.sized(uri)
    local bytes = tonumber(uri:match "/sized/(%d+)")
    large[bytes] = large[bytes] or ('{"items":%s}'):format(items(1, bytes // 256 + 1, record))
    return large[bytes]
  end

  function pages.bytes(uri) return ("x"):rep(tonumber(uri:match "/bytes/(%d+)")) end

  function pages.held(uri) return ('{"id":"%s"}'):format(uri:match "/held/(.*)") end

  function pages.posted(_, body) return ('{"size":%d}'):format(#body) end

  local function keep_back(id, name)
    open = open + 1
    most = math.max(most, open)
    if name == "held" then
      held[#held + 1] = id
      return true
    end
    if options.latency <= 0 then
      open = open - 1
      return false
    end
    last = last + 1
    due[last] = { id = id, at = native.monotonic() + options.latency }
    native.wake()
    return true
  end

  function app.dispatch(id, _, uri, _, body)
    seen = seen + 1
    local name = uri:match "^/(%a+)"
    if not pages[name] then return 404, {}, '{"message":"no such page"}' end
    return 200, { "Content-Type", "application/json" }, pages[name](uri, body), nil, nil, keep_back(id, name)
  end

  -- Latency is the same for all, so that they are due in the order in which they came.
  function app.tick()
    local now = native.monotonic()
    while due[first] and due[first].at <= now do
      native.resume(due[first].id)
      due[first] = nil
      first, open = first + 1, open - 1
    end
    return due[first] and math.max(due[first].at - now, 0) or nil
  end

  function app.closed() end

  function app.call(command)
    if command == "release" then
      for _, id in ipairs(held) do native.resume(id) end
      open, held = open - #held, {}
    end
    return ('{"seen":%d,"most":%d,"held":%d}'):format(seen, most, #held)
  end

  return app
end
