-- What the benchmark of steps compiles for the occasion, and its TLS server: a process of its own, with certificates
-- made on the fly.
--
--   local workshop <close> = require "spec.bench.workshop".open()
--   workshop:thread_clock()           processor time of the calling thread, in seconds
--   local server <close> = workshop:serve(latency_ms)      server.url, server.ca_file

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
