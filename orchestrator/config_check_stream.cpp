#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "orchestrator/config_check.h"
#include "stream/nearest_name.h"

namespace freshet {

std::string nearest_hint(const std::string& name, const std::vector<std::string>& known) {
  const std::string nearest = nearest_name(name, known);
  return nearest.empty() ? "" : fmt::format("; did you mean `{}`?", nearest);
}

namespace {

using Place = ConfigPlace;

const Place kLabel = Place::at("stream", "label");
const Place kEvent = Place::at("stream", "event");

void check_label(const Schema& schema, ConfigProblems& problems) {
  const LabelSpec& label = schema.label;
  if (label.field.empty()) {
    problems.consequence(kLabel.key("field"), "found \"\", expected a field's name");
  }
  if (!label.field.empty() && label.field == schema.id_field) {
    problems.consequence(kLabel.key("field"),
                         fmt::format("found \"{}\", which is the events' id", label.field));
  }
  if (label.known == LabelKnown::later) {
    if (label.wait == 0) {
      problems.consequence(kLabel.key("wait"),
                           "found none, expected a duration above 0: labels that come later need "
                           "to be waited for, and not for ever");
    }
    if (schema.id_field.empty()) {
      problems.consequence(kEvent.key("id"),
                           "found none, expected the field that label events join by");
    }
    return;
  }
  if (label.wait != 0) {
    problems.consequence(kLabel.key("wait"),
                         fmt::format("found {}, expected it only with known \"later\"",
                                     format_duration(label.wait)));
  }
  if (label.default_label) {
    problems.consequence(kLabel.key("default"), "expected only with known \"later\"");
  }
}

void check_classes(const Schema& schema, ConfigProblems& problems) {
  const std::vector<std::string>& classes = schema.label.classes;
  const Place place = kLabel.key("classes");
  if (schema.task != Task::multiclass) {
    if (!classes.empty()) {
      problems.consequence(place, "expected only with task \"multiclass\"");
    }
    return;
  }
  if (classes.size() < 2 || classes.size() > 1000) {
    problems.consequence(
        place,
        fmt::format("found {}, expected 2 to 1000 classes of a multiclass label", classes.size()));
  }
  std::set<std::string> seen;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (!seen.insert(classes[i]).second) {
      problems.consequence(place.item(i), fmt::format("found \"{}\" twice", classes[i]));
    }
  }
}

bool constant_fits(const Field& field) {
  const std::string& text = field.missing_constant;
  LabelSpec label;
  switch (field.kind) {
    case FieldKind::number:
      return parse_label(Task::regression, label, text).has_value();
    case FieldKind::boolean:
      return text == "true" || text == "false" || text == "1" || text == "0";
    case FieldKind::time:
      return false;
    case FieldKind::category:
    case FieldKind::text:
      return true;
  }
  return false;
}

void check_fields(const Schema& schema, ConfigProblems& problems) {
  const Place fields = kEvent.key("fields");
  for (const Field& field : schema.fields) {
    const Place place = fields.key(field.name);
    if (field.name.empty()) problems.key(place, "a field needs a name");
    if (field.name == schema.label.field) {
      problems.consequence(place,
                           "it is the label, and not known when an event is asked about: leave it "
                           "out of the fields");
    }
    if (schema.label.known == LabelKnown::at && field.name == schema.label.at.name) {
      problems.consequence(place,
                           "it is the label's time, and not known when an event is asked about: "
                           "leave it out of the fields");
    }
    if (field.missing == MissingRule::constant && !constant_fits(field)) {
      problems.consequence(
          place.key("missing").key("constant"),
          field.kind == FieldKind::time
              ? "a time has no constant, expected \"mean\" (a value of its own) or \"reject\""
              : fmt::format("found \"{}\", expected a value of the field's kind",
                            field.missing_constant));
    }
  }
}

void check_times(const Schema& schema, ConfigProblems& problems) {
  const Place place = kEvent.key("time");
  bool named = true;
  if (const auto* field = std::get_if<TimeField>(&schema.time.form)) {
    named = !field->name.empty();
  } else if (const auto* date = std::get_if<TimeDateHour>(&schema.time.form)) {
    named = !date->date.empty() && !date->hour.empty();
  }
  if (!named) problems.consequence(place, "found \"\", expected a field's name");
  const Millis least = schema.label.wait + schema.allowed_lateness;
  if (schema.dedup_within < least) {
    problems.consequence(
        Place::at("stream", "dedup_within"),
        fmt::format("found {}, expected at least label.wait + allowed_lateness = {}: an id must be "
                    "remembered as long as its question is open",
                    format_duration(schema.dedup_within), format_duration(least)));
  }
  if (schema.max_bad_share <= 0) {
    problems.consequence(Place::at("stream", "max_bad_share"),
                         "found 0, expected a share above 0, to 1");
  }
}

// A reservoir holds rows of any age.
void check_keep(const PipelineConfig& config, ConfigProblems& problems) {
  if (!config.keep) return;
  for (const Recipe& recipe : config.learners) {
    if (recipe.replay != ReplayKind::reservoir) continue;
    problems.consequence(Place::at("stream", "keep"),
                         fmt::format("learner \"{}\" replays a reservoir, which needs rows of any "
                                     "age: expected null, or replay of kind \"recent\"",
                                     recipe.name));
  }
}

}  // namespace

void check_stream(const PipelineConfig& config, ConfigProblems& problems) {
  check_label(config.schema, problems);
  check_classes(config.schema, problems);
  check_fields(config.schema, problems);
  check_times(config.schema, problems);
  check_source(config, problems);
  check_keep(config, problems);
  check_sink(config, problems);
}

}  // namespace freshet
