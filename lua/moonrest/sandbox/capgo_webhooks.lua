-- Capgo: webhooks, signed in the service's own way and, where asked for, by the
-- Standard Webhooks scheme too; with deliveries that are kept, repeated on a long
-- schedule and can be sent again.

local calendar = require "moonrest.sandbox.calendar"
local digest = require "moonrest.digest"
local support = require "moonrest.sandbox.support"
local capgo = require "moonrest.sandbox.capgo_support"

-- Seconds between the ten attempts.
local MINUTE, HOUR = 60, 3600
local pauses = { 5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR }
local GONE = 410
local PREVIEW = 200

local known_events = support.set { "apps", "app_versions", "channels", "org_users", "orgs" }

local webhooks = {}

-- Signatures --------------------------------------------------------------

-- The part after "whsec_" if it is base64 of 24 to 64 bytes, else the text itself.
local function standard_key(secret)
  local bytes = digest.unbase64(secret:match "^whsec_(.*)$" or "")
  return bytes and #bytes >= 24 and #bytes <= 64 and bytes or secret
end

-- 'seconds' is the whole second at which it is sent.
function webhooks.signatures(hook, delivery, seconds)
  local stamp = string.format("%d", seconds)
  local own = digest.hex(digest.hmac_sha256(hook.secret, stamp .. "." .. delivery.body))
  local headers = {
    ["Content-Type"] = "application/json", ["X-Capgo-Event"] = delivery.event, ["X-Capgo-Event-ID"] = delivery.event_id,
    ["X-Capgo-Timestamp"] = stamp, ["X-Capgo-Signature"] = "v1=" .. stamp .. "." .. own,
  }
  if hook.delivery_version == "standard" then
    local signed = delivery.event_id .. "." .. stamp .. "." .. delivery.body
    headers["webhook-id"], headers["webhook-timestamp"] = delivery.event_id, stamp
    headers["webhook-signature"] = "v1," .. digest.base64(digest.hmac_sha256(standard_key(hook.secret), signed))
  end
  return headers
end

-- Delivering --------------------------------------------------------------

local function new_delivery(world, hook, event, payload)
  local delivery = {
    id = world.uuid(), webhook_id = hook.id, org_id = hook.org_id, event = event, event_id = world.uuid(),
    status = "pending", attempts = 0, created_at = calendar.iso_ms(world.now()),
  }
  payload.event, payload.event_id, payload.org_id = event, delivery.event_id, hook.org_id
  payload.timestamp = delivery.created_at
  if hook.delivery_version == "standard" then payload.type = event end
  delivery.body = support.encode(payload)
  table.insert(hook.deliveries, 1, delivery)
  return delivery
end

local function write_down(delivery, status, text)
  delivery.attempts = delivery.attempts + 1
  delivery.response_status = status
  delivery.response_body = text and text:sub(1, PREVIEW)
  local good = status ~= nil and status >= 200 and status < 300
  delivery.status = good and "success" or "failed"
  return good
end

-- One attempt. done(good).
local function attempt(world, hook, delivery, done)
  local headers = webhooks.signatures(hook, delivery, math.floor(world.now()))
  world:post(hook.url, headers, delivery.body, function(status, text)
    done(write_down(delivery, status, text))
  end)
end

-- Tries until it is taken, refused for good (410), or tried ten times; the last
-- two switch the webhook off.
local function deliver(world, hook, delivery)
  attempt(world, hook, delivery, function(good)
    if good then return end
    local pause = pauses[delivery.attempts]
    if delivery.response_status == GONE or not pause then
      hook.enabled = false
      return
    end
    delivery.status = "pending"
    world.after(pause, function()
      if hook.enabled then deliver(world, hook, delivery) end
    end)
  end)
end

local function announce(world, change)
  for _, hook in ipairs(change.org.webhooks:list()) do
    if hook.enabled and hook.wanted[change.table] then
      local names = support.array {}
      for name, value in pairs(change.new or {}) do
        if change.old and change.old[name] ~= value then names[#names + 1] = name end
      end
      table.sort(names)
      deliver(world, hook, new_delivery(world, hook, change.table .. "." .. change.operation, { data = {
        table = change.table, operation = change.operation, record_id = tostring(change.id),
        old_record = change.old or support.null, new_record = change.new or support.null, changed_fields = names,
        actor_user_id = world.store.user_id, actor_type = "apikey",
      } }))
    end
  end
end

-- Managing ----------------------------------------------------------------

local function view(hook, with_secret)
  local shown = support.assign({}, hook, { "id", "org_id", "name", "url", "events", "enabled", "delivery_version",
    "created_at", "updated_at" })
  if with_secret then shown.secret = hook.secret end
  return shown
end

local function org_of(world, input)
  capgo.need(input, "orgId")
  return capgo.organization(world, input.orgId)
end

local function hook_of(world, input)
  local org = org_of(world, input)
  capgo.need(input, "webhookId")
  local hook = org.webhooks:get(input.webhookId)
  if not hook then capgo.refuse(400, "webhook_not_found", "Webhook not found", { webhookId = input.webhookId }) end
  return hook, org
end

-- The real service takes only https to public names. Here http to this machine
-- passes too, because that is where it can really be sent.
local function check_url(url)
  local host = tostring(url):match "^https://([^/:]+)"
  if host and host:find "%a" and host:find(".", 1, true) then return end
  local here = tostring(url):match "^http://([^/]+)"
  here = here and here:gsub(":%d+$", "")
  if here == "localhost" or here == "[::1]" or here and here:find "^127%.%d+%.%d+%.%d+$" then return end
  capgo.refuse(400, "invalid_webhook_url", "The URL must be https with a public host name", { url = url })
end

local function check_events(events)
  if not support.is_array(events) or #events == 0 then
    capgo.refuse(400, "invalid_events", "events must be a list of at least one")
  end
  for _, name in ipairs(events) do
    if not known_events[name] then capgo.refuse(400, "invalid_events", "Unknown event", { event = name }) end
  end
end

local function check_version(version)
  if version == nil or version == "legacy" or version == "standard" then return end
  capgo.refuse(400, "invalid_delivery_version", "deliveryVersion must be legacy or standard")
end

local function create(world, _, input)
  local org = org_of(world, input)
  capgo.need(input, "name", "url", "events")
  check_url(input.url)
  check_events(input.events)
  check_version(input.deliveryVersion)
  local now = calendar.iso_ms(world.now())
  local id = world.uuid()
  local hook = org.webhooks:add(id, {
    id = id, org_id = org.id, name = input.name, url = input.url, events = input.events,
    wanted = support.set(input.events), enabled = input.enabled ~= false, created_at = now, updated_at = now,
    delivery_version = input.deliveryVersion or "legacy", deliveries = {},
    secret = "whsec_" .. digest.base64(digest.sha256(world.hex(32))),
  })
  return 201, { status = "Webhook created", webhook = view(hook, true) }
end

local function stats(world, hook)
  local counts = { total = 0, success = 0, failed = 0, pending = 0 }
  for _, delivery in ipairs(hook.deliveries) do
    if calendar.parse(delivery.created_at) > world.now() - 24 * HOUR then
      counts.total = counts.total + 1
      counts[delivery.status] = counts[delivery.status] + 1
    end
  end
  return counts
end

local function read(world, _, input)
  local org = org_of(world, input)
  if input.webhookId == nil then
    local page = capgo.page(input)
    local rows = support.slice(org.webhooks:list(nil, true), page * capgo.PAGE, capgo.PAGE)
    return 200, support.array(support.map(rows, function(hook) return view(hook) end))
  end
  local hook = hook_of(world, input)
  local shown = view(hook)
  shown.stats_24h = stats(world, hook)
  return 200, shown
end

local function update(world, _, input)
  local hook = hook_of(world, input)
  if input.url ~= nil then check_url(input.url) end
  if input.events ~= nil then check_events(input.events) end
  check_version(input.deliveryVersion)
  support.assign(hook, input, { "name", "url", "events", "enabled" })
  hook.wanted, hook.delivery_version = support.set(hook.events), input.deliveryVersion or hook.delivery_version
  hook.updated_at = calendar.iso_ms(world.now())
  return 200, { status = "Webhook updated", webhook = view(hook) }
end

local function delete(world, _, input)
  local hook, org = hook_of(world, input)
  org.webhooks:remove(hook.id)
  hook.enabled = false
  return 200, { status = "Webhook deleted" }
end

-- Waits for the delivery, and answers 200 whatever came of it.
local function test(world, _, input)
  local hook = hook_of(world, input)
  local delivery = new_delivery(world, hook, "test.ping", { data = { message = "Test" } })
  local started = world.now()
  return 200, function(write, _, await)
    await(function(resume) attempt(world, hook, delivery, resume) end)
    local good = delivery.status == "success"
    write(support.encode {
      success = good, status = delivery.response_status or support.null, delivery_id = delivery.id,
      duration_ms = math.floor((world.now() - started) * 1000),
      response_preview = delivery.response_body or support.null,
      message = good and "Webhook delivered" or "Webhook delivery failed",
    })
  end, { ["Content-Type"] = "application/json" }
end

local function delivery_view(delivery)
  return support.assign({ event_type = delivery.event, attempt_count = delivery.attempts }, delivery,
    { "id", "webhook_id", "org_id", "status", "response_status", "response_body", "created_at" })
end

local function list_deliveries(world, _, input)
  local hook, page = hook_of(world, input), capgo.page(input)
  local rows = {}
  for _, delivery in ipairs(hook.deliveries) do
    if input.status == nil or input.status == delivery.status then rows[#rows + 1] = delivery_view(delivery) end
  end
  return 200, {
    deliveries = support.array(support.slice(rows, page * capgo.PAGE, capgo.PAGE)),
    pagination = { page = page, per_page = capgo.PAGE, total = #rows, has_more = (page + 1) * capgo.PAGE < #rows },
  }
end

local function find_delivery(org, id)
  for _, hook in ipairs(org.webhooks:list()) do
    for _, delivery in ipairs(hook.deliveries) do
      if delivery.id == id then return hook, delivery end
    end
  end
end

local function retry(world, _, input)
  local org = org_of(world, input)
  capgo.need(input, "deliveryId")
  local hook, delivery = find_delivery(org, input.deliveryId)
  if not hook then
    capgo.refuse(400, "delivery_not_found", "Delivery not found", { deliveryId = input.deliveryId })
  end
  if delivery.status ~= "failed" then
    capgo.refuse(400, "delivery_not_failed", "Only failed deliveries can be retried", { status = delivery.status })
  end
  if not hook.enabled then capgo.refuse(400, "webhook_disabled", "Webhook is disabled") end
  delivery.status, delivery.attempts = "pending", 0
  deliver(world, hook, delivery)
  return 200, { status = "Delivery queued", deliveryId = delivery.id }
end

function webhooks.seed(world)
  table.insert(world.store.listeners, function(change) announce(world, change) end)
end

function webhooks.routes(world)
  local denied = { 400, "cannot_access_webhooks" }
  local function serve(method, path, handler)
    capgo.route(world, method, "/webhooks" .. path, "A", denied, function(request, input)
      return handler(world, request, input)
    end)
  end
  serve("GET", "", read)
  serve("POST", "", create)
  serve("PUT", "", update)
  serve("DELETE", "", delete)
  serve("POST", "/test", test)
  serve("GET", "/deliveries", list_deliveries)
  serve("POST", "/deliveries/retry", retry)
end

return webhooks
