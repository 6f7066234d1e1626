-- A locale whose fractions have a comma, which the build makes: Debian has none installed.
--
--   finally(comma_locale.enter())

local comma_locale = {}

-- Returns the function that leaves it.
function comma_locale.enter()
  local old = os.setlocale(nil, "numeric")
  assert(os.setlocale("de_DE.UTF-8", "numeric"), "no locale de_DE.UTF-8: set LOCPATH to locales of the build folder")
  return function() os.setlocale(old, "numeric") end
end

return comma_locale
