-- The compiled forms inside moonrest.core: there for this Lua, and never in the way of who edits a source file.

local core = require "moonrest.core"

local root = package.searchpath("moonrest", package.path):match "^(.*)/moonrest/init%.lua$"

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function output_of(tree, code)
  local line = ("LUA_PATH='%s/?.lua;%s/?/init.lua' lua5.4 -e '%s' 2>&1"):format(tree, tree, code)
  local pipe <close> = assert(io.popen(line))
  return pipe:read "a"
end

describe("loading", function()
  local tree

  setup(function()
    tree = os.tmpname()
    assert(os.remove(tree))
    assert(os.execute(("mkdir %s && cp -R %s/moonrest %s/"):format(tree, root, tree)))
  end)

  teardown(function() os.execute("rm -r " .. tree) end)

  local function change(name, from, to)
    local path = ("%s/moonrest/%s.lua"):format(tree, name)
    local text = read(path)
    local first, last = text:find(from, 1, true)
    local file <close> = assert(io.open(path, "wb"))
    assert(file:write(text:sub(1, first - 1), to, text:sub(last + 1)))
    return path
  end

  it("knows every module that a first request may need", function()
    assert.is_string(core.version)
    for _, name in ipairs { "call", "caller", "definitions.edgegap", "definition_check", "open", "site" } do
      local loader, path = package.searchers[2]("moonrest." .. name)
      assert.is_function(loader, name)
      assert.equal(package.searchpath("moonrest." .. name, package.path), path)
    end
    assert.is_nil((package.searchers[2] "moonrest.other"))
  end)

  it("gives functions the file and the lines that their source has", function()
    require "moonrest".open "template"
    local compiled = package.loaded["moonrest.lookup"].first
    local path = package.searchpath("moonrest.lookup", package.path)
    local source = assert(loadfile(path))().first
    assert.same(debug.getinfo(source, "SL"), debug.getinfo(compiled, "SL"))
    assert.equal("@" .. path, debug.getinfo(compiled, "S").source)
    assert.is_string(debug.getlocal(source, 1))
    assert.is_nil(debug.getlocal(compiled, 1)) -- names take longer to load than all the rest
  end)

  it("loads what stands in an edited file", function()
    change("lookup", "return value\n", "return \"edited\"\n")
    assert.equal("edited\n", output_of(tree, [[require "moonrest.core"
      print(require "moonrest.lookup".at({ a = { b = 1 } }, "a.b"))]]))
  end)

  it("tells the file and the line of a mistake in an edited file", function()
    local path = change("nearest", "local nearest", "local ) nearest")
    assert.matches(path .. ":%d+: <name> expected near '%)'",
      output_of(tree, [[require "moonrest.core" require "moonrest.nearest"]]))
  end)
end)
