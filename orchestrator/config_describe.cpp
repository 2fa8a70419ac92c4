#include "orchestrator/config_describe.h"

#include <fmt/format.h>

#include <cmath>

namespace freshet {

TimeKeys TimeKeys::of(const TimeSpec& time) {
  TimeKeys keys;
  if (const auto* field = std::get_if<TimeField>(&time.form)) {
    if (!field->name.empty()) {
      keys.field = field->name;
      keys.unit = field->unit;
    }
  } else if (const auto* date = std::get_if<TimeDateHour>(&time.form)) {
    keys.date = date->date;
    keys.hour = date->hour;
  } else {
    const auto& every = std::get<TimeEvery>(time.form);
    keys.every = every.every;
    keys.from = every.from;
  }
  return keys;
}

void TimeKeys::store(TimeSpec& time) const {
  if (field) {
    time.form = TimeField{*field, unit.value_or(TimeUnit::rfc3339)};
  } else if (date && hour) {
    time.form = TimeDateHour{*date, *hour};
  } else if (every && from) {
    time.form = TimeEvery{*every, *from};
  }
}

LabelKeys LabelKeys::of(Task task, const LabelSpec& label) {
  LabelKeys keys;
  if (label.known == LabelKnown::after) keys.after = label.after;
  if (label.known == LabelKnown::at) keys.at = label.at;
  if (!label.default_label) return keys;
  const double value = *label.default_label;
  if (task != Task::multiclass) {
    keys.default_text = fmt::format("{}", value);
  } else if (value >= 0 && value < static_cast<double>(label.classes.size())) {
    keys.default_text = label.classes[static_cast<std::size_t>(value)];
  }
  return keys;
}

bool LabelKeys::store(Task task, LabelSpec& label) const {
  if (after) {
    label.known = LabelKnown::after;
    label.after = *after;
  } else if (at) {
    label.known = LabelKnown::at;
    label.at = *at;
  }
  label.default_label.reset();
  if (default_text) label.default_label = parse_label(task, label, *default_text);
  return !default_text || label.default_label;
}

}  // namespace freshet
