-- A real nginx that speaks HTTP/2 over TLS, in a folder of its own that goes with the handle.
--
--   local server <close> = h2_server.start(made, { http2_max_concurrent_streams = 10, keepalive_requests = 5 })
--   server.client.things:get "a"              of the definition below; server:open(limits) opens one with strict limits
--   server:lines()                            what it answered: connection, at, method, path, status, protocol
--   server:connections()                      how many of them it had
--   server:busy()                             how many requests it works on
--   server:signal "reload"                    or "quit"; server:kill_worker() has the master start another
--
-- 'made' are certificates (spec.support.certificates); with a third argument "HTTP/1.1" it speaks that alone. GET
-- /things/... answers at once, /slow/... after a tenth of a second and /slower/... after a whole one, /bytes/NAME with
-- what server:serve(name, text) put there, /upload takes a body of any size, and /early refuses it unread.

local core = require "moonrest.core"
local free_port = require "spec.support.free_port"
local moonrest = require "moonrest"
local socket = require "socket"

local h2_server = {}

local Server = { __name = "h2_server" }
Server.__index = Server

local configuration <const> = [[
load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
@user
worker_processes 1;
pid @folder/nginx.pid;
error_log @folder/error.log warn;
events { worker_connections 1024; }
http {
  log_format judge '$connection $msec $request_time $request_method $request_uri $status $server_protocol';
  access_log @folder/access.log judge;
  default_type application/json;
  client_body_temp_path @folder/body; proxy_temp_path @folder/proxy; fastcgi_temp_path @folder/fastcgi;
  uwsgi_temp_path @folder/uwsgi; scgi_temp_path @folder/scgi;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_certificate @certificate;
  ssl_certificate_key @key;
  @directives
  server {
    listen 127.0.0.1:@port ssl @protocol backlog=512;
    root @folder/www;
    location /things/ { return 200 '{"id":1}'; }
    location /slow/ { echo_sleep 0.1; echo '{"id":1}'; }
    location /slower/ { echo_sleep 1.0; echo '{"id":1}'; }
    location /status { stub_status; access_log off; }
    location /upload { client_max_body_size 0; echo_read_request_body; echo '{"id":1}'; }
    location /early { client_max_body_size 1; echo_read_request_body; echo '{"id":1}'; }
  }
}
]]

function h2_server.is_installed()
  return os.execute "test -e /usr/lib/nginx/modules/ngx_http_echo_module.so && command -v nginx >/dev/null" == true
end

local function must(command)
  assert(os.execute(command), command)
end

local function output(command)
  local pipe <close> = assert(io.popen(command))
  return pipe:read "l"
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

local function fill(given)
  return (configuration:gsub("@(%a+)", given))
end

local function directives(options)
  local lines = {}
  for name, value in pairs(options) do lines[#lines + 1] = ("%s %s;"):format(name, value) end
  return table.concat(lines, "\n  ")
end

local definition <const> = {
  name = "h2", servers = { production = "https://api.h2.example" }, auth = false,
  resources = {
    things = { get = { "GET /things/{id}", "One thing." }, send = { "POST /things/{id}", "Makes one." } },
    slow = { get = { "GET /slow/{id}", "One, slowly." }, send = { "POST /slow/{id}", "Makes one slowly." } },
    slower = { get = { "GET /slower/{id}", "The same." }, send = { "POST /slower/{id}", "The same." } },
    bytes = { get = { "GET /bytes/{name}", "A file.", returns = "file" } },
    documents = { get = { "GET /bytes/{name}", "The same, as JSON." } },
    upload = { send = { "POST /upload", "Takes a body.", body_type = "raw" } },
    early = { send = { "POST /early", "Refuses a body.", body_type = "raw" } },
  },
}

function Server:open(limits)
  local limited = { limits = limits }
  for name, value in pairs(definition) do limited[name] = value end
  return moonrest.open(limited, { base_url = self.url, ca_file = self.ca, strict = limits and true })
end

function h2_server.start(made, options, protocol)
  local self = setmetatable({ folder = output "mktemp -d /tmp/moonrest-h2-XXXXXX", ca = made.ca }, Server)
  local port = free_port()
  self.url = ("https://127.0.0.1:%d"):format(port)
  write(self.folder .. "/nginx.conf", fill {
    folder = self.folder, port = port, certificate = made.good, key = made.key,
    protocol = protocol == "HTTP/1.1" and "" or "http2",
    directives = directives(options or {}), user = output "id -u" == "0" and "user root;" or "",
  })
  must(("mkdir -p %s/www/bytes"):format(self.folder))
  must(("env -u LD_PRELOAD nginx -p %s -c %s/nginx.conf 2>%s/start.log"):format(self.folder, self.folder, self.folder))
  self.client = self:open()
  return self
end

-- Makes GET /bytes/NAME answer.
function Server:serve(name, text) write(("%s/www/bytes/%s"):format(self.folder, name), text) end

-- The last line may still lack its end: what nginx writes at once comes in two parts where a page of the file ends.
function Server:lines()
  local file <close> = assert(io.open(self.folder .. "/access.log"))
  local lines = {}
  for connection, ended, took, method, path, status, protocol in
    file:read "a":gmatch "(%d+) (%S+) (%S+) (%S+) (%S+) (%d+) (%S+)\n" do
    lines[#lines + 1] = { connection = connection, at = ended - took, method = method, path = path,
      status = tonumber(status), protocol = protocol }
  end
  return lines
end

function Server:connections()
  local seen, count = {}, 0
  for _, line in ipairs(self:lines()) do
    if not seen[line.connection] then count = count + 1 end
    seen[line.connection] = true
  end
  return count
end

function Server:busy()
  local pipe <close> = assert(io.popen(("env -u LD_PRELOAD curl --silent --insecure %s/status"):format(self.url)))
  return tonumber(pipe:read "a":match "Writing: (%d+)") - 1 -- but for this one
end

function Server:signal(name)
  must(("env -u LD_PRELOAD nginx -p %s -c %s/nginx.conf -s %s 2>>%s/start.log"):format(self.folder, self.folder, name,
    self.folder))
end

function Server:kill_worker()
  must(("kill -KILL $(cat /proc/$(cat %s/nginx.pid)/task/*/children)"):format(self.folder))
end

function Server:stop()
  self.client:close()
  os.execute(("kill $(cat %s/nginx.pid 2>/dev/null) 2>/dev/null"):format(self.folder)) -- it may have quit
  local finish = core.clock.now() + 5
  local running = ("test -e %s/nginx.pid"):format(self.folder)
  while os.execute(running) and core.clock.now() < finish do socket.sleep(0.005) end
  os.execute("rm -rf " .. self.folder)
end
Server.__close = Server.stop

return h2_server
