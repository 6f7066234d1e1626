-- Cygni: webhooks, which are really sent and signed.
--
-- The signature is HMAC-SHA256 over the body as sent, in hex, with the whole
-- secret as the key. The overview page lets the caller choose the secret and
-- calls a good end "deployment.success"; the server makes a secret of its own,
-- shows it once, and says "deployment.succeeded".

local calendar = require "moonrest.sandbox.calendar"
local support = require "moonrest.sandbox.support"
local digest = require "moonrest.digest"
local cygni = require "moonrest.sandbox.cygni_support"

local ATTEMPTS = 3
local RETRY_SECONDS = 300

local server_events = { "deployment.created", "deployment.updated", "deployment.succeeded", "deployment.failed",
  "deployment.cancelled", "project.created", "project.updated", "project.deleted", "project.suspended",
  "project.resumed", "alert.triggered", "alert.resolved", "team.member_added", "team.member_removed",
  "team.role_changed", "security.alert", "security.audit_log", "webhook.test" }
-- What the overview page calls an event of the server.
local page_names = { ["deployment.succeeded"] = "deployment.success" }

local webhooks = {}

-- Sending -----------------------------------------------------------------

local function envelope(world, kind, project_id, data)
  return support.encode {
    id = "evt_" .. world.hex(24), type = kind, teamId = "team_0001", projectId = project_id, data = data,
    timestamp = calendar.iso_ms(world.now()),
  }
end

local function headers_of(world, hook, kind, body)
  local headers = {
    ["Content-Type"] = "application/json", ["User-Agent"] = "Cygni-Webhook/1.0", ["X-Webhook-Id"] = hook.id,
    ["X-Webhook-Event"] = kind, ["X-Webhook-Timestamp"] = calendar.iso_ms(world.now()),
    ["X-Webhook-Signature"] = "sha256=" .. digest.hex(digest.hmac_sha256(hook.secret, body)),
  }
  for name, value in pairs(hook.headers or {}) do headers[name] = tostring(value):gsub("%c", " ") end
  return headers
end

-- One attempt. done(result): { success, statusCode, response, error }.
local function send(world, hook, kind, body, done)
  world:post(hook.url, headers_of(world, hook, kind, body), body, function(status, text)
    local success = status ~= nil and status >= 200 and status < 300
    done {
      success = success, statusCode = status, response = status and text or nil,
      error = not success and (status and "HTTP " .. status or text) or nil,
    }
  end)
end

local function deliver(world, hook, kind, body, attempt)
  send(world, hook, kind, body, function(result)
    if result.success or attempt >= ATTEMPTS then return end
    world.after(RETRY_SECONDS, function() deliver(world, hook, kind, body, attempt + 1) end)
  end)
end

-- Tells every webhook that asked for the event, under the name it asked for.
function webhooks.announce(world, event, project_id, data)
  for _, hook in ipairs(world.store.webhooks:list()) do
    local kind = hook.wanted[event] and event or hook.wanted[page_names[event] or event] and page_names[event]
    if kind and hook.enabled then
      deliver(world, hook, kind, envelope(world, kind, project_id, data), 1)
    end
  end
end

-- Managing ----------------------------------------------------------------

local function view(hook, reply)
  local shown = support.assign({}, hook, { "url", "events", "description", "headers", "enabled" })
  shown.id, shown.createdAt, shown.updatedAt = cygni.id(reply, hook), calendar.iso(hook.created),
    calendar.iso(hook.updated)
  return shown
end

local function webhook_of(world, request, reply)
  local hook = cygni.find(world.store.webhooks, request.params.id)
  if not hook then cygni.refuse_missing(reply, "Webhook") end
  return hook
end

local function known_events(reply)
  local known = support.set(server_events)
  if not reply.mount.uuids then
    for _, name in pairs(page_names) do known[name] = true end
  end
  return known
end

local function check_events(events, reply)
  if not support.is_array(events) or #events == 0 then
    cygni.refuse_field(reply, "events", "Array must contain at least 1 element(s)")
  end
  local known, invalid = known_events(reply), support.array {}
  for _, name in ipairs(events) do
    if not known[name] then invalid[#invalid + 1] = name end
  end
  if #invalid == 0 then return end
  if reply.shape == "page" then
    cygni.refuse_field(reply, "events", "Unknown event " .. tostring(invalid[1]))
  end
  support.refuse(400, {
    error = "Invalid event types", invalidEvents = invalid, validEvents = support.array(server_events),
  })
end

local function check_url(url, reply)
  if not support.is_text(url) or not url:find "^https?://[^/]" then cygni.refuse_field(reply, "url", "Invalid url") end
end

local function create(world, request, reply)
  local body = cygni.body(request, reply)
  check_url(body.url, reply)
  check_events(body.events, reply)
  local own_secret = not reply.mount.uuids and support.is_text(body.secret) and body.secret or nil
  local hook = support.assign({ enabled = true, secret = own_secret or "whsec_" .. world.hex(64) }, body,
    { "url", "events", "description", "headers", "enabled" })
  hook.wanted = support.set(hook.events)
  cygni.identify(world, hook, "wh")
  world.store.webhooks:add(hook.id, hook)
  cygni.audit(world, "webhook.create", "webhook", hook.id)
  local shown = view(hook, reply)
  if not own_secret then shown.signingSecret = hook.secret end
  return reply:one(201, shown)
end

local function update(world, request, reply)
  local hook, body = webhook_of(world, request, reply), cygni.body(request, reply)
  if body.url ~= nil then check_url(body.url, reply) end
  if body.events ~= nil then check_events(body.events, reply) end
  support.assign(hook, body, { "url", "events", "description", "headers", "enabled" })
  hook.wanted, hook.updated = support.set(hook.events), world.now()
  return reply:one(200, view(hook, reply))
end

local function delete(world, request, reply)
  local hook = webhook_of(world, request, reply)
  world.store.webhooks:remove(hook.id)
  cygni.audit(world, "webhook.delete", "webhook", hook.id)
  return reply:one(200, { message = "Webhook deleted successfully" })
end

-- Waits for the delivery, and answers 200 whatever came of it.
local function test(world, request, reply)
  local hook = webhook_of(world, request, reply)
  local body = envelope(world, "webhook.test", nil, { message = "This is a test webhook" })
  local result
  return 200, function(write, _, await)
    await(function(resume)
      send(world, hook, "webhook.test", body, function(answer)
        result = answer
        resume()
      end)
    end)
    write(support.encode(result))
  end, { ["Content-Type"] = "application/json" }
end

-- 'path' is where they stand: "/webhooks", or doubled as the server's versions have it. Deliveries and event
-- types cannot be reached: both words are taken for ids.
function webhooks.routes(world, mount, path)
  local function serve(method, rest, shape, handler)
    cygni.route(world, mount, method, path .. rest, { shape = shape }, function(request, reply)
      return handler(world, request, reply)
    end)
  end
  serve("POST", "", "page", create)
  serve("GET", "", "server", function(_, _, reply)
    return 200, { webhooks = support.array(support.map(world.store.webhooks:list(nil, true), function(hook)
      return view(hook, reply)
    end)) }
  end)
  serve("GET", "/{id}", "server", function(_, request, reply)
    return 200, view(webhook_of(world, request, reply), reply)
  end)
  serve("PUT", "/{id}", "server", update)
  serve("DELETE", "/{id}", "server", delete)
  serve("POST", "/{id}/test", "server", test)
end

return webhooks
