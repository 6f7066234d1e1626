rockspec_format = "3.0"
package = "moonrest"
version = "scm-1"
source = { url = "git+https://github.com/moonrest/moonrest.git" }
description = {
  summary = "REST management APIs as Lua tables",
  detailed = [[A C core does HTTP, authentication and throttling; in Lua, endpoints, pagination and responses are
tables. Five systems work out of the box: Edgegap, Edgee Console, Cygni, a template API and Capgo.]],
  license = "MIT",
}
dependencies = { "lua >= 5.4, < 5.5", "lua-cjson >= 2.1" }
external_dependencies = {
  CURL = { header = "curl/curl.h", library = "curl" },
  CRYPTO = { header = "openssl/evp.h", library = "crypto" },
}
build = {
  type = "cmake",
  variables = {
    CMAKE_INSTALL_PREFIX = "$(PREFIX)",
    CMAKE_BUILD_TYPE = "RelWithDebInfo",
    MOONREST_LUA_CDIR = "$(LIBDIR)",
    MOONREST_LUA_DIR = "$(LUADIR)",
    MOONREST_BIN_DIR = "$(BINDIR)",
    MOONREST_TESTS = "OFF",
    MOONREST_WERROR = "OFF",
  },
}
