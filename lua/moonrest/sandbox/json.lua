-- JSON of the sandbox: the library's own codec; null fields are kept, and fields are written in one order,
-- so that the same world gives the same bytes.

local core_json = require "moonrest.core".json

local json = { null = core_json.null, array = core_json.array }

local KEEP, SORTED = { null = "keep" }, { sorted = true }

--- A JSON text as a value; nil and a message for what is not JSON.
function json.decode(text) return core_json.decode(text, KEEP) end

--- A value as JSON; raises for what cannot be JSON.
function json.encode(value) return assert(core_json.encode(value, SORTED)) end

return json
