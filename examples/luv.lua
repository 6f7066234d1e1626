-- moonrest beside other things in a libuv loop: a ticker goes on while requests run in tasks.
--
--   lua5.4 examples/luv.lua          (needs lua-luv)

-- Where moonrest is not installed, the source tree around this file and its build do.
local root = arg[0]:gsub("[^/]*$", "") .. "../"
package.path = ("%s;%slua/?.lua;%slua/?/init.lua"):format(package.path, root, root)
package.cpath = ("%s;%sbuild/lua/?.so"):format(package.cpath, root)

local uv = require "luv"
local moonrest = require "moonrest"
local sandbox = require "moonrest.sandbox"

local server = assert(sandbox.start { systems = { "template" }, latency = 0.1 })
local client = server:open "template"
local adapter = require "moonrest.adapters.luv".start()

local ticks = 0
local ticker = uv.new_timer()
ticker:start(0, 20, function() ticks = ticks + 1 end)

moonrest.spawn(function()
  local answers, err = moonrest.all {
    first = function() return client:request("GET", "/resources") end,
    second = function() return client:request("GET", "/resources") end,
  }
  ticker:close()
  if not answers then return print(err) end
  print(("two answers (a %s and a %s); meanwhile the loop ticked %d times"):format(type(answers.first),
    type(answers.second), ticks))
end)

uv.run()
adapter:stop()
uv.run() -- lets the closed handles go
server:stop()
