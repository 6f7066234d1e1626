local digest = require "moonrest.digest"
local core = require "moonrest.core"

local name <const> = "PATH" -- a variable that every process has

describe("moonrest.digest", function()
  after_each(function()
    collectgarbage()
    collectgarbage()
  end)

  it("hashes", function()
    local hash = digest.sha256 "abc"
    assert.equal(32, #hash)
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", digest.hex(hash))
  end)

  it("signs with a string (RFC 4231 section 4.3)", function()
    local signature = digest.hmac_sha256("Jefe", "what do ya want for nothing?")
    assert.equal("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", digest.hex(signature))
  end)

  it("signs with a secret as with its text", function()
    local value = os.getenv(name)
    local secret = assert(core.env(name))
    assert.equal(digest.hmac_sha256(value, "text"), digest.hmac_sha256(secret, "text"))
    assert.equal(digest.hmac_sha256(value, ""), digest.hmac_sha256(secret, ""))
    assert.equal(digest.hmac_sha256("hunter2", "text"), digest.hmac_sha256(core.secret "hunter2", "text"))
  end)

  it("compares", function()
    assert.is_true(digest.equal("", ""))
    assert.is_true(digest.equal("a\0b", "a\0b"))
    assert.is_false(digest.equal("a\0b", "a\0c"))
    assert.is_false(digest.equal("abc", "abcd"))
  end)

  it("spells bytes and reads them again", function()
    local all = {}
    for byte = 0, 255 do all[#all + 1] = string.char(byte) end
    for _, bytes in ipairs { "", "f", "fo", "foo", "\0\0", table.concat(all), ("x"):rep(100000) } do
      assert.equal((bytes:gsub(".", function(one) return ("%02x"):format(one:byte()) end)), digest.hex(bytes))
      assert.equal(bytes, digest.unbase64(digest.base64(bytes)))
    end
    assert.equal("00ff", digest.hex "\0\xFF")
    assert.equal("Zm9vYg==", digest.base64 "foob")
  end)

  it("says what is garbage", function()
    for _, text in ipairs { "Z", "Zg=", "Zh==", "Zm9v\n", "Zm-v", "====" } do
      local bytes, message = digest.unbase64(text)
      assert.is_nil(bytes)
      assert.matches("not base64", message)
    end
  end)

  it("raises for misuse", function()
    assert.has_error(function() digest.sha256() end)
    assert.has_error(function() digest.sha256 {} end)
    assert.has_error(function() digest.hmac_sha256("key") end)
    assert.has_error(function() digest.hmac_sha256("key", {}) end)
    assert.error_matches(function() digest.hmac_sha256({}, "text") end, "string or moonrest%.secret expected")
    assert.error_matches(function() digest.hmac_sha256(io.stdout, "text") end, "string or moonrest%.secret expected")
    assert.has_error(function() digest.equal("a") end)
    assert.error_matches(function() digest.sha256(core.secret "hunter2") end, "string expected, got moonrest%.secret")
  end)

  it("refuses a closed secret", function()
    local closed
    do
      local secret <close> = core.secret "hunter2"
      closed = secret
    end
    assert.error_matches(function() digest.hmac_sha256(closed, "text") end, "closed secret")
  end)
end)
