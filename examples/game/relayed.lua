-- Servers as a player's game sees them: through a relay (examples/relay), without any credential. There are two
-- operations, and what a source has to offer beyond them is left out. See account.lua for what a source is.

local moonrest = require "moonrest"

local relayed = {}

local page_size <const> = 8

local function definition(url)
  return {
    name = "relay", servers = { production = url }, auth = false,
    pages = { style = "page", page = "page", size = "limit", pages = "pages", total = "total" },
    resources = {
      servers = {
        list = {
          "GET /servers", "Lists servers that can be joined.",
          query = { page = "integer", limit = "integer" }, paged = true, items = "items",
        },
        join = { "POST /join", "Names a server to play on, or starts one: ask again while it is starting." },
      },
    },
  }
end

-- 'url' is the relay's, e.g. "http://127.0.0.1:8090".
function relayed.new(url)
  local servers = moonrest.open(definition(url)).servers
  local known = {}
  local source = { title = "through a relay", can_measure = false }

  local function remember(server)
    known[server.id] = server
    return server
  end

  function source.list(page)
    local answer, err = servers:list { page = page, limit = page_size }
    if not answer then return nil, err end
    for _, server in ipairs(answer.items) do remember(server) end
    return answer
  end

  function source.describe(id)
    if known[id].state ~= "ready" then
      local server, err = servers:join()
      if not server then return nil, err end
      remember(server)
      known[id] = server -- the server that was started for this request has its own id by now
    end
    return known[id]
  end

  function source.join()
    local server, err = servers:join()
    if not server then return nil, err end
    return remember(server).id
  end

  return source
end

return relayed
