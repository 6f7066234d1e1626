local router = require "moonrest.sandbox.router"

describe("the sandbox's router", function()
  local routes

  before_each(function() routes = router.new() end)

  local function add(...)
    for _, template in ipairs { ... } do routes:add("GET", template, template) end
  end

  local function find(path, method)
    local route, parameters = routes:find(method or "GET", path)
    return route and route.template, parameters
  end

  it("takes parameters out of one segment each, and decodes them once", function()
    add "/app/{app_name}/version/{version-name}"
    local template, parameters = find "/app/a%2Fb%252F/version/1.0 x"
    assert.equal("/app/{app_name}/version/{version-name}", template)
    assert.same({ app_name = "a/b%2F", ["version-name"] = "1.0 x" }, parameters)
    assert.is_nil((find "/app/a/b/version/1"))
    assert.is_nil((find "/app//version/1"))
    assert.is_nil((find "/app/a/version/1/"))
  end)

  it("prefers literal text", function()
    add("/deployments/{id}", "/deployments/bulk-stop", "/deployments/{id}:report", "/{any}/{id}")
    assert.equal("/deployments/bulk-stop", (find "/deployments/bulk-stop"))
    assert.equal("/deployments/{id}", (find "/deployments/x"))
    local template, parameters = find "/deployments/x:report"
    assert.equal("/deployments/{id}:report", template)
    assert.equal("x", parameters.id)
    assert.equal("/{any}/{id}", (find "/other/x"))
  end)

  it("lets some parameters have slashes", function()
    add("/images/{image...}/tags/{tag}", "/images/{image...}/tags")
    local template, parameters = find "/images/org/game/tags/v1"
    assert.equal("/images/{image...}/tags/{tag}", template)
    assert.same({ image = "org/game", tag = "v1" }, parameters)
    assert.same({ image = "org/game" }, select(2, find "/images/org%2Fgame/tags"))
  end)

  it("takes punctuation as it is", function()
    add("/a.b/{x}-(c)", "/+[%]")
    assert.is_nil((find "/aXb/1-(c)"))
    assert.equal("/a.b/{x}-(c)", (find "/a.b/1-(c)"))
    assert.equal("/+[%]", (find "/+[%]"))
  end)

  it("knows a path's other methods", function()
    routes:add("PUT", "/a", "put")
    routes:add("DELETE", "/{name}", "delete")
    assert.same({ nil, { "DELETE", "PUT" } }, { [2] = select(2, routes:find("GET", "/a")) })
    assert.same({}, select(2, routes:find("GET", "/a/b")))
  end)

  it("can overlook a final slash", function()
    routes.loose = true
    add("/a/", "/b/{name}")
    assert.equal("/a", (find "/a"))
    assert.equal("/a", (find "/a/"))
    assert.equal("/b/{name}", (find "/b/c/"))
    assert.is_nil((find "/b/"))
  end)

  it("leaves bad escapes alone", function()
    assert.equal("%zz%2 a", router.decode "%zz%2%20a")
    assert.equal("a\0b", router.decode "a%00b")
    assert.equal("\u{FFFD}\u{FFFD}a\u{FFFD}é", router.decode "%FF%FEa%e2é")
  end)
end)
