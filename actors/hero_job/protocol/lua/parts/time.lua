-- The server's clock. Only this clock counts, because the clocks of hosts may differ.

-- Format milliseconds since 1970 as ISO 8601 in UTC: '2026-11-24T06:00:00.123Z'.
-- The date is counted in eras of 400 years that begin on 1 March, so that a leap day is the last day of its year.
local function iso(ms)
  local floor = math.floor
  local ms_of_day = ms % 86400000
  local days_since_0000 = (ms - ms_of_day) / 86400000 + 719468
  local day_of_era = days_since_0000 % 146097
  local year_of_era = floor((day_of_era - floor(day_of_era / 1460) + floor(day_of_era / 36524)
    - floor(day_of_era / 146096)) / 365)
  local day_of_year = day_of_era - (365 * year_of_era + floor(year_of_era / 4) - floor(year_of_era / 100))
  local months_since_march = floor((5 * day_of_year + 2) / 153)
  local day = day_of_year - floor((153 * months_since_march + 2) / 5) + 1
  local month = months_since_march < 10 and months_since_march + 3 or months_since_march - 9
  local year = year_of_era + (days_since_0000 - day_of_era) / 146097 * 400 + (month <= 2 and 1 or 0)
  local s = floor(ms_of_day / 1000)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', year, month, day, floor(s / 3600), floor(s / 60) % 60,
    s % 60, ms % 1000)
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at = iso(now)
