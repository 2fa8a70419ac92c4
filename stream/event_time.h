#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace freshet {

/// Event times and durations are whole milliseconds; times count from 1970-01-01T00:00:00Z.
using Millis = std::int64_t;

inline constexpr Millis kSecond = 1000;
inline constexpr Millis kMinute = 60 * kSecond;
inline constexpr Millis kHour = 60 * kMinute;
inline constexpr Millis kDay = 24 * kHour;

/// What an event time can be: 1000-01-01T00:00:00Z to 9999-12-31T23:59:59.999Z.
inline constexpr Millis kEarliestTime = -30'610'224'000'000;
inline constexpr Millis kLatestTime = 253'402'300'799'999;

/// "250ms", "10s", "30m", "24h", "7d", "2w" -> milliseconds; nullopt if it is none of these, or
/// negative, or beyond 100 years.
std::optional<Millis> parse_duration(std::string_view text);

/// The shortest exact form: 604800000 -> "7d", 90000 -> "90s".
std::string format_duration(Millis duration);

/// RFC 3339 ("2018-04-01T00:00:31Z", "2018-04-01 00:00:31.250+02:00"); a date alone is its
/// midnight; without an offset the time is taken at `utc_offset` (local minus UTC).
/// nullopt for anything else, impossible dates included. Years 1000 to 9999.
std::optional<Millis> parse_time(std::string_view text, Millis utc_offset = 0);

/// "2018-04-01T00:00:31Z", with ".250" only where there are milliseconds.
std::string format_time(Millis time);

}  // namespace freshet
