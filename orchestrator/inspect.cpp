#include "orchestrator/inspect.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <limits>
#include <set>

#include <nlohmann/json.hpp>

#include "orchestrator/config.h"
#include "orchestrator/inspect_leaks.h"
#include "orchestrator/inspect_table.h"
#include "stream/error.h"
#include "stream/event_decoder.h"

namespace freshet {

using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t kRecords = 2000;
constexpr std::size_t kMostGuessedClasses = 20;
constexpr double kFollows = 0.97;  // correlation with a regression's label
constexpr double kSplits = 0.999;  // area under the ROC curve of one number

template <class... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> form, Args&&... args) {
  throw Error(ErrorKind::invalid, fmt::format(form, std::forward<Args>(args)...));
}

class Inference {
 public:
  Inference(const std::string& input, const InferOptions& options)
      : table_(input, kRecords), options_(options), label_(table_.need(options.label, "--label")) {
    config_["pipeline"] = pipeline_name(input);
    left_out_.insert(label_.name());
    for (const std::string& name : options.drop) {
      if (name == label_.name()) refuse("--drop {}: this is the label", name);
      left_out_.insert(table_.need(name, "--drop").name());
    }
    config_["task"] = task_ = choose_task();
    if (!options.id.empty()) {
      config_["stream"]["event"]["id"] = table_.need(options.id, "--id").name();
      left_out_.insert(options.id);
    }
    choose_time();
    config_["stream"]["event"]["fields"] = Json::object();
    choose_label();
    leave_out_what_tells_records_apart();
    if (task_ == "regression") leave_out_what_follows();
    if (task_ == "binary") leave_out_what_splits();
    choose_fields();
  }

  InferredConfig result() const {
    const std::string text = config_.dump(2);
    parse_config(text, "the inferred config");
    return {text, notes_};
  }

 private:
  std::string pipeline_name(const std::string& input) const {
    std::string name = options_.name;
    if (name.empty()) {
      name = std::filesystem::path(input).filename().string();
      name = name.substr(0, name.find('.'));
    }
    std::string safe;
    for (const char c : name) {
      const auto byte = static_cast<unsigned char>(c);
      const bool taken = byte < 0x80 && (std::isalnum(byte) != 0 || (c == '_' && !safe.empty()));
      safe += taken ? static_cast<char>(std::tolower(byte)) : '-';
    }
    safe.erase(0, std::min(safe.find_first_not_of('-'), safe.size()));
    return safe.empty() ? "pipeline" : safe.substr(0, 64);
  }

  void note(std::string text) { notes_.push_back(std::move(text)); }

  void leave_out(const std::string& name, const std::string& why) {
    left_out_.insert(name);
    note(fmt::format("{} is left out: {}", freshet::quoted(name), why));
  }

  std::string choose_task() {
    const std::set<std::string>& values = label_.distinct();
    if (values.size() < 2 && !could_be_binary()) {
      refuse("--label {}: found {} in the first {} records, expected two values or more",
             freshet::quoted(label_.name()),
             values.empty() ? "none" : "only " + freshet::quoted(*values.begin()),
             table_.records());
    }
    const std::string guess = could_be_binary()                          ? "binary"
                              : label_.numeric() && !few_whole_numbers() ? "regression"
                                                                         : "multiclass";
    const std::string& task = options_.task.empty() ? guess : options_.task;
    if (task != "binary" && task != "multiclass" && task != "regression") {
      refuse("--task: found {}, expected binary, multiclass or regression", freshet::quoted(task));
    }
    if (task == "binary" && !could_be_binary()) {
      refuse("--task binary: the label {} has other values than 0, 1, false and true",
             freshet::quoted(label_.name()));
    }
    if (task == "regression" && !label_.numeric()) {
      refuse("--task regression: the label {} has values that are no numbers",
             freshet::quoted(label_.name()));
    }
    constexpr std::size_t kMostClasses = 1000;
    if (task == "multiclass" && (values.size() < 2 || values.size() > kMostClasses)) {
      refuse(
          "--label {}: found {} different values in the first {} records, expected 2 to {} "
          "classes, or numbers",
          freshet::quoted(label_.name()), values.size(), table_.records(), kMostClasses);
    }
    return task;
  }

  bool could_be_binary() const {
    const std::set<std::string>& values = label_.distinct();
    return !values.empty() && std::all_of(values.begin(), values.end(), [](const auto& value) {
      return parse_label(Task::binary, {}, value).has_value();
    });
  }

  bool few_whole_numbers() const {
    return label_.whole() && label_.distinct().size() <= kMostGuessedClasses;
  }

  void choose_label() {
    Json& label = config_["stream"]["label"];
    label["field"] = label_.name();
    label["known"] = known();
    if (task_ != "multiclass") return;
    std::vector<std::string> classes(label_.distinct().begin(), label_.distinct().end());
    if (label_.numeric()) {
      std::stable_sort(classes.begin(), classes.end(),
                       [](const auto& a, const auto& b) { return std::stod(a) < std::stod(b); });
    }
    label["classes"] = classes;
    note(
        fmt::format("the {} classes are those of the first {} records: add any other to "
                    "stream.label.classes",
                    classes.size(), table_.records()));
  }

  Json known() {
    const std::string& known = options_.known;
    if (known.empty()) {
      note(
          "labels are taken as known with their event: if they come later, set "
          "stream.label.known");
      return "with_event";
    }
    if (known == "with_event") return known;
    if (known.starts_with("after:") && parse_duration(known.substr(6))) {
      return {{"after", known.substr(6)}};
    }
    if (!known.starts_with("at:")) {
      refuse("--known: found {}, expected with_event, after:7d or at:FIELD",
             freshet::quoted(known));
    }
    const InspectedField& at = table_.need(known.substr(3), "--known");
    left_out_.insert(at.name());
    return {{"at", time_of(at, "--known")}};
  }

  /// A field as a config names a time.
  static Json time_of(const InspectedField& field, const std::string& option) {
    if (field.rfc3339()) return field.name();
    const auto unit = field.epoch_unit();
    if (!unit) {
      refuse("{} {}: found {}, expected times: RFC 3339, or whole numbers since 1970", option,
             freshet::quoted(field.name()),
             field.empty() ? "none" : freshet::quoted(*field.distinct().begin()));
    }
    return {{"field", field.name()}, {"unit", *unit}};
  }

  void choose_time() {
    const std::string& spec = options_.time;
    Json& time = config_["stream"]["event"]["time"];
    const std::size_t comma = spec.find(',');
    if (spec.starts_with("every:") && table_.find(spec) == nullptr) {
      time = every(spec);
    } else if (comma != std::string::npos && table_.find(spec) == nullptr) {
      time = date_and_hour(table_.need(spec.substr(0, comma), "--time"),
                           table_.need(spec.substr(comma + 1), "--time"));
    } else if (!spec.empty()) {
      time = time_of(table_.need(spec, "--time"), "--time");
      left_out_.insert(spec);
    } else {
      time = guess_time();
    }
  }

  static Json every(const std::string& spec) {
    const std::size_t from = spec.find(",from:");
    const std::string step = spec.substr(6, from == std::string::npos ? from : from - 6);
    const std::string start =
        from == std::string::npos ? "1970-01-01T00:00:00Z" : spec.substr(from + 6);
    if (parse_duration(step).value_or(0) < 1 || !parse_time(start)) {
      refuse("--time: found {}, expected as in every:30m,from:1996-05-07T00:00:00Z",
             freshet::quoted(spec));
    }
    return {{"every", step}, {"from", start}};
  }

  Json date_and_hour(const InspectedField& date, const InspectedField& hour) {
    if (!date.dates())
      refuse("--time: {} holds no dates as 2011-01-31", freshet::quoted(date.name()));
    if (!is_hour(hour))
      refuse("--time: {} holds no hours from 0 to 23", freshet::quoted(hour.name()));
    left_out_.insert(date.name());
    return {{"date", date.name()}, {"hour", hour.name()}};
  }

  static bool is_hour(const InspectedField& field) {
    return field.whole() && std::all_of(field.numbers().begin(), field.numbers().end(),
                                        [](double n) { return n >= 0 && n <= 23; });
  }

  Json guess_time() {
    for (const InspectedField& field : table_.fields()) {
      const bool rising = field.epoch_unit() && field.never_falls();
      if (left_out_.contains(field.name()) || !(field.rfc3339() || rising)) continue;
      if (const InspectedField* hour = field.dates() ? find_hour() : nullptr) {
        note(fmt::format("{} and {} are taken as the event's time", freshet::quoted(field.name()),
                         freshet::quoted(hour->name())));
        return date_and_hour(field, *hour);
      }
      note(fmt::format("{} is taken as the event's time", freshet::quoted(field.name())));
      left_out_.insert(field.name());
      return time_of(field, "--time");
    }
    note(
        "no field looks like a time: records are taken as one second apart; set "
        "stream.event.time");
    return {{"every", "1s"}, {"from", "1970-01-01T00:00:00Z"}};
  }

  const InspectedField* find_hour() const {
    for (const char* name : {"hr", "hour"}) {
      const InspectedField* field = table_.find(name);
      if (field != nullptr && is_hour(*field)) return field;
    }
    return nullptr;
  }

  void leave_out_what_tells_records_apart() {
    const std::size_t enough = kLeakRecords;
    for (const InspectedField& field : table_.fields()) {
      if (left_out_.contains(field.name())) continue;
      if (field.name().empty()) {
        leave_out("", "a field needs a name");
      } else if (field.counter()) {
        leave_out(field.name(), "it counts the records");
      } else if (const auto unit = field.epoch_unit()) {
        const Json at = {{"at", {{"field", field.name()}, {"unit", *unit}}}};
        leave_out(field.name(),
                  fmt::format("it looks like a time; if labels became known then, set "
                              "stream.label.known to {}",
                              at.dump()));
      } else if (field.category() && !field.numeric() && !field.rfc3339() &&
                 table_.records() >= enough && field.distinct().size() == table_.records()) {
        leave_out(field.name(),
                  "it is another one in each record; if it identifies them, use --id");
      }
    }
  }

  std::vector<const InspectedField*> numbers() const {
    std::vector<const InspectedField*> found;
    for (const InspectedField& field : table_.fields()) {
      if (!left_out_.contains(field.name()) && field.numeric()) found.push_back(&field);
    }
    return found;
  }

  void leave_out_what_follows() {
    const auto fields = numbers();
    for (std::size_t a = 0; a < fields.size(); ++a) {
      for (std::size_t b = a + 1; b < fields.size(); ++b) {
        if (!sums_to(*fields[a], *fields[b], label_)) continue;
        leave_out(fields[a]->name(), fmt::format("with {} it adds up to the label",
                                                 freshet::quoted(fields[b]->name())));
        leave_out(fields[b]->name(), fmt::format("with {} it adds up to the label",
                                                 freshet::quoted(fields[a]->name())));
      }
    }
    for (const InspectedField* field : numbers()) {
      const double r = correlation(*field, label_);
      if (std::abs(r) <= kFollows) continue;
      leave_out(field->name(), fmt::format("it gives the label away (correlation {:.3f})", r));
    }
  }

  void leave_out_what_splits() {
    std::vector<double> classes;
    for (const std::string& cell : label_.cells()) {
      const auto label = parse_label(Task::binary, {}, cell);
      classes.push_back(label.value_or(std::numeric_limits<double>::quiet_NaN()));
    }
    if (label_.distinct().size() < 2) {
      note(
          fmt::format("the first {} records have labels of one class only: whether a field gives "
                      "the label away cannot be told",
                      table_.records()));
    }
    for (const InspectedField* field : numbers()) {
      const double area = separation(*field, classes);
      if (area < kSplits) continue;
      leave_out(field->name(), fmt::format("it gives the label away (AUC {:.4f})", area));
    }
  }

  void choose_fields() {
    Json& fields = config_["stream"]["event"]["fields"];
    for (const InspectedField& field : table_.fields()) {
      if (left_out_.contains(field.name())) continue;
      if (field.empty()) {
        leave_out(field.name(), "it is empty");
      } else if (field.numeric()) {
        fields[field.name()] = "number";
      } else if (field.boolean()) {
        fields[field.name()] = "boolean";
      } else if (field.rfc3339()) {
        fields[field.name()] = "time";
      } else if (field.category()) {
        fields[field.name()] = "category";
      } else {
        leave_out(field.name(), "it holds lists, objects, or booleans beside other values");
      }
    }
    if (!fields.empty()) return;
    std::string why;
    for (const std::string& line : notes_) why += "\n  " + line;
    refuse("no field is left to learn from:{}", why);
  }

  const InspectedTable table_;
  const InferOptions& options_;
  const InspectedField& label_;
  std::string task_;
  Json config_;
  std::set<std::string> left_out_;
  std::vector<std::string> notes_;
};

}  // namespace

InferredConfig infer_config(const std::string& input, const InferOptions& options) {
  return Inference(input, options).result();
}

}  // namespace freshet
