#include "stream/event.h"

#include <cstring>

#include "stream/error.h"

namespace freshet {

namespace {

constexpr std::uint8_t kHasLabel = 1;
constexpr std::uint8_t kHasLabelTime = 2;

bool is_text(const Field& field) {
  return field.kind == FieldKind::category || field.kind == FieldKind::text;
}

template <class T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_text(std::string& out, std::string_view text) {
  append(out, static_cast<std::uint32_t>(text.size()));
  out.append(text);
}

/// Takes fixed-size values off the front of a record.
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
    const auto size = get<std::uint32_t>();
    return {take(size), size};
  }

  const char* take(std::size_t size) {
    if (static_cast<std::size_t>(end_ - at_) < size) {
      throw Error(ErrorKind::corrupt, "a log record ends too early for its schema");
    }
    const char* from = at_;
    at_ += size;
    return from;
  }

  bool at_end() const { return at_ == end_; }

 private:
  const char* at_;
  const char* end_;
};

}  // namespace

void encode(const Event& event, const Schema& schema, std::string& out) {
  append(out, event.kind);
  const bool label_time =
      event.kind == RecordKind::event && schema.label.known == LabelKnown::at && event.label;
  append(out, static_cast<std::uint8_t>((event.label ? kHasLabel : 0) |
                                        (label_time ? kHasLabelTime : 0)));
  append(out, event.time);
  append_text(out, event.id);
  if (event.label) append(out, *event.label);
  if (label_time) append(out, event.label_time);
  if (event.kind != RecordKind::event) return;
  const std::size_t mask = out.size();
  out.append((schema.fields.size() + 7) / 8, '\0');
  for (std::size_t i = 0; i < schema.fields.size(); ++i) {
    const FieldValue& value = event.values[i];
    if (value.missing) {
      const unsigned bits = static_cast<unsigned char>(out[mask + i / 8]) | (1U << (i % 8));
      out[mask + i / 8] = static_cast<char>(bits);
    } else if (is_text(schema.fields[i])) {
      append_text(out, value.text);
    } else {
      append(out, value.number);
    }
  }
}

void decode(std::string_view record, const Schema& schema, Event& event) {
  Cursor cursor(record);
  event.kind = cursor.get<RecordKind>();
  const auto flags = cursor.get<std::uint8_t>();
  event.time = cursor.get<Millis>();
  event.id = cursor.text();
  event.label.reset();
  event.label_time = 0;
  if ((flags & kHasLabel) != 0) event.label = cursor.get<double>();
  if ((flags & kHasLabelTime) != 0) event.label_time = cursor.get<Millis>();
  event.values.clear();
  if (event.kind == RecordKind::event) {
    const std::size_t count = schema.fields.size();
    const char* mask = cursor.take((count + 7) / 8);
    event.values.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      FieldValue& value = event.values[i];
      value.missing = ((static_cast<unsigned char>(mask[i / 8]) >> (i % 8)) & 1U) != 0;
      if (value.missing) continue;
      if (is_text(schema.fields[i])) {
        value.text = cursor.text();
      } else {
        value.number = cursor.get<double>();
      }
    }
  } else if (event.kind != RecordKind::label && event.kind != RecordKind::close) {
    throw Error(ErrorKind::corrupt, "a log record is of no known kind");
  }
  if (!cursor.at_end()) {
    throw Error(ErrorKind::corrupt, "a log record is longer than its schema allows");
  }
}

}  // namespace freshet
