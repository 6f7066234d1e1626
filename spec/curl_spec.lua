local curl = require "moonrest.curl"

describe("moonrest.curl", function()
  it("brings a transport", function()
    assert.equal("userdata", type(curl.transport))
  end)

  it("tells which libcurl is there, 7.88 or newer", function()
    local major, minor = curl.version:match "^(%d+)%.(%d+)"
    assert.is_true(tonumber(major) > 7 or tonumber(minor) >= 88)
    assert.equal("boolean", type(curl.thread_safe))
  end)

  it("tells what it can do", function()
    assert.is_true(curl.features.tls)
    assert.equal("string", type(curl.tls))
    for _, name in ipairs { "async_dns", "http2", "idn", "ipv6", "unix_sockets" } do
      assert.equal("boolean", type(curl.features[name]), name)
    end
    assert.is_nil(curl.features.telepathy)
    assert.matches("gzip", curl.accept_encoding, 1, true)
  end)
end)
