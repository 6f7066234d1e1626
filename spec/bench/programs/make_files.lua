-- What nginx serves: make_files.lua FOLDER URL PAGES ITEMS writes
--   FOLDER/things/1        an object of 200 bytes; the same again where Edgegap has an app
--   FOLDER/pages/1...      ITEMS items over so many pages, each with the URL of the next one: data, next

local folder, url, pages, items = arg[1], arg[2], tonumber(arg[3]), tonumber(arg[4])
local object_bytes <const> = 200

local function write(path, text)
  local file <close> = assert(io.open(folder .. path, "wb"))
  assert(file:write(text))
end

local function thing()
  local text = '{"id":12345,"name":"my-game","status":"Status.READY","running":true,"cost":0.0125,"tags":["eu","v2"],'
    .. '"created_at":"2024-05-01T12:00:00Z","note":"%s"}'
  return text:format(("x"):rep(object_bytes - #text:format ""))
end

local function item(number)
  return ('{"id":%d,"request_id":"%08x","name":"game-server-%d","status":"Status.READY","ready":true,"cost":%.4f,'
    .. '"created_at":"2024-05-01T12:%02d:00Z","ports":{"game":{"external":%d,"internal":7777,"protocol":"UDP"}},'
    .. '"tags":["europe","v%d"]}'):format(number, number * 40503, number, number / 10000, number % 60,
    30000 + number % 1000, number % 7)
end

local function page(number)
  local list, size = {}, items // pages
  for index = 1, size do list[index] = item((number - 1) * size + index) end
  local next_url = number < pages and ('"%s/pages/%d"'):format(url, number + 1) or "null"
  return ('{"data":[%s],"next":%s}'):format(table.concat(list, ","), next_url)
end

assert(os.execute(("mkdir -p '%s/things' '%s/v1/app' '%s/pages'"):format(folder, folder, folder)))
write("/things/1", thing())
write("/v1/app/my-game", thing())
for number = 1, pages do write("/pages/" .. number, page(number)) end
