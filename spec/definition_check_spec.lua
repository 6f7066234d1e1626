local test_api = require "spec.support.test_api"

describe("definition check", function()
  local definition = require "moonrest.definition"
  local definition_check = require "moonrest.definition_check"

  local function problem_after(change)
    local at = test_api.definition()
    change(at)
    return definition_check.problem(at)
  end

  it("accepts a good one", function()
    assert.is_nil(definition_check.problem(test_api.definition()))
  end)

  it("accepts every one that is built in", function()
    for _, name in ipairs(definition.built_in) do
      assert.is_nil(definition_check.problem(definition.find(name)), name)
    end
  end)

  local bad = {
    { "resources.items.get.qurey is unknown; did you mean 'query'?",
      function(at) at.resources.items.get.qurey = {} end },
    { "definition 'shop': titel is unknown; did you mean 'title'?", function(at) at.titel = "x" end },
    { "tenant.org_id.parameter 'orgid' is a parameter of no operation; did you mean 'orgId'?",
      function(at) at.tenant.org_id.parameter = "orgid" end },
    { "resources.items.create.example.nmae is no parameter; did you mean 'name'?",
      function(at)
        at.resources.items.create.body.name, at.resources.items.create.example = "string", { nmae = "a" }
      end },
    { "resources.items.create.example lacks the required parameter 'name'",
      function(at) at.resources.items.create.example = {} end },
    { "webhooks.haeder is unknown; did you mean 'header'?",
      function(at) at.webhooks = { haeder = "X-Signature", scheme = "sha256-hex" } end },
    { "webhooks[2].scheme is required",
      function(at) at.webhooks = { { header = "A", scheme = "sha256-hex" }, { header = "B" } } end },
    { "resources.items.more is a resource that contains itself",
      function(at) at.resources.items.more = at.resources.items end },
    { "definition '?': name is required", function(at) at.name = nil end },
    { "name must be a Lua identifier", function(at) at.name = "my-api" end },
    { "servers is required", function(at) at.servers = nil end },
    { "servers needs at least one server", function(at) at.servers, at.default_server = {}, nil end },
    { "servers.production must be an http or https URL", function(at) at.servers.production = "api.shop.example" end },
    { "servers.production uses {version}", function(at) at.variables = nil end },
    { "default_server is required", function(at) at.default_server = nil end },
    { "default_server there is no server 'prodction'; did you mean 'production'?",
      function(at) at.default_server = "prodction" end },
    { "auth.heder is unknown; did you mean 'header'?", function(at) at.auth.heder = "x" end },
    { "deprecation.haeders is unknown; did you mean 'headers'?",
      function(at) at.deprecation = { haeders = { "X-Old" } } end },
    { "deprecation.since must be a string, got a table", function(at) at.deprecation = { since = { "X-Old" } } end },
    { "envelope must be a table, got a string", function(at) at.envelope = "data" end },
    { "resources.items.get[1] must be 'METHOD /path'", function(at) at.resources.items.get[1] = "items" end },
    { "resources.items.get[2] is required", function(at) at.resources.items.get[2] = nil end },
    { "resources.items.get[1] has {id} twice", function(at) at.resources.items.get[1] = "GET /{id}/{id}" end },
    { "is no path template", function(at) at.resources.items.get[1] = "GET /items/{id" end },
    { "resources.images.get.path.image is not in the path; did you mean 'image_name'?",
      function(at) at.resources.images.get.path = { image = "slashes" } end },
    { "resources.items.create.body.name unknown type 'strin'; did you mean 'string'?",
      function(at) at.resources.items.create.body.name = "strin!" end },
    { "resources.items.create.body.lines unknown type 'Lnie'; did you mean 'Line'?",
      function(at) at.resources.items.create.body.lines = "Lnie[]" end },
    { "resources.items.create.body.name.mx is unknown; did you mean 'max'?",
      function(at) at.resources.items.create.body.name = { type = "string", mx = 3 } end },
    { "resources.items.create.body.name.encode must be 'json'",
      function(at) at.resources.items.create.body.name = { type = "string", encode = "xml" } end },
    { "resources.items.create.body must be a table with named fields",
      function(at) at.resources.items.create.body = { "name" } end },
    { "resources.items.create.body_type must be one of form, json, multipart, raw",
      function(at) at.resources.items.create.body_type = "jsn" end },
    { "resources.items.create.repeatable must be one of",
      function(at) at.resources.items.create.repeatable = "yes" end },
    { "resources.items.get.returns there is no result 'Itm'; did you mean 'Item'?",
      function(at) at.resources.items.get.returns = "Itm[]" end },
    { "resources.orders.list.bucket names 'orders', but the definition has none",
      function(at) at.limits, at.resources.orders.get.bucket = nil, nil end },
    { "resources.items.list[2] is required: a line that tells what it does",
      function(at) at.resources.items.list[2] = nil end },
    { "resources.orders.list.bucket must be one of account, device, orders, got 'order'; did you mean 'orders'?",
      function(at) at.resources.orders.list.bucket = "order" end },
    { "limits.buckets.orders[1] must be a limit such as '40/s'",
      function(at) at.limits.buckets.orders = { "40 per s" } end },
    { "limits.buckets.orders[1] must be a limit such as '40/s' or '100/min', got '0/s'",
      function(at) at.limits.buckets.orders = { "0/s" } end },
    { "limits.buckets.orders[1] must be a limit such as '40/s' or '100/min', got '99999999999999999999/s'",
      function(at) at.limits.buckets.orders = { "99999999999999999999/s" } end },
    { "limits.buckets.account.fre is no plan; did you mean 'free'?",
      function(at) at.limits.buckets.account.fre = { "1/s" } end },
    { "limits.default must be one of", function(at) at.limits.default = "accounts" end },
    { "limits.default_plan must be one of", function(at) at.limits.default_plan = "gold" end },
    { "pages.style must be one of", function(at) at.pages.style = "pges" end },
    { "pages.page is required: pages of the style 'page' have it", function(at) at.pages.page = nil end },
    { "resources.items.list.paged.next is required: pages of the style 'cursor' have it",
      function(at) at.resources.items.list.paged = { style = "cursor", cursor = "after" } end },
    { "auth.header 'X-Key: a?B' is no header name", function(at) at.auth.header = "X-Key: a\nB" end },
    { "auth.extra.sub_key 'sub key' is no header name", function(at) at.auth.extra.sub_key = "sub key" end },
    { "auth.prefix must not contain control characters", function(at) at.auth.prefix = "Bearer\r\n" end },
    { "auth.scheme must be 'basic', got 'digest'", function(at) at.auth.scheme = "digest" end },
    { "auth.query excludes header", function(at) at.auth.query = "key" end },
    { "trace[1].hedaer is unknown; did you mean 'header'?", function(at) at.trace = { { hedaer = "x" } } end },
    { "trace 'x id' is no header name", function(at) at.trace = "x id" end },
    { "resources.items.get.header[\"X A\"] 'X A' is no header name",
      function(at) at.resources.items.get.header = { ["X A"] = "string" } end },
    { "resources.items.list.paged must be true or a table, got a string",
      function(at) at.resources.items.list.paged = "yes" end },
    { "resources.items.delete.confirm must be a text that says what cannot be undone, or a table, got a boolean",
      function(at) at.resources.items.delete.confirm = true end },
    { "resources.items.get.deprecated must be true or a text, got a number",
      function(at) at.resources.items.get.deprecated = 5 end },
    { "resources.items.get[1] '/a/../b' is no path template",
      function(at) at.resources.items.get[1] = "GET /a/../b" end },
    { "resources.items.list.query.limit.min is greater than max",
      function(at) at.resources.items.list.query.limit = { type = "integer", min = 5, max = 1 } end },
    { "resources.items.waiters.ready.accept needs at least one state",
      function(at) at.resources.items.waiters.ready.accept = {} end },
    { "resources.items.more is a resource that contains itself",
      function(at) at.resources.items.more = at.resources end },
    { "list.paged is true, but the definition has no 'pages'", function(at) at.pages = nil end },
    { "resources.items.list.paged.ends must be one of",
      function(at) at.resources.items.list.paged = { ends = "sometimes" } end },
    { "resources.items.list.paged.end_errors.none.mesage is unknown; did you mean 'message'?",
      function(at) at.resources.items.list.paged = { end_errors = { none = { mesage = "No more" } } } end },
    { "pages.end_errors.none must be true, a status, or a table of status, message and absent, got a string",
      function(at) at.pages.end_errors = { none = "400" } end },
    { "resources.items.waiters.ready.poll there is no operation 'stat'; did you mean 'state'?",
      function(at) at.resources.items.waiters.ready.poll = "stat" end },
    { "resources.items.waiters.ready.accept[1].state must be one of failure, retry, success, got 'sucess'",
      function(at) at.resources.items.waiters.ready.accept[1].state = "sucess" end },
    { "resources.items.colour must be an operation", function(at) at.resources.items.colour = "red" end },
    { 'resources.items["a-b"] must be a Lua identifier', function(at) at.resources.items["a-b"] = {} end },
    { "shapes.Line.sku unknown type 'text'", function(at) at.shapes.Line.sku = "text" end },
    { "tenant.org_id.parameter is required", function(at) at.tenant.org_id.parameter = nil end },
    { "resources.orders.purge.confirm.why is required", function(at) at.resources.orders.purge.confirm.why = nil end },
    { "resources.items.get.server must be one of production, staging",
      function(at) at.resources.items.get.server = "sandbox" end },
  }

  for _, case in ipairs(bad) do
    it("refuses: " .. case[1], function()
      local problem = problem_after(case[2])
      assert.is_truthy(problem and problem:find(case[1], 1, true), problem)
    end)
  end

  it("refuses what is no table", function()
    assert.equal("a definition must be a table, got a string", definition_check.problem "x")
  end)

  it("does not take its own mistakes for those of a definition", function()
    local at = setmetatable({}, { __pairs = function() error "broken pairs" end })
    assert.error_matches(function() definition_check.problem(at) end, "broken pairs")
  end)
end)
