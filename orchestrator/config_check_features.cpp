#include <fmt/format.h>

#include <set>

#include "orchestrator/config_check.h"
#include "orchestrator/feature_sets.h"
#include "stream/error.h"

namespace freshet {
namespace {

using Place = ConfigPlace;

constexpr std::uint32_t kMostInputs = 65'536;
// 0.4 GB each for weights, gradient and the optimizer's two moments.
constexpr std::size_t kMostParameters = 100'000'000;

bool fits(Encoding encoding, FieldKind kind) {
  const bool words = kind == FieldKind::category || kind == FieldKind::text;
  switch (encoding) {
    case Encoding::number:
      return kind == FieldKind::number || kind == FieldKind::boolean;
    case Encoding::one_hot:
    case Encoding::hash:
    case Encoding::embedding:
      return words;
    case Encoding::time_of_day:
    case Encoding::day_of_week:
      return kind == FieldKind::time;
  }
  return false;
}

const char* fitting(FieldKind kind) {
  switch (kind) {
    case FieldKind::number:
      return "\"number\" for a number";
    case FieldKind::boolean:
      return "\"number\" for a boolean";
    case FieldKind::category:
      return "\"embedding\", \"hash\" or \"one_hot\" for a category";
    case FieldKind::text:
      return "\"embedding\", \"hash\" or \"one_hot\" for a text";
    case FieldKind::time:
      return "\"time_of_day\" or \"day_of_week\" for a time";
  }
  return "";
}

void check_encoding(const FeatureSpec& feature, const Place& place, ConfigProblems& problems) {
  const bool hashes = feature.encoding == Encoding::hash || feature.encoding == Encoding::embedding;
  if (hashes && feature.buckets < 2) {
    problems.consequence(place.key("buckets"),
                         fmt::format("found {}, expected 2 or more", feature.buckets));
  }
  if (feature.encoding == Encoding::hash && feature.buckets > kMostInputs) {
    problems.consequence(place.key("buckets"),
                         fmt::format("found {}, expected at most {} with \"hash\": each is an "
                                     "input of the network; \"embedding\" takes more",
                                     feature.buckets, kMostInputs));
  }
  if (!hashes && feature.buckets != 0) {
    problems.consequence(place.key("buckets"), "expected only with \"hash\" or \"embedding\"");
  }
  if (feature.encoding == Encoding::embedding && feature.dim == 0) {
    problems.consequence(place.key("dim"), "found 0, expected 1 or more");
  }
  if (feature.encoding != Encoding::embedding && feature.dim != 0) {
    problems.consequence(place.key("dim"), "expected only with \"embedding\"");
  }
  if (feature.encoding == Encoding::one_hot && feature.values.empty()) {
    problems.consequence(place.key("values"),
                         "found none, expected the values that \"one_hot\" gives a place");
  }
  if (feature.encoding != Encoding::one_hot && !feature.values.empty()) {
    problems.consequence(place.key("values"), "expected only with \"one_hot\"");
  }
  if (feature.scale && feature.encoding != Encoding::number) {
    problems.consequence(place.key("scale"), "expected only for numbers");
  }
  std::set<std::string> seen;
  for (std::size_t i = 0; i < feature.values.size(); ++i) {
    if (!seen.insert(feature.values[i]).second) {
      problems.consequence(place.key("values").item(i),
                           fmt::format("found \"{}\" twice", feature.values[i]));
    }
  }
}

void check_feature(const Schema& schema, const FeatureSpec& feature, const Place& place,
                   ConfigProblems& problems) {
  // An aggregate has been refused as such.
  if (problems.has(place.key("agg"))) return;
  FieldKind kind = FieldKind::time;
  if (const auto at = schema.find(feature.from)) {
    kind = schema.fields[*at].kind;
  } else if (feature.from != "event.time") {
    std::vector<std::string> names{"event.time"};
    for (const Field& field : schema.fields) names.push_back(field.name);
    const Place from = problems.has(place.key("from")) ? place.key("from") : place.key("name");
    problems.consequence(from,
                         fmt::format("found \"{}\", expected a field of stream.event.fields or "
                                     "event.time{}",
                                     feature.from, nearest_hint(feature.from, names)));
    return;
  }
  if (!fits(feature.encoding, kind)) {
    problems.consequence(
        place.key("encode"),
        fmt::format("it does not fit the field `{}`, expected {}", feature.from, fitting(kind)));
    return;
  }
  check_encoding(feature, place, problems);
}

void check_list(const Schema& schema, const std::vector<FeatureSpec>& features, const Place& list,
                ConfigProblems& problems) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < features.size(); ++i) {
    const FeatureSpec& feature = features[i];
    const Place place = list.item(i);
    if (feature.name.empty()) {
      problems.consequence(place.key("name"), "found \"\", expected a name");
    } else if (!names.insert(feature.name).second) {
      problems.consequence(place.key("name"), fmt::format("found \"{}\" twice", feature.name));
    }
    check_feature(schema, feature, place, problems);
  }
  if (!problems.empty()) return;
  try {
    FeatureSet(schema, features);
  } catch (const Error& error) {
    problems.consequence(list, error.what());
  }
}

void check_sizes(const PipelineConfig& config, ConfigProblems& problems) {
  for (std::size_t i = 0; i < config.learners.size(); ++i) {
    const Recipe& recipe = config.learners[i];
    const FeatureSet features(config.schema, features_of(config, recipe));
    const std::size_t count = parameter_count(
        {config.schema.task, answer_width(config.schema), features.layout(), recipe.network});
    if (count <= kMostParameters) continue;
    problems.consequence(Place::at("learners", i, "network"),
                         fmt::format("with these features it has {} million parameters, expected "
                                     "at most {}: fewer or smaller layers, buckets or dims",
                                     count / 1'000'000, kMostParameters / 1'000'000));
  }
}

}  // namespace

void check_features(const PipelineConfig& config, ConfigProblems& problems) {
  if (config.features.empty()) {
    problems.consequence(Place::at("stream", "event", "fields"),
                         "found none, expected at least one field (or feature) to learn from");
  }
  check_list(config.schema, config.features, Place::at("features"), problems);
  for (std::size_t i = 0; i < config.learners.size(); ++i) {
    if (config.learners[i].features.empty()) continue;
    check_list(config.schema, config.learners[i].features, Place::at("learners", i, "features"),
               problems);
  }
  if (problems.empty()) check_sizes(config, problems);
}

}  // namespace freshet
