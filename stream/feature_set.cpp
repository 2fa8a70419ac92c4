#include "stream/feature_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "stream/error.h"
#include "stream/random.h"
#include "stream/sha256.h"

namespace freshet {

namespace {

constexpr int kEngineSemantics = 1;
constexpr const char* kEventTime = "event.time";

const char* name_of(Encoding encoding) {
  constexpr std::array<const char*, 6> kNames = {"number",    "one_hot",     "hash",
                                                 "embedding", "time_of_day", "day_of_week"};
  return kNames[static_cast<std::size_t>(encoding)];
}

const char* name_of(FieldKind kind) {
  constexpr std::array<const char*, 5> kNames = {"number", "category", "boolean", "text", "time"};
  return kNames[static_cast<std::size_t>(kind)];
}

bool is_text(FieldKind kind) { return kind == FieldKind::category || kind == FieldKind::text; }

/// FNV-1a, finished by split_mix so that all bits depend on all bytes.
std::uint64_t hash_text(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  }
  return split_mix(hash);
}

/// Within half of what a float holds, so that the difference of two is a float as well.
float narrowed(double value) {
  constexpr double kMost = std::numeric_limits<float>::max() / 2;
  return static_cast<float>(std::clamp(value, -kMost, kMost));
}

/// What to do for one feature, resolved: no names are looked up when asked.
struct Step {
  Encoding encoding = Encoding::number;
  std::size_t field = 0;  ///< kNoField: the event's time
  std::size_t slot = 0;   ///< first slot
  std::optional<std::size_t> indicator;
  std::uint32_t buckets = 0;
  std::vector<std::string> values;
};

constexpr std::size_t kNoField = static_cast<std::size_t>(-1);

void put_cycle(double time, double period, float* out) {
  const double phase = 2 * std::numbers::pi * (time - std::floor(time / period) * period) / period;
  out[0] = static_cast<float>(std::sin(phase));
  out[1] = static_cast<float>(std::cos(phase));
}

}  // namespace

class FeatureSet::Impl {
 public:
  Impl(const Schema& schema, std::vector<FeatureSpec> specs)
      : specs_(std::move(specs)), utc_offset_(schema.time.utc_offset) {
    if (specs_.empty()) specs_ = defaults(schema);
    for (const FeatureSpec& spec : specs_) plan_dense(schema, spec);
    for (const FeatureSpec& spec : specs_) plan_embedding(schema, spec);
    identify(schema);
  }

  void ask(const Event& event, std::span<float> out) const {
    for (const Step& step : steps_) {
      float* slots = out.data() + step.slot;
      switch (step.encoding) {
        case Encoding::number: {
          const FieldValue& value = event.values[step.field];
          *slots = value.missing ? std::numeric_limits<float>::quiet_NaN() : narrowed(value.number);
          if (step.indicator) out[*step.indicator] = value.missing ? 1.0F : 0.0F;
          break;
        }
        case Encoding::one_hot:
          put_one_hot(event.values[step.field], step, slots);
          break;
        case Encoding::hash:
          std::fill_n(slots, step.buckets, 0.0F);
          slots[bucket(event.values[step.field], step.buckets)] = 1.0F;
          break;
        case Encoding::embedding:
          *slots = static_cast<float>(bucket(event.values[step.field], step.buckets));
          break;
        case Encoding::time_of_day:
        case Encoding::day_of_week:
          put_time(event, step, slots);
          break;
      }
    }
  }

  std::vector<FeatureSpec> specs_;
  FeatureLayout layout_;
  std::string identity_;

 private:
  static std::uint64_t bucket(const FieldValue& value, std::uint32_t buckets) {
    // A missing category is a value of its own, told from the empty text.
    const std::uint64_t hash = value.missing ? split_mix(1) : hash_text(value.text);
    return hash % buckets;
  }

  static void put_one_hot(const FieldValue& value, const Step& step, float* slots) {
    std::fill_n(slots, step.values.size() + 1, 0.0F);
    std::size_t found = step.values.size();
    for (std::size_t i = 0; i < step.values.size() && !value.missing; ++i) {
      if (value.text == step.values[i]) found = i;
    }
    slots[found] = 1.0F;
  }

  void put_time(const Event& event, const Step& step, float* slots) const {
    double time = 0;
    if (step.field == kNoField) {
      time = static_cast<double>(event.time + utc_offset_);
    } else if (event.values[step.field].missing) {
      slots[0] = slots[1] = 0.0F;
      return;
    } else {
      time = event.values[step.field].number + static_cast<double>(utc_offset_);
    }
    // 1970-01-01 was a Thursday: weeks are counted from a Monday.
    const bool week = step.encoding == Encoding::day_of_week;
    put_cycle(week ? time + 3.0 * kDay : time, week ? 7.0 * kDay : 1.0 * kDay, slots);
  }

  static std::size_t find_field(const Schema& schema, const FeatureSpec& spec) {
    const bool cyclic =
        spec.encoding == Encoding::time_of_day || spec.encoding == Encoding::day_of_week;
    if (spec.from == kEventTime) {
      if (!cyclic) {
        throw Error(ErrorKind::invalid,
                    fmt::format("feature \"{}\": event.time is encoded as time_of_day or "
                                "day_of_week, not {}",
                                spec.name, name_of(spec.encoding)));
      }
      return kNoField;
    }
    const auto field = schema.find(spec.from);
    if (!field) {
      throw Error(ErrorKind::invalid,
                  fmt::format("feature \"{}\": there is no field \"{}\"", spec.name, spec.from));
    }
    const FieldKind kind = schema.fields[*field].kind;
    const bool fits = cyclic                              ? kind == FieldKind::time
                      : spec.encoding == Encoding::number ? !is_text(kind)
                                                          : is_text(kind);
    if (!fits) {
      throw Error(ErrorKind::invalid,
                  fmt::format("feature \"{}\": encoding {} does not fit field \"{}\", a {}",
                              spec.name, name_of(spec.encoding), spec.from, name_of(kind)));
    }
    return *field;
  }

  std::size_t add_slot(const std::string& name, bool scaled) {
    FeatureSlot slot;
    slot.name = name;
    slot.scaled = scaled;
    layout_.push_back(std::move(slot));
    return layout_.size() - 1;
  }

  void plan_dense(const Schema& schema, const FeatureSpec& spec) {
    const std::size_t field = find_field(schema, spec);
    if (spec.encoding == Encoding::embedding) return;
    Step step;
    step.encoding = spec.encoding;
    step.field = field;
    step.buckets = spec.buckets;
    step.values = spec.values;
    step.slot = layout_.size();
    if (spec.encoding == Encoding::number) {
      add_slot(spec.name, spec.scale);
      if (schema.fields[field].missing == MissingRule::mean) {
        step.indicator = add_slot(spec.name + " missing", false);
      }
    } else if (spec.encoding == Encoding::one_hot) {
      for (const std::string& value : spec.values) add_slot(spec.name + " = " + value, false);
      add_slot(spec.name + " other", false);
    } else if (spec.encoding == Encoding::hash) {
      if (spec.buckets == 0) throw no_buckets(spec);
      for (std::uint32_t i = 0; i < spec.buckets; ++i) {
        add_slot(fmt::format("{} #{}", spec.name, i), false);
      }
    } else {
      add_slot(spec.name + " sine", false);
      add_slot(spec.name + " cosine", false);
    }
    steps_.push_back(std::move(step));
  }

  void plan_embedding(const Schema& schema, const FeatureSpec& spec) {
    if (spec.encoding != Encoding::embedding) return;
    if (spec.buckets == 0 || spec.buckets > (1U << 24U) || spec.dim == 0) throw no_buckets(spec);
    Step step;
    step.encoding = spec.encoding;
    step.field = find_field(schema, spec);
    step.buckets = spec.buckets;
    step.slot = add_slot(spec.name, false);
    layout_.back().embedding = true;
    layout_.back().buckets = spec.buckets;
    layout_.back().dim = spec.dim;
    steps_.push_back(std::move(step));
  }

  static Error no_buckets(const FeatureSpec& spec) {
    return {ErrorKind::invalid,
            fmt::format("feature \"{}\": {} needs buckets (1 to 16777216) and, for an embedding, a "
                        "dim of at least 1",
                        spec.name, name_of(spec.encoding))};
  }

  void identify(const Schema& schema) {
    nlohmann::json features = nlohmann::json::array();
    for (const FeatureSpec& spec : specs_) {
      nlohmann::json j{{"from", spec.from},       {"encoding", name_of(spec.encoding)},
                       {"scale", spec.scale},     {"values", spec.values},
                       {"buckets", spec.buckets}, {"dim", spec.dim}};
      if (const auto field = schema.find(spec.from)) {
        j["kind"] = name_of(schema.fields[*field].kind);
        j["missing"] = static_cast<int>(schema.fields[*field].missing);
        j["constant"] = schema.fields[*field].missing_constant;
      }
      features.push_back(std::move(j));
    }
    const nlohmann::json whole{{"engine", kEngineSemantics},
                               {"utc_offset", utc_offset_},
                               {"features", std::move(features)}};
    identity_ = sha256_hex(whole.dump());
  }

  Millis utc_offset_;
  std::vector<Step> steps_;
};

FeatureSet::FeatureSet(const Schema& schema, std::vector<FeatureSpec> specs)
    : impl_(std::make_unique<Impl>(schema, std::move(specs))) {}
FeatureSet::~FeatureSet() = default;
FeatureSet::FeatureSet(FeatureSet&&) noexcept = default;

std::vector<FeatureSpec> FeatureSet::defaults(const Schema& schema) {
  std::vector<FeatureSpec> specs;
  for (const Field& field : schema.fields) {
    FeatureSpec spec;
    spec.name = field.name;
    spec.from = field.name;
    switch (field.kind) {
      case FieldKind::number:
        spec.scale = true;
        break;
      case FieldKind::boolean:
        break;
      case FieldKind::category:
      case FieldKind::text:
        spec.encoding = Encoding::embedding;
        spec.buckets = 256;
        spec.dim = 4;
        break;
      case FieldKind::time: {
        spec.encoding = Encoding::day_of_week;
        spec.name = field.name + " day of week";
        specs.push_back(spec);
        spec.encoding = Encoding::time_of_day;
        spec.name = field.name + " time of day";
        break;
      }
    }
    specs.push_back(std::move(spec));
  }
  return specs;
}

const std::vector<FeatureSpec>& FeatureSet::specs() const { return impl_->specs_; }
const FeatureLayout& FeatureSet::layout() const { return impl_->layout_; }
const std::string& FeatureSet::identity() const { return impl_->identity_; }

void FeatureSet::ask(const Event& event, std::span<float> out) const { impl_->ask(event, out); }

// Plain features look at the event alone.
void FeatureSet::observe(const Event&) {}
void FeatureSet::save(Encoder& to) const { to.put(std::uint8_t{0}); }
void FeatureSet::load(Decoder& from) { from.get<std::uint8_t>(); }

}  // namespace freshet
