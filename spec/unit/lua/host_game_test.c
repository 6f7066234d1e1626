/*
** The game example under an allocator that fails: its Lua half, without the screen, for its first hundred frames, in the
** hurried time of host_rounds.h. There are some 23,000 allocations, of which a sample is taken here; every one is, in
** three modes and about a quarter of an hour on two free processors, with
**
**   MOONREST_EVERY_ALLOCATION=all build/spec/host_game_test
**
** and likewise host_game_test_in_thread, where a thread drives the network and its allocations fail too.
*/
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host_rounds.h"

#define SAMPLES 60

/* As in the game's demo.lua, but for limits and latency, and with servers that are young: their metrics are short. */
static const char furnish[] = "package.path = '" GAME_DIRECTORY "/?.lua'\n"
                              "local sandbox = require 'moonrest.sandbox'\n"
                              "local start = sandbox.start\n"
                              "function sandbox.start(options)\n"
                              "  options.latency, options.limits = 0, false\n"
                              "  if not server then\n"
                              "    server = start(options)\n"
                              "    local advance = server.advance\n"
                              "    function server:advance(seconds)\n"
                              "      return advance(self, math.min(seconds, 30))\n"
                              "    end\n"
                              "  end\n"
                              "  server:reset()\n"
                              "  return server\n"
                              "end\n"
                              "system, restore = 'edgegap', require 'demo'.start\n"
                              "restore()\n";

/* As examples/game/script.c, with that sandbox for the one of demo.lua and a canvas that only measures. */
static const char start[] =
    "local url, token = ...\n"
    "package.path = '" GAME_DIRECTORY "/?.lua'\n"
    "local moonrest = require 'moonrest'\n"
    "package.preload.demo = function()\n"
    "  return { start = function()\n"
    "    client = moonrest.open('edgegap', { base_url = url, token = token })\n"
    "    return require 'account'.new(client, 'my-game', 'v1.0', { latitude = 50, longitude = 4 "
    "})\n"
    "  end }\n"
    "end\n"
    "local canvas = { width = function(words) return 7 * #words end }\n"
    "for _, name in ipairs { 'rectangle', 'disc', 'text', 'curve', 'globe' } do canvas[name] = "
    "function() end end\n"
    "local browser = require 'browser'\n"
    "browser.start {}\n"
    "local keys = { [10] = 'd', [30] = 'down', [60] = 'right', [61] = 'r', [75] = 'r', [90] = "
    "'left' }\n"
    "function frame(number)\n"
    "  if keys[number] then browser.key(keys[number]) end\n"
    "  browser.draw(canvas, number / 60)\n"
    "end\n"
    "function is_whole() return #browser.servers > 0 and not browser.is_loading end\n"
    "function again() browser.servers = {} browser.key 'r' end\n"
    "function complaints()\n"
    "  local list = {}\n"
    "  for _, toast in ipairs(browser.toasts) do\n"
    "    if toast.is_error then list[#list + 1] = toast.text end\n"
    "  end\n"
    "  return list\n"
    "end\n";

static void test_any_allocation_of_the_game_may_fail(void **state) {
  const struct host_program game = {
      .name = "game", .frames = 100, .furnish = furnish, .start = start};
  (void)state;
  assert_int_equal(host_rounds_run(&game, SAMPLES), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_allocation_of_the_game_may_fail)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
