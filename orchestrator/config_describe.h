#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "orchestrator/config.h"
#include "orchestrator/config_describe_source.h"
#include "orchestrator/config_shapes.h"

/// Every key of a pipeline's config: its shape, range, default (the value in the struct) and what
/// it means. Reading, writing, the JSON Schema and suggestions come from here; a new key is one
/// line here. What no single key can tell (which need each other, which contradict each other) is
/// in `config_check.cpp`.
namespace freshet {

inline constexpr std::array kTasks = std::to_array<Named<Task>>(
    {{Task::binary, "binary"}, {Task::multiclass, "multiclass"}, {Task::regression, "regression"}});
inline constexpr std::array kFieldKinds =
    std::to_array<Named<FieldKind>>({{FieldKind::number, "number"},
                                     {FieldKind::category, "category"},
                                     {FieldKind::boolean, "boolean"},
                                     {FieldKind::text, "text"},
                                     {FieldKind::time, "time"}});
inline constexpr std::array kMissingRules = std::to_array<Named<MissingRule>>(
    {{MissingRule::mean, "mean"}, {MissingRule::reject, "reject"}});
inline constexpr std::array kTimeUnits =
    std::to_array<Named<TimeUnit>>({{TimeUnit::rfc3339, "rfc3339"},
                                    {TimeUnit::seconds, "s"},
                                    {TimeUnit::milliseconds, "ms"},
                                    {TimeUnit::microseconds, "us"},
                                    {TimeUnit::nanoseconds, "ns"}});
inline constexpr std::array kLabelKnown = std::to_array<Named<LabelKnown>>(
    {{LabelKnown::with_event, "with_event"}, {LabelKnown::later, "later"}});
inline constexpr std::array kEncodings =
    std::to_array<Named<Encoding>>({{Encoding::number, "number"},
                                    {Encoding::one_hot, "one_hot"},
                                    {Encoding::hash, "hash"},
                                    {Encoding::embedding, "embedding"},
                                    {Encoding::time_of_day, "time_of_day"},
                                    {Encoding::day_of_week, "day_of_week"}});
inline constexpr std::array kScales =
    std::to_array<Named<bool>>({{true, "standard"}, {false, "none"}});
inline constexpr std::array kNetworks =
    std::to_array<Named<NetworkKind>>({{NetworkKind::linear, "linear"}, {NetworkKind::mlp, "mlp"}});
inline constexpr std::array kOptimizers = std::to_array<Named<OptimizerKind>>(
    {{OptimizerKind::sgd, "sgd"}, {OptimizerKind::adam, "adam"}, {OptimizerKind::adamw, "adamw"}});
inline constexpr std::array kReplays =
    std::to_array<Named<ReplayKind>>({{ReplayKind::none, "none"},
                                      {ReplayKind::recent, "recent"},
                                      {ReplayKind::reservoir, "reservoir"}});
inline constexpr std::array kRegressionLosses =
    std::to_array<Named<RegressionLoss>>({{RegressionLoss::squared, "squared"},
                                          {RegressionLoss::absolute, "absolute"},
                                          {RegressionLoss::huber, "huber"}});
inline constexpr std::array kTests = std::to_array<Named<TestKind>>(
    {{TestKind::mixture, "mixture"}, {TestKind::bounded, "bounded"}});
inline constexpr std::array kLosses =
    std::to_array<Named<LossKind>>({{LossKind::log_loss, "log_loss"},
                                    {LossKind::zero_one, "zero_one"},
                                    {LossKind::absolute, "absolute"},
                                    {LossKind::squared, "squared"}});
inline constexpr std::array kApprovals =
    std::to_array<Named<bool>>({{true, "automatic"}, {false, "manual"}});
inline constexpr std::array kGates =
    std::to_array<Named<bool>>({{false, "progressive"}, {true, "evidence"}});
inline constexpr std::array kDurabilities =
    std::to_array<Named<bool>>({{true, "full"}, {false, "batch"}});

/// A field of times: its name where they are RFC 3339, else with its unit.
template <class V>
void describe_time_field(V& v, TimeField& time) {
  v.required("field", Text{time.name}, "The field's name");
  v.key("unit", Choice<TimeUnit>{time.unit, kTimeUnits},
        "What its values are: RFC 3339 text, or a number since 1970 in this unit");
}

inline auto time_field_shape(TimeField& time) {
  return ShortOr{time.unit == TimeUnit::rfc3339, Text{time.name},
                 Object{[&time](auto& v) { describe_time_field(v, time); }}};
}

/// The keys of `event.time` before they are known to be one of its three forms.
struct TimeKeys {
  std::optional<std::string> field, date, hour;
  std::optional<TimeUnit> unit;
  std::optional<Millis> every, from;

  static TimeKeys of(const TimeSpec& time);
  void store(TimeSpec& time) const;
};

template <class V>
void describe_time(V& v, TimeKeys& keys) {
  const auto text = [](std::string& value) { return Text{value}; };
  v.exactly_one({{"field", "?unit"}, {"date", "hour"}, {"every", "from"}});
  v.key("field", Maybe{keys.field, text}, "The field that holds the time");
  v.key("unit",
        Maybe{keys.unit,
              [](TimeUnit& unit) {
                return Choice<TimeUnit>{unit, kTimeUnits};
              }},
        "What the field's values are: RFC 3339 text (the default), or a number since 1970 in "
        "this unit");
  v.key("date", Maybe{keys.date, text}, "The field that holds the date (2011-01-31)");
  v.key("hour", Maybe{keys.hour, text}, "The field that holds the hour of the day, 0 to 23");
  v.key("every",
        Maybe{keys.every,
              [](Millis& value) {
                return Duration{value, 1};
              }},
        "Data without timestamps: the time from one record to the next");
  v.key("from", Maybe{keys.from, [](Millis& value) { return TimePoint{value}; }},
        "Data without timestamps: the time of the first record");
}

template <class V>
void describe_field(V& v, Field& field) {
  v.required("kind", Choice<FieldKind>{field.kind, kFieldKinds}, "What its values are");
  const auto constant = [&field](auto& o) {
    field.missing = MissingRule::constant;
    o.required("constant",
               ScalarText{field.missing_constant,
                          field.kind != FieldKind::number && field.kind != FieldKind::boolean},
               "The value that stands for a missing one");
  };
  v.key("missing",
        ShortOr{field.missing != MissingRule::constant,
                Choice<MissingRule>{field.missing, kMissingRules}, Object{constant}},
        "What a missing value becomes: the running mean beside an indicator (mean; other kinds "
        "than numbers: a value of their own), a constant, or a dead letter (reject)");
}

template <class V>
void describe_event(V& v, Schema& schema) {
  v.key("id", Text{schema.id_field},
        "The field that identifies an event; empty: its ordinal across all inputs");
  TimeKeys time = TimeKeys::of(schema.time);
  std::string name = time.field.value_or("");
  v.required("time",
             ShortOr{time.field && time.unit == TimeUnit::rfc3339, Text{name},
                     Object{[&time](auto& o) { describe_time(o, time); }}},
             "When an event happened: a field (RFC 3339, or with its unit), a date and an hour, or "
             "a step for data without timestamps");
  if (!name.empty() && !time.field) time.field = name;
  time.store(schema.time);
  v.key("utc_offset", UtcOffset{schema.time.utc_offset},
        "Local time minus UTC, where the data state local time");
  const auto field = [](Field& item) {
    return ShortOr{item.missing == MissingRule::mean, Choice<FieldKind>{item.kind, kFieldKinds},
                   Object{[&item](auto& o) { describe_field(o, item); }}};
  };
  v.required("fields", ByName{schema.fields, field},
             "What is known of an event when it is asked about, by name");
}

/// The keys of `label` that are of another form in LabelSpec.
struct LabelKeys {
  std::optional<std::string> default_text;
  std::optional<Millis> after;
  std::optional<TimeField> at;

  static LabelKeys of(Task task, const LabelSpec& label);
  /// False where the default is no label of the task.
  bool store(Task task, LabelSpec& label) const;
};

template <class V>
void describe_label(V& v, Schema& schema) {
  LabelSpec& label = schema.label;
  LabelKeys keys = LabelKeys::of(schema.task, label);
  const auto delayed = [&keys](auto& o) {
    o.exactly_one({{"after"}, {"at"}});
    o.key("after", Maybe{keys.after, [](Millis& value) { return Duration{value}; }},
          "It stands in the event's line, and became known this much later");
    o.key("at", Maybe{keys.at, [](TimeField& value) { return time_field_shape(value); }},
          "It stands in the event's line, and became known at the time in this field");
  };
  v.required("field", Text{label.field}, "The field that holds the label");
  v.key("known",
        ShortOr{!keys.after && !keys.at, Choice<LabelKnown>{label.known, kLabelKnown},
                Object{delayed}},
        "When a label becomes known: with its event; later, by a label event {id, label, time}; or "
        "for history, where the stream is replayed as it happened, after a time or at one");
  v.key("wait", Duration{label.wait},
        "With known \"later\", and required there: how long a question stays open");
  v.key("classes", List{label.classes, [](std::string& name) { return Text{name}; }},
        "multiclass: the labels, as they stand in the input");
  v.key("default",
        Maybe{keys.default_text,
              [&](std::string& text) {
                return ScalarText{text, schema.task == Task::multiclass};
              }},
        "With known \"later\": the label where none has come after `wait`; without one the "
        "question is given up");
  if (!keys.store(schema.task, label)) {
    v.refuse("default",
             "it is no label of the task: expected 0 or 1 (binary), one of `classes` "
             "(multiclass) or a number (regression)");
  }
}

template <class V>
void describe_keep(V& v, KeepPolicy& keep) {
  v.exactly_one({{"age"}, {"bytes"}});
  v.key("age",
        Maybe{keep.age,
              [](Millis& value) {
                return Duration{value, 1};
              }},
        "What happened within this time stays");
  v.key("bytes",
        Maybe{keep.bytes,
              [](std::uint64_t& value) {
                return Count<std::uint64_t>{value, 1};
              }},
        "The newest so many bytes of the log's records stay");
}

template <class V>
void describe_stream(V& v, PipelineConfig& config) {
  Schema& schema = config.schema;
  v.key("source", Object{[&](auto& o) { describe_source(o, config); }}, "Where events come from");
  v.required("event", Object{[&](auto& o) { describe_event(o, schema); }},
             "What an event looks like");
  v.required("label", Object{[&](auto& o) { describe_label(o, schema); }},
             "What is to be predicted, and when it becomes known");
  v.key("out_of_orderness", Duration{schema.out_of_orderness},
        "How far events may be out of order: watermark = largest event time - this");
  v.key("allowed_lateness", Duration{schema.allowed_lateness},
        "An event later than the watermark by more goes to the side output `late`");
  v.derived("dedup_within", Duration{schema.dedup_within},
            "How long an event's id is remembered, in event time; default: 1d, or label.wait + "
            "allowed_lateness where that is more (it can't be less)");
  v.key("max_time_jump", Duration{schema.max_time_jump, 1},
        "An event further ahead of the largest event time is a dead letter");
  v.key("durability", Choice<bool>{config.sync_each_batch, kDurabilities},
        "When an event is acknowledged: full, once it is on disk; batch, once the system has it, "
        "which outlives the program but not the machine: its last moments may be lost. A change "
        "takes effect at the next start");
  const auto limits = [](KeepPolicy& keep) {
    return Object{[&keep](auto& o) { describe_keep(o, keep); }};
  };
  v.key("keep", Maybe{config.keep, limits, true},
        "How much stays of what was recorded; what is older is deleted as soon as nothing needs it "
        "any more; null: all stays");
  v.key("max_open_questions", Count<std::uint64_t>{schema.max_open_questions, 1},
        "Questions waiting for labels, at most; then the source waits");
  v.key("max_bad_share", Number{schema.max_bad_share, 0, 1},
        "Dead letters among the recent records above which the source stops");
}

template <class V>
void describe_feature(V& v, FeatureSpec& feature) {
  v.required("name", Text{feature.name}, "The feature's name");
  v.derived("from", Text{feature.from},
            "A field's name, or event.time; default: the feature's name");
  v.derived("encode", Choice<Encoding>{feature.encoding, kEncodings},
            "How the field becomes numbers; default by the field's kind: number (booleans too), "
            "embedding (categories and texts), time_of_day (times)");
  v.derived("scale", Choice<bool>{feature.scale, kScales},
            "number: standard-scaled by a running mean and variance; default: standard for "
            "numbers, none elsewhere");
  v.key("values", List{feature.values, [](std::string& value) { return Text{value}; }},
        "one_hot: the values that have a place of their own; any other shares one");
  v.derived("buckets", Count<std::uint32_t>{feature.buckets, 0, 1U << 24U},
            "hash, embedding: how many buckets values are hashed to, with hash at most 65536; "
            "default: 256");
  v.derived("dim", Count<std::uint32_t>{feature.dim, 0, 1024},
            "embedding: weights a bucket; default: 4");
  for (const char* name : {"agg", "of", "by", "window", "where", "empty", "include_self"}) {
    v.unsupported(name);
  }
}

}  // namespace freshet
