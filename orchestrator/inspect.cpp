#include "orchestrator/inspect.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

#include "stream/csv_cells.h"
#include "stream/error.h"
#include "stream/event_time.h"
#include "stream/line_reader.h"
#include "stream/nearest_name.h"

namespace freshet {

using nlohmann::json;

namespace {

constexpr std::size_t kRecords = 2000;
constexpr std::size_t kMostClasses = 20;
constexpr double kGivesAway = 0.97;  // correlation with a regression's label

/// The cells of one field over the records looked at; empty: missing.
struct Field {
  std::string name;
  std::vector<std::string> cells;

  std::optional<double> number(std::size_t i) const {
    char* end = nullptr;
    const double value = std::strtod(cells[i].c_str(), &end);
    if (cells[i].empty() || *end != '\0' || !std::isfinite(value)) return std::nullopt;
    return value;
  }

  template <class Holds>
  bool all(const Holds& holds) const {
    bool any = false;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (cells[i].empty()) continue;
      if (!holds(i)) return false;
      any = true;
    }
    return any;
  }

  bool numeric() const {
    return all([&](std::size_t i) { return number(i).has_value(); });
  }
  bool boolean() const {
    return all([&](std::size_t i) { return cells[i] == "true" || cells[i] == "false"; });
  }
  bool time() const {
    return !numeric() && all([&](std::size_t i) { return parse_time(cells[i]).has_value(); });
  }
  /// 1, 2, 3 …: a row's number, not a feature.
  bool counter() const {
    return numeric() && cells.size() > 2 && all([&](std::size_t i) {
             return i == 0 || (number(i - 1) && *number(i) - *number(i - 1) == 1);
           });
  }
  std::set<std::string> distinct() const {
    std::set<std::string> values(cells.begin(), cells.end());
    values.erase("");
    return values;
  }
};

class Table {
 public:
  explicit Table(const std::string& input) {
    constexpr int kWaitMs = 100;
    LineReader reader(ByteInput::open(input), false);
    LineReader::Status status = LineReader::record;
    const std::optional<char> first = reader.peek(kWaitMs, status);
    const bool csv = !first || (*first != '{' && *first != '[');
    if (csv) reader.set_framing(Framing::csv);
    RawRecord record;
    CsvCells cells;
    for (std::size_t read = 0;
         read < kRecords && reader.next(record, kWaitMs) == LineReader::record;) {
      if (csv && fields_.empty()) {
        if (cells.split(record.bytes)) break;
        for (const std::string_view name : cells.values()) add_field(std::string(name));
        continue;
      }
      const bool taken = csv ? take_csv(cells, record.bytes) : take_json(record.bytes);
      if (taken) ++read;
    }
    if (fields_.empty() || fields_.front().cells.empty()) {
      throw Error(ErrorKind::invalid, fmt::format("{}: no records could be read", input));
    }
  }

  Field* find(const std::string& name) {
    for (Field& field : fields_) {
      if (field.name == name) return &field;
    }
    return nullptr;
  }

  Field& need(const std::string& name, const std::string& option) {
    if (Field* field = find(name)) return *field;
    std::vector<std::string> names;
    for (const Field& field : fields_) names.push_back(field.name);
    throw Error(ErrorKind::invalid,
                fmt::format("{} names \"{}\", which is no field; the nearest is \"{}\"", option,
                            name, nearest_name(name, names)));
  }

  std::vector<Field>& fields() { return fields_; }

 private:
  Field& add_field(const std::string& name) {
    fields_.push_back({name, std::vector<std::string>(rows_)});
    return fields_.back();
  }

  bool take_csv(CsvCells& cells, std::string_view bytes) {
    if (cells.split(bytes) || cells.values().size() != fields_.size()) return false;
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      fields_[i].cells.emplace_back(cells.values()[i]);
    }
    ++rows_;
    return true;
  }

  bool take_json(std::string_view bytes) {
    const json j = json::parse(bytes, nullptr, false);
    if (!j.is_object()) return false;
    for (const auto& [name, value] : j.items()) {
      Field* field = find(name);
      if (field == nullptr) field = &add_field(name);
      const bool text = value.is_string();
      field->cells.resize(rows_);
      field->cells.push_back(text              ? value.get<std::string>()
                             : value.is_null() ? std::string()
                                               : value.dump());
    }
    ++rows_;
    for (Field& field : fields_) field.cells.resize(rows_);
    return true;
  }

  std::vector<Field> fields_;
  std::size_t rows_ = 0;
};

double correlation(const Field& a, const Field& b) {
  double n = 0, sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
  for (std::size_t i = 0; i < a.cells.size(); ++i) {
    const auto x = a.number(i);
    const auto y = b.number(i);
    if (!x || !y) continue;
    n += 1, sa += *x, sb += *y, saa += *x * *x, sbb += *y * *y, sab += *x * *y;
  }
  const double spread = std::sqrt((saa - sa * sa / n) * (sbb - sb * sb / n));
  return spread > 0 ? (sab - sa * sb / n) / spread : 0;
}

/// Whether a + b is the label wherever all three are there.
bool sums_to(const Field& a, const Field& b, const Field& label) {
  return label.all([&](std::size_t i) {
    const auto x = a.number(i);
    const auto y = b.number(i);
    return x && y && *x + *y == *label.number(i);
  });
}

class Inference {
 public:
  Inference(const std::string& input, const InferOptions& options)
      : table_(input), options_(options), label_(table_.need(options.label, "--label")) {
    left_out_.insert(options.label);
    for (const std::string& name : options.drop) left_out_.insert(table_.need(name, "--drop").name);
    config_["pipeline"] = name_of(input);
    choose_task();
    choose_time();
    if (!options.id.empty()) {
      config_["stream"]["event"]["id"] = table_.need(options.id, "--id").name;
      left_out_.insert(options.id);
    }
    leave_out_counters();
    if (config_["task"] == "regression") leave_out_giveaways();
    choose_fields();
  }

  InferredConfig result() const { return {config_.dump(2), notes_}; }

 private:
  std::string name_of(const std::string& input) const {
    std::string name = options_.name;
    if (name.empty()) {
      name = std::filesystem::path(input).filename().string();
      name = name.substr(0, name.find('.'));
    }
    std::string safe;
    for (const char c : name) {
      const char lower = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      safe += (std::isalnum(static_cast<unsigned char>(lower)) != 0) ? lower : '-';
    }
    while (!safe.empty() && safe.front() == '-') safe.erase(0, 1);
    return safe.empty() ? "pipeline" : safe.substr(0, 64);
  }

  void choose_task() {
    json& label = config_["stream"]["label"];
    label["field"] = options_.label;
    label["known"] = "with_event";
    const std::set<std::string> values = label_.distinct();
    const bool binary = std::all_of(values.begin(), values.end(), [](const std::string& v) {
      return v == "0" || v == "1" || v == "true" || v == "false";
    });
    const bool whole = label_.all([&](std::size_t i) {
      const auto value = label_.number(i);
      return value && *value == std::floor(*value);
    });
    if (binary) {
      config_["task"] = "binary";
    } else if (!label_.numeric() || (whole && values.size() <= kMostClasses)) {
      if (values.size() > 1000) {
        throw Error(ErrorKind::invalid,
                    fmt::format("--label {}: text with over 1000 different values is no label",
                                options_.label));
      }
      config_["task"] = "multiclass";
      label["classes"] = values;
      notes_.push_back(
          fmt::format("the {} classes are those of the first records; add any other to "
                      "stream.label.classes",
                      values.size()));
    } else {
      config_["task"] = "regression";
    }
    notes_.push_back(
        "labels are taken as known with the event; if they come later, set stream.label.known");
  }

  void choose_time() {
    const std::string& spec = options_.time;
    json& time = config_["stream"]["event"]["time"];
    if (spec.starts_with("every:")) {
      const std::size_t from = spec.find(",from:");
      time["every"] = spec.substr(6, from == std::string::npos ? from : from - 6);
      time["from"] =
          from == std::string::npos ? std::string("1970-01-01T00:00:00Z") : spec.substr(from + 6);
      return;
    }
    if (const std::size_t comma = spec.find(','); comma != std::string::npos) {
      time["date"] = table_.need(spec.substr(0, comma), "--time").name;
      time["hour"] = table_.need(spec.substr(comma + 1), "--time").name;
      left_out_.insert(spec.substr(0, comma));
      return;
    }
    Field* field = spec.empty() ? guess_time() : &table_.need(spec, "--time");
    if (field == nullptr) {
      time = {{"every", "1s"}, {"from", "1970-01-01T00:00:00Z"}};
      notes_.push_back(
          "no field looks like a time: records are taken as one second apart; set "
          "stream.event.time");
      return;
    }
    left_out_.insert(field->name);
    if (!field->numeric()) {
      time = field->name;
      return;
    }
    const double value = std::abs(field->number(0).value_or(0));
    time = {{"field", field->name},
            {"unit", value > 1e17   ? "ns"
                     : value > 1e14 ? "us"
                     : value > 1e11 ? "ms"
                                    : "s"}};
  }

  Field* guess_time() {
    for (Field& field : table_.fields()) {
      if (!left_out_.contains(field.name) && field.time()) {
        notes_.push_back(fmt::format("\"{}\" is taken as the event's time", field.name));
        return &field;
      }
    }
    return nullptr;
  }

  void leave_out(const std::string& name, const std::string& why) {
    left_out_.insert(name);
    notes_.push_back(fmt::format("\"{}\" is left out: {}", name, why));
  }

  void leave_out_counters() {
    for (const Field& field : table_.fields()) {
      if (!left_out_.contains(field.name) && field.counter()) {
        leave_out(field.name, "it counts the records");
      }
    }
  }

  void leave_out_giveaways() {
    std::vector<const Field*> numbers;
    for (const Field& field : table_.fields()) {
      if (!left_out_.contains(field.name) && field.numeric()) numbers.push_back(&field);
    }
    for (const Field* a : numbers) {
      for (const Field* b : numbers) {
        if (a >= b || !sums_to(*a, *b, label_)) continue;
        leave_out(a->name, fmt::format("with \"{}\" it adds up to the label", b->name));
        leave_out(b->name, fmt::format("with \"{}\" it adds up to the label", a->name));
      }
    }
    for (const Field* field : numbers) {
      if (left_out_.contains(field->name)) continue;
      const double r = correlation(*field, label_);
      if (std::abs(r) > kGivesAway) {
        leave_out(field->name, fmt::format("it gives the label away (correlation {:.3f})", r));
      }
    }
  }

  void choose_fields() {
    json& fields = config_["stream"]["event"]["fields"];
    fields = json::object();
    for (const Field& field : table_.fields()) {
      if (left_out_.contains(field.name)) continue;
      if (field.distinct().empty()) {
        leave_out(field.name, "it is empty");
        continue;
      }
      fields[field.name] = field.numeric()   ? "number"
                           : field.boolean() ? "boolean"
                           : field.time()    ? "time"
                                             : "category";
    }
    if (fields.empty()) throw Error(ErrorKind::invalid, "no field is left to learn from");
  }

  Table table_;
  const InferOptions& options_;
  Field& label_;
  json config_;
  std::set<std::string> left_out_;
  std::vector<std::string> notes_;
};

}  // namespace

InferredConfig infer_config(const std::string& input, const InferOptions& options) {
  return Inference(input, options).result();
}

}  // namespace freshet
