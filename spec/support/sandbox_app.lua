-- An application for the sandbox server that plays no system: what the server's own spec drives it with.

return function(options, native)
  local sleeping, left, delivered, posts = {}, {}, {}, 0
  local app = { ticks = 0 }
  local pages = {}

  function pages.echo(_, method, uri, headers, body)
    return 200, { "Content-Type", "text/plain", "X-Options", options },
      table.concat({ method, uri, table.concat(headers, "|"), body }, "\n")
  end

  function pages.size(_, _, _, _, body) return 200, {}, tostring(#body) end

  function pages.cut() return 200, {}, "0123456789", 4 end

  function pages.drop() return nil end

  function pages.fail() error "this page always fails" end

  function pages.bad_header() return 200, { "X-Bad", "a\r\nb" }, "text" end

  function pages.sleep(id)
    sleeping[#sleeping + 1] = id
    return 200, {}, "awake", nil, nil, true
  end

  -- /stream/COUNT/BYTES: so many parts of so many bytes; the total is announced with a query.
  function pages.stream(id, _, uri)
    local count, bytes, announced = uri:match "^/stream/(%d+)/(%d+)(%??)"
    left[id] = { count = tonumber(count), text = ("x"):rep(tonumber(bytes)) }
    return 200, {}, true, nil, announced == "?" and tonumber(count) * tonumber(bytes) or nil
  end

  -- A stream that sleeps before each part.
  function pages.drip(id)
    left[id] = { count = 3, text = "drop", drip = true }
    return 200, {}, true
  end

  function pages.broken(id)
    left[id] = { broken = true }
    return 200, {}, true
  end

  function app.dispatch(id, method, uri, headers, body)
    local name = uri:match "^/(%a+_?%a*)"
    if not pages[name] then return 404, {}, "no page" end
    return pages[name](id, method, uri, headers, body)
  end

  function app.pull(id)
    local one = left[id]
    if one.broken then error "this stream always breaks" end
    if one.drip and not one.awake then
      sleeping[#sleeping + 1], one.awake = id, true
      return false
    end
    if one.count == 0 then return nil end
    one.count, one.awake = one.count - 1, false
    return one.text
  end

  function app.closed(id) left[id] = nil end

  function app.tick()
    app.ticks = app.ticks + 1
    return nil
  end

  function app.delivered(id, answer, message)
    delivered[#delivered + 1] = ("%d %s"):format(id, answer or "failed: " .. message)
  end

  local commands = {}

  function commands.echo(text) return text end

  function commands.fail() error "this command always fails" end

  function commands.wake()
    local count = #sleeping
    for _, id in ipairs(sleeping) do native.resume(id) end
    sleeping = {}
    return tostring(count)
  end

  function commands.sleeping() return tostring(#sleeping) end

  function commands.streams()
    local count = 0
    for _ in pairs(left) do count = count + 1 end
    return tostring(count)
  end

  function commands.memory()
    collectgarbage()
    return tostring(collectgarbage "count")
  end

  function commands.ticks()
    native.wake()
    return tostring(app.ticks)
  end

  -- "address port bytes"
  function commands.post(text)
    local address, port, bytes = text:match "^(%S+) (%d+) (.*)$"
    posts = posts + 1
    local queued, message = native.post(posts, address, math.tointeger(tonumber(port)), bytes)
    return queued and "queued" or message
  end

  function commands.delivered() return table.concat(delivered, "\n") end

  function app.call(name, text) return commands[name](text) end

  return app
end
