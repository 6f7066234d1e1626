local webhook = require "moonrest.sandbox.webhook"

describe("a webhook of the sandbox", function()
  local function send(url, headers)
    local sent, seen
    local host = { deliver = function(_, ...)
      sent = { ... }
      return true
    end }
    webhook.post(host, url, headers, "body", function(...) seen = { ... } end)
    return sent, seen
  end

  it("is a whole request", function()
    local sent, seen = send("http://127.0.0.1:8080/hook?x=1#part", { ["X-B"] = "2", ["X-A"] = "1" })
    assert.equal("127.0.0.1", sent[1])
    assert.equal(8080, sent[2])
    assert.equal("POST /hook?x=1 HTTP/1.1\r\nConnection: close\r\nContent-Length: 4\r\nHost: 127.0.0.1:8080\r\n"
      .. "X-A: 1\r\nX-B: 2\r\n\r\nbody", sent[3])
    assert.is_nil(seen)
  end)

  it("finds loopback's names", function()
    assert.same({ "127.0.0.1", 80, "/", "localhost" }, { webhook.parse "http://localhost" })
    assert.same({ "::1", 9, "/x", "[::1]:9" }, { webhook.parse "http://[::1]:9/x" })
    assert.same({ "127.8.8.8", 80, "/?a", "127.8.8.8" }, { webhook.parse "http://127.8.8.8?a" })
  end)

  it("goes nowhere else", function()
    for _, url in ipairs { "http://example.com/", "https://127.0.0.1/", "http://127.0.0.1.example.com/", "nothing",
                           "ftp://localhost/", "http://user@127.0.0.1/", "http://10.0.0.1/", "",
                           "http://localhost.evil/", "http://127.0.0.1:0/", "http://127.0.0.1:70000/",
                           "http://127.0.0.1:99999999999999999999/" } do
      local sent, seen = send(url)
      assert.is_nil(sent, url)
      assert.is_nil(seen[1])
      assert.is_string(seen[2])
    end
  end)

  it("lets no line break through", function()
    local sent, seen = send "http://127.0.0.1/x\r\nX-Evil: 1"
    assert.is_nil(sent)
    assert.equal("not a URL", seen[2])
  end)

  it("reads answers", function()
    assert.same({ 202, "ok" }, { webhook.answer "HTTP/1.1 202 Accepted\r\nA: b\r\n\r\nok" })
    assert.same({ 204, "" }, { webhook.answer "HTTP/1.0 204\r\n\r\n" })
    assert.is_nil((webhook.answer "hello"))
  end)
end)
