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
  end)

  it("replaces them as they stand in URLs and in JSON, as several libraries write it", function()
    local core = require "moonrest.core"
    local text = 'pa "ss"/wörd\n<1>&2'
    for _, secret in ipairs { text, core.secret(text, { multiline = true }) } do
      for _, form in ipairs {
        core.url.query(text), [[pa \"ss\"/wörd\n<1>&2]],
        [[pa \"ss\"\/wörd\n<1>&2]], [[pa \"ss\"/wörd\n\u003c1\u003e\u00262]],
        [[pa \\\"ss\\\"/wörd\\n<1>&2]],
      } do
        assert.equal("[***]", redact.text("[" .. form .. "]", { secret }))
      end
    end
    assert.equal("/a/***/b", redact.text("/a/x:y%2Fz/b", { "x:y/z" })) -- a path leaves more as it is than a query
    assert.equal("/a?b=***", redact.text("/a?b=x%3Ay%2Fz", { "x:y/z" }))
    assert.equal("a ***", redact.text("a token", { "Bearer token" }))
    assert.equal("/..", redact.text("/..", { ".." }))
  end)

  it("replaces numbers that are secrets, and no others", function()
    assert.same({ "***", 12, 12345678, "is ***", "***", 5.5 },
      redact.texts({ 123456, 12, 12345678, "is 123456", 123456.0, 5.5 }, { "123456", "12" }))
  end)

  it("replaces them in names as well", function()
    assert.same({ ["***"] = { "***" }, b = 1, [2] = true },
      redact.texts({ ["a-secret"] = { "a-secret" }, b = 1, [2] = true }, { "a-secret" }))
  end)

  it("remembers what of a result must not be printed, without touching it", function()
    local record = { key = "secret", name = "n", inner = { key = "secret" } }
    assert.same(record, redact.shown(record))
    redact.mark(record, { key = true })
    assert.same({ key = "***", name = "n", inner = { key = "***" } }, redact.shown(record))
    assert.equal("secret", record.key)
    assert.equal("text", redact.shown "text")
    redact.mark("text", { key = true })
  end)

  it("remembers it of every part, wherever that is put", function()
    local body = { list = { { key = "secret", id = 1, parts = { { key = "secret" } } } }, keys = { "secret" } }
    redact.mark(body, { key = true, keys = true })
    local row = body.list[1]
    local shown = { key = "***", id = 1, parts = { { key = "***" } } }
    assert.same(shown, redact.shown(row))
    assert.same({ { key = "***" } }, redact.shown(row.parts))
    assert.same({ "***" }, redact.shown(body.keys))
    local own = { rows = { row, { key = "mine" } } }
    own.own = own
    local seen = redact.shown(own)
    assert.same({ shown, { key = "mine" } }, seen.rows)
    assert.equal(seen, seen.own)
    assert.equal("secret", row.key)
  end)

  it("leaves objects as they are", function()
    local object = setmetatable({ key = "secret" }, { __name = "thing" })
    assert.equal(object, redact.shown(object))
    assert.equal(object, redact.shown({ object })[1])
  end)
end)
