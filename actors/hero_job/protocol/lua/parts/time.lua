-- The server's clock. Only this clock counts, because the clocks of hosts may differ.

local function now_ms()
  local seconds, microseconds = unpack(redis.call('TIME'))
  return seconds * 1000 + math.floor(microseconds / 1000)
end

-- Format milliseconds since 1970 as ISO 8601 in UTC: '2026-11-24T06:00:00.123Z'.
-- The date is counted in eras of 400 years that begin on 1 March, so that a leap day is the last day of its year.
local function iso(ms)
  local s = math.floor(ms / 1000)
  local days = math.floor(s / 86400)
  local rest = s - days * 86400
  local days_since_0000 = days + 719468
  local era = math.floor(days_since_0000 / 146097)
  local day_of_era = days_since_0000 - era * 146097
  local year_of_era = math.floor((day_of_era - math.floor(day_of_era / 1460) + math.floor(day_of_era / 36524)
    - math.floor(day_of_era / 146096)) / 365)
  local day_of_year = day_of_era - (365 * year_of_era + math.floor(year_of_era / 4) - math.floor(year_of_era / 100))
  local months_since_march = math.floor((5 * day_of_year + 2) / 153)
  local day = day_of_year - math.floor((153 * months_since_march + 2) / 5) + 1
  local month = months_since_march < 10 and months_since_march + 3 or months_since_march - 9
  local year = year_of_era + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', year, month, day, math.floor(rest / 3600),
    math.floor(rest / 60) % 60, rest % 60, ms % 1000)
end

local now = now_ms()
local at = iso(now)
