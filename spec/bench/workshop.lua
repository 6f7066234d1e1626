-- What the benchmark of steps compiles for the occasion, and its TLS server: a process of its own, with certificates
-- made on the fly.
--
--   local workshop <close> = require "spec.bench.workshop".open()
--   workshop:thread_clock()           processor time of the calling thread, in seconds
--   local server <close> = workshop:serve(latency_ms)      server.url, server.ca_file
--   local server <close> = workshop:serve_nginx(latency_ms, sizes, "http2")     the same by nginx, or "" for HTTP/1.1

local free_port = require "spec.support.free_port"
local socket = require "socket"

local workshop = {}

local Workshop = { __name = "bench.workshop" }
Workshop.__index = Workshop

local Server = { __name = "bench.server" }
Server.__index = Server

local function execute(format, ...)
  local line = format:format(...)
  assert(os.execute(line), "this failed: " .. line)
end

function workshop.open()
  local pipe <close> = assert(io.popen "mktemp -d /tmp/moonrest-bench-XXXXXX")
  local self = setmetatable({ folder = pipe:read "l" }, Workshop)
  execute("cc -O2 -shared -fPIC $(pkg-config --cflags lua5.4) -o %s/thread_clock.so spec/bench/thread_clock.c",
    self.folder)
  self.thread_clock = package.loadlib(self.folder .. "/thread_clock.so", "luaopen_thread_clock")()
  execute("cc -O2 -o %s/sized_server spec/bench/sized_server.c -pthread -lssl -lcrypto", self.folder)
  self:make_certificates()
  return self
end

local request <const> = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"

function Workshop:make_certificates()
  local authority = request .. " -subj /CN=bench-authority -keyout ca.key -out ca.pem"
  local server = request .. " -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    .. " -addext basicConstraints=critical,CA:FALSE -CA ca.pem -CAkey ca.key -keyout server.key -out server.pem"
  execute("cd %s && { %s && %s; } >openssl.log 2>&1", self.folder, authority, server)
end

function Workshop:serve(latency_ms)
  local program = self.folder .. "/sized_server"
  local pipe = assert(io.popen(("exec sh -c 'echo $$; exec %s %s/server.pem %s/server.key %d'"):format(program,
    self.folder, self.folder, latency_ms)))
  local pid = assert(pipe:read "n", "the server did not start")
  local url = ("https://127.0.0.1:%d"):format(assert(pipe:read "n", "the server did not start"))
  return setmetatable({ pipe = pipe, pid = pid, url = url, ca_file = self.folder .. "/ca.pem" }, Server)
end

local configuration <const> = [[
load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
daemon off;
worker_processes 1;
pid @folder/nginx.pid;
error_log @folder/error.log warn;
@user
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 100000000;
  default_type application/json;
  client_body_temp_path @folder/body; proxy_temp_path @folder/proxy; fastcgi_temp_path @folder/fastcgi;
  uwsgi_temp_path @folder/uwsgi; scgi_temp_path @folder/scgi;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_certificate @folder/server.pem;
  ssl_certificate_key @folder/server.key;
  server {
    listen 127.0.0.1:@port ssl @protocol backlog=512;
    root @folder/www;
    location /sized/ { echo_sleep @latency; echo_exec /files$uri; }
    location /files/ { internal; }
  }
}
]]

local record <const> = '{"id":%d,"name":"deployment number %d","status":"ready","created_at":"2026-01-01T00:00:00Z",'
  .. '"owner":{"id":7,"name":"somebody","email":"somebody@example.com"},"tags":["europe","stable"],"size":%d.5,'
  .. '"url":"https://deployment.example.com/0001","public":true,"note":null}'

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

local function make_body(bytes)
  local records, size = {}, 0
  repeat
    local id = #records + 1
    records[id] = record:format(id, id, id)
    size = size + #records[id] + 1
  until size >= bytes
  return '{"items":[' .. table.concat(records, ",") .. "]}"
end

local function is_root()
  local pipe <close> = assert(io.popen "id -u")
  return pipe:read "l" == "0"
end

local function wait_for(port)
  for _ = 1, 500 do
    local client = socket.connect("127.0.0.1", port)
    if client then return client:close() end
    socket.sleep(0.01)
  end
  error "nginx did not start"
end

function Workshop:serve_nginx(latency_ms, sizes, protocol)
  local port = free_port()
  execute("mkdir -p %s/www/files/sized", self.folder)
  for _, size in ipairs(sizes) do write(("%s/www/files/sized/%d"):format(self.folder, size), make_body(size)) end
  local given = { folder = self.folder, port = port, protocol = protocol, latency = latency_ms / 1000,
    user = is_root() and "user root;" or "" }
  write(self.folder .. "/nginx.conf", (configuration:gsub("@(%a+)", given)))
  local pipe = assert(io.popen(("exec sh -c 'echo $$; exec nginx -p %s -c %s/nginx.conf 2>%s/start.log'"):format(
    self.folder, self.folder, self.folder)))
  local pid = assert(pipe:read "n", "nginx did not start")
  wait_for(port)
  return setmetatable({ pipe = pipe, pid = pid, url = ("https://127.0.0.1:%d"):format(port),
    ca_file = self.folder .. "/ca.pem" }, Server)
end

function Workshop:close()
  os.execute("rm -rf " .. self.folder)
end
Workshop.__close = Workshop.close

function Server:stop()
  os.execute(("kill %d"):format(self.pid))
  self.pipe:close()
end
Server.__close = Server.stop

return workshop
