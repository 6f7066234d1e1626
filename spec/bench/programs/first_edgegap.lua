-- One GET with the built-in definition of Edgegap, from nothing: load the library, open a client, call, decode.
--   first_edgegap.lua URL

local moonrest = require "moonrest"

local edgegap = moonrest.open("edgegap", { base_url = arg[1], token = "0123456789abcdef" })
local app = assert(edgegap.apps:get "my-game")
assert(app.id == 12345)
