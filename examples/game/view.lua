-- Draws the browser. Nothing here waits or changes anything but the places where moving things are.

local view = {}

local white <const>, text <const>, faint <const> = 0xF2F6FCFF, 0xC9D6E6FF, 0x7F93ADFF
local panel <const>, row_color <const>, chosen_color <const> = 0x0F1B2ED8, 0x16263DD0, 0x23446CF0
local green <const>, amber <const>, red <const>, blue <const> = 0x5CE0A0FF, 0xF0B050FF, 0xF06A6AFF, 0x58A6FFFF

local state_colors <const> = { ready = green, error = red, terminated = red, terminating = red }
local graph_colors <const> = { 0x58A6FFFF, 0xC58AF9FF, 0x5CE0A0FF, 0xF0B050FF }
local progress_of <const> = { requested = 0.08, starting = 0.3, seeking = 0.3, deploying = 0.7, ready = 1 }

local function color_of(state) return state_colors[state] or amber end

local function fade(color, share)
  return color & 0xFFFFFF00 | math.floor((color & 0xFF) * math.max(0, math.min(share, 1)))
end

local function right_text(canvas, x, y, words, color, face)
  canvas.text(x - canvas.width(words, face), y, words, color, face)
end

-- As much of a text as there is room for.
local function fit(canvas, words, width, face)
  if canvas.width(words, face) <= width then return words end
  while #words > 0 and canvas.width(words .. "...", face) > width do words = words:sub(1, -2) end
  return words .. "..."
end

-- {======================================================
-- The list
-- ======================================================

local list_x <const>, list_y <const>, list_width <const>, list_height <const> = 24, 76, 616, 548
local row_height <const>, row_step <const> = 54, 58

local function draw_row(canvas, browser, place, now)
  local server = browser.servers[place]
  local known = browser.places[server.id] or server
  local y = list_y + 36 + (place - 1) * row_step
  local is_chosen = place == browser.selected
  local state = known.state == "ready" and "ready" or server.state
  local color = color_of(state)
  canvas.rectangle(list_x + 10, y, list_width - 20, row_height, is_chosen and chosen_color or row_color)
  canvas.rectangle(list_x + 10, y, 4, row_height, is_chosen and blue or fade(color, 0.5))
  local glow = state == "ready" and 1 or 0.65 + 0.35 * math.sin(now * 6)
  canvas.disc(list_x + 36, y + row_height / 2, 6, fade(color, glow))
  local city = known.city and ("%s, %s"):format(known.city, known.country) or "..."
  canvas.text(list_x + 58, y + 8, fit(canvas, city, 330, "strong"), white, "strong")
  canvas.text(list_x + 58, y + 30, server.address or server.id, faint, "small")
  right_text(canvas, list_x + list_width - 26, y + 8, state, color, "strong")
  right_text(canvas, list_x + list_width - 26, y + 30, server.tags or "", faint, "small")
end

local function draw_list(canvas, browser, now)
  canvas.rectangle(list_x, list_y, list_width, list_height, panel)
  canvas.text(list_x + 14, list_y + 9, "Servers", white, "strong")
  right_text(canvas, list_x + list_width - 14, list_y + 9, ("page %d of %d"):format(browser.page, browser.pages), text)
  for place = 1, #browser.servers do draw_row(canvas, browser, place, now) end
  local y = list_y + list_height - 32
  local total = browser.total == 1 and "1 server" or ("%d servers"):format(browser.total)
  canvas.text(list_x + 14, y + 4, total, text)
  local dots = (browser.pages - 1) * 16
  for page = 1, math.min(browser.pages, 20) do
    local x = list_x + list_width - 20 - dots + (page - 1) * 16
    canvas.disc(x, y + 12, 4, page == browser.page and blue or fade(faint, 0.4))
  end
  if browser.is_loading then
    local x = list_x + 130 + 40 * (0.5 + 0.5 * math.sin(now * 8))
    canvas.rectangle(x, y + 10, 24, 4, blue)
  end
end

-- }======================================================

-- {======================================================
-- The selected server
-- ======================================================

local side_x <const>, side_width <const> = 656, 600

local function globe_places(browser, now)
  local list, current = {}, browser.current()
  for place, server in ipairs(browser.servers) do
    local known = browser.places[server.id]
    if known and known.latitude then
      list[place] = {
        latitude = known.latitude, longitude = known.longitude, color = color_of(known.state),
        pulse = known == current and 7 + 5 * (now * 0.8 % 1) or 0,
      }
    end
  end
  local dense = {}
  for place = 1, #browser.servers do dense[#dense + 1] = list[place] end
  return dense
end

local turn = 0 -- of the globe, in radians

-- The globe swings to the selected server, and is never quite at rest.
local function draw_globe(canvas, browser, now)
  local current = browser.current()
  local wanted = current and current.longitude and -math.rad(current.longitude) or turn
  local way = (wanted + 0.3 * math.sin(now * 0.7) - turn + math.pi) % (2 * math.pi) - math.pi
  turn = turn + way * 0.05
  canvas.globe(side_x + 118, list_y + 118, 98, turn, globe_places(browser, now))
end

local function draw_fact(canvas, y, name, value, color)
  canvas.text(side_x + 250, y, name, faint, "small")
  canvas.text(side_x + 306, y - 2, fit(canvas, value, side_width - 316), color or text)
end

local function draw_details(canvas, browser, now)
  canvas.rectangle(side_x, list_y, side_width, 236, panel)
  draw_globe(canvas, browser, now)
  local server = browser.current()
  if not server then return end
  local city = server.city or "..."
  canvas.text(side_x + 250, list_y + 30, fit(canvas, city, side_width - 264, "title"), white, "title")
  canvas.text(side_x + 250, list_y + 62, server.country or "", text)
  draw_fact(canvas, list_y + 104, "State", server.state, color_of(server.state))
  draw_fact(canvas, list_y + 130, "Connect", server.address or "not yet")
  draw_fact(canvas, list_y + 156, "Mode", server.tags ~= "" and server.tags or "any")
  draw_fact(canvas, list_y + 182, "Server", server.id)
end

local function largest(values)
  local most = 0
  for _, value in ipairs(values) do most = math.max(most, value) end
  return most
end

local graph_width <const>, graph_height <const> = 294, 98

local function draw_graph(canvas, place, graph)
  local x = side_x + (place - 1) % 2 * (graph_width + 12)
  local y = list_y + 248 + (place - 1) // 2 * (graph_height + 12)
  canvas.rectangle(x, y, graph_width, graph_height, panel)
  if not graph then return end
  local values = graph.values
  canvas.text(x + 10, y + 7, graph.title, text, "small")
  local last = values[#values]
  right_text(canvas, x + graph_width - 10, y + 7, last and ("%.1f %s"):format(last, graph.unit) or "", white, "small")
  -- The last minutes only: a pixel for each value would be too many.
  local recent = table.move(values, math.max(1, #values - 59), #values, 1, {})
  canvas.curve(x + 10, y + 30, graph_width - 20, graph_height - 38, recent, largest(recent) * 1.1, graph_colors[place])
end

local function draw_graphs(canvas, browser)
  if not browser.source.can_measure then
    canvas.rectangle(side_x, list_y + 248, side_width, 2 * graph_height + 12, panel)
    return canvas.text(side_x + 14, list_y + 258, "The relay tells players nothing about load.", faint, "small")
  end
  for place = 1, 4 do draw_graph(canvas, place, browser.graphs[place]) end
end

-- }======================================================

-- {======================================================
-- Progress, toasts, the frame around it all
-- ======================================================

local progress_y <const> = 544

local function draw_progress(canvas, browser)
  canvas.rectangle(side_x, progress_y, side_width, 80, panel)
  local progress = browser.starting[1]
  if not progress then
    canvas.text(side_x + 14, progress_y + 30, "Press D to start a server near you", faint)
    return
  end
  local wanted = progress_of[progress.state] or 0.1
  progress.shown = (progress.shown or 0) + (wanted - (progress.shown or 0)) * 0.06
  local more = #browser.starting > 1 and (" and %d more"):format(#browser.starting - 1) or ""
  canvas.text(side_x + 14, progress_y + 12, ("Starting %s%s"):format(progress.id, more), white, "strong")
  right_text(canvas, side_x + side_width - 14, progress_y + 12, ("%s, %.1f s"):format(progress.state,
    progress.seconds), text)
  canvas.rectangle(side_x + 14, progress_y + 46, side_width - 28, 12, 0x1E3250FF)
  canvas.rectangle(side_x + 14, progress_y + 46, (side_width - 28) * progress.shown, 12, blue)
end

local toast_width <const>, toast_height <const>, toast_columns <const> = 360, 44, 2

-- Beside the title, the newest at the right; more than two make another row.
local function draw_toast(canvas, place, one, lifetime)
  local share = math.max(0, math.min(one.seconds / 0.25, (lifetime - one.seconds) / 0.5, 1))
  local column, row = (place - 1) % toast_columns, (place - 1) // toast_columns
  local x = side_x + side_width - toast_width - column * (toast_width + 8)
  local y = 16 + row * (toast_height + 8) - (1 - share) * 20
  canvas.rectangle(x, y, toast_width, toast_height, fade(one.is_error and 0x4A1D28F8 or 0x173F33F8, share))
  canvas.rectangle(x, y, 5, toast_height, fade(one.is_error and red or green, share))
  canvas.text(x + 18, y + 13, fit(canvas, one.text, toast_width - 32), fade(white, share))
end

local function draw_header(canvas, browser)
  canvas.text(24, 20, "Server browser", white, "title")
  canvas.text(236, 28, browser.source.title, faint)
end

local hints <const> = {
  { "Up Down", "select" }, { "Left Right", "page" }, { "D", "start a server" }, { "R", "refresh" }, { "Esc", "quit" },
}

local function draw_hints(canvas)
  local x = 24
  for _, hint in ipairs(hints) do
    local width = canvas.width(hint[1], "small") + 14
    canvas.rectangle(x, 664, width, 24, 0x23344EFF)
    canvas.text(x + 7, 669, hint[1], white, "small")
    canvas.text(x + width + 6, 669, hint[2], faint, "small")
    x = x + width + canvas.width(hint[2], "small") + 24
  end
end

function view.draw(canvas, browser, now)
  draw_header(canvas, browser)
  draw_list(canvas, browser, now)
  draw_details(canvas, browser, now)
  draw_graphs(canvas, browser)
  draw_progress(canvas, browser)
  draw_hints(canvas)
  for place = #browser.toasts, 1, -1 do draw_toast(canvas, place, browser.toasts[place], browser.toast_seconds) end
end

-- }======================================================

return view
