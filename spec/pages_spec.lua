local test_api = require "spec.support.test_api"

local query_of, rows = test_api.query_of, test_api.rows

describe("pages", function()
  local shop, core

  local function open(paged, change)
    shop, core = test_api.open({ org_id = "o" }, function(at)
      at.resources.items.list.paged = paged or true
      at.resources.items.list.query.cursor = "string"
      at.resources.items.list.query.offset = "integer"
      if change then change(at) end
    end)
  end

  -- A server with 'total' items in pages of its size, told by 'describe(page, size, total)'.
  local function serve(total, size, describe_page)
    core.handle(function(sent)
      local query = query_of(sent)
      local page, asked = query.page or 1, math.min(query.limit or size, size)
      local items = rows((page - 1) * asked + 1, math.min(page * asked, total))
      return { status = 200, json = describe_page(items, page, asked) }
    end)
  end

  local function with_pages(total, size)
    serve(total, size, function(items, page, asked)
      return { data = items, meta = { page = page, pages = (total + asked - 1) // asked } }
    end)
  end

  local function ids(iterator, state, control, closing)
    local list = {}
    for item in iterator, state, control, closing do list[#list + 1] = item.id end
    return list
  end

  local function numbers(first, last)
    local list = {}
    for number = first, last do list[#list + 1] = number end
    return list
  end

  local function raised(call)
    local ok, err = pcall(call)
    assert.is_false(ok)
    assert.is_table(err, err)
    return err
  end

  before_each(function() open() end)

  describe("each", function()
    it("gives every item of every page", function()
      with_pages(25, 10)
      assert.same(numbers(1, 25), ids(shop.items:each()))
      assert.equal(3, #core.sent)
    end)

    it("works on the resource, on the operation, and from a given page", function()
      with_pages(25, 10)
      assert.same(numbers(11, 25), ids(shop.items.list:each { page = 2, limit = 10 }))
      assert.equal(10, query_of(core.sent[1]).limit)
    end)

    it("asks for the largest pages, but not for more than is wanted", function()
      with_pages(25, 100)
      ids(shop.items:each())
      assert.equal(100, query_of(core.sent[1]).limit)
      ids(shop.items:each({}, { max_items = 5 }))
      assert.equal(5, query_of(core.sent[2]).limit)
    end)

    it("begins with the page that a call with this number gives, in pages of the server's own size", function()
      with_pages(65, 20)
      for _, given in ipairs { {}, { max_items = 50 } } do
        assert.same(numbers(21, 65), ids(shop.items:each({ page = 2 }, given)))
        for index, sent in ipairs(core.sent) do assert.same({ page = index + 1 }, query_of(sent)) end
        core.sent = {}
      end
      ids(shop.items:each { page = 1 })
      assert.equal(100, query_of(core.sent[1]).limit)
      assert.same(numbers(16, 65), ids(shop.items:each { page = 4, limit = 5 }))
    end)

    it("keeps the parameters on every page", function()
      with_pages(25, 10)
      assert.same(numbers(1, 25), ids(shop.items:each { status = "active" }))
      assert.equal(3, #core.sent)
      for _, sent in ipairs(core.sent) do assert.equal("active", query_of(sent).status) end
    end)

    it("ends without an item when there is none", function()
      with_pages(0, 10)
      assert.same({}, ids(shop.items:each()))
    end)

    it("stops at the caller's limits", function()
      with_pages(100, 10)
      assert.same(numbers(1, 15), ids(shop.items:each({ limit = 10 }, { max_items = 15 })))
      assert.equal(2, #core.sent)
      assert.same(numbers(1, 20), ids(shop.items:each({ limit = 10 }, { max_pages = 2 })))
      assert.same({}, ids(shop.items:each({}, { max_items = 0 })))
      assert.equal(4, #core.sent)
    end)

    it("raises the err of a page", function()
      with_pages(100, 10)
      core.answer { status = 200, json = { data = rows(1, 10), meta = { pages = 9 } } }
      core.answer { status = 500, body = '{"message":"broken"}' }
      local list = {}
      local err = raised(function()
        for item in shop.items:each { limit = 10 } do list[#list + 1] = item.id end
      end)
      assert.same(numbers(1, 10), list)
      assert.equal(500, err.status)
      assert.matches("pages_spec%.lua:%d+$", err.where)
      assert.same(numbers(11, 100), ids(shop.items:each({ limit = 10 }, { resume = err.resume })))
    end)

    it("releases each page as it goes", function()
      with_pages(50, 10)
      ids(shop.items:each { limit = 10 })
      assert.equal(5, core.closed)
    end)

    it("refuses what is no list", function()
      assert.error_matches(function() shop.items.get:each() end, "shop.items:get is no list")
      assert.error_matches(function() shop.keys:each() end, "no operation 'list'")
      assert.error_matches(function() shop.items.each { limit = 1 } end, "call each with a colon")
      assert.error_matches(function() shop.items:each({}, { to = "f" }) end, "option 'to' is not for lists")
    end)
  end)

  describe("pages", function()
    it("gives page objects with a reason at the end", function()
      with_pages(25, 10)
      local seen = {}
      for page in shop.items:pages { limit = 10 } do
        seen[#seen + 1] = { page.number, #page.items, page.reason or "more", page.response.status }
      end
      assert.same({ { 1, 10, "more", 200 }, { 2, 10, "more", 200 }, { 3, 5, "end", 200 } }, seen)
      assert.equal(0, core.closed)
    end)

    it("cuts the last page at max_items, and can go on from there", function()
      with_pages(25, 10)
      local last
      for page in shop.items:pages({ limit = 10 }, { max_items = 13 }) do last = page end
      assert.same({ 2, 3, "max_items" }, { last.number, #last.items, last.reason })
      assert.same(numbers(14, 25), ids(shop.items:each({ limit = 10 }, { resume = last.resume })))
    end)

    it("keeps the options that it began with", function()
      with_pages(100, 10)
      local given, number = { max_items = 25, null = "keep" }, 0
      for page in shop.items:pages({ limit = 10 }, given) do
        number, given.max_items, given.null = number + 1, nil, -1
        assert.equal(number < 3 and 10 or 5, #page.items)
      end
      assert.equal(3, number)
    end)

    it("says max_pages", function()
      with_pages(25, 10)
      local last
      for page in shop.items:pages({ limit = 10 }, { max_pages = 2 }) do last = page end
      assert.equal("max_pages", last.reason)
      assert.same(numbers(21, 25), ids(shop.items:each({ limit = 10 }, { resume = last.resume })))
    end)
  end)

  describe("all", function()
    it("returns the items and the reason", function()
      with_pages(25, 10)
      local items, reason = shop.items:all { limit = 10 }
      assert.equal(25, #items)
      assert.equal("end", reason)
      items, reason = shop.items:all({ limit = 10 }, { max_items = 12 })
      assert.same({ 12, "max_items" }, { #items, reason })
      items, reason = shop.items:all({ limit = 10 }, { max_items = 20 })
      assert.same({ 20, "max_items" }, { #items, reason })
      items, reason = shop.items:all({ limit = 10 }, { max_items = 25 })
      assert.same({ 25, "end" }, { #items, reason })
      items, reason = shop.items:all({ limit = 10 }, { max_pages = 1 })
      assert.same({ 10, "max_pages" }, { #items, reason })
    end)

    it("returns nil, the err and what came before when a page fails", function()
      core.answer { status = 200, json = { data = rows(1, 10), meta = { pages = 9 } } }
      core.answer { kind = "network", message = "connection reset" }
      local items, err, before = shop.items:all { limit = 10 }
      assert.is_nil(items)
      assert.equal("network", err.kind)
      with_pages(15, 10)
      local rest = assert(shop.items:all({ limit = 10 }, { resume = err.resume }))
      assert.same({ 10, 5, 11 }, { #before, #rest, rest[1].id })
    end)

    it("is a list even when it is empty", function()
      with_pages(0, 10)
      assert.equal("[]", core.json.encode((shop.items:all())))
    end)
  end)

  describe("a place", function()
    it("resumes in the middle of a page, by token, in another client", function()
      with_pages(25, 10)
      local token
      for item, place in shop.items:each { limit = 10 } do
        if item.id == 13 then
          token = place:resume()
          assert.matches("page 2, item 13", tostring(place))
          break
        end
      end
      assert.equal("1|shop.items:list|2|3|10|-|i2", token)
      open()
      with_pages(25, 10)
      assert.same(numbers(14, 25), ids(shop.items:each({ limit = 10 }, { resume = token })))
    end)

    it("resumes behind a whole page, and knows the end", function()
      with_pages(20, 10)
      local tokens = {}
      for _, place in shop.items:each { limit = 10 } do tokens[#tokens + 1] = place:resume() or "end" end
      assert.same(numbers(11, 20), ids(shop.items:each({ limit = 10 }, { resume = tokens[10] })))
      assert.equal("end", tokens[20])
    end)

    it("is still known when the loop is over", function()
      with_pages(25, 10)
      local last
      for item, place in shop.items:each { limit = 10 } do
        last = place
        if item.id == 13 then break end
      end
      assert.equal("1|shop.items:list|2|3|10|-|i2", last:resume())
      assert.is_nil(last())
      for _, place in shop.items:each({ limit = 10 }, { max_pages = 2 }) do last = place end
      assert.equal("1|shop.items:list|3|0|10|-|i3", last:resume())
      for _, place in shop.items:each { limit = 10 } do last = place end
      assert.is_nil(last:resume())
    end)

    it("is the same place whatever size of page the options lead to", function()
      with_pages(250, 100)
      local token
      for _, place in shop.items:each({}, { max_items = 30 }) do token = place:resume() end
      assert.equal("1|shop.items:list|2|0|30|-|i2", token)
      assert.same(numbers(31, 250), ids(shop.items:each({}, { resume = token })))
      assert.same(numbers(31, 35), ids(shop.items:each({}, { resume = token, max_items = 5 })))
      assert.same(numbers(31, 250), ids(shop.items:each({ limit = "30" }, { resume = token })))
    end)

    it("refuses other parameters and other sizes than it was made with", function()
      with_pages(25, 10)
      local token
      local given = { limit = 10, status = "active" }
      for _, place in shop.items:each(given, { max_items = 3 }) do token = place:resume() end
      local function refused(values, problem)
        assert.error_matches(function() shop.items:each(values, { resume = token }) end, problem)
      end
      refused({ limit = 10 }, "other parameters")
      refused({ limit = 10, status = "gone" }, "other parameters")
      refused({ limit = 20, status = "active" }, "pages of 10 items, not of 20: leave 'limit' as it was")
      assert.equal(22, #ids(shop.items:each({ page = 2, status = "active" }, { resume = token })))
    end)

    it("refuses a token of another list", function()
      assert.error_matches(function() shop.items:each({}, { resume = "1|shop.orders:list|1|0|-|-|i1" }) end,
        "is a token of shop%.orders:list")
      assert.error_matches(function() shop.items:each({}, { resume = "nonsense" }) end, "no token")
    end)
  end)

  describe("prefetch", function()
    it("asks for the next page ahead, and cancels it on break", function()
      with_pages(50, 10)
      for item in shop.items:each({ limit = 10 }, { prefetch = true }) do
        if item.id == 1 then assert.equal(2, #core.sent) end
        if item.id == 12 then break end
      end
      assert.equal(3, #core.sent)
      assert.equal(3, core.closed)
    end)

    it("does not ask for more than is wanted", function()
      with_pages(50, 10)
      ids(shop.items:each({ limit = 10 }, { prefetch = true, max_items = 10 }))
      ids(shop.items:each({ limit = 10 }, { prefetch = true, max_pages = 1 }))
      assert.equal(2, #core.sent)
      assert.same(numbers(1, 50), ids(shop.items:each({ limit = 10 }, { prefetch = true })))
      assert.equal(7, #core.sent)
    end)
  end)

  describe("never ends silently, nor never:", function()
    it("an answer without any end signal raises", function()
      serve(25, 10, function(items) return { data = items } end)
      local err = raised(function() ids(shop.items:each { limit = 10 }) end)
      assert.equal("truncated", err.kind)
      assert.matches("page 1: the answer does not tell whether there are more pages", err.message)
    end)

    it("what is wrong about the way on is raised behind the items of its page", function()
      open { style = "single", fixed_size = 10 }
      core.handle(function() return { status = 200, json = { data = rows(1, 10) }, headers = { Served = "yes" } } end)
      local list, tokens = {}, {}
      local err = raised(function()
        for item, place in shop.items:each() do list[#list + 1], tokens[#tokens + 1] = item.id, place:resume() end
      end)
      assert.same(numbers(1, 10), list)
      assert.equal("truncated", err.kind)
      assert.matches("page 1: the server gives at most 10 items", err.message)
      assert.equal("yes", err.response.headers.served)
      assert.equal("1|shop.items:list|1|10|-|-|n", tokens[10])
      assert.equal(tokens[10], err.resume)
      err = raised(function() ids(shop.items:each({}, { resume = err.resume, max_items = 1 })) end)
      assert.equal("truncated", err.kind)
    end)

    it("whoever wants no more than a page is not told what is wrong behind it", function()
      open { style = "single", fixed_size = 10 }
      core.handle(function() return { status = 200, json = { data = rows(1, 10) } } end)
      for _, given in ipairs { { max_items = 4 }, { max_items = 10 }, { max_pages = 1 } } do
        assert.equal(given.max_items or 10, #ids(shop.items:each({}, given)))
        local items, reason = shop.items:all({}, given)
        assert.same({ given.max_items or 10, (next(given)) }, { #items, reason })
      end
      local err = raised(function()
        for page in shop.items:pages() do
          assert.same({ 10, "1|shop.items:list|1|10|-|-|n" }, { #page.items, page.resume })
          assert.is_nil(page.reason)
        end
      end)
      assert.equal("truncated", err.kind)
    end)

    it("a way on that is wrong asks for nothing ahead", function()
      open { style = "page", page = "page", has_next = "more", next = "next", size = "limit" }
      core.handle(function(sent)
        local page = query_of(sent).page
        return { status = 200, json = { data = rows(page * 2 - 1, page * 2), more = true, next = page % 3 + 1 } }
      end)
      local list = {}
      local err = raised(function()
        for item in shop.items:each({}, { prefetch = 1 }) do list[#list + 1] = item.id end
      end)
      assert.matches("page 3: the server says that page 1 follows page 3", err.message)
      assert.same({ numbers(1, 6), 3 }, { list, #core.sent })
    end)

    it("an answer without the list raises", function()
      core.answer { status = 200, json = { meta = { pages = 3 } } }
      local err = raised(function() ids(shop.items:each()) end)
      assert.equal("decode", err.kind)
      assert.matches("has no list", err.message)
    end)

    it("an answer without the list that says there is nothing is an empty one", function()
      open { style = "page", page = "page", size = "limit", total = "total", items = "things" }
      core.answer { status = 200, json = { total = 0 } }
      assert.same({}, ids(shop.items:each()))
    end)

    it("a page that comes again raises", function()
      core.handle(function() return { status = 200, json = { data = rows(1, 10), meta = { pages = 5 } } } end)
      local err = raised(function() ids(shop.items:each { limit = 10 }) end)
      assert.equal("decode", err.kind)
      assert.matches("page 2: the server sent the page before it once more", err.message)
    end)

    it("a list without end raises at the library's cap, unless the caller sets his own", function()
      local page = 0
      core.handle(function()
        page = page + 1
        return { status = 200, json = { data = { { id = page } }, meta = { pages = 1000000 } } }
      end)
      local err = raised(function() for _ in shop.items:each() do end end)
      assert.equal("limit", err.kind)
      assert.equal(10000, #core.sent)
      assert.matches("max_pages", err.message)
      assert.equal(10001, #(shop.items:all({}, { max_pages = 10001 })))
    end)
  end)

  describe("memory", function()
    it("stays constant over many pages", function()
      local page = 0
      core.handle(function()
        page = page + 1
        local items = {}
        for index = 1, 100 do items[index] = { id = page * 100 + index, name = ("n"):rep(50) } end
        return { status = 200, json = { data = items, meta = { pages = 100 } } }
      end)
      local early, late, count = nil, nil, 0
      for _ in shop.items:each { limit = 100 } do
        count = count + 1
        if count == 500 or count == 9500 then
          core.sent = {}
          collectgarbage()
          collectgarbage()
          if count == 500 then early = collectgarbage "count" else late = collectgarbage "count" end
        end
      end
      assert.equal(10000, count)
      assert.is_true(late - early < 60, ("grew by %.0f KB"):format(late - early))
    end)

    -- In a program of its own: where much is in memory the collector goes on in steps.
    it("holds one page besides the one in use", function()
      local program = [[
        local shop, core = require "spec.support.test_api".open { org_id = "o" }
        core.handle(function() -- of which nothing is kept
          core.sent = {}
          local item = '{"id":' .. os.clock() .. ',"name":"some","size":1},'
          return { status = 200, body = '{"data":[' .. item:rep(999) .. '{}],"meta":{"pages":50}}' }
        end)
        local alive, most = setmetatable({}, { __mode = "k" }), 0
        for page in shop.items:pages() do
          alive[page.items] = true
          local count = 0
          for _ in pairs(alive) do count = count + 1 end
          most = math.max(most, count)
        end
        print(most)]]
      local pipe <close> = assert(io.popen("lua5.4 -e '" .. program:gsub("'", "'\\''") .. "'"))
      assert.equal("2", pipe:read "l")
    end)
  end)
end)
