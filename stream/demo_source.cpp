#include "stream/demo_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stream/error.h"
#include "stream/event_decoder.h"
#include "stream/nearest_name.h"
#include "stream/random.h"

namespace freshet {
namespace {

constexpr Millis kStart = 1'704'067'200'000;  // 2024-01-01T00:00:00Z
constexpr double kMeanGap = 86'400;           // milliseconds: 1,000 events a day
constexpr std::uint64_t kCustomers = 1000;
constexpr std::uint64_t kTerminals = 200;
constexpr std::uint64_t kGiftCards = 9;
constexpr std::array<std::string_view, 10> kMerchants = {
    "grocery", "fuel",  "restaurant",  "pharmacy", "clothing",
    "travel",  "hotel", "electronics", "games",    "gift_cards"};
constexpr std::array<double, 10> kOnlineShare = {0.1, 0.02, 0.15, 0.2, 0.5,
                                                 0.8, 0.7,  0.6,  0.9, 0.85};
constexpr std::array<double, 10> kMerchantRisk = {-0.6, -0.3, -0.4, -0.3, 0.0,
                                                  0.3,  0.2,  0.5,  0.4,  0.1};

// First keys of the generators: what a draw is for.
enum Draw : std::uint64_t { kPayment = 1, kCustomer = 2, kTerminal = 3, kHotTerminal = 4 };

struct Payment {
  std::uint64_t number = 0;
  Millis time = 0;
  std::uint64_t customer = 0;
  std::uint64_t terminal = 0;
  std::uint64_t merchant = 0;
  double amount = 0;
  double distance = 0;
  bool online = false;
  bool amount_missing = false;
  bool distance_missing = false;
  bool merchant_missing = false;
  bool fraud = false;
  Millis label_time = 0;
};

/// The sum of 12 uniform draws, less 6: normal enough, and the same on every machine.
double roughly_normal(KeyedGenerator& draws) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += draws.uniform();
  return sum;
}

class Payments {
 public:
  explicit Payments(const DemoSpec& spec) : spec_(spec) {}

  bool at_end() const { return number_ == spec_.events; }

  Payment next() {
    KeyedGenerator draws(spec_.seed, kPayment, number_);
    Payment payment;
    payment.number = number_;
    // Fewer payments by night.
    const double rate = is_night(time_) ? 0.4 : 1.25;
    time_ += 1 + static_cast<Millis>(-std::log1p(-draws.uniform()) * kMeanGap / rate);
    payment.time = time_;
    draw_parties(draws, payment);
    draw_values(draws, payment);
    const double risk = 1 / (1 + std::exp(-log_odds(payment)));
    payment.fraud = draws.uniform() < risk;
    payment.label_time =
        time_ + kHour + static_cast<Millis>(draws.uniform() * 46.5 * static_cast<double>(kHour));
    ++number_;
    return payment;
  }

 private:
  static bool is_night(Millis time) {
    const Millis hour = time % kDay / kHour;
    return hour < 6 || hour >= 23;
  }

  void draw_parties(KeyedGenerator& draws, Payment& payment) const {
    const double popular = draws.uniform();
    payment.customer =
        static_cast<std::uint64_t>(popular * std::sqrt(popular) * double{kCustomers});
    payment.terminal = draws.below(kTerminals);
    KeyedGenerator terminal(spec_.seed, kTerminal, payment.terminal);
    payment.merchant = terminal.below(kMerchants.size());
    payment.online = draws.uniform() < kOnlineShare[payment.merchant];
  }

  void draw_values(KeyedGenerator& draws, Payment& payment) const {
    KeyedGenerator customer(spec_.seed, kCustomer, payment.customer);
    const double habit = 3.2 + 0.8 * customer.uniform();
    const double amount = std::exp(habit + 0.9 * roughly_normal(draws));
    payment.amount = std::round(std::min(amount, 5000.0) * 100) / 100;
    const double reach = 5 + 35 * customer.uniform();
    payment.distance = std::round(-std::log1p(-draws.uniform()) * reach * 10) / 10;
    payment.amount_missing = draws.uniform() < 0.01;
    payment.distance_missing = draws.uniform() < (payment.online ? 0.3 : 0.03);
    payment.merchant_missing = draws.uniform() < 0.02;
  }

  double share() const { return static_cast<double>(number_) / static_cast<double>(spec_.events); }

  double log_odds(const Payment& payment) const {
    const std::uint64_t concept_number = share() < 0.35 ? 0 : share() < 0.7 ? 1 : 2;
    const bool night = is_night(payment.time);
    const bool high = payment.amount > 60;
    const bool low = payment.amount < 15;
    const bool far = payment.distance > 30;
    const bool online = payment.online;
    bool pattern = false;
    switch (concept_number) {
      case 0:
        pattern = (online && high) || (!online && far && low);
        break;
      case 1:
        pattern = (online && low) || (!online && high && night) || (!online && far && high);
        break;
      default:
        pattern = (online && night && !low) || (online && far && high) ||
                  (!online && !far && low && !night);
    }
    double odds = -4.0 + kMerchantRisk[payment.merchant] + (pattern ? 3.0 : 0.0);
    KeyedGenerator hot(spec_.seed, kHotTerminal + concept_number, payment.terminal);
    if (hot.below(20) == 0) odds += 1.8;
    const double grown = std::clamp((share() - 0.45) / 0.15, 0.0, 1.0);
    if (payment.merchant == kGiftCards) odds += 2.0 * grown;
    return odds;
  }

  DemoSpec spec_;
  std::uint64_t number_ = 0;
  Millis time_ = kStart;
};

enum class DemoField { amount, distance_km, online, terminal, customer, merchant };

struct KnownField {
  std::string_view name;
  FieldKind kind;
  DemoField field;
};

constexpr std::array<KnownField, 6> kKnownFields = {{
    {"amount", FieldKind::number, DemoField::amount},
    {"distance_km", FieldKind::number, DemoField::distance_km},
    {"online", FieldKind::boolean, DemoField::online},
    {"terminal", FieldKind::category, DemoField::terminal},
    {"customer", FieldKind::category, DemoField::customer},
    {"merchant", FieldKind::category, DemoField::merchant},
}};

DemoField find_field(const Field& wanted) {
  std::vector<std::string> names;
  for (const KnownField& known : kKnownFields) {
    if (known.name == wanted.name) {
      if (known.kind == wanted.kind) return known.field;
      throw Error(
          ErrorKind::invalid,
          fmt::format("the demo stream's field `{}` is of another kind: expected {}", wanted.name,
                      known.kind == FieldKind::number    ? "number"
                      : known.kind == FieldKind::boolean ? "boolean"
                                                         : "category"));
    }
    names.emplace_back(known.name);
  }
  const std::string nearest = nearest_name(wanted.name, names);
  throw Error(ErrorKind::invalid,
              fmt::format("the demo stream has no field `{}`{}; it has {}", wanted.name,
                          nearest.empty() ? "" : fmt::format(" (nearest: `{}`)", nearest),
                          fmt::join(names, ", ")));
}

class DemoSource : public Source {
 public:
  DemoSource(const DemoSpec& spec, const Schema& schema)
      : schema_(schema), rules_(schema, false), payments_(spec) {
    if (schema.id_field.empty() || schema.label.known != LabelKnown::later) {
      throw Error(ErrorKind::invalid,
                  "the demo stream's labels come later, joined by id: expected event.id and "
                  "label.known \"later\"");
    }
    for (const Field& field : schema.fields) fields_.push_back(find_field(field));
    progress_.name = "demo";
    progress_.identity = fmt::format("demo:{}:{}", spec.seed, spec.events);
    look_ahead();
  }

  void resume(const SourceProgress& from) {
    if (from.identity != progress_.identity) {
      throw Error(ErrorKind::conflict,
                  fmt::format("the demo stream was replaced: it was {}, now it is {} "
                              "(demo:seed:events)",
                              from.identity, progress_.identity));
    }
    while (progress_.records < from.records && !at_end()) advance();
  }

  PollStatus poll(std::size_t max_records, RecordSink& sink) override {
    if (at_end()) return PollStatus::ended;
    for (std::size_t given = 0; given < max_records && !at_end(); ++given) {
      const bool is_label = label_is_next();
      const Payment payment = advance();
      const Origin origin = {progress_.records, {}, progress_.name};
      if (const Field* missing = make_event(payment, is_label)) {
        sink.bad(origin, fmt::format("field `{}`: is missing, and its rule for missing values is "
                                     "reject",
                                     missing->name));
      } else {
        sink.event(event_, origin);
      }
    }
    return PollStatus::ready;
  }

  std::vector<SourceProgress> progress() const override { return {progress_}; }

 private:
  struct LaterLabel {
    bool operator()(const Payment& a, const Payment& b) const {
      return std::pair(a.label_time, a.number) > std::pair(b.label_time, b.number);
    }
  };

  bool at_end() const { return !next_ && labels_.empty(); }

  bool label_is_next() const {
    return !labels_.empty() && (!next_ || labels_.top().label_time < next_->time);
  }

  void look_ahead() {
    next_.reset();
    if (!payments_.at_end()) next_ = payments_.next();
  }

  /// Takes the next record: the payment it is, or whose label it is.
  Payment advance() {
    ++progress_.records;
    if (label_is_next()) {
      const Payment payment = labels_.top();
      labels_.pop();
      return payment;
    }
    const Payment payment = *next_;
    if (payment.fraud) labels_.push(payment);
    look_ahead();
    return payment;
  }

  /// Gives the field that is missing and must not be, or null.
  const Field* make_event(const Payment& payment, bool is_label) {
    id_ = fmt::format("p{}", payment.number);
    event_.id = id_;
    event_.label.reset();
    event_.values.clear();
    event_.kind = is_label ? RecordKind::label : RecordKind::event;
    event_.time = is_label ? payment.label_time : payment.time;
    if (is_label) {
      event_.label = 1;
      return nullptr;
    }
    terminal_ = fmt::format("t{}", payment.terminal);
    customer_ = fmt::format("c{}", payment.customer);
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      const FieldValue value = make_value(fields_[i], payment);
      if (value.missing && schema_.fields[i].missing == MissingRule::reject) {
        return &schema_.fields[i];
      }
      event_.values.push_back(value.missing ? rules_.missing_value(i) : value);
    }
    return nullptr;
  }

  FieldValue make_value(DemoField field, const Payment& payment) const {
    switch (field) {
      case DemoField::amount:
        return {payment.amount, {}, payment.amount_missing};
      case DemoField::distance_km:
        return {payment.distance, {}, payment.distance_missing};
      case DemoField::online:
        return {payment.online ? 1.0 : 0.0, {}, false};
      case DemoField::terminal:
        return {kNoNumber, terminal_, false};
      case DemoField::customer:
        return {kNoNumber, customer_, false};
      case DemoField::merchant:
        return {kNoNumber, kMerchants[payment.merchant], payment.merchant_missing};
    }
    return {};
  }

  static constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

  Schema schema_;
  EventDecoder rules_;
  Payments payments_;
  std::vector<DemoField> fields_;
  std::optional<Payment> next_;
  std::priority_queue<Payment, std::vector<Payment>, LaterLabel> labels_;
  SourceProgress progress_;
  Event event_;
  std::string id_, terminal_, customer_;  ///< what `event_` views
};

}  // namespace

std::unique_ptr<Source> demo_source(const DemoSpec& spec, const Schema& schema,
                                    const std::optional<SourceProgress>& resume) {
  auto source = std::make_unique<DemoSource>(spec, schema);
  if (resume) source->resume(*resume);
  return source;
}

}  // namespace freshet
