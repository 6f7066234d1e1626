-- A definition with a bit of everything, for the specs of the Lua half.

local test_api = {}

function test_api.definition()
  return {
    name = "shop", title = "Shop", summary = "Sells things", home = "https://shop.example/docs",
    servers = { production = "https://api.shop.example/{version}", staging = "https://staging.shop.example" },
    default_server = "production",
    variables = { version = { default = "v1", enum = { "v1", "v2" } } },
    tenant = { org_id = { parameter = "orgId", env = { "SHOP_ORG_ID" }, doc = "your organization" } },
    auth = { header = "Authorization", prefix = "Bearer ", env = { "SHOP_TOKEN" }, extra = { sub_key = "x-sub-key" } },
    trace = { { header = "x-request-id" }, { body = "meta.requestId" } },
    envelope = { data = "data", meta = "meta", success = { field = "status", equals = "success" } },
    errors = {
      code = { "error.code" }, message = { "error.message", "message", "error" }, details = { "error.details" },
      retry_after = { "error.retry_after" }, codes = { no_plan = { final = true } }, final = { "upgrade" },
    },
    limits = {
      default = "account", plans = { "free", "pro", "enterprise" }, default_plan = "free",
      unlimited_servers = { "staging" },
      buckets = {
        account = { free = { "100/min", "1000/h" }, pro = { "1000/min" }, enterprise = {} },
        device = { "5/s", per = { "app_id" } },
        orders = { "40/s" },
      },
    },
    pages = { style = "page", page = "page", size = "limit", pages = "meta.pages", max_size = 100 },
    shapes = { Line = { sku = "string!", count = { type = "integer", min = 1, default = "1", doc = "how many" },
      code = { type = "string", secret = true } } },
    results = { Item = { "id", "name" }, Key = { "id", "key", secret = { "key" } } },
    resources = {
      items = {
        summary = "What is sold",
        list = { "GET /items", "Lists items.", query = { page = "integer", limit = "integer", status = { "active",
          "gone" },
          ["tag[]"] = "string[]", query = { type = "object", encode = "json" } }, paged = true, key = "id" },
        get = { "GET /items/{id}", "Shows one item.", returns = "Item" },
        create = { "POST /items", "Makes an item.", returns = "Item",
          body = { name = "string!", price = "number", lines = "Line[]", note = "string?", extra = "any" },
          example = { name = "chair", price = 12.5 } },
        update = { "PUT /items/{id}", "Changes an item.", body = { name = "string" } },
        delete = { "DELETE /items/{id}", "Deletes an item.", confirm = "deletes it for good" },
        each = { "GET /each", "An operation with one of our names." },
        state = { "GET /items/{id}/state", "Shows the state of an item." },
        export = { "GET /items/export", "Exports all items.", returns = "file" },
        watch = { "GET /items/watch", "Tells what happens.", returns = "events" },
        sell_many = { "POST /items/sell", "Sells several.", body = { ids = "string[]!" },
          partial = { items = "results", ok = { field = "status", equals = 204 } } },
        test = { "POST /items/{id}/test", "Tests an item.", failure = { field = "success", equals = false,
          message = "response" } },
        waiters = { ready = { poll = "state", delay = 2, factor = 2, max_delay = 5, timeout = 60, argument = "item_id",
          accept = { { field = "state", matches = "READY", state = "success" }, { status = 404, state = "failure" },
            { field = "state", one_of = { "broken", "lost" }, state = "failure" } } } },
      },
      orders = {
        list = { "GET /orgs/{orgId}/orders", "Lists orders.", paged = true, bucket = "orders" },
        get = { "GET /orgs/{orgId}/orders/{order-id}", "Shows an order.", bucket = { "orders", "device" },
          query = { app_id = "string" } },
        purge = { "POST /orgs/{orgId}/orders/{id}/purge", "Empties an order.", body = { id = "string!",
          deep = "boolean" },
          confirm = { without = "deep", why = "takes all lines" }, open = true },
        lines = { list = { "GET /orders/{id}/lines", "Lists lines." } },
      },
      keys = {
        create = { "POST /keys", "Makes a key.", body = { name = "string!", private_token = "string" },
          secret = { "private_token" }, returns = "Key" },
        find = { "POST /keys/find", "Finds keys.", body = { text = "string!" }, read = true, body_type = "form" },
        use = { "GET /keys/use", "Uses a key.", query = { token = { type = "string!", secret = true } },
          header = { ["X-Fields"] = "string" } },
        stop = { "DELETE /keys/{key}", "Stops a key.", secret = { "key" }, auth = false },
      },
      images = {
        get = { "GET /images/{image_name}/tags", "Shows an image.", path = { image_name = "slashes" } },
        upload = { "PUT /images/{id}", "Sends an image.", body_type = "raw", content_type = "image/png" },
        send = { "POST /images", "Sends an image as a form.", body_type = "multipart", body = { file = "any",
          title = "string" } },
      },
      limits = { list = { "GET /limits", "A resource with one of our names.", deprecated = "use items" } },
    },
  }
end

-- The query of a request that the fake core was sent, whole numbers as numbers.
function test_api.query_of(sent)
  local query = {}
  for name, value in sent.target:gmatch "[?&]([^=]+)=([^&]*)" do query[name] = math.tointeger(value) or value end
  return query
end

-- A list of { id = first } ... { id = last }, which is a list when it is empty as well.
function test_api.rows(first, last)
  local list = require "moonrest.core".json.array {}
  for id = first, last do list[#list + 1] = { id = id } end
  return list
end

-- A client of it on a fresh fake core. Returns client, core, moonrest.
function test_api.open(options, change)
  local core = require "spec.support.fake_core".install()
  local moonrest = require "moonrest"
  local at = test_api.definition()
  if change then change(at) end
  options = options or {}
  if options.token == nil then options.token = "canary-token" end
  return moonrest.open(at, options), core, moonrest
end

return test_api
