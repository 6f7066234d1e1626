local test_api = require "spec.support.test_api"

local query_of, rows = test_api.query_of, test_api.rows

describe("page style", function()
  local shop, core

  local function open(paged, change, codec)
    shop, core = test_api.open({ json = codec }, function(at)
      local list = at.resources.items.list
      at.pages, list.paged, list.query = nil, paged, { limit = "integer" }
      at.envelope, at.resources.orders, at.tenant = nil, nil, nil
      if change then change(at) end
    end)
  end

  local function count(parameters, given)
    local items, reason = shop.items:all(parameters, given)
    if not items then error(reason, 0) end
    local known = {}
    for _, item in ipairs(items) do known[item.id] = true end
    local distinct = 0
    for _ in pairs(known) do distinct = distinct + 1 end
    return #items, distinct
  end

  local function fails(kind, pattern, ...)
    local items, err = shop.items:all(...)
    assert.is_nil(items)
    assert.equal(kind, err.kind)
    assert.matches(pattern, err.message)
  end

  -- Pages of 10 out of 'total', 'tell' adds what the server says.
  local function serve(total, tell, first)
    first = first or 1
    core.handle(function(sent)
      local query = query_of(sent)
      local size = math.min(query.limit or 10, 10)
      local page = (query.page or first) - first
      local answer = tell(rows(page * size + 1, math.min((page + 1) * size, total)), page + first, size)
      return answer.status and answer or { status = 200, json = answer }
    end)
  end

  describe("page", function()
    it("ends by has_next, and follows the server's next number", function()
      open { style = "page", page = "page", size = "limit", items = "apps", has_next = "pagination.has_next",
        next = "pagination.next_page_number" }
      serve(35, function(items, page)
        return { apps = items, total_count = 35,
          pagination = { has_next = page < 4, next_page_number = page < 4 and page + 1 or nil } }
      end)
      assert.same({ 35, 35 }, { count() })
      assert.equal(4, #core.sent)
    end)

    it("goes on through an empty page that says there is more", function()
      open { style = "page", page = "page", items = "apps", has_next = "has_next" }
      core.answer { status = 200, json = { apps = rows(1, 2), has_next = true } }
      core.answer { status = 200, json = { apps = rows(1, 0), has_next = true } }
      core.answer { status = 200, json = { apps = rows(3, 4), has_next = false } }
      assert.equal(4, (count()))
    end)

    it("refuses to go back", function()
      open { style = "page", page = "page", items = "apps", has_next = "has_next", next = "next" }
      core.handle(function() return { status = 200, json = { apps = rows(1, 2), has_next = true, next = 1 } } end)
      fails("decode", "page 1: the server says that page 1 follows page 1")
    end)

    it("ends by the number of pages, none included", function()
      open { style = "page", page = "page", size = "limit", items = "data", pages = { "meta.pages", "totalPages" } }
      serve(20, function(items, _, size) return { data = items, totalPages = (20 + size - 1) // size } end)
      assert.equal(20, (count()))
      assert.equal(2, #core.sent)
      core.answer { status = 200, json = { data = core.json.array {}, meta = { pages = 0 } } }
      assert.equal(0, (count()))
    end)

    it("ends by the total, also when the size of a page is unknown", function()
      open { style = "page", page = "page", size = "limit", items = "data", total = "total" }
      serve(35, function(items) return { data = items, total = 35 } end)
      assert.equal(35, (count()))
      assert.equal(4, #core.sent)
      assert.equal(15, (count { page = 3 }))
      assert.equal(6, #core.sent)
      assert.equal(5, (count { page = 4 })) -- a short page: one more request makes sure
    end)

    it("takes a negative count for none", function()
      open { style = "page", page = "page", size = "limit", items = "data", pages = "pages", total = "total" }
      core.answer { status = 200, json = { data = rows(1, 10), pages = -1, total = -1 } }
      fails("truncated", "does not tell whether there are more pages")
    end)

    it("counts from 0 where the API does", function()
      open { style = "page", page = "page", first = 0, total = "total", items = "data", fixed_size = 10 }
      serve(25, function(items) return { data = items, total = 25 } end, 0)
      assert.equal(25, (count()))
      assert.equal(0, query_of(core.sent[1]).page)
      assert.equal(2, query_of(core.sent[3]).page)
    end)

    it("ends by a short page where that is trusted", function()
      open { style = "page", page = "page", size = "limit", default_size = 10, max_size = 10, ends = "short" }
      serve(25, function(items) return items end)
      assert.equal(25, (count()))
      assert.equal(3, #core.sent)
      assert.equal(25, (count { limit = 7 }))
    end)

    it("is whole without a word of more, unless it is full", function()
      local function answers(total) core.answer { status = 200, json = rows(1, total) } end
      for name, size in pairs { default_size = 10, fixed_size = 10 } do
        open { style = "page", page = "page", size = "limit", ends = "missing", [name] = size }
        answers(9)
        assert.equal(9, (count()))
        answers(11)
        assert.equal(11, (count()))
        answers(10)
        fails("truncated", "does not tell whether there are more pages")
      end
      open { style = "page", page = "page", size = "limit", ends = "missing" }
      answers(10)
      assert.equal(10, (count()))
      answers(7) -- more than was asked for: who pays no heed to the size gives all
      assert.equal(7, (count { limit = 5 }))
      answers(5)
      fails("truncated", "does not tell", { limit = 5 })
      answers(5)
      assert.equal(5, (count({ limit = 5 }, { max_items = 5 })))
    end)

    it("does not take a page for short when the server gives less than was asked", function()
      open { style = "page", page = "page", size = "limit", ends = "short" }
      serve(25, function(items) return items end) -- never more than 10, whatever is asked
      assert.equal(25, (count { limit = 1000 }))
    end)

    it("ends by an empty page, or by an error that means it", function()
      open { style = "page", page = "page", first = 0, ends = "empty" }
      serve(20, function(items) return items end, 0)
      assert.equal(20, (count()))
      assert.equal(3, #core.sent)
      open({ style = "page", page = "page", first = 0, ends = "empty", end_errors = { cannot_get_bundle = 400 } },
        function(at)
        at.errors.code = { "error" }
      end)
      serve(20, function(items)
        return items[1] and items or { status = 400, body = '{"error":"cannot_get_bundle","message":"m"}' }
      end, 0)
      assert.equal(20, (count()))
      core.handle(function() return { status = 400, body = '{"error":"other","message":"m"}' } end)
      fails("http", "m")
    end)

    it("ends by no other error of the same code", function()
      local errors = {
        { true, '{"error":"none","message":"No more","info":{"cause":null}}' },
        { true, '{"error":"none","message":"No more"}' },
        { false, '{"error":"none","message":"Not yours","info":{}}' },
        { false, '{"error":"none","message":"No more","info":{"cause":{"code":"57014"}}}' },
        { false, '{"error":"none","message":"No more"}', 500 },
      }
      open({
        style = "page", page = "page", ends = "empty",
        end_errors = { none = { status = 400, message = "No more", absent = "info.cause" } },
      }, function(at) at.errors.code = { "error" } end)
      for _, null in ipairs { "drop", "keep" } do
        for _, case in ipairs(errors) do
          core.answer { status = 200, json = rows(1, 3) }
          core.answer { status = case[3] or 400, body = case[2] }
          local items, problem, before = shop.items:all({}, { null = null })
          if case[1] then
            assert.same({ 3, "end" }, { #items, problem })
          else
            assert.same({ "http", "none", 3 }, { problem.kind, problem.code, #before })
          end
        end
      end
    end)

    it("drops what overlapping pages repeat, and ends when a page has nothing new", function()
      open({ style = "page", page = "page", first = 0, ends = "no_new", overlap = true }, function(at)
        at.resources.items.list.key = "id"
      end)
      local ranges = { [0] = { 1, 50 }, { 51, 550 }, { 101, 1050 }, { 151, 1120 }, { 201, 1120 } }
      core.handle(function(sent)
        local range = ranges[query_of(sent).page]
        return { status = 200, json = range and rows(range[1], range[2]) or core.json.array {} }
      end)
      assert.same({ 1120, 1120 }, { count() })
      assert.equal(5, #core.sent)
      local numbers = {}
      for page in shop.items:pages() do numbers[#numbers + 1] = #page.items end
      assert.same({ 50, 500, 500, 70, 0 }, numbers)
    end)
  end)

  describe("page that overlaps", function()
    local function open_overlapping(signals)
      signals.style, signals.page, signals.ends, signals.overlap = "page", "page", "no_new", true
      signals.items = "data"
      open(signals, function(at) at.resources.items.list.key = "id" end)
    end

    it("is no end when the server says that there are more than it repeats", function()
      for _, name in ipairs { "has_next", "next", "pages", "total" } do
        open_overlapping { [name] = name }
        core.handle(function(sent)
          local following = (query_of(sent).page or 1) + 1
          local answer = { data = rows(1, 50), has_next = true, next = following, pages = 3, total = 100 }
          return { status = 200, json = answer }
        end)
        local items, err, before = shop.items:all()
        assert.same({ nil, "truncated", 50, 2 }, { items, err.kind, #before, #core.sent })
        assert.matches("page 2: .*has only items that were there before, .*more", err.message)
        assert.equal(50, (count({}, { max_items = 50 })))
      end
    end)

    it("counts an item once against the total", function()
      open_overlapping { total = "total" }
      local ranges = { { 1, 50 }, { 26, 75 }, { 51, 100 } }
      core.handle(function(sent)
        local range = ranges[query_of(sent).page]
        return { status = 200, json = { data = range and rows(range[1], range[2]) or rows(1, 0), total = 100 } }
      end)
      assert.same({ 100, 100 }, { count() })
      assert.equal(3, #core.sent)
    end)

    it("ends when the server has given as many as it counts, two of them alike", function()
      for _, beyond in ipairs { "nothing", "the last page" } do
        open_overlapping { total = "total" }
        core.handle(function(sent)
          local page = query_of(sent).page
          local items = page == 1 and rows(1, 50) or rows(51, 99)
          if page == 2 or beyond == "the last page" then items[#items + 1] = { id = 50 } end
          if page > 2 and beyond == "nothing" then items = rows(1, 0) end
          return { status = 200, json = { data = items, total = 100 } }
        end)
        assert.same({ 99, 99 }, { count() })
        assert.equal(3, #core.sent)
      end
    end)

    it("follows a new cursor past what comes again", function()
      open({ style = "cursor", cursor = "c", next = "next", items = "data", overlap = true }, function(at)
        at.resources.items.list.key = "id"
      end)
      core.answer { status = 200, json = { data = rows(1, 2), next = "a" } }
      core.answer { status = 200, json = { data = rows(1, 2), next = "b" } }
      core.answer { status = 200, json = { data = rows(3, 3) } }
      assert.same({ 3, 3 }, { count() })
    end)
  end)

  describe("offset", function()
    it("counts items and ends by the total, or by has_more", function()
      open { style = "offset", offset = "offset", size = "limit", items = "logs", total = "pagination.total" }
      core.handle(function(sent)
        local offset = query_of(sent).offset
        return { status = 200, json = { logs = rows(offset + 1, math.min(offset + 10, 25)),
          pagination = { total = 25 } } }
      end)
      assert.equal(25, (count()))
      assert.same({ 0, 10, 20 }, { query_of(core.sent[1]).offset, query_of(core.sent[2]).offset,
        query_of(core.sent[3]).offset })
      open { style = "offset", offset = "offset", items = "logs", has_more = "more" }
      core.answer { status = 200, json = { logs = rows(1, 3), more = true } }
      core.answer { status = 200, json = { logs = rows(4, 5), more = false } }
      assert.equal(5, (count()))
      core.answer { status = 200, json = { logs = rows(1, 0), more = true } }
      fails("truncated", "an empty page says that there are more")
    end)
  end)

  describe("cursor", function()
    local paged = { style = "cursor", cursor = "start_key", next = "last_key", has_more = "has_more", size = "limit",
      items = "data" }

    it("passes the server's cursor on, escaped", function()
      open(paged)
      core.answer { status = 200, json = { data = rows(1, 2), has_more = true, last_key = "2026|dev ice" } }
      core.answer { status = 200, json = { data = rows(3, 3), has_more = false, last_key = "x" } }
      assert.equal(3, (count()))
      assert.equal("/items", core.sent[1].target)
      assert.equal("/items?start_key=2026%7Cdev%20ice", core.sent[2].target)
    end)

    it("may be a number of many digits, also where lua-cjson makes a float of it", function()
      for _, codec in ipairs { "moonrest", "cjson" } do
        open({ style = "cursor", cursor = "c", next = "next", items = "data" }, nil, codec)
        core.handle(function(sent)
          local at = query_of(sent).c or 4503599627370496
          local left = 4503599627370499 - at
          return { status = 200, json = { data = rows(at, at), next = left > 0 and at + 1 or nil } }
        end)
        local token
        for _, place in shop.items:each({}, { max_items = 2 }) do token = place:resume() end
        assert.equal("1|shop.items:list|3|0|-|-|i4503599627370498", token)
        assert.equal("4503599627370499.0", ("%.1f"):format(shop.items:all({}, { resume = token })[2].id))
        assert.equal(4, (count()))
      end
    end)

    it("goes into the body where the API wants it there", function()
      open({ style = "cursor", cursor = "after", next = "next", in_body = true, items = "data" }, function(at)
        at.resources.items.list[1] = "POST /items/search"
        at.resources.items.list.read = true
      end)
      core.answer { status = 200, json = { data = rows(1, 2), next = "c1" } }
      core.answer { status = 200, json = { data = rows(3, 3) } }
      assert.equal(3, (count()))
      assert.equal("c1", core.sent[2].json.after)
    end)

    it("raises when the cursor is missing, or comes again", function()
      open(paged)
      core.answer { status = 200, json = { data = rows(1, 2), has_more = true } }
      fails("truncated", "says that there is more, but has no cursor")
      core.answer { status = 200, json = { data = rows(1, 2) } }
      fails("truncated", "does not tell")
      for index = 1, 4 do
        core.answer { status = 200, json = { data = rows(index, index), has_more = true, last_key = "k" .. index % 2 } }
      end
      fails("decode", "a cursor that it had sent before")
    end)

    it("raises when the cursor that a walk began with comes again, and gives no item twice", function()
      open(paged)
      core.handle(function(sent)
        local from = query_of(sent).start_key and 3 or 1
        return { status = 200, json = { data = { from, from + 1 }, has_more = true, last_key = "k" } }
      end)
      local _, err, items = shop.items:all()
      assert.same({ "decode", 4 }, { err.kind, #items })
      for _, given in ipairs { { nil, { resume = err.resume } }, { { start_key = "k" } } } do
        local _, again, left = shop.items:all(given[1], given[2])
        assert.same({ "decode", given[1] and 2 or 0 }, { again.kind, #left })
        assert.matches("a cursor that it had sent before", again.message, 1, true)
      end
    end)

    it("is not whole without a cursor when the page is as full as was asked for", function()
      open { style = "cursor", cursor = "c", next = "next", has_more = "has_more", items = "data", size = "limit",
        ends = "missing" }
      local function answers(total) core.answer { status = 200, json = { data = rows(1, total) } } end
      for _, total in ipairs { 0, 9, 11 } do -- 11: who pays no heed to the size gives all
        answers(total)
        assert.equal(total, (count { limit = 10 }))
      end
      answers(10)
      assert.equal(10, (count()))
      answers(10)
      fails("truncated", "does not tell whether there are more pages", { limit = 10 })
      answers(10)
      assert.equal(10, (count({ limit = 10 }, { max_items = 10 })))
    end)

    it("is not whole without a cursor where the rule says that it goes on", function()
      for rule, total in pairs { short = 10, empty = 3, no_new = 3 } do
        open { style = "cursor", cursor = "c", next = "next", has_more = "has_more", items = "data", ends = rule,
          fixed_size = 10 }
        core.answer { status = 200, json = { data = rows(1, total) } }
        fails("truncated", "does not tell whether there are more pages")
      end
    end)

    it("ends without a cursor where that is the only signal, or where missing signals are allowed to", function()
      open { style = "cursor", cursor = "c", next = "next", items = "data" }
      core.answer { status = 200, json = { data = rows(1, 2) } }
      assert.equal(2, (count()))
      open { style = "cursor", cursor = "c", next = "next", has_more = "has_more", items = "data", ends = "missing" }
      core.answer { status = 200, json = { data = rows(1, 2) } }
      assert.equal(2, (count()))
    end)
  end)

  describe("link", function()
    it("follows rel=next on the same origin", function()
      open { style = "link", size = "limit" }
      core.answer { status = 200, json = rows(1, 2),
        headers = { Link = '<https://api.shop.example/v1/items?page=2>; rel="next"' } }
      core.answer { status = 200, json = rows(3, 4),
        headers = { Link = '</v1/items?page=3>; rel=next, </a>; rel=first' } }
      core.answer { status = 200, json = rows(5, 5), headers = { Link = '</a>; rel="first"' } }
      assert.equal(5, (count { limit = 2 }))
      assert.equal("/items?limit=2", core.sent[1].target)
      assert.equal("https://api.shop.example/v1/items?page=2", core.sent[2].target)
      assert.is_true(core.sent[2].options.absolute)
      assert.equal("https://api.shop.example/v1/items?page=3", core.sent[3].target)
    end)

    it("never leaves the origin, and does not run in circles", function()
      open { style = "link" }
      for _, url in ipairs { "https://evil.example/items", "http://api.shop.example/v1/items", "//evil.example/x" } do
        core.answer { status = 200, json = rows(1, 2), headers = { Link = ("<%s>; rel=next"):format(url) } }
        fails("redirect", "at another server")
      end
      local page = 0
      core.handle(function()
        page = page + 1
        return { status = 200, json = rows(page, page), headers = { Link = "</v1/items?p=1>; rel=next" } }
      end)
      fails("decode", "a cursor that it had sent before")
    end)
  end)

  it("link does not end at a next page that cannot be read", function()
    open { style = "link" }
    for _, header in ipairs { "</v1/items?p=2>; rel='next'", "</v1/items?p=2; rel=next" } do
      core.answer { status = 200, json = rows(1, 2), headers = { Link = header } }
      fails("decode", "tells of a next page in a form that cannot be read: </v1")
    end
    for _, header in ipairs { '</a>; rel=prev; title="rel=next"', "</a?rel=next>; rel=first", "</a>; rel=nextish" } do
      core.answer { status = 200, json = rows(1, 2), headers = { Link = header } }
      assert.equal(2, (count()))
    end
  end)

  it("url follows the next URL in the body", function()
    open { style = "url", next = "links.next", items = "data" }
    core.answer { status = 200, json = { data = rows(1, 2), links = { next = "?page=2" } } }
    core.answer { status = 200, json = { data = rows(3, 3), links = {} } }
    assert.equal(3, (count()))
    assert.equal("https://api.shop.example/v1/items?page=2", core.sent[2].target)
    core.answer { status = 200, json = { data = rows(1, 2), links = { next = { href = "?page=2" } } } }
    fails("decode", "the URL of the next page is neither text nor a number")
  end)

  it("single is not the whole list when the server cuts it at a size", function()
    for total = 9, 10 do
      open { style = "single", fixed_size = 10 }
      core.handle(function() return { status = 200, json = rows(1, total) } end)
      if total == 10 then fails("truncated", "at most 10 items") else assert.equal(9, (count())) end
    end
  end)

  it("does not take an object for an empty list", function()
    open { style = "page", page = "page", size = "limit", items = "apps", has_next = "has_next" }
    core.handle(function() return { status = 200, json = { apps = { a = 1 }, has_next = false } } end)
    fails("decode", "page 1: the answer has an object where the list should be")
  end)

  local styles = {
    { style = "page", page = "page", has_next = "has_next" }, { style = "page", page = "page", total = "total" },
    { style = "offset", offset = "offset", total = "total" },
    { style = "offset", offset = "offset", has_more = "more" },
    { style = "cursor", cursor = "cursor", next = "next" }, { style = "link" }, { style = "url", next = "next" },
    { style = "single" },
  }

  it("takes nothing but a list for one", function()
    local signals = { has_next = false, total = 0, more = false }
    open(styles[1])
    core.answer { status = 200, json = { has_next = false, data = { 1 } } }
    fails("decode", "the answer has an object where the list should be")
    for _, style in ipairs(styles) do
      for _, items in ipairs { "data", false } do
        style.items = items or nil
        local enclose = not items and function(at) at.envelope = { data = "data" } end
        for _, other in ipairs { { a = 1 }, "text", 5, true } do
          open(style, enclose)
          local body = { data = other }
          for name, value in pairs(signals) do body[name] = value end
          core.answer { status = 200, json = body }
          fails("decode", "the answer has .+ where the list should be")
        end
        open(style, enclose)
        core.answer { status = 200, body = '{"data":{},"has_next":false,"total":0,"more":false}' }
        assert.equal(0, (count()))
      end
    end
  end)

  it("single is one page", function()
    open { style = "single" }
    core.answer { status = 200, json = rows(1, 7) }
    local items, reason = shop.items:all()
    assert.same({ 7, "end" }, { #items, reason })
    core.answer { status = 204 }
    assert.equal(0, (count()))
  end)
end)
