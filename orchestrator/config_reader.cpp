#include "orchestrator/config_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "stream/nearest_name.h"

namespace freshet {
namespace {

// In messages, "a, b or c".
std::string alternatives(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += i == 0 ? "" : i + 1 == names.size() ? " or " : ", ";
    text += names[i];
  }
  return text;
}

std::string suggestion(std::string_view name, const std::vector<std::string>& candidates) {
  const std::string nearest = nearest_name(name, candidates);
  return nearest.empty() ? "" : fmt::format("; did you mean `{}`?", nearest);
}

std::string range_text(const Number& shape) {
  std::string text = "a number";
  if (std::isfinite(shape.low)) {
    text += fmt::format(" {} {}", shape.low_open ? "above" : "from", shape.low);
  }
  if (std::isfinite(shape.high)) {
    const char* join = shape.low_open || shape.high_open ? " and" : "";
    text += fmt::format("{} {} {}", join, shape.high_open ? "below" : "to", shape.high);
  } else if (!shape.low_open) {
    text += " on";
  }
  return text;
}

// "+02:00", "-06:00", "Z"
std::optional<Millis> parse_offset(const std::string& text) {
  if (text == "Z") return 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  int hours = 0;
  int minutes = 0;
  const char* begin = text.data();
  const auto [after_hours, hour_error] = std::from_chars(begin + 1, begin + 3, hours);
  const auto [after_minutes, minute_error] = std::from_chars(begin + 4, begin + 6, minutes);
  if (hour_error != std::errc() || minute_error != std::errc() || after_hours != begin + 3 ||
      after_minutes != begin + 6 || hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
    return std::nullopt;
  }
  return (text[0] == '-' ? -1 : 1) * (hours * kHour + minutes * kMinute);
}

}  // namespace

std::string ConfigReader::found() const {
  if (node_.is_object()) return "an object";
  if (node_.is_array()) return fmt::format("a list of {}", node_.size());
  constexpr std::size_t kShown = 60;
  std::string text = node_.dump(-1, ' ', true);
  if (text.size() > kShown) text = text.substr(0, kShown) + "…";
  return text;
}

void ConfigReader::wrong(const std::string& expected) {
  problems_.value(place_, fmt::format("found {}, expected {}", found(), expected));
}

void ConfigReader::wrong_length(std::size_t least, std::size_t most) {
  problems_.value(place_,
                  fmt::format("found {} items, expected {} to {}", node_.size(), least, most));
}

void ConfigReader::missing(std::string_view name, std::string_view doc) {
  problems_.value(place_.key(name), fmt::format("missing, it is required ({})", doc));
}

void ConfigReader::unsupported(std::string_view name) {
  const auto at = node_.find(std::string(name));
  if (at == node_.end()) return;
  known_.emplace_back(name);
  // Nothing asked for is nothing to refuse.
  if (at->is_null() || (at->is_structured() && at->empty())) return;
  problems_.key(place_.key(name), "not supported by this build: leave it out");
}

void ConfigReader::exactly_one(
    std::initializer_list<std::initializer_list<std::string_view>> sets) {
  const auto bare = [](std::string_view name) {
    return std::string(name.starts_with('?') ? name.substr(1) : name);
  };
  std::vector<std::string> forms;
  std::vector<std::string> present;
  const std::initializer_list<std::string_view>* chosen = nullptr;
  bool whole_set = false;
  for (const auto& set : sets) {
    std::string form;
    bool all = true;
    bool any = false;
    for (const std::string_view name : set) {
      const auto at = node_.find(bare(name));
      const bool here = at != node_.end() && !at->is_null();
      if (here && std::find(present.begin(), present.end(), bare(name)) == present.end()) {
        present.push_back(bare(name));
      }
      any = any || here;
      if (name.starts_with('?')) continue;
      all = all && here;
      form += (form.empty() ? "`" : " with `") + std::string(name) + "`";
    }
    forms.push_back(form);
    if (any && chosen == nullptr) {
      chosen = &set;
      whole_set = all;
    }
  }
  const std::string expected = fmt::format("expected exactly one of {}", alternatives(forms));
  if (chosen == nullptr) {
    // An unsupported key has been refused; what it stands for is not known.
    problems_.consequence(place_, fmt::format("found none of its forms, {}", expected));
    return;
  }
  const auto foreign = [&](const std::string& name) {
    return std::none_of(chosen->begin(), chosen->end(),
                        [&](std::string_view own) { return bare(own) == name; });
  };
  if (!whole_set || std::any_of(present.begin(), present.end(), foreign)) {
    problems_.value(place_, fmt::format("found {}, {}", fmt::join(present, ", "), expected));
  }
}

void ConfigReader::value(const Text& shape) {
  if (!node_.is_string()) return wrong("a text");
  shape.value = node_.get<std::string>();
}

void ConfigReader::value(const ScalarText& shape) {
  if (node_.is_structured() || node_.is_null()) return wrong("a text, a number, true or false");
  shape.value = node_.is_string() ? node_.get<std::string>() : node_.dump();
}

void ConfigReader::value(const Flag& shape) {
  if (!node_.is_boolean()) return wrong("true or false");
  shape.value = node_.get<bool>();
}

void ConfigReader::value(const Number& shape) {
  const bool number = node_.is_number();
  const double n = number ? node_.get<double>() : 0;
  const bool low = shape.low_open ? n > shape.low : n >= shape.low;
  const bool high = shape.high_open ? n < shape.high : n <= shape.high;
  if (!number || !std::isfinite(n) || !low || !high) return wrong(range_text(shape));
  shape.value = n;
}

void ConfigReader::value(const Duration& shape) {
  const auto duration =
      node_.is_string() ? parse_duration(node_.get_ref<const std::string&>()) : std::nullopt;
  if (!duration) {
    return wrong("a duration like \"250ms\", \"90s\", \"30m\", \"24h\" or \"7d\", not too long");
  }
  if (*duration < shape.least) return wrong("a duration above 0");
  shape.value = *duration;
}

void ConfigReader::value(const TimePoint& shape) {
  const auto time =
      node_.is_string() ? parse_time(node_.get_ref<const std::string&>()) : std::nullopt;
  if (!time) return wrong("a time like \"1996-05-07T00:00:00Z\"");
  shape.value = *time;
}

void ConfigReader::value(const UtcOffset& shape) {
  const auto offset = node_.is_string() ? parse_offset(node_.get<std::string>()) : std::nullopt;
  if (!offset) return wrong("an offset like \"+02:00\", \"-06:00\" or \"Z\"");
  shape.value = *offset;
}

bool ConfigReader::whole(std::uint64_t least, std::uint64_t most, std::uint64_t& count) {
  const double n = node_.is_number() ? node_.get<double>() : -1;
  if (!(n >= static_cast<double>(least)) || !(n <= static_cast<double>(most)) ||
      n != std::floor(n)) {
    const bool too_large = n > static_cast<double>(most);
    wrong(most == kMaxCount && !too_large
              ? fmt::format("a whole number from {} on", least)
              : fmt::format("a whole number from {} to {}", least, most));
    return false;
  }
  count = static_cast<std::uint64_t>(n);
  return true;
}

std::size_t ConfigReader::word(const std::vector<std::string>& names,
                               const std::vector<std::string_view>& unsupported) {
  std::vector<std::string> shown;
  for (const std::string& name : names) shown.push_back('"' + name + '"');
  if (!node_.is_string()) {
    wrong(alternatives(shown));
    return names.size();
  }
  const auto& text = node_.get_ref<const std::string&>();
  const auto at = std::find(names.begin(), names.end(), text);
  if (at != names.end()) return static_cast<std::size_t>(at - names.begin());
  if (std::find(unsupported.begin(), unsupported.end(), text) != unsupported.end()) {
    problems_.value(place_, fmt::format("not supported by this build: {}, expected {}", found(),
                                        alternatives(shown)));
  } else {
    wrong(alternatives(shown) + suggestion(text, names));
  }
  return names.size();
}

void ConfigReader::refuse_unknown_keys() {
  for (const auto& [name, node] : node_.items()) {
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    std::string hint = suggestion(name, known_);
    if (hint.empty()) hint = fmt::format(", expected {}", alternatives(known_));
    problems_.key(place_.key(name), "unknown key" + hint);
  }
}

}  // namespace freshet
