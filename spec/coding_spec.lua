-- Content codings, through real sockets: what is offered, what is undone, and that what ends too early is never taken
-- for whole.

local curl = require "moonrest.curl"
local moonrest = require "moonrest"
local raw_server = require "spec.support.raw_server"

local definition <const> = {
  name = "tested",
  servers = { production = "https://api.tested.example" },
  auth = { header = "Authorization", prefix = "Bearer " },
  resources = {
    things = {
      get = { "GET /things/{id}", "One thing." },
      export = { "GET /export", "All things as a file.", returns = "file" },
    },
  },
}

local plain <const> = '{"id":"7","name":"seven, seven, seven and seven"}'

-- The same, as the encoders of the codings make it.
local coded <const> = {
  gzip = "1f8b0800000000000003ab56ca4c51b2523257d251ca4bcc4d05328b53cb52f37414902985c4bc14084ba9160077ba419f31000000",
  deflate = "789cab56ca4c51b2523257d251ca4bcc4d05328b53cb52f37414902985c4bc14084ba9160072f90fdd",
  br = "1b30000004e464a9dab36ed39a8d20108a810d3870082ca440571c26720ba3400ef67774e218cac6148c3f2af53e21ca03",
  zstd = "28b52ffd045865010054027b226964223a2237222c226e616d65223a22736576656e2c2020616e6420736576656e227d0100892b63d1b"
    .. "08a78",
}

-- 8 MiB of "0". In zstd: blocks that repeat one byte.
local bombs <const> = {
  br = "9bffff7f002460e2b14072efff00",
  zstd = "28b52ffd0058" .. ("02001030"):rep(64) .. "010000",
}

local function bytes(hex)
  return (hex:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

local function offered(name)
  return (", " .. curl.accept_encoding .. ","):find(", " .. name .. ",", 1, true) ~= nil
end

local function answer(name, body)
  return raw_server.response(200, body, { "Content-Encoding: " .. name })
end

local function open(server, options)
  options = options or {}
  options.base_url, options.token, options.retry = server.url, "t", false
  return moonrest.open(definition, options)
end

-- What comes of one answer: of a call, and of a download with its file's text.
local function get(text, options)
  local server <close> = raw_server.start { text }
  return open(server, options).things:get "1"
end

local function export(text)
  local server <close> = raw_server.start { text }
  local target = os.tmpname()
  os.remove(target)
  local done, err = open(server).things:export({}, { to = target })
  local file <close> = io.open(target)
  local content = file and file:read "a"
  os.remove(target)
  return done, err, content
end

describe("content codings", function()
  it("are offered as they were built in", function()
    local server <close> = raw_server.start { raw_server.response(200, "{}") }
    assert(open(server).things:get "1")
    assert.matches("\r\nAccept%-Encoding: " .. curl.accept_encoding .. "\r\n", server:requests()[1])
    assert.is_true(offered "gzip")
    assert.is_false(offered "deflate")
  end)

  for name, hex in pairs(coded) do
    local known = name == "deflate" or offered(name)

    it(name .. (known and " is undone" or " is refused, as it was not built in"), function()
      local thing, err = get(answer(name, bytes(hex)))
      if known then
        assert.same({ id = "7", name = "seven, seven, seven and seven" }, assert(thing, err))
      else
        assert.equal("decode", err.kind)
        assert.matches("'" .. name .. "': this build knows gzip", err.message, 1, true)
      end
    end)

    if known then
      it(name .. " is undone for a file", function()
        local done, err, content = export(answer(name, bytes(hex)))
        assert.equal(#plain, assert(done, err).bytes)
        assert.equal(plain, content)
      end)

      it(name .. " that ends too early is told, and not written", function()
        local whole = bytes(hex)
        for _, left in ipairs { 1, 10, #whole - 1 } do
          local thing, err = get(answer(name, whole:sub(1, left)))
          assert.is_nil(thing)
          assert.equal("truncated", err.kind)
        end
        local done, err, content = export(answer(name, whole:sub(1, -2)))
        assert.same({ nil, "truncated", nil }, { done, err.kind, content })
      end)

      it(name .. " with something behind its end is told, of gzip passed over", function()
        local thing, err = get(answer(name, bytes(hex) .. "extra"))
        if name == "gzip" then return assert.equal("7", thing.id) end -- as browsers and gzip(1) take it
        assert.is_nil(thing)
        assert.equal("decode", err.kind)
        assert.matches("(" .. name .. ")", err.message, 1, true)
      end)
    end
  end

  for name, hex in pairs(bombs) do
    if offered(name) then
      it(name .. " does not burst the bound of a body", function()
        local thing, err = get(answer(name, bytes(hex)), { max_body = 1024 * 1024 })
        assert.is_nil(thing)
        assert.equal("too_large", err.kind)
      end)
    end
  end

  it("that nobody knows, or several at once, are refused with what to do", function()
    for _, name in ipairs { "compress", "gzip, br", "br, gzip" } do
      local thing, err = get(answer(name, bytes(coded.gzip)))
      assert.is_nil(thing)
      assert.equal("decode", err.kind)
      assert.matches("'" .. name .. "': this build knows", err.message, 1, true)
      assert.matches("Accept-Encoding: identity", err.message, 1, true)
    end
  end)

  it("of no body are nobody's concern", function()
    local server <close> = raw_server.start {
      "HTTP/1.1 204 No Content\r\nContent-Encoding: compress\r\n\r\n", answer("gzip", bytes(coded.gzip)),
    }
    local client = open(server)
    assert.is_true((client.things:get "1"))
    assert.equal("7", client.things:get("1").id)
  end)

  it("do not outlive their answer on a connection", function()
    local server <close> = raw_server.start {
      answer("gzip", bytes(coded.gzip)), raw_server.response(200, plain), answer("deflate", bytes(coded.deflate)),
    }
    local client = open(server)
    for _ = 1, 3 do assert.equal("7", assert(client.things:get "1").id) end
  end)
end)
