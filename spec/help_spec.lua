local test_api = require "spec.support.test_api"

describe("help", function()
  local shop, core, help

  before_each(function()
    shop, core = test_api.open()
    help = require "moonrest.help"
  end)

  it("tells what there is", function()
    assert.matches("moonrest.open", help.text(), 1, true)
    assert.matches("capgo, cygni, edgee, edgegap, template", help.text(require "moonrest"), 1, true)
    assert.equal(help.text(), help.text "moonrest")
  end)

  it("tells what each part of moonrest is for", function()
    local moonrest = require "moonrest"
    for name, part in pairs(moonrest) do
      assert.matches("\n  moonrest%." .. name .. "%f[^%w_]", help.text())
      assert.matches("^  moonrest%." .. name .. "%f[^%w_].*  %a", help.text("moonrest." .. name))
      assert.equal(help.text("moonrest." .. name), help.text(part))
    end
    assert.error_matches(function() help.text "moonrest.mep" end, "moonrest has no 'mep'; did you mean 'map'")
    assert.equal("moonrest has no help for a table; moonrest.show(x) prints data", help.text {})
  end)

  it("knows parts and options by their bare names, and the options of moonrest.open", function()
    assert.equal(help.text "moonrest.map", help.text "map")
    assert.matches("^timeout: seconds for everything.*\ntimeout: seconds for every call", help.text "timeout")
    assert.matches("^proxy: URL of a proxy.*help \"open\"", help.text "proxy")
    local text = help.text "open"
    assert.equal(help.text(require "moonrest".open), text)
    for name in pairs(require "moonrest.site".options) do
      assert.matches("\n  " .. name .. " +[%a']", text)
    end
    for name in pairs(require "moonrest.help_open") do assert.is_truthy(require "moonrest.site".options[name], name) end
  end)

  it("tells of the options of calls and of events", function()
    local text = help.text "options"
    for name, option in pairs(require "moonrest.options".known) do
      assert.matches("\n  " .. name .. " +" .. option.type:match "%a+", text)
      assert.matches(option.doc, text, 1, true)
    end
    assert.matches("\n  resume +string +.* %(lists%)", text)
    text = help.text "events"
    for name, doc in pairs(require "moonrest.events".names) do
      assert.matches("\n  " .. name .. " +", text)
      assert.matches(doc, text, 1, true)
    end
  end)

  it("documents an operation in full", function()
    local text = help.text(shop.items.create)
    assert.matches("shop.items:create({ parameters })\nPOST /items\n\nMakes an item.", text, 1, true)
    assert.matches("\n  name +body +string +required", text)
    assert.matches("\n  note +body +string or null", text)
    assert.matches("\nLine\n", text, 1, true)
    assert.matches("\n  count +integer 1%.%. +default 1, how many\n", text)
    assert.matches("\n  code +string +secret\n", text)
    assert.matches("Limits: account (free: 100/min, 1000/h; pro: 1000/min; enterprise: no limit)", text, 1, true)
    assert.matches("Returns: Item { id, name }", text, 1, true)
    assert.matches("Repeats: never repeated", text, 1, true)
    assert.matches('assert(shop.items:create { name = "chair", price = 12.5 })', text, 1, true)
  end)

  it("documents lists, dangers, tenants, secrets and deprecations", function()
    local text = help.text(shop.items.list)
    assert.matches("List: has :each, :pages and :all (page)", text, 1, true)
    assert.matches("for item in shop.items:each() do print(item.id) end", text, 1, true)
    assert.matches("one of active, gone", text, 1, true)
    text = help.text(shop.items.delete)
    assert.matches("Needs { confirm = true }: deletes it for good", text, 1, true)
    assert.matches("{ confirm = true }))", text, 1, true)
    assert.matches("filled by moonrest.open { org_id = }", help.text(shop.orders.list), 1, true)
    assert.matches("for each app_id", help.text(shop.orders.get), 1, true)
    assert.matches("private_token +body +string +secret", help.text(shop.keys.create))
    assert.matches("Deprecated: use items", help.text(shop.limits_.list), 1, true)
    assert.matches("without 'deep' it takes all lines", help.text(shop.orders.purge), 1, true)
    assert.matches("further query parameters are sent as they are", help.text "template.resources.list", 1, true)
    assert.matches("further body fields are sent as they are", help.text "template.jobs.create", 1, true)
    text = help.text(shop.items.watch)
    assert.matches("Stream: has :stream", text, 1, true)
    assert.matches("for event in shop.items.watch:stream() do print(event.data) end", text, 1, true)
    text = help.text(shop.images.upload)
    assert.matches("the body is bytes (image/png): the option body, or upload = path of a file", text, 1, true)
    assert.matches('nil, { upload = "path/of/file" })', text, 1, true)
    assert.matches('assert(shop.items:export(nil, { to = "export.json" }))', help.text(shop.items.export), 1, true)
  end)

  it("documents clients, resources, definitions and names", function()
    local text = help.text(shop)
    assert.matches("^Shop: Sells things\nhttps://shop.example/docs\n", text)
    assert.matches("Credential: option token, or the variable SHOP_TOKEN", text, 1, true)
    assert.matches("Option org_id: fills {orgId}, your organization", text, 1, true)
    assert.matches("Plans: free, pro, enterprise", text, 1, true)
    local items = help.text(shop.items)
    assert.matches('States to :wait for: ready\n  assert(shop.items:wait(id, "ready"))', items, 1, true)
    local template = help.text "template"
    assert.matches("Option version: fills {version}, one of v1, v2, by default v1; v2 is", template, 1, true)
    assert.matches("production   https://api.yourcompany.com/{version}   (the usual one)", template, 1, true)
    assert.matches("Option legacy = true: ", help.text "edgegap", 1, true)
    assert.matches("Option sub_key: sent as x-limited-key-id", help.text "capgo", 1, true)
    assert.matches("or the URL in the variable EDGEE_CONSOLE_API_URL", help.text "edgee", 1, true)
    local whole = require "moonrest.definition".read("edgegap", true)
    assert.matches("\n  matchmaker_managed_releases  create ", help.text(whole), 1, true)
    assert.matches("\n  apps                         create ", help.text(whole), 1, true)
    assert.matches("Every client: account, base_url, ", text, 1, true)
    for line in help.text "edgegap.versions.get":match "Returns:.*Repeats":gmatch "[^\n]+" do
      assert.is_true(#line <= 100, line)
    end
    assert.equal(text, help.text(test_api.definition()))
    assert.matches("^edgegap.apps:create", help.text "edgegap.apps.create")
    assert.matches("^edgegap.apps:create", help.text "edgegap.apps:create")
    assert.matches("^edgegap.apps", help.text "edgegap.apps")
    assert.matches("^Edgegap", help.text "edgegap")
    assert.error_matches(function() help.text "edgegap.aps" end, "no 'aps'; did you mean 'apps'")
    assert.error_matches(function() help.text "edgegup" end, "did you mean 'edgegap'")
  end)

  it("explains an error", function()
    core.answer { kind = "network", message = "connection refused" }
    local _, err = shop.items:get "1"
    local text = help.text(err)
    assert.matches("kind 'network': no connection, or it broke", text, 1, true)
    assert.matches("may succeed later", text, 1, true)
  end)

  it("has an example of every operation that is built in, which is Lua", function()
    local definition = require "moonrest.definition"
    for _, name in ipairs(definition.built_in) do
      definition.each_operation(definition.find(name).resources, function(_, path)
        local source = help.text(name .. "." .. path):match "\nExample\n(.*)$"
        assert(load(source, "=" .. path))
      end)
    end
  end)

  it("has its columns in line", function()
    local columns = {}
    for line in help.text(shop.items.create):match "Parameters\n(.-)\n\n":gmatch "[^\n]+" do
      columns[#columns + 1] = (line:find " body ")
    end
    assert.is_true(#columns > 3)
    for _, column in ipairs(columns) do assert.equal(columns[1], column) end
  end)

  it("admits what it does not know, and prints", function()
    assert.equal("moonrest has no help for a number", help.text(5))
    local real, printed = print, nil
    _G.print = function(text) printed = text end
    help.help(5)
    _G.print = real
    assert.equal("moonrest has no help for a number", printed)
  end)
end)
