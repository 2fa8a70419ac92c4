#include "stream/erasure.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "stream/nearest_name.h"
#include "stream/seen_ids.h"

namespace freshet {

namespace {

bool is_text(const Field& field) {
  return field.kind == FieldKind::category || field.kind == FieldKind::text;
}

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
    if (error == std::errc() && at == text.data() + text.size()) return number;
  }
  throw Error(ErrorKind::invalid,
              fmt::format("the key's value is none of field `{}`: expected {}", field.name,
                          field.kind == FieldKind::boolean ? "true or false"
                          : field.kind == FieldKind::time  ? "a time (RFC 3339)"
                                                           : "a number"));
}

bool matches(const Event& event, const Schema& schema, const ErasureKey& key) {
  if (!key.field) return event.kind <= RecordKind::label && event.id == key.text;
  if (event.kind != RecordKind::event) return false;
  const FieldValue& value = event.values[*key.field];
  if (value.missing) return false;
  return is_text(schema.fields[*key.field]) ? value.text == key.text : value.number == key.number;
}

/// The value as a copied record or a message may hold it.
std::vector<std::string> spellings(const std::string& text) {
  std::vector<std::string> all{text};
  for (const bool ascii : {false, true}) {
    const std::string json =
        nlohmann::json(text).dump(-1, ' ', ascii, nlohmann::json::error_handler_t::replace);
    all.push_back(json.substr(1, json.size() - 2));
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

bool in_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// Id 7 is not in 17: a short one would take most of what was refused with it.
std::size_t find_word(std::string_view in, std::string_view word, std::size_t from) {
  for (auto at = in.find(word, from); at != std::string_view::npos; at = in.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || !in_word(in[at - 1]) || !in_word(word.front());
    const bool ends = end == in.size() || !in_word(in[end]) || !in_word(word.back());
    if (begins && ends) return at;
  }
  return std::string_view::npos;
}

std::vector<LetterRewrite> matching(const std::vector<DeadLetter>& letters,
                                    const std::vector<std::string>& words) {
  std::vector<LetterRewrite> found;
  for (const DeadLetter& letter : letters) {
    LetterRewrite rewrite{letter.number, letter.reason};
    bool holds = false;
    for (const std::string& word : words) {
      holds = holds || find_word(letter.raw, word, 0) != std::string::npos;
      for (std::size_t at = 0; (at = find_word(rewrite.reason, word, at)) != std::string::npos;) {
        rewrite.reason.replace(at, word.size(), "(erased)");
        at += std::string_view("(erased)").size();
        holds = true;
      }
    }
    if (holds) found.push_back(std::move(rewrite));
  }
  return found;
}

/// Letters are read some at a time: they may be many.
template <class Newest>
std::vector<LetterRewrite> all_matching(const std::vector<std::string>& words,
                                        const Newest& newest) {
  std::vector<LetterRewrite> found;
  for (std::uint64_t before = EventLog::kNewest;;) {
    const std::vector<DeadLetter> letters = newest(before);
    if (letters.empty()) return found;
    std::vector<LetterRewrite> some = matching(letters, words);
    std::move(some.begin(), some.end(), std::back_inserter(found));
    before = letters.back().number;
  }
}

/// The ids of the records up to `end`, of which no stretch tells yet: a start looks for them in the
/// records, where they will not be.
std::optional<SeenStretch> unseen(const EventLog& log, const Schema& schema, std::uint64_t end) {
  SeenStretch stretch;
  stretch.end = end;
  stretch.max_time = Watermark::kNone;
  std::uint64_t begin = log.begin();
  log.seen([&](const SeenStretch& stored) {
    begin = std::max(begin, stored.end);
    stretch.max_time = std::max(stretch.max_time, stored.max_time);
  });
  if (begin >= end || schema.id_field.empty()) return std::nullopt;
  Event event;
  IdHasher hash;
  log.read(begin, end, [&](std::uint64_t, std::string_view record) {
    decode(record, schema, event);
    const Millis newest = event.reached ? event.reached->newest : event.time;
    stretch.max_time = std::max({stretch.max_time, event.time, newest});
    if (event.kind == RecordKind::event) stretch.ids.push_back({hash(event.id), event.time});
    return true;
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
    throw Error(ErrorKind::invalid,
                fmt::format("the key names no field of this pipeline's events{}; an id that has "
                            "a \"=\" is written id=VALUE",
                            nearest.empty() ? "" : ": did you mean `" + nearest + "`?"));
  }
  const Field& field = schema.fields[*parsed.field];
  if (!is_text(field)) parsed.number = number_of(field, parsed.text, schema.time.utc_offset);
  return parsed;
}

std::vector<std::uint64_t> Erasure::positions() const {
  std::vector<std::uint64_t> all;
  for (const auto& one : records) all.insert(all.end(), one.begin(), one.end());
  std::sort(all.begin(), all.end());
  return all;
}

Erasure find_erasure(const EventLog& log, const Schema& schema, const ErasureKey& key,
                     std::uint64_t end) {
  Event event;
  std::set<std::string, std::less<>> ids;
  log.read(log.oldest(), end, [&](std::uint64_t, std::string_view record) {
    decode(record, schema, event);
    if (matches(event, schema, key)) ids.emplace(event.id);
    return true;
  });
  Erasure erasure;
  std::map<std::string, std::vector<std::uint64_t>, std::less<>> records;
  if (!ids.empty()) {
    log.read(log.oldest(), end, [&](std::uint64_t position, std::string_view record) {
      decode(record, schema, event);
      const bool bears = event.kind <= RecordKind::label && ids.find(event.id) != ids.end();
      if (bears) records[std::string(event.id)].push_back(position);
      return true;
    });
  }
  for (auto& [id, positions] : records) erasure.records.push_back(std::move(positions));
  std::sort(erasure.records.begin(), erasure.records.end());
  constexpr std::uint64_t kAtOnce = 1000;
  const std::vector<std::string> words = spellings(key.text);
  erasure.dead_letters =
      all_matching(words, [&](std::uint64_t before) { return log.dead_letters(kAtOnce, before); });
  erasure.late_events =
      all_matching(words, [&](std::uint64_t before) { return log.late_events(kAtOnce, before); });
  return erasure;
}

Event erased_event(const Schema& schema, Millis time) {
  Event event;
  event.time = time;
  event.values.resize(schema.fields.size());
  return event;
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
  rewrite.record = [schema, first_of, vector_of](std::uint64_t position, std::string_view record) {
    Event event;
    decode(record, schema, event);
    const std::string id = fmt::format("erased:{}", first_of->at(position));
    event.id = id;
    event.values = erased_event(schema, event.time).values;
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
