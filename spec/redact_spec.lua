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

  it("replaces them in names as well", function()
    assert.same({ ["***"] = { "***" }, b = 1, [2] = true },
      redact.texts({ ["a-secret"] = { "a-secret" }, b = 1, [2] = true }, { "a-secret" }))
  end)

  it("remembers what of a result must not be printed, without touching it", function()
    local record = { key = "secret", name = "n", inner = { key = "secret" } }
    assert.equal(record, redact.shown(record))
    redact.mark(record, { key = true })
    assert.same({ key = "***", name = "n", inner = { key = "***" } }, redact.shown(record))
    assert.equal("secret", record.key)
    assert.equal("text", redact.shown "text")
    redact.mark("text", { key = true })
  end)
end)
