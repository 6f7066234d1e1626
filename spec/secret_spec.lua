local core = require "moonrest.core"
local digest = require "moonrest.digest"

local function write(path, text, mode)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  assert(os.execute(("chmod %s %s"):format(mode or "600", path)))
end

-- What a secret holds, as far as anybody may know: whether it is this text.
local function holds(secret, text)
  return digest.hmac_sha256(secret, "probe") == digest.hmac_sha256(text, "probe")
end

describe("secrets", function()
  local path

  before_each(function() path = os.tmpname() end)

  after_each(function()
    os.remove(path)
    collectgarbage()
    collectgarbage()
  end)

  it("come from four places", function()
    write(path, "from a file\n")
    assert.is_true(holds(core.secret "from text", "from text"))
    assert.is_true(holds(core.env "PATH", os.getenv "PATH"))
    assert.is_true(holds(core.file(path), "from a file"))
    assert.is_true(holds(core.command "echo from a command", "from a command"))
  end)

  it("tell where they come from and nothing else", function()
    write(path, "hunter2")
    assert.equal("moonrest.secret (literal)", tostring(core.secret "hunter2"))
    assert.equal("moonrest.secret (environment variable PATH)", tostring(core.env "PATH"))
    assert.equal(("moonrest.secret (file %s)"):format(path), tostring(core.file(path)))
    assert.equal("moonrest.secret (command echo $((40 + 2)))", tostring(core.command "echo $((40 + 2))"))
  end)

  it("cannot be looked into", function()
    local secret = core.secret "hunter2"
    assert.is_false(pcall(function() return #secret end))
    assert.is_false(pcall(function() return secret .. "" end))
    assert.is_false(pcall(function() return secret.value end))
    assert.is_false(pcall(function() return secret < secret end))
    assert.is_false(pcall(function() secret.value = 1 end))
    assert.is_false(secret == core.secret "hunter2")
    assert.equal("moonrest.secret", getmetatable(secret).__name)
  end)

  it("may have several lines when asked", function()
    write(path, "-----BEGIN-----\n\tx\n-----END-----\n")
    local secret, message = core.file(path)
    assert.is_nil(secret)
    assert.matches("line break at byte 16; check the file " .. path, message, 1, true)
    assert.is_true(holds(core.file(path, { multiline = true }), "-----BEGIN-----\n\tx\n-----END-----"))
    assert.is_nil(core.file(path, { multiline = false }))
  end)

  it("are refused with a message that names their source and not their value", function()
    write(path, "hunter2", "644")
    local cases = {
      [{ core.secret, "" }] = "empty",
      [{ core.secret, "hunter2\n" }] = "byte 8",
      [{ core.env, "MOONREST_SURELY_NOT_SET" }] = "set the environment variable MOONREST_SURELY_NOT_SET",
      [{ core.file, path }] = "chmod 600 " .. path,
      [{ core.file, path .. "/nothing" }] = "cannot be opened",
      [{ core.command, "exit 3" }] = "exit status 3",
    }
    for call, expected in pairs(cases) do
      local secret, message = call[1](call[2])
      assert.is_nil(secret)
      assert.matches(expected, message, 1, true)
      assert.is_nil(message:find("hunter2", 1, true))
    end
  end)

  it("have names that tell them apart and nothing else", function()
    local secret = core.secret "hunter2"
    local print = core.fingerprint(secret, "salt")
    assert.matches("^" .. ("%x"):rep(32) .. "$", print)
    assert.equal(digest.hex(digest.hmac_sha256("hunter2", "salt")):sub(1, 32), print)
    assert.equal(print, core.fingerprint(core.secret "hunter2", "salt"))
    assert.not_equal(print, core.fingerprint(core.secret "hunter3", "salt"))
    assert.not_equal(print, core.fingerprint(secret, "pepper"))
    assert.equal("202233fe53f96a624994d1664e228de7", core.fingerprint(secret, "moonrest.account")) -- openssl dgst -hmac
    assert.equal(print, core.fingerprint(core.secret "ToKen hunter2", "salt", "token "))
    assert.equal(print, core.fingerprint(secret, "salt", "token "))
    assert.not_equal(print, core.fingerprint(core.secret "token hunter2", "salt"))
  end)

  it("raise for misuse", function()
    assert.error_matches(function() core.fingerprint("hunter2", "salt") end, "moonrest%.secret expected")
    assert.error_matches(function() core.secret() end, "string expected")
    assert.error_matches(function() core.secret(42) end, "string expected, got number")
    assert.error_matches(function() core.file("x", 1) end, "table expected")
    assert.error_matches(function() core.file("x", { multi_line = true }) end, "multiline")
    assert.error_matches(function() core.file("x", { multiline = "yes" }) end, "must be a boolean")
  end)

  it("are closed at the end of their scope, and twice does no harm", function()
    local closed
    do
      local secret <close> = core.secret "hunter2"
      closed = secret
    end
    assert.equal("moonrest.secret (closed)", tostring(closed))
    getmetatable(closed).__gc(closed)
    assert.error_matches(function() digest.hmac_sha256(closed, "") end, "closed secret")
    assert.error_matches(function() core.fingerprint(closed, "") end, "closed secret")
  end)
end)
