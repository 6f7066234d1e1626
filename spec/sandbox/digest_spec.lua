-- The sandbox's digests in Lua against the library's in C, which is libcrypto's.

local library = require "moonrest.digest"
local sandbox = require "moonrest.sandbox.digest"

describe("the sandbox's digests", function()
  it("are those of the standards", function()
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      sandbox.hex(sandbox.sha256 "abc"))
    assert.equal("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      sandbox.hex(sandbox.hmac_sha256("Jefe", "what do ya want for nothing?")))
  end)

  it("agree with the library's for every length around a block", function()
    for size = 0, 130 do
      local text = ("\0\xFFmoon"):rep(size):sub(1, size)
      assert.equal(library.hex(library.sha256(text)), sandbox.hex(sandbox.sha256(text)))
      assert.equal(library.hex(library.hmac_sha256(text, "body")), sandbox.hex(sandbox.hmac_sha256(text, "body")))
      assert.equal(library.base64(text), sandbox.base64(text))
      assert.equal(text, sandbox.unbase64(sandbox.base64(text)))
    end
  end)

  it("know what is not base64", function()
    for _, text in ipairs { "Zm9vYg=", "Zm9v!mFy", "=", "====" } do assert.is_nil(sandbox.unbase64(text)) end
  end)
end)
