local capgo = require "spec.support.capgo_sandbox"
local client = require "spec.support.sandbox_client"
local core = require "moonrest.core"

local APP <const> = capgo.APP

describe("the builds of the Capgo sandbox", function()
  local case = capgo.cases()
  local good, refused = case.good, case.refused
  local server, call

  before_each(function()
    server, call = case.server, case.call
  end)

  local TUS = "application/offset+octet-stream"

  local function ask() return good("POST", "/build/request", { app_id = APP, platform = "android" }) end

  local function tus(method, url, headers, body)
    headers.capgkey, headers["Tus-Resumable"] = server:token "capgo", "1.0.0"
    return client.request(url, { method = method, headers = headers, body = body })
  end

  local function upload(job, bytes)
    local place = tus("POST", job.upload_url, { ["Upload-Length"] = #bytes }).headers.location
    assert.equal(204, tus("PATCH", place, { ["Upload-Offset"] = 0, ["Content-Type"] = TUS }, bytes).status)
    return job
  end

  local function status_of(job)
    return good("GET", "/build/status?job_id=" .. job.job_id .. "&app_id=" .. APP)
  end

  local function start_build(job) return good("POST", "/build/start/" .. job.job_id, { app_id = APP }) end

  it("go from pending to succeeded", function()
    local job = upload(ask(), "PK zip")
    assert.equal("pending", job.status)
    assert.equal("2026-01-01T01:00:00.000Z", job.upload_expires_at)
    assert.equal("queued", start_build(job).status)
    server:advance(2)
    assert.equal("running", status_of(job).status)
    server:advance(8)
    local done = status_of(job)
    assert.equal("succeeded", done.status)
    assert.equal(1767225600000, done.started_at)
    assert.equal(1767225610000, done.completed_at)
    assert.equal(9, done.build_time_seconds)
    assert.equal(core.null, done.error)
  end)

  it("fail when the upload is no zip archive", function()
    local job = upload(ask(), "text")
    start_build(job)
    server:advance(10)
    local done = status_of(job)
    assert.equal("failed", done.status)
    assert.truthy(done.error:find "zip")
  end)

  it("expire after an hour without a start", function()
    local job = ask()
    server:advance(3600)
    assert.equal("expired", status_of(job).status)
  end)

  it("are uploaded in pieces that can be resumed", function()
    local job = ask()
    assert.equal(404, tus("HEAD", job.upload_url, {}).status)
    local made = tus("POST", job.upload_url, { ["Upload-Length"] = 6 })
    assert.equal(201, made.status)
    local place = made.headers.location
    local first = tus("PATCH", place, { ["Upload-Offset"] = 0, ["Content-Type"] = TUS }, "PK12")
    assert.equal("4", first.headers["upload-offset"])
    assert.equal(409, tus("PATCH", place, { ["Upload-Offset"] = 2, ["Content-Type"] = TUS }, "12").status)
    assert.equal(415, tus("PATCH", place, { ["Upload-Offset"] = 4, ["Content-Type"] = "text/plain" }, "34").status)
    assert.equal(413, tus("PATCH", place, { ["Upload-Offset"] = 4, ["Content-Type"] = TUS }, "345").status)
    local state = tus("HEAD", place, {})
    assert.equal("4", state.headers["upload-offset"])
    assert.equal("6", state.headers["upload-length"])
    assert.same({ 500, "unknown_error" }, refused("POST", "/build/start/" .. job.job_id, { app_id = APP }))
    assert.equal(204, tus("PATCH", place, { ["Upload-Offset"] = 4, ["Content-Type"] = TUS }, "34").status)
    start_build(job)
    assert.equal("creation", tus("OPTIONS", place, {}).headers["tus-extension"])
    assert.equal(412, call("HEAD", "/build/upload/" .. job.job_id).status)
  end)

  it("tell anybody how they are uploaded, and take pieces at the upload's own address only", function()
    local job = ask()
    local told = client.request(job.upload_url, { method = "OPTIONS" })
    assert.same({ 204, "1.0.0" }, { told.status, told.headers["tus-version"] })
    assert.equal(404, tus("PATCH", job.upload_url, { ["Upload-Offset"] = 0, ["Content-Type"] = TUS }, "PK").status)
  end)

  it("count the pieces of an upload apart from the other calls", function()
    server:plan("capgo", "standard")
    local job = ask()
    for _ = 1, 120 do tus("HEAD", job.upload_url, {}) end
    assert.equal(200, call("GET", "/app/" .. APP).status)
  end)

  it("answer mistakes with 500", function()
    local job = upload(ask(), "PK")
    assert.same({ 500, "unknown_error" }, refused("POST", "/build/start/" .. job.job_id, {}))
    assert.same({ 500, "unknown_error" }, refused("POST", "/build/cancel/" .. job.job_id, {}))
    assert.same({ 500, "unknown_error" }, refused("GET", "/build/logs/" .. job.job_id))
    assert.same({ 500, "unknown_error" }, refused("POST", "/build/ai_analyze_stream", { appId = APP, jobId = "x" }))
    assert.same({ 500, "unknown_error" }, refused("POST", "/build/support_logs", {}))
  end)

  it("are limited by the plan, with no time to wait for", function()
    server:plan("capgo", "standard")
    local job = upload(ask(), "PK")
    start_build(job)
    local code, answer = refused("POST", "/build/request", { app_id = APP, platform = "ios" })
    assert.same({ 429, "native_build_concurrency_limit_exceeded" }, code)
    assert.truthy(answer.json.moreInfo.upgrade_url)
    assert.is_nil(answer.headers["retry-after"])
    good("POST", "/build/cancel/" .. job.job_id, { app_id = APP })
    assert.equal("cancelled", status_of(job).status)
    ask()
  end)

  local function follow(job)
    return client.send(server:base "capgo" .. "/build/logs/" .. job.job_id .. "?app_id=" .. APP,
      { headers = { capgkey = server:token "capgo" } }):head()
  end

  it("stream their logs to the end", function()
    local job = upload(ask(), "PK")
    start_build(job)
    local stream = follow(job)
    assert.truthy(stream:chunk():find("Preparing runner", 1, true))
    server:advance(1.5)
    assert.truthy(stream:chunk():find("Unpacking sources", 1, true))
    local last
    for _ = 1, 20 do
      server:advance(1.5)
      last = stream:chunk()
      if last:find "event: status" then break end
    end
    assert.truthy(last:find '"succeeded"')
    assert.is_nil(stream:chunk())
    stream:close()
    assert.equal("succeeded", status_of(job).status)
  end)

  it("are cancelled when the reader of the logs goes away", function()
    local job = upload(ask(), "PK")
    start_build(job)
    local stream = follow(job)
    stream:chunk()
    stream:close()
    local state
    for _ = 1, 6 do
      server:advance(1.5)
      state = status_of(job).status
      if state == "cancelled" then break end
    end
    assert.equal("cancelled", state)
  end)
end)
