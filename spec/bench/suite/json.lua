-- The table of json.lua beside this folder, as it stands.

local contest = require "spec.bench.suite.contest"

local json = {}

function json.run(out, settings)
  local pipe = assert(io.popen(("taskset -c %d %s"):format(settings.client_cpu,
    contest.command("lua5.4", settings.folder .. "/json.lua"))))
  local text = pipe:read "a"
  assert(pipe:close(), "json.lua failed")
  out:title "JSON: moonrest.json against lua-cjson, processor time"
  out:write("```\n%s```", text)
  local _, missed = text:gsub(": NO\n", "")
  out.missed = (out.missed or 0) + missed
end

return json
