local capgo = require "spec.support.capgo_sandbox"

local APP <const> = capgo.APP

describe("the notifications of the Capgo sandbox", function()
  local case = capgo.cases()
  local good, refused = case.good, case.refused

  local function of_app(path) return good("GET", "/notifications" .. path .. "?app_id=" .. APP) end

  it("have settings that are set all at once", function()
    assert.same({ APP, false, "next" }, { of_app "/settings".appId, of_app "/settings".pushUpdateEnabled,
      of_app "/settings".pushUpdateInstallMode })
    good("PUT", "/notifications/settings", { appId = APP, pushUpdateEnabled = true, pushUpdateInstallMode = "set" })
    local changed = good("PUT", "/notifications/settings", { appId = APP, pushUpdateEnabled = true })
    assert.same({ true, "next" }, { changed.pushUpdateEnabled, changed.pushUpdateInstallMode })
    assert.same(changed, of_app "/settings")
  end)

  it("need a push service that is set up, and a target", function()
    local sending = { appId = APP, target = { tag = "beta" }, payload = { title = "Hello" } }
    local answer = good("POST", "/notifications/send", sending)
    assert.equal("ok", answer.status)
    assert.is_string(answer.campaignId)
    assert.equal(1, of_app "/stats".data.sent)
    assert.same({ 400, "missing_notification_target" }, (refused("POST", "/notifications/send", { appId = APP })))
    good("PUT", "/notifications/providers", { appId = APP, platform = "android", status = "disabled" })
    assert.same({ 400, "missing_notification_provider" }, (refused("POST", "/notifications/send", sending)))
    assert.same({ 400, "invalid_platform" },
      (refused("PUT", "/notifications/providers", { appId = APP, platform = "ios", provider = "fcm" })))
    good("PUT", "/notifications/providers", { appId = APP, provider = "apns", status = "configured" })
    local platforms = {}
    for _, service in ipairs(of_app "/providers".data) do platforms[service.platform] = service.status end
    assert.same({ ios = "configured", android = "disabled" }, platforms)
    good("POST", "/notifications/send", sending)
  end)

  it("come in campaigns, of which the latest hundred are listed", function()
    for number = 1, 101 do
      good("POST", "/notifications/campaigns", { appId = APP, name = "campaign " .. number, kind = "nonsense" })
    end
    local listed = of_app "/campaigns".data
    assert.same({ 100, "campaign 101", "alert", "draft" },
      { #listed, listed[1].name, listed[1].kind, listed[1].status })
    assert.same({ 400, "invalid_body" }, (refused("POST", "/notifications/campaigns", { appId = APP })))
  end)

  it("know people by a key", function()
    local found = good("POST", "/notifications/recipients/lookup", { appId = APP, externalId = "user-1" })
    assert.same({ 1, found.recipientKey }, { found.count, found.devices[1].recipientKey })
    assert.same(found, good("POST", "/notifications/recipients/lookup",
      { appId = APP, recipientKey = found.recipientKey }))
    assert.same({ 400, "missing_recipient" }, (refused("POST", "/notifications/recipients/lookup", { appId = APP })))
    local proof = good("POST", "/notifications/recipients/proof", { appId = APP, externalId = "user-1" })
    assert.is_string(proof.identityProof)
  end)

  it("are nobody else's", function()
    assert.same({ 403, "app_access_denied" }, (refused("GET", "/notifications/settings?app_id=com.other.app")))
  end)
end)
