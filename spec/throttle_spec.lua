-- The throttle as servers see it, for a few seconds each; spec/bench/throttle.sh judges for a minute.

local stage = require "spec.bench.throttle_stage"
local throttle_log = require "spec.bench.throttle_log"

local settings <const> = { programs = os.getenv "MOONREST_JUDGES", scripts = "spec/bench" }
local rate <const>, seconds <const>, tries <const> = 40, 2, 5

describe("the throttle", function()
  if not settings.programs then
    pending "is judged: MOONREST_JUDGES names no folder with the judges (ctest does)"
    return
  end

  -- Refusals and windows count in every try. Whatever else runs on the machine takes from the share and gives nothing
  -- to it, so the best share of some tries is the one to judge.
  local function judge_best(least, play)
    local best = 0
    for _ = 1, tries do
      local judge <close> = stage.judge(settings, "log", rate, 1000)
      for _, worker in ipairs(play(judge)) do worker:rest() end
      local result = throttle_log.judge(judge.verdict(), rate, seconds)
      assert.equal(0, result.refused)
      assert.is_true(result.most <= rate, result.most .. " in a second")
      best = math.max(best, result.share)
      if best >= least then return end
    end
    error(("%.3f of the limit"):format(best))
  end

  it("uses the limit of a server that counts, and earns no refusal", function()
    judge_best(0.9, function(judge) return { stage.worker(settings, judge.url, rate .. "/s", seconds) } end)
  end)

  it("keeps strict limits over a road of changing length", function()
    judge_best(0.75, function(judge)
      local road <close> = stage.road(settings, judge, 50, 10)
      local worker = stage.worker(settings, road.url, rate .. "/s", seconds, 64, "strict")
      worker:rest()
      return { worker }
    end)
  end)

  it("shares limits between processes, also when one is killed", function()
    judge_best(0.8, function(judge)
      local workers = {}
      for index = 1, 4 do workers[index] = stage.worker(settings, judge.url, rate .. "/s", seconds, 4) end
      require "socket".sleep(1)
      workers[1]:kill "KILL"
      return workers
    end)
  end)

  it("does not flood a server that fails", function()
    local judge <close> = stage.judge(settings, "fail", 1, 1000, 503)
    stage.start(("lua5.4 spec/bench/programs/throttle_calls.lua %s 20 1"):format(judge.url)):rest()
    local reached = #judge.verdict()
    assert.is_true(reached >= 20 and reached <= 23, reached .. " requests for 20 calls")
  end)
end)
