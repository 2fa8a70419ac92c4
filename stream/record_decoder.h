#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "stream/event.h"
#include "stream/line_reader.h"

namespace freshet {

/// One text format: from a record's bytes to an event. Used by one thread.
class RecordDecoder {
 public:
  virtual ~RecordDecoder() = default;

  virtual Framing framing() const = 0;

  /// Whether the first record of an input is a header, to be given to `read_header`.
  virtual bool has_header() const { return false; }
  /// Throws Error{invalid} naming the field that is missing and the nearest column.
  virtual void read_header(std::string_view /*header*/) {}

  /// Fills in `event`, whose views live until the next call or as long as `record`. Returns why
  /// the record is bad, or nullopt.
  virtual std::optional<std::string> decode(std::string_view record, Event& event) = 0;
};

}  // namespace freshet
