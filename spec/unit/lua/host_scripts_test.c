/*
** As host_game_test, for short scripts: what tasks, lists, streams and files do when memory is short. Only allocations in
** frames fail here, as a start is that of the game. Every one is with MOONREST_EVERY_ALLOCATION=all.
*/
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host_rounds.h"

#define SAMPLES 12
#define FRAMES  20

#define FURNISH(name)                                                                              \
  "system = '" name "'\n"                                                                          \
  "server = require 'moonrest.sandbox'.start { systems = { system }, limits = false }\n"           \
  "function restore() server:reset() end\n"

/* Jobs return true, or nil, err; each runs in a task of its own. What they find wrong is an error. */
#define JOBS(name, options)                                                                        \
  "local url, token = ...\n"                                                                       \
  "local moonrest = require 'moonrest'\n"                                                          \
  "client = moonrest.open('" name "', { base_url = url, token = token, " options " })\n"           \
  "local jobs, seen, done, last = {}, {}, 0, 0\n"                                                  \
  "function complaints() return seen end\n"                                                        \
  "local function note(err)\n"                                                                     \
  "  seen[#seen + 1] = type(err) == 'table' and err.message or tostring(err)\n"                    \
  "end\n"                                                                                          \
  "local function attempt(job, turn)\n"                                                            \
  "  local ok, good, err = pcall(job)\n"                                                           \
  "  if not ok then return note(good) end\n"                                                       \
  "  if not good then return note(err) end\n"                                                      \
  "  if turn == last then done = done + 1 end\n"                                                   \
  "end\n"                                                                                          \
  "function again()\n"                                                                             \
  "  done, last = 0, last + 1\n"                                                                   \
  "  for _, job in ipairs(jobs) do moonrest.spawn(attempt, job, last) end\n"                       \
  "end\n"                                                                                          \
  "function is_whole() return done == #jobs end\n"                                                 \
  "function frame(number) if number == 1 then again() end end\n"

static const char tasks[] =
    JOBS("cygni",
         "plan = 'enterprise'") "local function ids()\n"
                                "  local list, err = client.deployments:list { limit = 5 }\n"
                                "  if not list then return nil, err end\n"
                                "  local found = {}\n"
                                "  for place, one in ipairs(list) do found[place] = one.id end\n"
                                "  assert(#found == 5, 'five were asked for')\n"
                                "  return found\n"
                                "end\n"
                                "local function get(id) return client.deployments:get(id) end\n"
                                "jobs[1] = function()\n"
                                "  local list, err = ids()\n"
                                "  if not list then return nil, err end\n"
                                "  local told = 0\n"
                                "  local found, failures = moonrest.map(list, get, { concurrency = "
                                "3, progress = function() told = told + 1 end })\n"
                                "  if failures then return nil, select(2, next(failures)) end\n"
                                "  for place, one in ipairs(found) do assert(one.id == "
                                "list[place], 'another one') end\n"
                                "  assert(#found == 5 and told == 5, 'not all of them')\n"
                                "  return true\n"
                                "end\n"
                                "jobs[2] = function()\n"
                                "  local list, err = ids()\n"
                                "  if not list then return nil, err end\n"
                                "  local found, problem = moonrest.all {\n"
                                "    first = function() return get(list[1]) end, second = "
                                "function() return get(list[2]) end }\n"
                                "  if not found then return nil, problem end\n"
                                "  assert(found.first.id == list[1] and found.second.id == "
                                "list[2], 'mixed up')\n"
                                "  local won = moonrest.race { function() moonrest.sleep(1) end, "
                                "function() return 'won' end }\n"
                                "  assert(won == 'won', 'the race')\n"
                                "  return true\n"
                                "end\n"
                                "jobs[3] = function()\n"
                                "  local slow <close> = moonrest.spawn(function() return "
                                "client.projects:list() end)\n"
                                "  local dropped <close> = moonrest.spawn(function() return "
                                "client.projects:list() end)\n"
                                "  moonrest.sleep(0.001)\n"
                                "  dropped:cancel()\n"
                                "  local list, err = slow:await()\n"
                                "  if not list then return nil, err end\n"
                                "  return #list > 0\n"
                                "end\n";

static const char iterators[] = JOBS(
    "cygni", "plan = 'enterprise'") "local function each_id()\n"
                                    "  return moonrest.wrap(function()\n"
                                    "    for one in client.deployments:each({ limit = 5 }, { "
                                    "max_items = 15, prefetch = 2 }) do\n"
                                    "      coroutine.yield(one.id)\n"
                                    "    end\n"
                                    "  end)\n"
                                    "end\n"
                                    "jobs[1] = function()\n"
                                    "  local known, count = {}, 0\n"
                                    "  for id in each_id() do\n"
                                    "    assert(not known[id], 'one came twice')\n"
                                    "    known[id], count = true, count + 1\n"
                                    "  end\n"
                                    "  assert(count == 15, 'not all of them')\n"
                                    "  return true\n"
                                    "end\n"
                                    "jobs[2] = function()\n"
                                    "  local items = client.deployments:each({ limit = 5 }, { "
                                    "max_items = 10 })\n"
                                    "  local found, failures = moonrest.map(items, function(one) "
                                    "return one.id end, { concurrency = 2 })\n"
                                    "  if failures then return nil, select(2, next(failures)) end\n"
                                    "  assert(#found == 10, 'not all of them')\n"
                                    "  return true\n"
                                    "end\n"
                                    "jobs[3] = function()\n"
                                    "  for one in client.deployments:each({ limit = 5 }, { "
                                    "prefetch = 3 }) do\n"
                                    "    if one then break end\n"
                                    "  end\n"
                                    "  return true\n"
                                    "end\n";

static const char events[] = JOBS(
    "cygni", "plan = 'enterprise'") "jobs[1] = function()\n"
                                    "  local list, err = client.deployments:list { limit = 1 }\n"
                                    "  if not list then return nil, err end\n"
                                    "  local count = 0\n"
                                    "  for event in client.deployments.logs:stream { id = "
                                    "list[1].id, follow = true } do\n"
                                    "    assert(moonrest.json.decode(event.data), 'no JSON')\n"
                                    "    count = count + 1\n"
                                    "    if count == 3 then break end\n"
                                    "  end\n"
                                    "  assert(count == 3, 'the stream ended')\n"
                                    "  return true\n"
                                    "end\n";

/* Files stand beside the shared limits, in the folder that the rounds of a process have. */
static const char files[] = JOBS(
    "edgee",
    "org_id = 'org_1'") "local folder = os.getenv 'XDG_RUNTIME_DIR'\n"
                        "local wanted = { period = '7d', format = 'csv' }\n"
                        "local function content(path)\n"
                        "  local file <close> = assert(io.open(path, 'rb'))\n"
                        "  return file:read 'a'\n"
                        "end\n"
                        "local size\n"
                        "jobs[1] = function()\n"
                        "  local path, told = folder .. '/export.csv', 0\n"
                        "  local done, err = client.logs:export(wanted, { to = path, progress = "
                        "function() told = told + 1 end })\n"
                        "  if not done then return nil, err end\n"
                        "  local whole = content(path)\n"
                        "  assert(done.bytes == #whole and whole:sub(1, 10) == 'Timestamp,' and "
                        "whole:sub(-1) == '\\n', 'not whole')\n"
                        "  assert(#whole > 1000 and (size or #whole) == #whole and told > 0, "
                        "'another size')\n"
                        "  size = #whole\n"
                        "  return true\n"
                        "end\n"
                        "jobs[2] = function()\n"
                        "  local parts = {}\n"
                        "  for bytes in client.logs.export:stream(wanted) do parts[#parts + 1] = "
                        "bytes end\n"
                        "  local whole = table.concat(parts)\n"
                        "  assert(#whole > 1000 and (size or #whole) == #whole, 'another size')\n"
                        "  size = #whole\n"
                        "  return true\n"
                        "end\n"
                        "jobs[3] = function()\n"
                        "  local path = folder .. '/key.json'\n"
                        "  do\n"
                        "    local file <close> = assert(io.open(path, 'wb'))\n"
                        "    file:write '{ \"name\": \"upload\" }'\n"
                        "  end\n"
                        "  local made, err = client:request('POST', "
                        "'/v1/organizations/org_1/api_keys',\n"
                        "    { upload = path }, { content_type = 'application/json' })\n"
                        "  if not made then return nil, err end\n"
                        "  return true\n"
                        "end\n";

static void check(const struct host_program *program) {
  assert_int_equal(host_rounds_run(program, SAMPLES), 0);
}

static void test_tasks(void **state) {
  (void)state;
  check(&(struct host_program){"tasks", FRAMES, true, FURNISH("cygni"), tasks});
}

static void test_iterators(void **state) {
  (void)state;
  check(&(struct host_program){"iterators", FRAMES, true, FURNISH("cygni"), iterators});
}

static void test_events(void **state) {
  (void)state;
  check(&(struct host_program){"events", FRAMES, true, FURNISH("cygni"), events});
}

static void test_files(void **state) {
  (void)state;
  check(&(struct host_program){"files", FRAMES, true, FURNISH("edgee"), files});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tasks),
      cmocka_unit_test(test_iterators),
      cmocka_unit_test(test_events),
      cmocka_unit_test(test_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
