local progress = require "moonrest.progress"
local stderr_of = require "spec.support.stderr_of"

local function request(received, expected, finished, sent, to_send)
  return {
    progress = function() return received, expected, sent or 0, to_send or 0 end,
    finished = function() return finished end,
  }
end

describe("progress", function()
  it("writes sizes", function()
    assert.equal("0 B", progress.size(0))
    assert.equal("1023 B", progress.size(1023))
    assert.equal("1.5 KiB", progress.size(1536))
    assert.equal("1.0 GiB", progress.size(1 << 30))
    assert.equal("2048.0 TiB", progress.size(1 << 51))
  end)

  it("calls a function with the bytes", function()
    local seen
    progress.watch("x", function(...) seen = table.pack(...) end)(request(5, nil, false, 3, 9))
    assert.same({ 5, nil, 3, 9, n = 4 }, seen)
  end)

  it("renews a line on stderr", function()
    local written = stderr_of(function()
      local watch = progress.watch("shop.items:export", true)
      watch(request(512, 1024, false))
      watch(request(2048, nil, true))
    end)
    assert.equal("\rshop.items:export: 512 B of 1.0 KiB, 50%   \rshop.items:export: 2.0 KiB   \n", written)
  end)

  it("tells of an upload until its answer comes", function()
    local written = stderr_of(function()
      local watch = progress.watch("shop.images:upload", true)
      watch(request(0, nil, false, 512, 1024))
      watch(request(17, 17, true, 1024, 1024))
    end)
    assert.equal("\rshop.images:upload: sent 512 B of 1.0 KiB, 50%   \rshop.images:upload: 17 B of 17 B, 100%   \n",
      written)
  end)

  it("watches nothing when nothing is wanted", function()
    assert.is_nil(progress.watch("x", nil))
    assert.is_nil(progress.watch("x", false))
  end)
end)
