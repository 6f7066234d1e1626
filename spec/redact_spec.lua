local redact = require "moonrest.redact"

describe("redact", function()
  it("masks named fields at any depth, in place", function()
    local body = { token = "a", list = { { private_token = "b", name = "n" } } }
    redact.fields(body, { token = true, private_token = true })
    assert.same({ token = "***", list = { { private_token = "***", name = "n" } } }, body)
  end)

  it("masks a whole table that is a secret", function()
    assert.same({ keys = "***" }, redact.fields({ keys = { "a", "b" } }, { keys = true }))
  end)

  it("does not follow a body for ever", function()
    local body = { token = "a" }
    for _ = 1, 100 do body = { inner = body } end
    local found
    redact.fields(body, { token = true })
    while type(body) == "table" do
      found = body.token or found
      body = body.inner
    end
    assert.is_nil(found)
  end)

  it("replaces secret texts, whatever characters they have", function()
    assert.equal("key *** is bad", redact.text("key a.b%c-d is bad", { "a.b%c-d" }))
    assert.equal("key abc is bad", redact.text("key abc is bad", { "abc" })) -- too short to be one
    assert.equal("a", redact.text("a", { {}, 7 }))
  end)

  it("copies without touching the original", function()
    local record = { key = "secret", name = "n" }
    assert.same({ key = "***", name = "n" }, redact.copy(record, { key = true }))
    assert.equal("secret", record.key)
  end)
end)
