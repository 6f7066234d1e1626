local error_shapes = require "moonrest.error_shapes"
local json = require "moonrest.core".json

local function read(text, declared, status)
  local body, problem = json.decode(text)
  if text == "" then body, problem = nil, "no body" end
  return error_shapes.read(declared or {}, { status = status or 400 }, body, problem and text)
end

describe("error_shapes", function()
  local cases = {
    { "a message", '{"message":"no such app"}', nil, "no such app" },
    { "error as a string with a message", '{"error":"Unauthorized","message":"expired token"}', nil, "expired token" },
    { "error as a string alone", '{"error":"No authorization header"}', nil, "No authorization header" },
    { "error as an object", '{"error":{"code":"bad","message":"text"}}', "bad", "text" },
    { "error with a type and params", '{"error":{"type":"not_found_error","message":"gone","params":[]}}',
      "not_found_error", "gone" },
    { "a list of issues",
      '{"error":[{"path":["url"],"message":"Invalid url"},{"path":["events",0],"message":"Required"}]}',
      nil, "url: Invalid url; events.0: Required" },
    { "a bare list", '[{"message":"one"},{"message":"two"}]', nil, "one; two" },
    { "a list of texts", '{"errors":["one","two","three","four","five"]}', nil, "one; two; three; and 2 more" },
    { "a problem document", '{"title":"Bad","detail":"worse","status":400}', nil, "worse" },
    { "a JSON string", '"just text"', nil, "just text" },
    { "nothing", "", nil, "Bad Request" },
    { "an empty object", "{}", nil, "Bad Request" },
    { "plain text", "upstream  failed\n", nil, "upstream failed" },
    { "an error that says nothing", '{"error":null,"ok":false}', nil, "Bad Request" },
    { "a nested code without a message", '{"error":{"code":"E1"}}', "E1", "E1" },
  }

  for _, case in ipairs(cases) do
    it("reads " .. case[1], function()
      local found = read(case[2])
      assert.equal(case[3], found.code)
      assert.equal(case[4], found.message)
    end)
  end

  it("names the page of a proxy", function()
    local found = read("<html><head><title>502 Bad\nGateway</title></head></html>", nil, 502)
    assert.equal("an HTML page instead of JSON, as proxies send it: 502 Bad Gateway", found.message)
    assert.matches("no title", read("<!DOCTYPE html><p>x").message)
  end)

  it("looks where the definition says first", function()
    local capgo = { code = { "error" }, message = { "message", "error", "status" }, details = { "moreInfo" } }
    local found = read('{"error":"cannot_find_app","message":"App not found","moreInfo":{"app":"a"}}', capgo)
    assert.same({ "cannot_find_app", "App not found" }, { found.code, found.message })
    assert.same({ app = "a" }, found.details)
    found = read('{"error":"Invalid API key","status":"KO"}', capgo)
    assert.is_nil(found.code)
    assert.equal("Invalid API key", found.message)
    found = read('{"status":"You do not have access"}', capgo)
    assert.equal("You do not have access", found.message)
  end)

  it("takes a sentence for no code", function()
    assert.is_nil(read('{"code":"this is a sentence","message":"m"}').code)
    assert.equal(42, read('{"code":42,"message":"m"}').code)
  end)

  it("cuts long texts at a character", function()
    local message = read(("ä"):rep(1000)).message
    assert.is_true(#message <= 510)
    assert.is_truthy(utf8.len(message))
  end)

  it("keeps the issues as details", function()
    assert.equal("Required", read('{"error":[{"message":"Required"}]}').details[1].message)
  end)

  it("reads retry_after as number or text", function()
    local declared = { retry_after = { "error.retry_after", "retryAfter" } }
    assert.equal(30, read('{"retryAfter":"30"}', declared).retry_after)
    assert.equal(1.5, read('{"error":{"retry_after":1.5}}', declared).retry_after)
    for _, other in ipairs { '"soon"', '"1e999"', "1776859246", "-1", "31622401" } do
      assert.is_nil(read('{"retryAfter":' .. other .. "}", declared).retry_after)
    end
  end)

  it("knows what codes mean", function()
    assert.is_true(read('{"error":{"code":"x"}}', { codes = { x = { final = true, kind = "limit" } } }).final)
    assert.equal("limit", read('{"error":{"code":"x"}}', { codes = { x = { kind = "limit" } } }).kind)
    assert.is_true(read('{"error":{"code":"x"}}', { final = "x" }).final)
    assert.is_nil(read('{"error":{"code":"y"}}', { final = { "x" } }).final)
  end)

  it("names every status", function()
    assert.equal("Not Found", error_shapes.reason(404))
    assert.equal("Client Error", error_shapes.reason(499))
    assert.equal("Server Error", error_shapes.reason(599))
    assert.equal("Found", error_shapes.reason(302))
    assert.equal("Unexpected Status", error_shapes.reason(305))
    assert.equal("", error_shapes.reason(nil))
  end)
end)
