-- Capgo: native builds. Asked for, uploaded in pieces (TUS), started, watched,
-- cancelled. Times are the sandbox's: a started build waits a second, runs nine,
-- and ends well if its upload looks like a zip archive.

local calendar = require "moonrest.sandbox.calendar"
local support = require "moonrest.sandbox.support"
local capgo = require "moonrest.sandbox.capgo_support"
local apps = require "moonrest.sandbox.capgo_apps"

local WAIT_SECONDS, RUN_SECONDS = 1, 9
local LINE_SECONDS = 1.5
local UPLOAD_SECONDS = 3600
local TUS_VERSION = "1.0.0"
local ZIP_START = "PK"
local concurrency = { free = 1, standard = 1, enterprise = 10, server = 10 }

local platforms = support.set { "ios", "android" }
local modes = support.set { "release", "debug" }
local final = support.set { "succeeded", "failed", "expired", "released", "cancelled" }

local builds = {}

-- State -------------------------------------------------------------------

local function status_of(world, job)
  local now = world.now()
  if job.ended then return job.ended end
  if not job.started_at then
    return now >= job.requested_at + UPLOAD_SECONDS and "expired" or "pending"
  end
  if now < job.started_at + WAIT_SECONDS then return "queued" end
  if now < job.started_at + WAIT_SECONDS + RUN_SECONDS then return "running" end
  return job.upload.head == ZIP_START and "succeeded" or "failed"
end

local function job_of(world, id, app_id)
  local job = world.store.builds:get(id)
  if not job or app_id and job.app_id ~= app_id then
    capgo.refuse(404, "build_not_found", "Build not found", { job_id = id })
  end
  return job
end

-- What the code of these routes does with a mistake: it throws, and that is a 500.
local function thrown()
  capgo.refuse(500, "unknown_error", "Unknown error")
end

local function check_concurrency(world)
  local most = world.switches.build_concurrency or concurrency[world.plan or "free"] or 1
  local running = #world.store.builds:list(function(job)
    return job.started_at ~= nil and not final[status_of(world, job)]
  end)
  if running < most then return end
  capgo.refuse(429, "native_build_concurrency_limit_exceeded", "Too many builds at once for your plan",
    { limit = most, running = running, upgrade_url = "https://console.example.com/settings/plans" })
end

-- Asking, starting, cancelling --------------------------------------------

local function upload_url(world, request, id)
  return string.format("http://%s/%s/build/upload/%s", request.headers.host or "127.0.0.1", world.mount, id)
end

local function ask(world, request, input)
  capgo.app(world, input)
  capgo.need(input, "platform")
  if not platforms[input.platform] then
    capgo.refuse(400, "invalid_platform", "platform must be ios or android", { platform = input.platform })
  end
  if input.build_mode ~= nil and not modes[input.build_mode] then
    capgo.refuse(400, "invalid_build_mode", "build_mode must be release or debug", { build_mode = input.build_mode })
  end
  apps.check_plan(world)
  check_concurrency(world)
  local id, now = world.uuid(), world.now()
  local job = world.store.builds:add(id, {
    id = id, request_id = world.uuid(), app_id = input.app_id, platform = input.platform, requested_at = now,
    upload = { offset = 0 }, upload_url = upload_url(world, request, id),
  })
  return 200, {
    build_request_id = job.request_id, job_id = id, upload_session_key = world.hex(32), upload_url = job.upload_url,
    upload_path = "native-builds/" .. input.app_id .. "/" .. id .. ".zip",
    upload_expires_at = calendar.iso_ms(now + UPLOAD_SECONDS), status = "pending",
  }
end

local function uploaded(job)
  return job.upload.length ~= nil and job.upload.offset == job.upload.length
end

local function start(world, request, input)
  if input.app_id == nil then thrown() end
  capgo.app(world, input)
  local job = job_of(world, request.params.jobId, input.app_id)
  if status_of(world, job) ~= "pending" or not uploaded(job) then thrown() end
  check_concurrency(world)
  job.started_at = world.now()
  return 200, {
    job_id = job.id, status = status_of(world, job), logs_token = "logs." .. world.hex(32),
    logs_url = string.format("http://%s/%s/build/logs/%s?app_id=%s", request.headers.host or "127.0.0.1", world.mount,
      job.id, job.app_id),
  }
end

local function cancel_job(world, job)
  if not final[status_of(world, job)] then job.ended, job.ended_at = "cancelled", world.now() end
end

local function cancel(world, request, input)
  if input.app_id == nil then thrown() end
  capgo.app(world, input)
  local job = job_of(world, request.params.jobId, input.app_id)
  cancel_job(world, job)
  return 200, { job_id = job.id, status = status_of(world, job), message = "Build cancelled" }
end

-- Watching ----------------------------------------------------------------

local function milliseconds(time)
  return time and math.floor(time * 1000) or support.null
end

local function end_of(world, job, status)
  if not final[status] then return nil end
  if job.ended_at then return job.ended_at end
  if job.started_at then return job.started_at + WAIT_SECONDS + RUN_SECONDS end
  return math.min(job.requested_at + UPLOAD_SECONDS, world.now())
end

local function status(world, _, input)
  capgo.need(input, "job_id", "app_id")
  capgo.app(world, input)
  local job = job_of(world, input.job_id, input.app_id)
  local word = status_of(world, job)
  local ended = end_of(world, job, word)
  local began = job.started_at and job.started_at + WAIT_SECONDS
  return 200, {
    job_id = job.id, status = word, machine = job.platform == "ios" and "mac-mini" or "linux-8",
    started_at = milliseconds(job.started_at), completed_at = milliseconds(ended), upload_url = job.upload_url,
    runner_wait_seconds = began and WAIT_SECONDS or support.null,
    build_time_seconds = began and ended and math.max(math.floor(ended - began), 0) or support.null,
    error = word == "failed" and "The upload is not a zip archive" or support.null,
  }
end

local lines = { "Preparing runner", "Unpacking sources", "Resolving dependencies", "Compiling", "Signing", "Uploading" }

local function event(name, data)
  return "event: " .. name .. "\ndata: " .. support.encode(data) .. "\n\n"
end

-- A line every second and a half until the build ends. Who goes away before that
-- cancels the build, as with the real proxy.
local function follow(world, job, write, wait)
  local ended = false
  local _ <close> = setmetatable({}, { __close = function()
    if not ended then cancel_job(world, job) end
  end })
  local number, due = 0, world.now()
  while not final[status_of(world, job)] do
    number, due = number + 1, due + LINE_SECONDS
    write(event("log", { message = lines[(number - 1) % #lines + 1] }))
    if due > world.now() then wait(due - world.now()) end
  end
  ended = true
  write(event("status", { status = status_of(world, job) }))
end

local function logs(world, request, input)
  if input.app_id == nil then thrown() end
  capgo.app(world, input)
  local job = job_of(world, request.params.jobId, input.app_id)
  return 200, function(write, wait) follow(world, job, write, wait) end,
    { ["Content-Type"] = "text/event-stream", ["Cache-Control"] = "no-cache", Deprecation = "true" }
end

-- Upload (TUS) ------------------------------------------------------------

local function tus_headers(job)
  return {
    ["Tus-Resumable"] = TUS_VERSION, ["Cache-Control"] = "no-store", ["Upload-Offset"] = job and job.upload.offset,
    ["Upload-Length"] = job and job.upload.length,
  }
end

local function tus_refuse(status_code, message, job)
  support.refuse(status_code, message, tus_headers(job))
end

local function upload_of(world, request)
  if request.headers["tus-resumable"] ~= TUS_VERSION then
    support.refuse(412, "Tus-Resumable must be 1.0.0", { ["Tus-Version"] = TUS_VERSION })
  end
  local job = job_of(world, request.params.jobId)
  if status_of(world, job) == "expired" then tus_refuse(410, "The upload has expired", job) end
  return job
end

local function open_upload(world, request)
  local job = upload_of(world, request)
  local length = support.integer(request.headers["upload-length"], 0)
  if not length then tus_refuse(400, "Upload-Length is required", nil) end
  job.upload = { offset = 0, length = length, head = "" }
  local headers = tus_headers(job)
  headers.Location = job.upload_url .. "/" .. job.id .. ".zip"
  return 201, nil, headers
end

local function ask_upload(world, request)
  local job = upload_of(world, request)
  if not job.upload.length then tus_refuse(404, "No upload was made", nil) end
  return 200, nil, tus_headers(job)
end

-- Only the number of bytes and the first two are kept.
local function continue_upload(world, request)
  local job = upload_of(world, request)
  local upload = job.upload
  if not upload.length then tus_refuse(404, "No upload was made", nil) end
  if request.headers["content-type"] ~= "application/offset+octet-stream" then
    tus_refuse(415, "Content-Type must be application/offset+octet-stream", job)
  end
  if support.integer(request.headers["upload-offset"], 0) ~= upload.offset then
    tus_refuse(409, "Upload-Offset does not fit", job)
  end
  if upload.offset + #request.raw > upload.length then tus_refuse(413, "More bytes than were announced", job) end
  upload.head = (upload.head .. request.raw:sub(1, #ZIP_START)):sub(1, #ZIP_START)
  upload.offset = upload.offset + #request.raw
  return 204, nil, tus_headers(job)
end

local function upload_options()
  return 204, nil, { ["Tus-Resumable"] = TUS_VERSION, ["Tus-Version"] = TUS_VERSION, ["Tus-Extension"] = "creation" }
end

-- Help --------------------------------------------------------------------

local function analyze()
  return 426, { error = "Please upgrade your CLI", code = "upgrade_required" }
end

local function analyze_stream(_, _, input)
  for _, name in ipairs { "jobId", "appId", "logs" } do
    if not support.is_text(input[name], name == "logs" and 0 or 1) then thrown() end
  end
  return 200, function(write)
    for _, word in ipairs { "The", "build", "is", "fine." } do write(event("delta", { text = word .. " " })) end
    write(event("done", {}))
  end, { ["Content-Type"] = "text/event-stream" }
end

-- Kept by content: the same logs have the same address.
local function support_logs(world, _, input)
  if not support.is_text(input.gzB64) then thrown() end
  local id = string.format("%016x", support.mix(world.seed, "support logs", input.gzB64))
  return 200, { id = id, url = "https://storage.example.com/support-logs/" .. id }
end

function builds.routes(world)
  world.store.builds = support.shelf()
  local denied = { 400, "cannot_access_app" }
  local function serve(method, path, handler, bucket)
    capgo.route(world, method, "/build" .. path, "K", denied, function(request, input)
      return handler(world, request, input)
    end, bucket)
  end
  serve("POST", "/request", ask)
  serve("POST", "/start/{jobId}", start)
  serve("GET", "/status", status)
  serve("GET", "/logs/{jobId}", logs)
  serve("POST", "/cancel/{jobId}", cancel)
  serve("POST", "/ai_analyze", analyze)
  serve("POST", "/ai_analyze_stream", analyze_stream)
  serve("POST", "/support_logs", support_logs)
  local upload, piece = "/upload/{jobId}", "/upload/{jobId}/{rest...}"
  serve("POST", upload, open_upload, "upload")
  serve("PATCH", piece, continue_upload, "upload")
  for _, path in ipairs { upload, piece } do
    serve("HEAD", path, ask_upload, "upload")
    capgo.route(world, "OPTIONS", "/build" .. path, nil, nil, upload_options)
  end
end

return builds
