#include "orchestrator/json_positions.h"

#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "stream/utf8.h"

namespace freshet {

using nlohmann::json;

/// Follows the parser's events with a scan of its own: the parser says what each token is, the
/// scan where it starts (the parser has always read past it).
class PositionRecorder : public json::json_sax_t {
 public:
  PositionRecorder(JsonPositions& positions, std::string_view text)
      : positions_(positions), text_(text) {
    if (text_.starts_with("\xEF\xBB\xBF")) cursor_ = 3;
  }

  bool null() override { return scalar(); }
  bool boolean(bool) override { return scalar(); }
  bool number_integer(number_integer_t) override { return scalar(); }
  bool number_unsigned(number_unsigned_t) override { return scalar(); }
  bool number_float(number_float_t, const string_t&) override { return scalar(); }
  bool string(string_t&) override { return scalar(); }
  bool binary(binary_t&) override { return scalar(); }
  bool start_object(std::size_t) override { return start(false); }
  bool start_array(std::size_t) override { return start(true); }
  bool end_object() override { return end(); }
  bool end_array() override { return end(); }

  bool key(string_t& name) override {
    key_start_ = next_token();
    Level& level = levels_.back();
    level.key = JsonPositions::child(level.pointer, name);
    if (positions_.places_.contains(level.key)) {
      fault(key_start_, fmt::format("the key \"{}\" stands twice, expected once", name));
    }
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const json::exception& error) override {
    std::string message = error.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error …"
    // "[json.exception.out_of_range.406] number overflow parsing '1e999'"
    for (const char* before : {"] ", "parse error at line "}) {
      const std::size_t start = message.find(before);
      if (start == std::string::npos) continue;
      message.erase(0, *before == ']' ? start + 2 : message.find(": ", start) + 2);
    }
    const std::size_t end = std::min(position, text_.size());
    fault(end == 0 ? 0 : end - 1, "not JSON: " + message);
    return false;
  }

 private:
  struct Level {
    std::string pointer;
    bool array = false;
    std::size_t items = 0;
    std::string key;  ///< pointer of the value to come
  };

  void fault(std::size_t offset, std::string message) {
    positions_.faults_.push_back({offset, std::move(message)});
  }

  /// Offset of the next token; moves past it.
  std::size_t next_token() {
    cursor_ = std::min(text_.find_first_not_of(" \t\r\n,:", cursor_), text_.size());
    const std::size_t start = cursor_;
    if (start == text_.size()) return start;
    const char first = text_[start];
    if (first == '"') {
      for (++cursor_; cursor_ < text_.size() && text_[cursor_] != '"'; ++cursor_) {
        if (text_[cursor_] == '\\') ++cursor_;
      }
      ++cursor_;
    } else if (std::string_view("{}[]").find(first) != std::string_view::npos) {
      ++cursor_;
    } else {
      cursor_ = text_.find_first_of(" \t\r\n,:{}[]\"", start);
    }
    cursor_ = std::min(cursor_, text_.size());
    return start;
  }

  std::string place_value() {
    const std::size_t start = next_token();
    std::string pointer;
    std::size_t key_start = start;
    if (!levels_.empty()) {
      Level& level = levels_.back();
      pointer = level.array ? JsonPositions::child(level.pointer, std::to_string(level.items++))
                            : level.key;
      if (!level.array) key_start = key_start_;
    }
    positions_.places_.emplace(pointer, JsonPositions::Place{key_start, start});
    return pointer;
  }

  bool scalar() {
    place_value();
    return true;
  }

  bool start(bool array) {
    std::string pointer = place_value();
    if (levels_.size() == JsonPositions::kMaxDepth) {
      fault(cursor_ - 1, fmt::format("more than {} levels deep", JsonPositions::kMaxDepth));
      return false;
    }
    levels_.push_back({std::move(pointer), array, 0, {}});
    return true;
  }

  bool end() {
    next_token();
    levels_.pop_back();
    return true;
  }

  JsonPositions& positions_;
  std::string_view text_;
  std::size_t cursor_ = 0;
  std::size_t key_start_ = 0;
  std::vector<Level> levels_;
};

JsonPositions::JsonPositions(std::string_view text) : text_(text) {
  PositionRecorder recorder(*this, text);
  json::sax_parse(text.begin(), text.end(), &recorder);
  places_.try_emplace("");
}

const JsonPositions::Place& JsonPositions::nearest(std::string_view pointer) const {
  for (;;) {
    const auto found = places_.find(std::string(pointer));
    if (found != places_.end()) return found->second;
    pointer = pointer.substr(0, pointer.rfind('/'));
  }
}

std::size_t JsonPositions::key(std::string_view pointer) const { return nearest(pointer).key; }

std::size_t JsonPositions::value(std::string_view pointer) const { return nearest(pointer).value; }

LineColumn JsonPositions::line_column(std::size_t offset) const {
  LineColumn at;
  for (std::size_t i = 0; i < std::min(offset, text_.size()); ++i) {
    if (text_[i] == '\n') {
      ++at.line;
      at.column = 1;
    } else if (begins_character(text_[i])) {
      ++at.column;
    }
  }
  return at;
}

std::string JsonPositions::child(std::string_view pointer, std::string_view key) {
  std::string result(pointer);
  result += '/';
  for (const char c : key) {
    if (c == '~') {
      result += "~0";
    } else if (c == '/') {
      result += "~1";
    } else {
      result += c;
    }
  }
  return result;
}

}  // namespace freshet
