local capgo = require "spec.support.capgo_sandbox"
local client = require "spec.support.sandbox_client"
local digest = require "moonrest.digest"

local json = require "moonrest.core".json
local APP <const> = capgo.APP

describe("the webhooks of the Capgo sandbox", function()
  local case = capgo.cases()
  local good, refused = case.good, case.refused
  local server, org

  before_each(function()
    server, org = case.server, case.org
  end)

  local receiver

  before_each(function() receiver = client.receiver() end)

  after_each(function() receiver:close() end)

  local function make(fields)
    fields.orgId, fields.name = org, "hook"
    fields.url, fields.events = fields.url or receiver.url, fields.events or json.array { "apps" }
    local answer = select(2, good("POST", "/webhooks", fields))
    assert.equal(201, answer.status)
    return answer.json.webhook
  end

  local function rename() good("PUT", "/app/" .. APP, { name = "Renamed" }) end

  it("are sent with the service's own signature", function()
    local hook = make {}
    rename()
    local got = receiver:take()
    assert.equal("apps.UPDATE", got.headers["x-capgo-event"])
    assert.equal("apps.UPDATE", got.json.event)
    assert.is_nil(got.json.type)
    assert.equal("Renamed", got.json.data.new_record.name)
    assert.equal("name", got.json.data.changed_fields[1])
    local stamp = got.headers["x-capgo-timestamp"]
    local expected = digest.hex(digest.hmac_sha256(hook.secret, stamp .. "." .. got.body))
    assert.equal("v1=" .. stamp .. "." .. expected, got.headers["x-capgo-signature"])
    assert.is_nil(got.headers["webhook-signature"])
  end)

  it("are signed by the standard too where asked for", function()
    local hook = make { deliveryVersion = "standard" }
    rename()
    local got = receiver:take()
    assert.equal("apps.UPDATE", got.json.type)
    local key = digest.unbase64((hook.secret:gsub("^whsec_", "")))
    local signed = got.headers["webhook-id"] .. "." .. got.headers["webhook-timestamp"] .. "." .. got.body
    assert.equal("v1," .. digest.base64(digest.hmac_sha256(key, signed)), got.headers["webhook-signature"])
    assert.equal(got.json.event_id, got.headers["webhook-id"])
  end)

  it("come for every watched table", function()
    make { events = json.array { "channels", "app_versions", "org_users", "orgs" } }
    local body = { app_id = APP, version = "9.0.0", external_url = "https://example.com/a.zip", checksum = "c" }
    good("POST", "/bundle/", body)
    good("POST", "/channel/", { app_id = APP, channel = "beta", public = true })
    good("POST", "/organization/members/", { orgId = org, email = "a@example.com", invite_type = "read" })
    good("PUT", "/organization/", { orgId = org, name = "Newer" })
    good("DELETE", "/bundle/", { app_id = APP, version = "9.0.0" })
    local events = {}
    for index = 1, 5 do events[index] = receiver:take().json.event end
    assert.same({ "app_versions.INSERT", "channels.UPDATE", "org_users.INSERT", "orgs.UPDATE",
      "app_versions.DELETE" }, events)
  end)

  it("are tried again on the service's schedule, with new signatures", function()
    local hook = make {}
    local query = "?orgId=" .. org .. "&webhookId=" .. hook.id
    local function attempts() return good("GET", "/webhooks/deliveries" .. query).deliveries[1].attempt_count end
    rename()
    local first, times = receiver:take(500), {}
    for attempt, status in ipairs { 500, 503, 200 } do
      client.eventually(function() return attempts() == attempt end)
      server:advance(86400)
      local again = receiver:take(status)
      assert.equal(first.json.event_id, again.json.event_id)
      assert.not_equal(first.headers["x-capgo-signature"], again.headers["x-capgo-signature"])
      times[attempt] = again.headers["x-capgo-timestamp"] - 1767225600
    end
    assert.same({ 5, 86400 + 300, 2 * 86400 + 1800 }, times)
    client.eventually(function() return attempts() == 4 end)
    local list = good("GET", "/webhooks/deliveries" .. query)
    assert.equal("success", list.deliveries[1].status)
    assert.same({ page = 0, per_page = 50, total = 1, has_more = false }, list.pagination)
  end)

  it("are counted for a day", function()
    local hook = make {}
    local query = "/webhooks?orgId=" .. org .. "&webhookId=" .. hook.id
    rename()
    receiver:take(200)
    client.eventually(function() return good("GET", query).stats_24h.success == 1 end)
    server:advance(86400)
    assert.same({ total = 0, success = 0, failed = 0, pending = 0 }, good("GET", query).stats_24h)
  end)

  it("are switched off by a 410, and can be sent again when they are on again", function()
    local hook = make {}
    rename()
    receiver:take(410)
    local query = "?orgId=" .. org .. "&webhookId=" .. hook.id
    client.eventually(function() return not good("GET", "/webhooks" .. query).enabled end)
    local delivery = good("GET", "/webhooks/deliveries" .. query .. "&status=failed").deliveries[1]
    local body = { orgId = org, deliveryId = delivery.id }
    assert.same({ "apps.UPDATE", 1, 410 },
      { delivery.event_type, delivery.attempt_count, delivery.response_status })
    assert.same({ 400, "webhook_disabled" }, refused("POST", "/webhooks/deliveries/retry", body))
    good("PUT", "/webhooks", { orgId = org, webhookId = hook.id, enabled = true })
    good("POST", "/webhooks/deliveries/retry", body)
    receiver:take(200)
    client.eventually(function()
      return good("GET", "/webhooks/deliveries" .. query).deliveries[1].status == "success"
    end)
    assert.same({ 400, "delivery_not_failed" }, refused("POST", "/webhooks/deliveries/retry", body))
  end)

  it("are switched off after ten attempts", function()
    local hook = make {}
    local query = "?orgId=" .. org .. "&webhookId=" .. hook.id
    rename()
    for attempt = 1, 10 do
      receiver:take(500)
      client.eventually(function()
        return good("GET", "/webhooks/deliveries" .. query).deliveries[1].attempt_count == attempt
      end)
      server:advance(86400)
    end
    assert.is_false(good("GET", "/webhooks" .. query).enabled)
    assert.equal("failed", good("GET", "/webhooks/deliveries" .. query).deliveries[1].status)
    assert.is_false(receiver:has_one())
  end)

  it("are tested with a 200 whatever happens", function()
    local hook = make {}
    for _, status in ipairs { 204, 500 } do
      local exchange = client.send(server:base "capgo" .. "/webhooks/test", {
        method = "POST", headers = { capgkey = server:token "capgo" }, body = { orgId = org, webhookId = hook.id },
      })
      assert.equal("test.ping", receiver:take(status).json.event)
      local answer = exchange:finish()
      assert.equal(200, answer.status)
      assert.equal(status == 204, answer.json.success)
      assert.equal(status, answer.json.status)
      assert.truthy(answer.json.delivery_id)
    end
  end)

  it("are managed and checked", function()
    local hook = make { url = "https://hooks.example.com/x" }
    good("PUT", "/webhooks", { orgId = org, webhookId = hook.id, enabled = false, events = json.array { "orgs" } })
    assert.is_nil(good("GET", "/webhooks?orgId=" .. org)[1].secret)
    for _, url in ipairs { "http://example.com/", "https://10.0.0.1/", "ftp://x.y" } do
      local body = { orgId = org, name = "x", url = url, events = json.array { "apps" } }
      assert.same({ 400, "invalid_webhook_url" }, refused("POST", "/webhooks", body))
    end
    local body = { orgId = org, name = "x", url = receiver.url, events = json.array { "moon" } }
    assert.same({ 400, "invalid_events" }, refused("POST", "/webhooks", body))
    good("DELETE", "/webhooks", { orgId = org, webhookId = hook.id })
    assert.same({ 400, "webhook_not_found" }, refused("DELETE", "/webhooks", { orgId = org, webhookId = hook.id }))
  end)
end)
