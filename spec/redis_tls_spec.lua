-- Limits in a Redis that speaks TLS: a real redis-server with certificates that are made here.

local certificates = require "spec.support.certificates"
local fleet_worker = require "spec.support.fleet_worker"
local redis_server = require "spec.support.redis_server"
local socket = require "socket"

describe("limits in Redis over TLS", function()
  local found = pcall(require, "moonrest.redis")
  if not found or not redis_server.is_installed() or not certificates.is_possible() then
    pending "are not tested: SKIPPED, moonrest.redis, redis-server or openssl is missing"
    return
  end

  local run <const> = fleet_worker.run
  local made

  setup(function() made = certificates.make() end)
  teardown(function() getmetatable(made).__close(made) end)

  local function start(certificate, options, password)
    local words = "--tls-cert-file %s --tls-key-file %s --tls-ca-cert-file %s --tls-auth-clients %s"
    return redis_server.start_tls(words:format(certificate, made.key, made.ca, options or "no"), password)
  end

  local function url_of(server, fields, login)
    return ("rediss://%s127.0.0.1:%d%s"):format(login or "", server.tls_port, fields or "?ca_file=" .. made.ca)
  end

  it("hold, with a user and a password", function()
    local server <close> = start(made.good)
    server:call("ACL", "SETUSER", "alice", "on", ">s3cret", "~moonrest:*", "+@all")
    local said = run("get(15); print(elapsed() > 1)",
      url_of(server, "/1?ca_file=" .. made.ca, "alice:s3cret@"))
    assert.equal("true\n", said)
    server:call("SELECT", 1)
    assert.is_true(#server:call("KEYS", "moonrest:fleet/one/account:1000:*") >= 2)
  end)

  it("trust the system's authorities unless told otherwise", function()
    local server <close> = start(made.good)
    assert.equal("", run("get(2)", url_of(server, ""), "100/s", "SSL_CERT_FILE=" .. made.ca))
  end)

  it("find the host by its name", function()
    local server <close> = start(made.good)
    assert.equal("", run("get(2)", ("rediss://localhost:%d/?ca_file=%s"):format(server.tls_port, made.ca), "100/s"))
  end)

  it("do not trust an authority that nobody named", function()
    local server <close> = start(made.good)
    local said = run("get(2)", url_of(server, ""), "100/s")
    assert.matches("told: Redis at [%d.:]+ cannot be reached: its certificate is refused: .-%?ca_file=.-go on", said)
    assert.equal(0, #server:call("KEYS", "*"))
  end)

  it("do not trust a certificate of another host", function()
    local server <close> = start(made.wrong)
    local said = run("get(2)", url_of(server, nil, ":s3cret@"), "100/s")
    assert.matches("its certificate is refused: IP address mismatch", said, 1, true)
    assert.not_matches("s3cret", said, 1, true)
    said = run("get(2)", ("rediss://localhost:%d?ca_file=%s"):format(server.tls_port, made.ca), "100/s")
    assert.matches("its certificate is refused: hostname mismatch", said, 1, true)
    assert.equal(0, #server:call("KEYS", "*"))
  end)

  it("show the certificate that a server asks for", function()
    local server <close> = start(made.good, "yes")
    local said = run("get(2)", url_of(server), "100/s")
    assert.matches("told: Redis at [%d.:]+ .-certificate required", said)
    local fields = ("?ca_file=%s&client_cert=%s&client_key=%s"):format(made.ca, made.client, made.key)
    assert.equal("", run("get(2)", url_of(server, fields), "100/s"))
  end)

  it("tell a wrong password, without the password", function()
    local server <close> = start(made.good, "no --requirepass right", "right")
    local said = run("get(2)", url_of(server, nil, ":wr%6Fng@"), "100/s")
    assert.matches("told: Redis at [%d.:]+ refuses: ", said)
    assert.not_matches("wrong@", said, 1, true)
    assert.equal("", run("get(2)", url_of(server, nil, ":right@"), "100/s"))
  end)

  it("tell a port that does not speak TLS, and one that speaks nothing else", function()
    local server <close> = start(made.good)
    local said = run("get(2)", ("rediss://127.0.0.1:%d?ca_file=%s"):format(server.port, made.ca), "100/s")
    assert.matches("told: Redis at [%d.:]+ .-TLS.-; requests go on", said) -- as its line ends by chance or does not
    said = run("get(2)", "redis://127.0.0.1:" .. server.tls_port, "100/s")
    assert.matches("told: Redis at [%d.:]+ [^;]+; requests go on", said)
  end)

  it("do not wait for a handshake that stalls", function()
    local listener <close> = setmetatable({ socket = assert(socket.bind("127.0.0.1", 0)) },
      { __close = function(self) self.socket:close() end })
    local _, port = listener.socket:getsockname()
    local said = run([[get(1); print(elapsed() > 1.9 and elapsed() < 20)]], ("rediss://127.0.0.1:%s"):format(port),
      "100/s")
    assert.matches("told: Redis at [%d.:]+ does not answer, or not in TLS; requests go on", said)
    assert.matches("\ntrue\n", said)
  end)

  it("come back when Redis does", function()
    local server <close> = start(made.good)
    local said = run(([[
      get(3)
      os.execute "kill -9 %d"
      get_until "go on"
      os.execute "%s >/dev/null 2>&1 &"
      get_until "again"
      print "done"]]):format(server.id, server:command()), url_of(server), "20/s")
    os.execute(("redis-cli -p %d shutdown nosave 2>/dev/null"):format(server.port))
    assert.matches("told: Redis at [%d.:]+ [^;]-; requests go on", said)
    assert.matches("told: the limits are shared through redis again", said)
    assert.matches("done\n$", said)
  end)

  it("are configured with files that can be read", function()
    for fields, problem in pairs {
      ["?ca_file=/nowhere/ca.pem"] = "cannot be read from /nowhere/ca.pem: No such file or directory",
      ["?ca_file=/etc/hosts"] = "cannot be read from /etc/hosts",
      ["?client_cert=/nowhere.pem&client_key=/nowhere.pem"] = "Redis cannot be read from /nowhere.pem: No such file",
      [("?client_cert=%s&client_key=/nowhere.pem"):format(made.client)] = "key for Redis is of no use in /nowhere.pem",
      ["?client_cert=/nowhere.pem"] = "is not redis://",
      ["?verify=no"] = "is not redis://",
    } do
      assert.matches(problem, run("", "rediss://127.0.0.1" .. fields), 1, true)
    end
  end)
end)
