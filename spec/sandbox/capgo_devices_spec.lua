local capgo = require "spec.support.capgo_sandbox"
local core = require "moonrest.core"

local APP <const> = capgo.APP

describe("the Capgo sandbox", function()
  local case = capgo.cases()
  local good, refused = case.good, case.refused
  local server, call, org

  before_each(function()
    server, call, org = case.server, case.call, case.org
  end)

  describe("devices", function()
    local function walk(order)
      local seen, times, cursor = {}, {}, nil
      repeat
        local path = "/device/?limit=7&order=" .. order .. "&app_id=" .. APP
        local page = good("GET", path .. (cursor and "&cursor=" .. cursor:gsub("|", "%%7C") or ""))
        for _, device in ipairs(page.data) do
          assert.is_nil(seen[device.device_id])
          seen[device.device_id] = true
          times[#times + 1] = device.updated_at
        end
        cursor = page.nextCursor
        assert.equal(page.hasMore, cursor ~= nil)
      until not page.hasMore
      return times
    end

    it("are all found by the cursor, in both orders", function()
      local down, up = walk "desc", walk "asc"
      assert.equal(120, #down)
      assert.equal(120, #up)
      assert.is_true(down[1] > down[120])
      assert.is_true(up[1] < up[120])
    end)

    it("are filtered, found by any case, and may be missing", function()
      local custom = good("GET", "/device/?customIdMode=false&limit=500&app_id=" .. APP).data
      assert.equal(40, #custom)
      local id = custom[1].device_id
      assert.equal(id, good("GET", "/device/?device_id=" .. id:upper() .. "&app_id=" .. APP).device_id)
      assert.same({ 404, "device_not_found" }, refused("GET", "/device/?device_id=none&app_id=" .. APP))
      assert.same({ 400, "invalid_cursor" }, refused("GET", "/device/?cursor=x&app_id=" .. APP))
      assert.same({ 400, "invalid_updated_at" }, refused("GET", "/device/?updated_at=x&app_id=" .. APP))
      assert.same({ 400, "invalid_order" }, refused("GET", "/device/?order=x&app_id=" .. APP))
      local newest = good("GET", "/device/?limit=1&app_id=" .. APP).data[1].updated_at
      assert.equal(0, #good("GET", "/device/?updated_at=" .. newest .. "&app_id=" .. APP).data)
    end)

    it("are linked to channels", function()
      local id = good("GET", "/device/?limit=1&app_id=" .. APP).data[1].device_id
      local path = "/device/?device_id=" .. id .. "&app_id=" .. APP
      good("POST", "/device/", { app_id = APP, device_id = id:upper() })
      assert.equal(core.null, good("GET", path).channel)
      good("POST", "/device/", { app_id = APP, device_id = id:upper(), channel = "beta" })
      assert.equal("beta", good("GET", path).channel)
      good("DELETE", path)
      good("DELETE", path)
      assert.equal(core.null, good("GET", path).channel)
      assert.same({ 400, "invalid_version_id" },
        refused("POST", "/device/", { app_id = APP, device_id = id, version_id = "1" }))
      assert.same({ 404, "channel_not_found" },
        refused("POST", "/device/", { app_id = APP, device_id = id, channel = "none" }))
      assert.same({ 400, "public_channel_override" },
        refused("POST", "/device/", { app_id = APP, device_id = id, channel = "production" }))
    end)

    it("take five calls a second, and the same channel once a minute", function()
      local body = { app_id = APP, device_id = "d", channel = "beta" }
      good("POST", "/device/", body)
      local _, same = refused("POST", "/device/", body)
      assert.equal("same_channel_set", same.json.moreInfo.reason)
      assert.equal("60", same.headers["retry-after"])
      for _ = 1, 3 do call("POST", "/device/", { app_id = APP, device_id = "d" }) end
      local code, fast = refused("POST", "/device/", { app_id = APP, device_id = "d" })
      assert.same({ 429, "too_many_requests" }, code)
      assert.equal("d", fast.json.moreInfo.device_id)
      assert.equal(1, fast.json.moreInfo.retryAfterSeconds)
      assert.equal("1767225601", fast.headers["x-ratelimit-reset"])
      server:advance(1)
      good("POST", "/device/", { app_id = APP, device_id = "d" })
      server:advance(60)
      good("POST", "/device/", body)
    end)
  end)

  describe("statistics", function()
    local days = "?from=2025-01-01&to=2025-01-03"

    it("run up unless told not to", function()
      local path = "/statistics/app/" .. APP .. "/" .. days
      local sums, single = good("GET", path), good("GET", path .. "&noAccumulate=true")
      assert.equal(3, #sums)
      assert.equal("2025-01-01T00:00:00.000Z", sums[1].date)
      local mau = 0
      for index, row in ipairs(single) do
        mau = mau + row.mau
        assert.equal(mau, sums[index].mau)
      end
      assert.same(sums, good("GET", path))
    end)

    it("break down by app", function()
      local path = "/statistics/org/" .. org .. "/" .. days .. "&noAccumulate=true"
      local whole, parts = good("GET", path), good("GET", path .. "&breakdown=true")
      assert.same(whole, parts.global)
      local mau = 0
      for _, row in ipairs(parts.byApp) do
        if row.date == whole[1].date then mau = mau + row.mau end
      end
      assert.equal(whole[1].mau, mau)
    end)

    it("are strict about dates and booleans", function()
      local path = "/statistics/app/" .. APP .. "/"
      assert.equal(400, call("GET", path).status)
      assert.equal(400, call("GET", path .. "?from=2025-01-03&to=2025-01-01").status)
      assert.equal(400, call("GET", path .. days .. "&noAccumulate=yes").status)
      assert.same({ 401, "no_access_to_app" }, refused("GET", "/statistics/app/com.no.app/" .. days))
    end)

    it("cost money without a subscription", function()
      local poor = capgo.start { capgo = { subscription = false } }
      local call_poor = capgo.caller(poor)
      assert.same({ 402, "subscription_required" }, refused("GET", "/statistics/user/" .. days, nil, call_poor))
      poor:stop()
    end)

    it("are exported as CSV inside JSON", function()
      local body = { appId = APP, rangeStart = "2025-01-01", rangeEnd = "2025-01-09" }
      local export = good("POST", "/private/stats/export", body)
      assert.equal(9, export.rowCount)
      assert.equal(10, select(2, export.csv:gsub("\r\n", "")))
    end)
  end)
end)
