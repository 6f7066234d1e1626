-- Puts judges, roads and workers of the throttle's benches on stage: processes that end with their handle.
--
-- 'settings' are { programs = folder of judge and delay, scripts = folder of the Lua and Node programs, place = folder
-- for logs }.

local free_port = require "spec.support.free_port"
local throttle_log = require "spec.bench.throttle_log"

local stage = {}

local Process = { __name = "process" }
Process.__index = Process

-- A process in the background; its first line of output is kept where 'wants_line'.
function stage.start(command, wants_line)
  local pipe = assert(io.popen(("sh -c 'echo $$; exec %s' 2>&1"):format(command)))
  local process = setmetatable({ pipe = pipe, id = assert(pipe:read "n", "cannot start: " .. command) }, Process)
  pipe:read "l"
  if wants_line then process.line = assert(pipe:read "l", "no word from: " .. command) end
  return process
end

function Process:kill(signal)
  os.execute(("kill -%s %d 2>/dev/null"):format(signal or "TERM", self.id))
end

-- What it still said, once it has ended.
function Process:rest()
  if not self.pipe then return "" end
  local text = self.pipe:read "a"
  self.pipe:close()
  self.pipe = nil
  return text
end

function Process:__close()
  if self.pipe then
    self:kill()
    self:rest()
  end
end

-- A judge: { url, port, verdict() }. 'verdict' ends it and returns its arrivals.
function stage.judge(settings, algorithm, count, window_ms, status)
  local log = os.tmpname()
  local process = stage.start(("%s/judge %s %d %d %s %d"):format(settings.programs, algorithm, count, window_ms, log,
    status or 503), true)
  local judge = { port = process.line, url = "http://127.0.0.1:" .. process.line }
  function judge.verdict()
    process:kill()
    process:rest()
    local arrivals = throttle_log.read(log)
    os.remove(log)
    return arrivals
  end
  return setmetatable(judge, { __close = function()
    process:__close()
    os.remove(log)
  end })
end

-- nginx with limit_req: { url, verdict() }.
function stage.nginx(settings, rate, burst)
  local place = os.tmpname()
  os.remove(place)
  os.execute(("mkdir -p %s/www && chmod 755 %s && echo '{}' > %s/www/thing"):format(place, place, place))
  local port = free_port()
  local template <close> = assert(io.open(settings.scripts .. "/throttle_nginx.conf.in"))
  local words = { DIR = place, PORT = port, RATE = rate, BURST = burst }
  local file <close> = assert(io.open(place .. "/nginx.conf", "w"))
  file:write((template:read("a"):gsub("@(%u+)@", words)))
  file:flush()
  local process = stage.start(("nginx -c %s/nginx.conf -p %s"):format(place, place))
  local judge = { port = port, url = "http://127.0.0.1:" .. port }
  os.execute("curl -s -o /dev/null --retry 50 --retry-delay 1 --retry-connrefused " .. judge.url .. "/none")
  function judge.verdict()
    process:kill "QUIT"
    process:rest()
    return throttle_log.read(place .. "/access.log")
  end
  return setmetatable(judge, { __close = function()
    process:__close()
    os.execute("rm -rf " .. place)
  end })
end

-- A longer road to a judge: { url }.
function stage.road(settings, judge, delay_ms, jitter_ms)
  local process = stage.start(("%s/delay %s %d %d"):format(settings.programs, judge.port, delay_ms, jitter_ms), true)
  return setmetatable({ url = "http://127.0.0.1:" .. process.line },
    { __close = function() process:__close() end })
end

-- A worker: throttle_moonrest.lua with these words behind the URL.
function stage.worker(settings, url, ...)
  return stage.start(("lua5.4 %s/programs/throttle_moonrest.lua %s %s"):format(settings.scripts, url,
    table.concat({ ... }, " ")))
end

return stage
