local test_api = require "spec.support.test_api"

describe("body", function()
  local shop, core

  before_each(function() shop, core = test_api.open() end)

  local function last() return core.sent[#core.sent].options end

  it("is JSON of the fields by default, with {} where the method expects a body", function()
    shop.items:create { name = "n", price = 1 }
    assert.same({ name = "n", price = 1 }, last().json)
    shop.items:update "1"
    assert.equal("{}", core.json.encode(last().json))
    shop.items:get "1"
    assert.is_nil(last().json)
  end)

  it("of JSON says so, unless the caller says something else", function()
    shop.items:create { name = "n" }
    assert.equal("application/json", last().content_type)
    shop.items:create(nil, { body = { any = "thing" } })
    assert.equal("application/json", last().content_type)
    shop.items:create(nil, { body = { any = "thing" }, content_type = "application/merge-patch+json" })
    assert.equal("application/merge-patch+json", last().content_type)
    shop.images:upload("1", nil, { body = { any = "thing" } })
    assert.equal("application/json", last().content_type)
    shop.items:update({ id = "1", name = "n" }, { content_type = "application/merge-patch+json" })
    assert.same({ { name = "n" }, "application/merge-patch+json" }, { last().json, last().content_type })
    shop.items:create({ name = "n" }, { headers = { ["content-type"] = "application/vnd.shop+json" } })
    assert.is_nil(last().content_type)
    assert.same({ "content-type: application/vnd.shop+json" }, last().headers)
    shop.items:get "1"
    assert.is_nil(last() and last().content_type)
    assert.error_matches(function()
      shop.images:send({ title = "t" }, { headers = { ["Content-Type"] = "multipart/form-data" } })
    end, "header 'Content%-Type' is set by the library here")
    assert.error_matches(function() shop.images:send({ title = "t" }, { content_type = "multipart/mixed" }) end,
      "option 'content_type' is set by the library here")
  end)

  it("keeps empty lists lists", function()
    shop.items:sell_many { ids = {} }
    assert.equal('{"ids":[]}', core.json.encode(last().json))
    shop.items:create { name = "n", lines = {} }
    assert.matches('"lines":%[%]', core.json.encode(last().json))
  end)

  it("may be brought whole: a table, bytes, or a file", function()
    shop.items:create(nil, { body = { any = "thing" } })
    assert.same({ any = "thing" }, last().json)
    shop.items:create(nil, { body = '{"raw":1}' })
    assert.equal('{"raw":1}', last().body)
    assert.equal("application/json", last().content_type)
    shop.images:upload("1", nil, { upload = "/tmp/picture.png" })
    assert.equal("/tmp/picture.png", last().upload)
    assert.equal("image/png", last().content_type)
    shop.images:upload("1", nil, { body = "bytes", content_type = "image/gif" })
    assert.same({ "bytes", "image/gif" }, { last().body, last().content_type })
    assert.error_matches(function() shop.items:create({ name = "n" }, { body = {} }) end, "no body field can be given")
  end)

  it("is a form where the API wants one", function()
    shop.keys:find { text = "a b&c" }
    assert.equal("text=a%20b%26c", last().body)
    assert.equal("application/x-www-form-urlencoded", last().content_type)
    shop.keys:find({ text = "a" }, { content_type = "application/x-www-form-urlencoded; charset=utf-8" })
    assert.equal("application/x-www-form-urlencoded; charset=utf-8", last().content_type)
  end)

  it("is multipart with files, whose names cannot end the header", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write "\0\1\2bytes"
    file:close()
    shop.images:send { title = "t", file = { path = path, filename = 'a"\r\nb.png', content_type = "image/png" } }
    os.remove(path)
    local body, boundary = last().body, last().content_type:match "^multipart/form%-data; boundary=(.+)$"
    assert.is_truthy(body:find("--" .. boundary .. "\r\nContent-Disposition: form-data; name=\"file\"; "
      .. 'filename="a%22%0D%0Ab.png"\r\nContent-Type: image/png\r\n\r\n\0\1\2bytes\r\n', 1, true), body)
    assert.is_truthy(body:find('name="title"\r\n\r\nt\r\n--' .. boundary .. "--\r\n", 1, true), body)
    local count = #core.sent
    for _, missing in ipairs { "/no/such/file", "/" } do
      local data, err = shop.images:send { file = { path = missing } }
      assert.is_nil(data)
      assert.equal("io", err.kind)
      assert.matches("^shop.images:send: io: cannot read '" .. missing .. "': %u[%a ]+$",
        tostring(err):match "shop.images.*")
    end
    assert.equal(count, #core.sent)
  end)

  it("is multipart with a part for each item of a list, and JSON text where the API wants that", function()
    shop, core = test_api.open({}, function(at)
      local fields = at.resources.images.send.body
      fields.tags, fields.pictures, fields.extra = "string[]", "any[]", { type = "object", encode = "json" }
    end)
    shop.images:send { tags = { "a", "b" }, pictures = { { data = "x" }, { data = "y" } }, extra = { a = { 1 } } }
    local parts = {}
    for name, content in last().body:gmatch 'name="(%w+)".-\r\n\r\n(.-)\r\n' do
      parts[#parts + 1] = name .. "=" .. content
    end
    assert.same({ 'extra={"a":[1]}', "pictures=x", "pictures=y", "tags=a", "tags=b" }, parts)
    shop.images:send { title = "t", tags = {} }
    assert.is_nil(last().body:find("tags", 1, true))
    assert.error_matches(function() shop.images:send { tags = { "a", nil, "c" } } end, "'tags'")
  end)

  it("turns a table into JSON text inside JSON where the API wants that", function()
    shop, core = test_api.open({}, function(at)
      at.resources.items.create.body.extra = { type = "object", encode = "json" }
    end)
    shop.items:create { name = "n", extra = { a = 1 } }
    assert.equal('{"a":1}', last().json.extra)
    shop.items:create { name = "n", extra = '{"b":2}' }
    assert.equal('{"b":2}', last().json.extra)
  end)
end)
