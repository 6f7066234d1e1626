-- Seeded random numbers: xorshift64*, so that a seed gives the same world on every Lua 5.4.

local random = {}

local function mix(state)
  state = state ~ (state >> 12)
  state = state ~ (state << 25)
  return state ~ (state >> 27)
end

local function seed_of(seed, name)
  local state = 0x9E3779B97F4A7C15 ~ (seed * 0x2545F4914F6CDD1D)
  for i = 1, #name do state = mix((state ~ name:byte(i)) * 0x100000001B3 | 1) end
  return state == 0 and 1 or state
end

--- A generator that is called like math.random: (), (n) or (low, high).
function random.new(seed, name)
  local state = seed_of(seed, name)
  local function bits()
    state = mix(state)
    return state * 0x2545F4914F6CDD1D
  end
  return function(low, high)
    local value = bits() >> 11
    if not low then return value / 9007199254740992.0 end
    if not high then low, high = 1, low end
    return low + value % (high - low + 1)
  end
end

--- A text of `count` characters out of `alphabet`.
function random.text(generator, alphabet, count)
  local characters = {}
  for i = 1, count do
    local at = generator(#alphabet)
    characters[i] = alphabet:sub(at, at)
  end
  return table.concat(characters)
end

--- A version 4 UUID.
function random.uuid(generator)
  return (("xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx"):gsub("[xy]", function(letter)
    return ("%x"):format(letter == "x" and generator(0, 15) or generator(8, 11))
  end))
end

return random
