-- Outgoing webhooks: an HTTP request as bytes, for the server's sender thread.

local webhook = {}

local LOOPBACK = { ["localhost"] = "127.0.0.1", ["[::1]"] = "::1" }

--- "http://127.0.0.1:8000/x?y" -> address, port, target, authority; or nil, message.
function webhook.parse(url)
  local scheme, authority, rest = tostring(url):match "^(%a+)://([^/?#]+)([^#]*)"
  if not scheme then return nil, "not a URL" end
  if scheme ~= "http" then return nil, "the sandbox sends webhooks over plain http to loopback only" end
  local host, port = authority:match "^(.-):(%d+)$"
  host = host or authority
  local address = LOOPBACK[host] or host:match "^127%.%d+%.%d+%.%d+$"
  if not address then return nil, "the sandbox sends webhooks to loopback addresses only" end
  port = math.tointeger(tonumber(port or "80"))
  if not port or port < 1 or port > 65535 then return nil, "not a URL: there is no such port" end
  local target = rest:sub(1, 1) == "/" and rest or "/" .. rest
  return address, port, target, authority
end

local function request_text(target, authority, headers, body)
  local lines = { ("POST %s HTTP/1.1"):format(target), "Host: " .. authority, "Connection: close",
                  "Content-Length: " .. #body }
  for name, value in pairs(headers) do lines[#lines + 1] = name .. ": " .. value end
  table.sort(lines, function(a, b) return a:sub(1, 5) == "POST " and b:sub(1, 5) ~= "POST " or
    b:sub(1, 5) ~= "POST " and a < b end)
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. body
end

local function has_control(...)
  for _, text in ipairs { ... } do
    if text:find "[%c ]" then return true end
  end
end

--- Queues it; `done(status, body)` or `done(nil, message)` comes later, or at once for what is refused.
function webhook.post(host, url, headers, body, done)
  local address, port, target, authority = webhook.parse(url)
  local message = not address and port or has_control(target, authority) and "not a URL" or nil
  if not message then
    local _, refused = host:deliver(address, port, request_text(target, authority, headers or {}, body), done)
    message = refused
  end
  if message and done then done(nil, message) end
end

--- Status and body of an answer's bytes, or nil, message.
function webhook.answer(bytes)
  local status, body = bytes:match "^HTTP/1%.%d (%d%d%d).-\r\n\r\n(.*)$"
  if not status then return nil, "the receiver's answer is not HTTP" end
  return math.tointeger(tonumber(status)), body
end

return webhook
