#include "stream/event.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <utility>

#include "stream/error.h"

namespace freshet {

namespace {

// Numbers are written as they stand in memory.
static_assert(std::endian::native == std::endian::little);

using Length = std::uint32_t;

constexpr std::uint8_t kHasLabel = 1;
constexpr std::uint8_t kHasLabelTime = 2;
constexpr std::uint8_t kHasServed = 4;
constexpr std::uint8_t kHasFeatures = 8;
constexpr std::uint8_t kHasReached = 16;
constexpr std::size_t kFixedBytes = sizeof(RecordKind) + sizeof(std::uint8_t) + sizeof(Millis) +
                                    sizeof(Length) + sizeof(double) + sizeof(Millis) +
                                    sizeof(TimeReached);

bool is_text(const Field& field) {
  return field.kind == FieldKind::category || field.kind == FieldKind::text;
}

std::size_t mask_bytes(const Schema& schema) { return (schema.fields.size() + 7) / 8; }

/// Writes values one after another into memory that is known to be long enough.
class Writer {
 public:
  explicit Writer(char* at) : at_(at) {}

  template <class T>
  void put(T value) {
    std::memcpy(at_, &value, sizeof value);
    at_ += sizeof value;
  }

  void put_text(std::string_view text) {
    put(static_cast<Length>(text.size()));
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }

  char* skip(std::size_t size) { return std::exchange(at_, at_ + size); }
  const char* at() const { return at_; }

 private:
  char* at_;
};

/// Takes values off the front of a record.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

  template <class T>
  T get() {
    T value;
    std::memcpy(&value, take(sizeof value), sizeof value);
    return value;
  }

  std::string_view text() {
    const auto size = get<Length>();
    return {take(size), size};
  }

  const char* take(std::size_t size) {
    if (static_cast<std::size_t>(end_ - at_) < size) {
      throw Error(ErrorKind::corrupt, "a log record ends too early for its schema");
    }
    return std::exchange(at_, at_ + size);
  }

  bool at_end() const { return at_ == end_; }

 private:
  const char* at_;
  const char* end_;
};

std::size_t most_bytes(const Event& event, const Schema& schema) {
  std::size_t size = kFixedBytes + event.id.size();
  if (event.served) {
    size += 4 * sizeof(std::uint64_t) + 2 * sizeof(Length) + event.served->vector.size() +
            event.served->answer.size();
  }
  if (event.kind != RecordKind::event) return size;
  size += mask_bytes(schema);
  for (const FieldValue& value : event.values) {
    size += std::max(sizeof(double), sizeof(Length) + value.text.size());
  }
  return size;
}

void write_values(const Event& event, const Schema& schema, Writer& writer) {
  const std::size_t bytes = mask_bytes(schema);
  char* mask = writer.skip(bytes);
  std::memset(mask, 0, bytes);
  for (std::size_t i = 0; i < schema.fields.size(); ++i) {
    const FieldValue& value = event.values[i];
    if (value.missing) {
      const unsigned bits = static_cast<unsigned char>(mask[i / 8]) | (1U << (i % 8));
      mask[i / 8] = static_cast<char>(bits);
    } else if (is_text(schema.fields[i])) {
      writer.put_text(value.text);
    } else {
      writer.put(value.number);
    }
  }
}

void read_values(Cursor& cursor, const Schema& schema, std::vector<FieldValue>& values) {
  const std::size_t count = schema.fields.size();
  const char* mask = cursor.take(mask_bytes(schema));
  values.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    FieldValue& value = values[i];
    value.missing = ((static_cast<unsigned char>(mask[i / 8]) >> (i % 8)) & 1U) != 0;
    if (value.missing) continue;
    if (is_text(schema.fields[i])) {
      value.text = cursor.text();
    } else {
      value.number = cursor.get<double>();
    }
  }
}

void write_served(const ServedAnswer& served, Writer& writer) {
  writer.put(served.position);
  writer.put(served.version);
  writer.put(served.row);
  writer.put_text(served.vector);
  writer.put_text(served.answer);
  if (served.features != 0) writer.put(served.features);
}

ServedAnswer read_served(Cursor& cursor, bool has_features) {
  ServedAnswer served;
  served.position = cursor.get<std::uint64_t>();
  served.version = cursor.get<std::uint64_t>();
  served.row = cursor.get<std::uint64_t>();
  served.vector = cursor.text();
  served.answer = cursor.text();
  if (has_features) served.features = cursor.get<std::uint64_t>();
  return served;
}

}  // namespace

std::string_view float_bytes(std::span<const float> floats) {
  return {reinterpret_cast<const char*>(floats.data()), floats.size_bytes()};
}

void copy_floats(std::string_view bytes, std::span<float> to) {
  if (bytes.size() != to.size_bytes()) {
    throw Error(ErrorKind::corrupt,
                fmt::format("a served answer in the log has {} bytes of floats, expected {}",
                            bytes.size(), to.size_bytes()));
  }
  if (!bytes.empty()) std::memcpy(to.data(), bytes.data(), bytes.size());
}

RecordKind kind_of(std::string_view record) {
  const auto kind = record.empty() ? RecordKind{} : static_cast<RecordKind>(record.front());
  switch (kind) {
    case RecordKind::event:
    case RecordKind::label:
    case RecordKind::close:
    case RecordKind::time:
      return kind;
  }
  throw Error(ErrorKind::corrupt, fmt::format("a log record is of kind {}, expected 1, 2, 3 or 4",
                                              static_cast<int>(kind)));
}

void encode(const Event& event, const Schema& schema, std::string& out) {
  assert(event.kind != RecordKind::event || event.values.size() == schema.fields.size());
  const std::size_t begin = out.size();
  out.resize(begin + most_bytes(event, schema));
  Writer writer(out.data() + begin);
  const bool label_time =
      event.kind == RecordKind::event && schema.label.known == LabelKnown::at && event.label;
  writer.put(event.kind);
  const bool features = event.served && event.served->features != 0;
  writer.put(
      static_cast<std::uint8_t>((event.label ? kHasLabel : 0) | (label_time ? kHasLabelTime : 0) |
                                (event.served ? kHasServed : 0) | (features ? kHasFeatures : 0) |
                                (event.reached ? kHasReached : 0)));
  writer.put(event.time);
  writer.put_text(event.id);
  if (event.label) writer.put(*event.label);
  if (label_time) writer.put(event.label_time);
  if (event.served) write_served(*event.served, writer);
  if (event.reached) {
    writer.put(event.reached->all);
    writer.put(event.reached->newest);
  }
  if (event.kind == RecordKind::event) write_values(event, schema, writer);
  out.resize(static_cast<std::size_t>(writer.at() - out.data()));
}

void decode(std::string_view record, const Schema& schema, Event& event) {
  Cursor cursor(record);
  event.kind = kind_of(record);
  cursor.take(sizeof event.kind);
  const auto flags = cursor.get<std::uint8_t>();
  event.time = cursor.get<Millis>();
  event.id = cursor.text();
  event.label.reset();
  event.label_time = 0;
  if ((flags & kHasLabel) != 0) event.label = cursor.get<double>();
  if ((flags & kHasLabelTime) != 0) event.label_time = cursor.get<Millis>();
  event.served.reset();
  const bool served = (flags & kHasServed) != 0;
  const bool features = (flags & kHasFeatures) != 0;
  if (served) event.served = read_served(cursor, features);
  event.reached.reset();
  if ((flags & kHasReached) != 0) {
    event.reached.emplace();
    event.reached->all = cursor.get<Millis>();
    event.reached->newest = cursor.get<Millis>();
  }
  event.values.clear();
  if (event.kind == RecordKind::event) read_values(cursor, schema, event.values);
  const bool has_values = event.kind == RecordKind::event;
  if (flags >= 2 * kHasReached || (features && !served) ||
      (event.kind == RecordKind::label && (flags & ~kHasReached) != kHasLabel) ||
      (!has_values && event.kind != RecordKind::label && flags != 0)) {
    throw Error(ErrorKind::corrupt, "a log record has flags that do not fit its kind");
  }
  if (!cursor.at_end()) {
    throw Error(ErrorKind::corrupt, "a log record is longer than its schema allows");
  }
}

}  // namespace freshet
