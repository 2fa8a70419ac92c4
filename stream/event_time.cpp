#include "stream/event_time.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>

namespace freshet {

namespace {

struct Unit {
  std::string_view name;
  Millis millis;
};

// Longest first where one name ends another.
constexpr std::array<Unit, 6> kUnits = {
    {{"ms", 1}, {"w", 7 * kDay}, {"d", kDay}, {"h", kHour}, {"m", kMinute}, {"s", kSecond}}};
constexpr Millis kLongest = 36525 * kDay;

/// Reads text from the front, piece by piece; every function says whether its piece was there.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  /// Exactly `digits` digits, at most `limit`.
  bool number(std::size_t digits, int limit, int& value) {
    if (rest_.size() < digits) return false;
    value = 0;
    for (const char digit : rest_.substr(0, digits)) {
      if (digit < '0' || digit > '9') return false;
      value = value * 10 + (digit - '0');
    }
    rest_.remove_prefix(digits);
    return value <= limit;
  }

  bool any_of(std::string_view characters) {
    if (rest_.empty() || characters.find(rest_.front()) == std::string_view::npos) return false;
    last_ = rest_.front();
    rest_.remove_prefix(1);
    return true;
  }

  /// Digits of a fraction of a second, as milliseconds; what is beyond them is cut off.
  bool fraction(int& millis) {
    std::size_t digits = 0;
    int scale = 100;
    while (digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9') {
      millis += (rest_[digits] - '0') * scale;
      scale /= 10;
      ++digits;
    }
    rest_.remove_prefix(digits);
    return digits > 0;
  }

  char last() const { return last_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  char last_ = 0;
};

bool scan_date(Scanner& scan, Millis& time) {
  int year = 0;
  int month = 0;
  int day = 0;
  if (!scan.number(4, 9999, year) || !scan.any_of("-") || !scan.number(2, 12, month) ||
      !scan.any_of("-") || !scan.number(2, 31, day) || year < 1000) {
    return false;
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return false;
  time = std::chrono::sys_days(date).time_since_epoch().count() * kDay;
  return true;
}

bool scan_clock(Scanner& scan, Millis& time) {
  int hour = 0;
  int minute = 0;
  int second = 0;
  int millis = 0;
  // A leap second counts as the second after.
  if (!scan.number(2, 23, hour) || !scan.any_of(":") || !scan.number(2, 59, minute) ||
      !scan.any_of(":") || !scan.number(2, 60, second)) {
    return false;
  }
  if (scan.any_of(".") && !scan.fraction(millis)) return false;
  time += hour * kHour + minute * kMinute + second * kSecond + millis;
  return true;
}

bool scan_offset(Scanner& scan, Millis& offset) {
  if (scan.any_of("Zz")) {
    offset = 0;
    return true;
  }
  if (!scan.any_of("+-")) return scan.at_end();
  const int sign = scan.last() == '-' ? -1 : 1;
  int hours = 0;
  int minutes = 0;
  if (!scan.number(2, 23, hours) || !scan.any_of(":") || !scan.number(2, 59, minutes)) return false;
  offset = sign * (hours * kHour + minutes * kMinute);
  return true;
}

}  // namespace

std::optional<Millis> parse_duration(std::string_view text) {
  for (const Unit& unit : kUnits) {
    if (text.size() <= unit.name.size() || !text.ends_with(unit.name)) continue;
    const std::string_view digits = text.substr(0, text.size() - unit.name.size());
    std::uint64_t count = 0;
    const char* end = digits.data() + digits.size();
    const auto [read, error] = std::from_chars(digits.data(), end, count);
    if (error != std::errc() || read != end) continue;
    if (count > static_cast<std::uint64_t>(kLongest / unit.millis)) return std::nullopt;
    return static_cast<Millis>(count) * unit.millis;
  }
  return std::nullopt;
}

std::string format_duration(Millis duration) {
  for (const Unit& unit : {kUnits[2], kUnits[3], kUnits[4], kUnits[5]}) {
    if (duration != 0 && duration % unit.millis == 0) {
      return fmt::format("{}{}", duration / unit.millis, unit.name);
    }
  }
  return duration == 0 ? "0s" : fmt::format("{}ms", duration);
}

std::optional<Millis> parse_time(std::string_view text, Millis utc_offset) {
  Scanner scan(text);
  Millis time = 0;
  Millis offset = utc_offset;
  if (!scan_date(scan, time)) return std::nullopt;
  if (!scan.at_end() && (!scan.any_of("Tt ") || !scan_clock(scan, time) ||
                         !scan_offset(scan, offset) || !scan.at_end())) {
    return std::nullopt;
  }
  const Millis utc = time - offset;
  if (utc < kEarliestTime || utc > kLatestTime) return std::nullopt;
  return utc;
}

std::string format_time(Millis time) {
  const std::chrono::sys_time<std::chrono::milliseconds> point{std::chrono::milliseconds(time)};
  const auto day = std::chrono::floor<std::chrono::days>(point);
  const std::chrono::year_month_day date(day);
  const Millis clock = (point - day).count();
  std::string text =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  clock / kHour, clock / kMinute % 60, clock / kSecond % 60);
  if (clock % kSecond != 0) text += fmt::format(".{:03}", clock % kSecond);
  return text + "Z";
}

}  // namespace freshet
