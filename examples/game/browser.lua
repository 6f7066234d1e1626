-- A server browser: what it knows, and the tasks that find it out. Every call of the API is written as if it blocked;
-- the host steps all of them for a millisecond in every frame. view.lua draws what is known at that moment.
--
-- The host calls browser.start(options), then browser.key(name), browser.draw(canvas, now) and, for scripted sessions,
-- browser.is_over().

local moonrest = require "moonrest"
local view = require "view"

local browser = {
  source = nil,        -- where servers come from: account.lua or relayed.lua
  page = 1, pages = 1, total = 0,
  servers = {},        -- of this page
  places = {},         -- what describe told, by id
  selected = 1,
  graphs = {},         -- of the selected server
  starting = {},       -- { id =, state =, seconds = }: deployments of this player that are not ready
  toasts = {},         -- { text =, is_error =, seconds = }
  is_loading = false,
  toast_seconds = 5,
}

local list_every <const>, describe_every <const>, measure_every <const> = 3, 0.5, 1 -- seconds
local describe_at_once <const> = 4

local list_task, measure_task, session_task

-- {======================================================
-- Toasts
-- ======================================================

local function toast(text, is_error)
  table.insert(browser.toasts, 1, { text = text, is_error = is_error or false, seconds = 0 })
end

-- What a player should read of an err; the whole of it is for the developer's log.
local function complain(err)
  toast(type(err) == "table" and err.message or tostring(err), true)
end

local function age_toasts(seconds)
  for place = #browser.toasts, 1, -1 do
    local one = browser.toasts[place]
    one.seconds = one.seconds + seconds
    if one.seconds > browser.toast_seconds then table.remove(browser.toasts, place) end
  end
end

-- }======================================================

-- {======================================================
-- The list
-- ======================================================

local function describe(server)
  local described, err = browser.source.describe(server.id)
  if not described then return nil, err end
  browser.places[server.id] = described
  return true
end

local function describe_unknown(servers)
  local unknown = {}
  for _, server in ipairs(servers) do
    local known = browser.places[server.id]
    if not known or known.state ~= server.state then unknown[#unknown + 1] = server end
  end
  local _, failures = moonrest.map(unknown, describe, { concurrency = describe_at_once })
  local _, err = next(failures or {})
  if err then complain(err) end
end

local function load_page(page)
  browser.is_loading = true
  local answer, err = browser.source.list(page)
  browser.is_loading = false
  if not answer then return complain(err) end
  browser.servers, browser.pages, browser.total = answer.items, math.max(answer.pages, 1), answer.total
  browser.selected = math.max(1, math.min(browser.selected, #answer.items))
  describe_unknown(answer.items)
end

local function keep_list()
  while true do
    load_page(browser.page)
    moonrest.sleep(list_every)
  end
end

-- Turning a page cancels what was under way for the page before.
local function restart_list()
  if list_task then list_task:cancel() end
  list_task = moonrest.spawn(keep_list)
end

-- }======================================================

-- {======================================================
-- The selected server
-- ======================================================

local function keep_measuring(id)
  while true do
    local graphs, err = browser.source.measure(id)
    if not graphs then return complain(err) end
    browser.graphs = graphs
    moonrest.sleep(measure_every)
  end
end

-- The server that is selected, with all that is known about it; nil when the list is empty.
function browser.current()
  local server = browser.servers[browser.selected]
  return server and (browser.places[server.id] or server)
end

-- Measures what is selected now, if that can be measured and is not measured already.
local measured
local function follow_selection()
  local server = browser.current()
  local id = server and server.state == "ready" and server.id or nil
  if id == measured or not browser.source.can_measure then return end
  if measure_task then measure_task:cancel() end
  measured, browser.graphs = id, {}
  measure_task = id and moonrest.spawn(keep_measuring, id)
end

local function select(place)
  browser.selected = math.max(1, math.min(place, #browser.servers))
end

-- }======================================================

-- {======================================================
-- A new server
-- ======================================================

-- Follows a server until it is ready; returns it, or nil, err.
local function watch(progress)
  while true do
    local server, err = browser.source.describe(progress.id)
    if not server then return nil, err end
    progress.state, browser.places[server.id] = server.state, server
    if server.state == "ready" then return server end
    if server.error then return nil, { message = server.error } end
    moonrest.sleep(describe_every)
  end
end

local function forget(progress)
  for place, other in ipairs(browser.starting) do
    if other == progress then table.remove(browser.starting, place) end
  end
end

local function start_server()
  local id, err = browser.source.join()
  if not id then return complain(err) end
  local progress = { id = id, state = "requested", seconds = 0 }
  table.insert(browser.starting, progress)
  local server, problem = watch(progress)
  forget(progress)
  if not server then return complain(problem) end
  toast(("Your server in %s is ready"):format(server.city))
  load_page(browser.page)
end

-- }======================================================

-- {======================================================
-- What the host calls
-- ======================================================

local function turn_page(step)
  local page = math.max(1, math.min(browser.page + step, browser.pages))
  if page == browser.page then return end
  browser.page, browser.selected = page, 1
  restart_list()
end

local keys = {
  up = function() select(browser.selected - 1) end,
  down = function() select(browser.selected + 1) end,
  left = function() turn_page(-1) end,
  right = function() turn_page(1) end,
  r = restart_list,
  d = function() moonrest.spawn(start_server) end,
}

function browser.key(name)
  keys[name]()
end

local function open_source(options)
  if options.relay then return require "relayed".new(options.relay) end
  local account = require "account"
  if not options.account then return require "demo".start() end
  return account.new(moonrest.open "edgegap", "my-game", "v1.0", { latitude = 50.85, longitude = 4.35 })
end

function browser.start(options)
  browser.source = open_source(options)
  restart_list()
  if options.scripted then session_task = moonrest.spawn(require "session", browser) end
end

local last_draw

function browser.draw(canvas, now)
  local seconds = last_draw and now - last_draw or 0
  last_draw = now
  age_toasts(seconds)
  for _, progress in ipairs(browser.starting) do progress.seconds = progress.seconds + seconds end
  follow_selection()
  view.draw(canvas, browser, now)
end

function browser.is_over()
  return session_task ~= nil and session_task:status() == "done"
end

-- }======================================================

return browser
