-- A player for tests and pictures: a task that presses keys and looks whether what should happen does happen.

local demo = require "demo"
local moonrest = require "moonrest"

local look_every <const>, patience <const> = 0.02, 20 -- seconds

local function wait_until(what, is_so)
  for _ = 1, patience // look_every do
    if is_so() then return end
    moonrest.sleep(look_every)
  end
  error("the session waited in vain until " .. what)
end

local function has_toast(browser, is_error)
  for _, one in ipairs(browser.toasts) do
    if one.is_error == is_error then return true end
  end
  return false
end

local function all_described(browser)
  for _, server in ipairs(browser.servers) do
    if not browser.places[server.id] then return false end
  end
  return #browser.servers > 0
end

local function turn_pages(browser)
  wait_until("the first page is there", function() return all_described(browser) end)
  local first = browser.servers[1].id
  browser.key "right"
  wait_until("the second page is there", function()
    return browser.servers[1].id ~= first and all_described(browser)
  end)
  moonrest.sleep(0.3)
  browser.key "left"
  wait_until("the first page is back", function() return browser.servers[1].id == first end)
end

local function deploy(browser)
  browser.key "d"
  wait_until("a deployment has begun", function() return browser.starting[1] ~= nil end)
  for _ = 1, 3 do
    moonrest.sleep(0.3)
    demo.hurry(1.5)
  end
  wait_until("the server is ready", function() return has_toast(browser, false) end)
end

local function look_at_metrics(browser)
  for _ = 1, 2 do
    browser.key "down"
    moonrest.sleep(0.1)
  end
  wait_until("graphs are there", function() return #browser.graphs > 0 end)
end

local function be_refused(browser)
  demo.refuse_next()
  browser.toast_seconds = 60 -- the picture has it however slow the frames are
  browser.key "d"
  wait_until("the refusal is told", function() return has_toast(browser, true) end)
end

-- One more deployment is half done when the session ends: for the picture.
local function leave_one_starting(browser)
  browser.key "d"
  wait_until("a second deployment has begun", function() return browser.starting[1] ~= nil end)
  demo.hurry(1)
  wait_until("it is being deployed", function() return browser.starting[1].state == "deploying" end)
  moonrest.sleep(0.5)
end

local function play_with_sandbox(browser)
  turn_pages(browser)
  deploy(browser)
  look_at_metrics(browser)
  be_refused(browser)
  leave_one_starting(browser)
end

-- Time cannot be hurried there: this takes as long as a server needs.
local function play_with_relay(browser)
  browser.key "d"
  wait_until("a server has been found", function() return has_toast(browser, false) end)
  wait_until("it is in the list", function() return all_described(browser) end)
  moonrest.sleep(0.5)
end

return function(browser)
  if browser.source.can_measure then return play_with_sandbox(browser) end
  play_with_relay(browser)
end
