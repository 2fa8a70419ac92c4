#include "stream/erasure.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "stream/letter_search.h"
#include "stream/nearest_name.h"
#include "stream/seen_ids.h"

namespace freshet {

namespace {

// The value is not repeated: messages end up in logs.
double number_of(const Field& field, const std::string& text, Millis utc_offset) {
  if (field.kind == FieldKind::boolean) {
    if (text == "true" || text == "1") return 1;
    if (text == "false" || text == "0") return 0;
  } else if (field.kind == FieldKind::time) {
    if (const auto time = parse_time(text, utc_offset)) return static_cast<double>(*time);
  } else {
    double number = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && at == text.data() + text.size()) {
      constexpr double kExact = 9007199254740992;  // 2^53: whole numbers below have a double each
      if (std::abs(number) < kExact) return number;
      throw Error(ErrorKind::invalid,
                  fmt::format("the key's value is too large a number for field `{}`: from 2^53 on "
                              "several share one value, and other persons' events would go too; "
                              "erase by id, or make the field a category in a new workspace",
                              field.name));
    }
  }
  throw Error(ErrorKind::invalid,
              fmt::format("the key's value is none of field `{}`: expected {}", field.name,
                          field.kind == FieldKind::boolean ? "true or false"
                          : field.kind == FieldKind::time  ? "a time (RFC 3339)"
                                                           : "a number"));
}

/// Reads the records of [begin, end) that are there; stream.keep may drop some meanwhile.
void read_kept(const EventLog& log, std::uint64_t begin, std::uint64_t end,
               const std::function<void(std::uint64_t, std::string_view)>& each) {
  for (std::uint64_t position = std::max(begin, log.oldest()); position < end;) {
    std::shared_ptr<const RecordBatch> held;
    try {
      held = log.batch(position);
    } catch (const Error& error) {
      const std::uint64_t oldest = log.oldest();
      if (error.kind() != ErrorKind::not_found || oldest <= position) throw;
      position = oldest;
      continue;
    }
    for (; position < std::min(end, held->end()); ++position) {
      each(position, held->record(position));
    }
  }
}

/// Letters are read some at a time: they may be many.
template <class Newest, class Each>
void read_letters(const Newest& newest, const Each& each) {
  for (std::uint64_t before = EventLog::kNewest;;) {
    const std::vector<DeadLetter> letters = newest(before);
    if (letters.empty()) return;
    for (const DeadLetter& letter : letters) each(letter);
    before = letters.back().number;
  }
}

/// Finds an erasure's letters: first those that bear the key, whose ids count as the person's too,
/// then those that bear one of the ids.
class Letters {
 public:
  Letters(const EventLog& log, const Schema& schema, const ErasureKey& key, PersonIds& ids)
      : log_(log), search_(schema, key, ids) {}

  void find(Erasure& erasure) {
    for (const bool by_id : {false, true}) {
      for (const bool late : {false, true}) {
        const auto newest = [&](std::uint64_t before) {
          return late ? log_.late_events(kAtOnce, before) : log_.dead_letters(kAtOnce, before);
        };
        std::set<std::uint64_t>& found = late ? late_ : dead_;
        read_letters(newest, [&](const DeadLetter& letter) {
          if (by_id ? search_.bears_id(letter) : search_.bears_key(letter)) {
            found.insert(letter.number);
          }
        });
      }
    }
    erasure.dead_letters.assign(dead_.begin(), dead_.end());
    erasure.late_events.assign(late_.begin(), late_.end());
  }

 private:
  static constexpr std::uint64_t kAtOnce = 1000;

  const EventLog& log_;
  LetterSearch search_;
  std::set<std::uint64_t> dead_;
  std::set<std::uint64_t> late_;
};

/// The ids of the records up to `end`, of which no stretch tells yet: a start looks for them in the
/// records, where they will not be.
std::optional<SeenStretch> unseen(const EventLog& log, const Schema& schema, std::uint64_t end) {
  SeenStretch stretch;
  stretch.end = end;
  stretch.max_time = Watermark::kNone;
  std::uint64_t begin = log.begin();
  if (const auto stored = log.seen_before(EventLog::kNewest)) {
    begin = std::max(begin, stored->end);
    stretch.max_time = stored->max_time;
  }
  if (begin >= end || schema.id_field.empty()) return std::nullopt;
  Event event;
  IdHasher hash;
  read_kept(log, begin, end, [&](std::uint64_t, std::string_view record) {
    decode(record, schema, event);
    const Millis newest = event.reached ? event.reached->newest : event.time;
    stretch.max_time = std::max({stretch.max_time, event.time, newest});
    if (event.kind == RecordKind::event) stretch.ids.push_back({hash(event.id), event.time});
  });
  return stretch;
}

}  // namespace

ErasureKey parse_erasure_key(const std::string& key, const Schema& schema) {
  ErasureKey parsed;
  const std::size_t equals = key.find('=');
  parsed.text = equals == std::string::npos ? key : key.substr(equals + 1);
  if (parsed.text.empty()) {
    throw Error(ErrorKind::invalid,
                "the key has no value: expected FIELD=VALUE, or the VALUE of an event's id");
  }
  if (equals == std::string::npos) return parsed;
  const std::string name = key.substr(0, equals);
  parsed.field = schema.find(name);
  if (!parsed.field) {
    if (name == "id" || name == schema.id_field) return parsed;
    std::vector<std::string> names{"id"};
    if (!schema.id_field.empty()) names.push_back(schema.id_field);
    for (const Field& field : schema.fields) names.push_back(field.name);
    const std::string nearest = nearest_name(name, names);
    throw Error(ErrorKind::not_found,
                fmt::format("the key names no field of this pipeline's events{}; an id that has "
                            "a \"=\" is written id=VALUE",
                            nearest.empty() ? "" : ": did you mean `" + nearest + "`?"));
  }
  const Field& field = schema.fields[*parsed.field];
  parsed.is_text = field.kind == FieldKind::category || field.kind == FieldKind::text;
  if (!parsed.is_text) parsed.number = number_of(field, parsed.text, schema.time.utc_offset);
  return parsed;
}

std::vector<std::uint64_t> Erasure::positions() const {
  std::vector<std::uint64_t> all;
  for (const auto& one : records) all.insert(all.end(), one.begin(), one.end());
  std::sort(all.begin(), all.end());
  return all;
}

bool ErasureKey::matches(const Event& event) const {
  if (!field) return event.kind <= RecordKind::label && event.id == text;
  if (event.kind != RecordKind::event) return false;
  const FieldValue& value = event.values[*field];
  if (value.missing) return false;
  return is_text ? value.text == text : value.number == number;
}

Erasure find_erasure(const EventLog& log, const Schema& schema, const ErasureKey& key,
                     std::uint64_t end) {
  Event event;
  PersonIds ids;
  read_kept(log, 0, end, [&](std::uint64_t, std::string_view record) {
    decode(record, schema, event);
    if (key.matches(event)) ids.emplace(event.id);
  });
  Erasure erasure;
  Letters(log, schema, key, ids).find(erasure);
  std::map<std::string, std::vector<std::uint64_t>, std::less<>> records;
  if (!ids.empty()) {
    read_kept(log, 0, end, [&](std::uint64_t position, std::string_view record) {
      decode(record, schema, event);
      const bool bears = event.kind <= RecordKind::label && ids.find(event.id) != ids.end();
      if (bears) records[std::string(event.id)].push_back(position);
    });
  }
  for (auto& [id, positions] : records) erasure.records.push_back(std::move(positions));
  std::sort(erasure.records.begin(), erasure.records.end());
  return erasure;
}

ErasedEvent::ErasedEvent(const Schema& schema) : decoder_(schema, false) {
  for (std::size_t i = 0; i < schema.fields.size(); ++i) {
    event_.values.push_back(decoder_.missing_value(i));
  }
}

const Event& ErasedEvent::at(Millis time) {
  event_.time = time;
  return event_;
}

LogRewrite log_rewrite(const EventLog& log, const Schema& schema, const Erasure& erasure,
                       const VectorOf& vector_of) {
  LogRewrite rewrite;
  rewrite.positions = erasure.positions();
  rewrite.dead_letters = erasure.dead_letters;
  rewrite.late_events = erasure.late_events;
  if (!rewrite.positions.empty()) {
    rewrite.seen = unseen(log, schema, rewrite.positions.back() + 1);
  }
  auto first_of = std::make_shared<std::map<std::uint64_t, std::uint64_t>>();
  for (const auto& one : erasure.records) {
    for (const std::uint64_t position : one) first_of->emplace(position, one.front());
  }
  const auto erased_event = std::make_shared<ErasedEvent>(schema);
  rewrite.record = [=](std::uint64_t position, std::string_view record) {
    Event event;
    decode(record, schema, event);
    const std::string id = fmt::format("erased:{}", first_of->at(position));
    event.id = id;
    if (event.kind == RecordKind::event) event.values = erased_event->at(event.time).values;
    std::vector<float> vector;
    if (event.served) {
      vector.resize(event.served->vector.size() / sizeof(float));
      vector_of(event, event.served->features, vector);
      event.served->vector = float_bytes(vector);
    }
    std::string erased;
    encode(event, schema, erased);
    return erased;
  };
  return rewrite;
}

}  // namespace freshet
