#include "web/json_limits.h"

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "stream/error.h"
#include "stream/utf8.h"
#include "web/problem.h"

namespace freshet {

namespace {

using nlohmann::json;

[[noreturn]] void refuse(std::size_t byte, const std::string& what) {
  throw Error(ErrorKind::invalid, fmt::format("JSON, byte {}: {}", byte, what));
}

// Reads a text and lets others know how far it is: nlohmann's events have no positions.
class Cursor {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Cursor(const char* at, const char** shared) : at_(at), shared_(shared) {}
  reference operator*() const { return *at_; }
  Cursor& operator++() {
    *shared_ = ++at_;
    return *this;
  }
  Cursor operator++(int) {
    const Cursor before = *this;
    ++*this;
    return before;
  }
  bool operator==(const Cursor& other) const { return at_ == other.at_; }
  bool operator!=(const Cursor& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** shared_;
};

// Builds the document, container by container, and stops where a limit is.
class Builder : public nlohmann::json_sax<json> {
 public:
  Builder(const char* begin, const char* const& at, std::size_t depth)
      : begin_(begin), at_(at), depth_(depth) {}

  json take() { return std::move(root_); }

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(std::int64_t value) override { return put(value); }
  bool number_unsigned(std::uint64_t value) override { return put(value); }
  bool number_float(double value, const std::string&) override { return put(value); }
  bool string(std::string& value) override { return put(std::move(value)); }
  bool binary(json::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    if (open_.back()->contains(name)) {
      refuse(position(), fmt::format("the key \"{}\" stands twice",
                                     escaped_for_log(std::string_view(name).substr(0, 64))));
    }
    slot_ = &(*open_.back())[name];
    return true;
  }

  bool parse_error(std::size_t byte, const std::string& token,
                   const json::exception& error) override {
    // 406 is out_of_range: a number too large; every other is about syntax.
    refuse(byte == 0 ? 0 : byte - 1,
           error.id == 406
               ? fmt::format("the number {} is too large", escaped_for_log(token.substr(0, 64)))
               : fmt::format("unexpected \"{}\"", escaped_for_log(token.substr(0, 64))));
  }

 private:
  // Of the last byte read.
  std::size_t position() const {
    return at_ == begin_ ? 0 : static_cast<std::size_t>(at_ - begin_) - 1;
  }

  json& place(json value) {
    if (open_.empty()) return root_ = std::move(value);
    if (open_.back()->is_array()) {
      open_.back()->push_back(std::move(value));
      return open_.back()->back();
    }
    return *slot_ = std::move(value);
  }
  bool put(json value) {
    place(std::move(value));
    return true;
  }
  bool open(json value) {
    if (open_.size() >= depth_) {
      refuse(position(), fmt::format("nested deeper than {} levels", depth_));
    }
    open_.push_back(&place(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const char* begin_;
  const char* const& at_;
  std::size_t depth_;
  json root_;
  std::vector<json*> open_;  ///< the containers around what comes next
  json* slot_ = nullptr;     ///< of the last key
};

}  // namespace

nlohmann::json parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes) {
    refuse(limits.bytes,
           fmt::format("the document has {} bytes; {} are taken", text.size(), limits.bytes));
  }
  if (const auto defect = utf8_defect(text)) {
    throw Error(ErrorKind::invalid, "JSON: " + *defect);
  }
  const char* at = text.data();
  Builder builder(text.data(), at, limits.depth);
  json::sax_parse(Cursor(text.data(), &at), Cursor(text.data() + text.size(), &at), &builder);
  return builder.take();
}

}  // namespace freshet
