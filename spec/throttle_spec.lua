-- The throttle as servers see it, for a few seconds each; spec/bench/throttle.sh judges for a minute.

local stage = require "spec.bench.throttle_stage"
local throttle_log = require "spec.bench.throttle_log"

local settings <const> = { programs = os.getenv "MOONREST_JUDGES", scripts = "spec/bench" }
local rate <const>, seconds <const> = 40, 2

describe("the throttle", function()
  if not settings.programs then
    pending "is judged: MOONREST_JUDGES names no folder with the judges (ctest does)"
    return
  end

  -- Shares are those of a busy machine; refusals and windows are exact on any.
  local function judge_all(judge, least, workers)
    for _, worker in ipairs(workers) do worker:rest() end
    local result = throttle_log.judge(judge.verdict(), rate, seconds)
    assert.equal(0, result.refused)
    assert.is_true(result.most <= rate, result.most .. " in a second")
    assert.is_true(result.share >= least, ("%.3f of the limit"):format(result.share))
  end

  it("uses the limit of a server that counts, and earns no refusal", function()
    local judge <close> = stage.judge(settings, "log", rate, 1000)
    judge_all(judge, 0.9, { stage.worker(settings, judge.url, rate .. "/s", seconds) })
  end)

  it("keeps strict limits over a road of changing length", function()
    local judge <close> = stage.judge(settings, "log", rate, 1000)
    local road <close> = stage.road(settings, judge, 50, 10)
    judge_all(judge, 0.75, { stage.worker(settings, road.url, rate .. "/s", seconds, 64, "strict") })
  end)

  it("shares limits between processes, also when one is killed", function()
    local judge <close> = stage.judge(settings, "log", rate, 1000)
    local workers = {}
    for index = 1, 4 do workers[index] = stage.worker(settings, judge.url, rate .. "/s", seconds, 4) end
    require "socket".sleep(1)
    workers[1]:kill "KILL"
    judge_all(judge, 0.8, workers)
  end)

  it("does not flood a server that fails", function()
    local judge <close> = stage.judge(settings, "fail", 1, 1000, 503)
    stage.start(("lua5.4 spec/bench/programs/throttle_calls.lua %s 20 1"):format(judge.url)):rest()
    local reached = #judge.verdict()
    assert.is_true(reached >= 20 and reached <= 23, reached .. " requests for 20 calls")
  end)
end)
