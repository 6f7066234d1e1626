local fake_core = require "spec.support.fake_core"

describe("moonrest", function()
  local moonrest

  before_each(function()
    fake_core.install()
    moonrest = require "moonrest"
  end)

  it("loads its parts when they are used", function()
    assert.is_nil(package.loaded["moonrest.help"])
    assert.is_nil(package.loaded["moonrest.client"])
    assert.equal("function", type(moonrest.help))
    assert.is_truthy(package.loaded["moonrest.help"])
    assert.equal(moonrest.help, moonrest.help)
  end)

  it("has its parts, and nothing else", function()
    for _, name in ipairs { "open", "configure", "definition", "definitions", "secret", "env", "file", "command",
      "array", "on", "show", "help", "is_error" } do
      assert.equal("function", type(moonrest[name]), name)
    end
    assert.equal("table", type(moonrest.json))
    assert.equal("table", type(moonrest.time))
    assert.equal("userdata", type(moonrest.null))
    assert.matches("^%d+%.%d+%.%d+$", moonrest.version)
    assert.is_nil(moonrest.nonsense)
  end)

  it("prints and lists itself", function()
    assert.equal(("moonrest %s: moonrest.help() tells more"):format(moonrest.version), tostring(moonrest))
    local names = {}
    for name in pairs(moonrest) do names[name] = true end
    assert.is_true(names.open and names.help and names.time)
  end)

  it("marks arrays", function()
    assert.equal("[]", moonrest.json.encode(moonrest.array {}))
  end)
end)
