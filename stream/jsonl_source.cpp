#include "stream/jsonl_source.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <cstring>
#include <span>

#include "stream/utf8.h"

namespace freshet {
namespace {

using simdjson::ondemand::json_type;

/// Where the first byte stands that no valid UTF-8 has there. Only for messages.
std::size_t first_defect(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    std::size_t size = 1;
    while (size <= 4 && at + size <= bytes.size() &&
           !simdjson::validate_utf8(bytes.data() + at, size)) {
      ++size;
    }
    if (size > 4 || at + size > bytes.size()) return at;
    at += size;
  }
  return at;
}

std::string_view trimmed_token(std::string_view token) {
  return token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
}

}  // namespace

std::optional<std::string> utf8_defect(std::string_view bytes) {
  if (simdjson::validate_utf8(bytes.data(), bytes.size())) return std::nullopt;
  const std::size_t at = first_defect(bytes);
  return fmt::format("invalid UTF-8: byte 0x{:02x} at offset {}",
                     static_cast<unsigned char>(bytes[at]), at);
}

class JsonlDecoder::Impl {
 public:
  Impl(const Schema& schema, bool labels_only)
      : decoder_(schema, labels_only), cells_(decoder_.columns().size()) {
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      if (decoder_.columns()[i].name.starts_with('$')) envelope_.push_back(i);
    }
  }

  std::vector<std::string> envelope_fields() const {
    std::vector<std::string> names;
    for (const std::size_t place : envelope_) names.push_back(decoder_.columns()[place].name);
    return names;
  }

  std::optional<std::string> decode(std::string_view record,
                                    std::span<const std::string_view> envelope, Event& event) {
    const std::size_t needed = record.size() + simdjson::SIMDJSON_PADDING;
    if (buffer_.size() < needed) buffer_.resize(2 * needed);
    std::memcpy(buffer_.data(), record.data(), record.size());
    std::memset(buffer_.data() + record.size(), 0, simdjson::SIMDJSON_PADDING);
    cells_.assign(cells_.size(), Cell{});
    reason_.clear();
    ++record_;
    for (std::size_t i = 0; i < envelope.size(); ++i) {
      if (!envelope[i].empty()) cells_[envelope_[i]] = {Cell::Kind::untyped, envelope[i], 0};
      seen_[envelope_[i]] = record_;
    }
    const simdjson::error_code error = read_object(record.size());
    if (!reason_.empty()) return reason_;
    if (error == simdjson::UTF8_ERROR) return utf8_defect(record);
    if (error != simdjson::SUCCESS) {
      return fmt::format("not a JSON object: {}; found {}", simdjson::error_message(error),
                         quoted(record));
    }
    return decoder_.decode(cells_, event);
  }

 private:
  simdjson::error_code read_object(std::size_t size) {
    simdjson::ondemand::document document;
    if (auto error = parser_.iterate(buffer_.data(), size, buffer_.size()).get(document)) {
      return error;
    }
    json_type type;
    if (auto error = document.type().get(type)) return error;
    if (type != json_type::object) {
      reason_ = type == json_type::array
                    ? "found a JSON array, expected one JSON object a line"
                    : "expected one JSON object a line, found " + quoted({buffer_.data(), size});
      return simdjson::INCORRECT_TYPE;
    }
    simdjson::ondemand::object object;
    if (auto error = document.get_object().get(object)) return error;
    for (auto field : object) {
      std::string_view key;
      if (auto error = field.unescaped_key().get(key)) return error;
      simdjson::ondemand::value value;
      if (auto error = field.value().get(value)) return error;
      if (auto error = read_value(key, value)) return error;
    }
    const char* rest = nullptr;
    if (document.current_location().get(rest) == simdjson::SUCCESS) {
      reason_ = "found more after the JSON object, expected one object a line";
      return simdjson::TRAILING_CONTENT;
    }
    return simdjson::SUCCESS;
  }

  simdjson::error_code read_value(std::string_view key, simdjson::ondemand::value& value) {
    const std::size_t place = find(key);
    Cell other;
    Cell& cell = place < cells_.size() ? cells_[place] : other;
    if (place < cells_.size()) {
      if (seen_[place] == record_) {
        reason_ = fmt::format("field `{}`: the key stands twice", key);
        return simdjson::INCORRECT_TYPE;
      }
      seen_[place] = record_;
    }
    const std::string_view token = trimmed_token(value.raw_json_token());
    const auto error = read_cell(value, token, cell);
    // A number out of a double's range that nobody asks for does no harm.
    if (error == simdjson::NUMBER_ERROR && place >= cells_.size()) return simdjson::SUCCESS;
    if (error && place < cells_.size() && reason_.empty()) {
      if (!token.empty() && token.front() != '"') {
        reason_ = fmt::format("field `{}`: found {}, which is no {} ({})", key, quoted(token),
                              error == simdjson::NUMBER_ERROR ? "finite number" : "JSON value",
                              simdjson::error_message(error));
      }
    }
    return error;
  }

  simdjson::error_code read_cell(simdjson::ondemand::value& value, std::string_view token,
                                 Cell& cell) {
    json_type type;
    if (auto error = value.type().get(type)) return error;
    switch (type) {
      case json_type::string:
        cell.kind = Cell::Kind::text;
        return value.get_string().get(cell.text);
      case json_type::number:
        cell.kind = Cell::Kind::number;
        cell.text = token;
        return value.get_double().get(cell.number);
      case json_type::boolean: {
        bool truth = false;
        if (auto error = value.get_bool().get(truth)) return error;
        cell.kind = Cell::Kind::boolean;
        cell.text = truth ? "true" : "false";
        return simdjson::SUCCESS;
      }
      case json_type::null:
        return read_null(value);
      case json_type::array:
      case json_type::object:
        cell.kind = Cell::Kind::compound;
        cell.text = type == json_type::array ? "[" : "{";
        return simdjson::SUCCESS;  // the iteration passes over what is within
      default:
        return simdjson::TAPE_ERROR;
    }
  }

  // is_null() is a plain bool in older versions and a result in newer ones.
  static simdjson::error_code read_null(simdjson::ondemand::value& value) {
    const simdjson::simdjson_result<bool> null(value.is_null());
    bool is_null = false;
    if (auto error = simdjson::simdjson_result<bool>(null).get(is_null)) return error;
    return is_null ? simdjson::SUCCESS : simdjson::N_ATOM_ERROR;
  }

  /// Keys mostly stand in the same order in every record: the one after the last is tried first.
  std::size_t find(std::string_view key) {
    const auto& columns = decoder_.columns();
    for (std::size_t tried = 0; tried < order_.size(); ++tried) {
      const std::size_t at =
          next_ + tried < order_.size() ? next_ + tried : next_ + tried - order_.size();
      const std::size_t place = order_[at];
      if (place < columns.size() ? columns[place].name == key : passed_over_[at] == key) {
        next_ = at + 1 == order_.size() ? 0 : at + 1;
        return place;
      }
    }
    return remember(key);
  }

  static constexpr std::size_t kRememberedKeys = 256;

  std::size_t remember(std::string_view key) {
    const auto& columns = decoder_.columns();
    std::size_t place = 0;
    while (place < columns.size() && columns[place].name != key) ++place;
    if (place < columns.size() || order_.size() < kRememberedKeys) {
      order_.push_back(place);
      passed_over_.push_back(place < columns.size() ? std::string() : std::string(key));
    }
    return place;
  }

  EventDecoder decoder_;
  std::vector<Cell> cells_;
  std::vector<std::size_t> envelope_;  ///< columns whose values stand beside the JSON
  std::string buffer_;
  std::string reason_;
  simdjson::ondemand::parser parser_;
  std::vector<std::size_t> order_;        ///< columns in the order their keys were first seen
  std::vector<std::string> passed_over_;  ///< beside `order_`: keys that are no columns
  std::size_t next_ = 0;
  std::vector<std::uint64_t> seen_ = std::vector<std::uint64_t>(cells_.size(), 0);
  std::uint64_t record_ = 0;
};

JsonlDecoder::JsonlDecoder(const Schema& schema, bool labels_only)
    : impl_(std::make_unique<Impl>(schema, labels_only)) {}
JsonlDecoder::~JsonlDecoder() = default;

std::optional<std::string> JsonlDecoder::decode(std::string_view record, Event& event) {
  return impl_->decode(record, {}, event);
}

std::vector<std::string> JsonlDecoder::envelope_fields() const { return impl_->envelope_fields(); }

std::optional<std::string> JsonlDecoder::decode(std::string_view record,
                                                std::span<const std::string_view> envelope,
                                                Event& event) {
  return impl_->decode(record, envelope, event);
}

}  // namespace freshet
