-- The traffic that the Edgee sandbox pretends to have seen: the rows of the
-- logs export, and the sums that the usage query makes of them.
--
-- Row i of n depends only on the seed, on i and on the window, so that the same
-- question gives the same answer, a million rows cost no memory, and the sums
-- agree with the export to the nano-dollar.

local calendar = require "moonrest.sandbox.calendar"
local support = require "moonrest.sandbox.support"

local NANO = 1000000000

local traffic = {}

-- Prices in nano-dollars a token, out of which all costs come as integers.
traffic.MODELS = {
  { id = "claude-sonnet-4-5", author = "anthropic", name = "Claude Sonnet 4.5", input = 3000, output = 15000,
    providers = { "anthropic", "bedrock" } },
  { id = "gpt-5-mini", author = "openai", name = "GPT-5 mini", input = 250, output = 2000,
    providers = { "openai", "azure" } },
  { id = "gemini-2.5-flash", author = "google", name = "Gemini 2.5 Flash", input = 300, output = 2500,
    providers = { "google_vertex_ai" } },
  { id = "mistral-small", author = "mistral", name = "Mistral Small", input = 100, output = 300,
    providers = { "mistral" } },
  { id = "glm-4.5-flash", author = "zai", name = "GLM 4.5 Flash", input = 0, output = 0, providers = { "zai" } },
}

-- The keys that made the traffic. Their names hold what trips naive CSV readers.
traffic.KEYS = {
  { id = "key_0001", name = "Production" },
  { id = "key_0002", name = "Staging, EU" },
  { id = "key_0003", name = 'Laptop of "Zoë"' },
  { id = "key_0004", name = "nightly-jobs" },
}

traffic.USERS = { "user_0001", "user_0002", "user_0003" }

local tag_sets = {
  { "team:web", "env:production" }, { "team:game", "env:staging" }, { "team:game" }, {}, { "team:web" },
}

-- Takes a choice out of a list, and what is left of the hash for the next one.
local function choose(list, hash)
  return list[hash % #list + 1], hash // #list
end

-- Row 'index' of 'count' in the window { from =, to = } (seconds since 1970), oldest first.
function traffic.row(seed, index, count, window)
  local choices, amounts = support.mix(seed, index, 1), support.mix(seed, index, 2)
  local model, key, tags, user, provider
  model, choices = choose(traffic.MODELS, choices)
  key, choices = choose(traffic.KEYS, choices)
  tags, choices = choose(tag_sets, choices)
  user, choices = choose(traffic.USERS, choices)
  provider = choose(model.providers, choices)
  local input, output = 20 + amounts % 4000, 1 + amounts // 4000 % 1500
  return {
    time = window.from + (window.to - window.from) * (index - 0.5) / count,
    key = key, model = model, provider = provider, user = user, tags = tags,
    input = input, output = output, cost = input * model.input + output * model.output,
  }
end

-- Export ------------------------------------------------------------------

local columns = { "Timestamp", "API Key", "Model", "Provider", "Input Tokens", "Output Tokens", "Cost", "Tags" }
local function json_text(text)
  return '"' .. text:gsub('[\\"]', "\\%0") .. '"'
end

-- How names and tags are written, once for all rows.
local csv_texts, json_texts = {}, {}
for _, key in ipairs(traffic.KEYS) do
  csv_texts[key], json_texts[key] = support.csv_field(key.name), json_text(key.name)
end
for _, tags in ipairs(tag_sets) do
  csv_texts[tags] = support.csv_field(table.concat(tags, ","))
  json_texts[tags] = "[" .. table.concat(support.map(tags, json_text), ",") .. "]"
end

local CSV_LINE = "%s,%s,%s,%s,%d,%d,%d.%09d,%s\r\n"
local JSON_LINE = '{"Timestamp":"%s","API Key":%s,"Model":"%s","Provider":"%s","Input Tokens":%d,'
  .. '"Output Tokens":%d,"Cost":%d.%09d,"Tags":%s}'

-- Costs are dollars with nine places, without a float on the way.
local function line_of(form, texts, row)
  return form:format(calendar.iso(row.time), texts[row.key], row.model.id, row.provider, row.input, row.output,
    row.cost // NANO, row.cost % NANO, texts[row.tags])
end

local function csv_line(row) return line_of(CSV_LINE, csv_texts, row) end

local function json_line(row) return line_of(JSON_LINE, json_texts, row) end

local function fits(row, filter)
  if next(filter.keys) and not filter.keys[row.key.id] then return false end
  if next(filter.users) and not filter.users[row.user] then return false end
  if not next(filter.tags) then return true end
  for _, tag in ipairs(row.tags) do
    if filter.tags[tag] then return true end
  end
  return false
end

local ROWS_A_PART = 64

local formats = {
  csv = { opening = support.csv_row(columns), between = "", line = csv_line, closing = "" },
  json = { opening = "[", between = ",\n", line = json_line, closing = "]\n" },
}

-- Gives the file to write(text), part by part.
-- source: { seed, count, window, filter = { keys, users, tags } }; format: csv or json.
function traffic.export(source, format, write)
  local form = formats[format]
  local lines, between = { form.opening }, ""
  for index = 1, source.count do
    local row = traffic.row(source.seed, index, source.count, source.window)
    if fits(row, source.filter) then
      lines[#lines + 1] = between .. form.line(row)
      between = form.between
    end
    if #lines >= ROWS_A_PART then
      write(table.concat(lines))
      lines = {}
    end
  end
  lines[#lines + 1] = form.closing
  local rest = table.concat(lines)
  if rest ~= "" then write(rest) end
end

-- Sums --------------------------------------------------------------------

local function empty_sum()
  return { total_requests = 0, total_cost = 0, total_tokens = 0, input_tokens = 0, output_tokens = 0 }
end

local function add(sum, row)
  sum.total_requests = sum.total_requests + 1
  sum.total_cost = sum.total_cost + row.cost
  sum.total_tokens = sum.total_tokens + row.input + row.output
  sum.input_tokens = sum.input_tokens + row.input
  sum.output_tokens = sum.output_tokens + row.output
end

-- One entry for a model and a provider: a model that two providers serve is
-- there twice, as on the real server.
local function model_sum(sums, row)
  local key = row.model.id .. " " .. row.provider
  if not sums[key] then
    local sum = empty_sum()
    sum.model, sum.provider = row.model.id, row.provider
    sums[key], sums[#sums + 1] = sum, sum
  end
  return sums[key]
end

-- Hours look like "2026-01-31 12:00:00", days like "2026-01-31T00:00:00Z": both forms arrive.
local function time_label(time, interval)
  if interval == "hour" then return os.date("!%Y-%m-%d %H:00:00", math.floor(time)) end
  return calendar.day(time) .. "T00:00:00Z"
end

local function time_sum(sums, row, interval)
  local label = time_label(row.time, interval)
  if not sums[label] then
    local sum = { timestamp = label, total_cost = 0, total_tokens = 0 }
    sums[label], sums[#sums + 1] = sum, sum
  end
  return sums[label]
end

-- Costs are integers in nano-dollars.
function traffic.usage(source, interval)
  local summary, by_model, by_time = empty_sum(), {}, {}
  for index = 1, source.count do
    local row = traffic.row(source.seed, index, source.count, source.window)
    if fits(row, source.filter) then
      add(summary, row)
      add(model_sum(by_model, row), row)
      local slot = time_sum(by_time, row, interval)
      slot.total_cost = slot.total_cost + row.cost
      slot.total_tokens = slot.total_tokens + row.input + row.output
    end
  end
  return {
    summary = summary,
    stats_by_model = support.array(table.move(by_model, 1, #by_model, 1, {})),
    stats_by_time = { data = support.array(table.move(by_time, 1, #by_time, 1, {})) },
  }
end

-- Models ------------------------------------------------------------------

-- Dollars for a million tokens. Rates of zero are left out, as the real list does.
local function rate(nano)
  return nano > 0 and nano / 1000 or nil
end

function traffic.model_list()
  return support.map(traffic.MODELS, function(model)
    local providers = {}
    for _, name in ipairs(model.providers) do
      providers[name] = {
        context_max_size = 200000, input_token_cost_per_million = rate(model.input),
        output_token_cost_per_million = rate(model.output),
      }
    end
    return {
      model_id = model.id, author_id = model.author, display_name = model.name, active = true,
      aliases = support.array { model.author .. "/" .. model.id }, providers = providers,
      plan_fallback = model.input == 0,
    }
  end)
end

return traffic
