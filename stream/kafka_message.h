#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "stream/event_time.h"

struct rd_kafka_message_s;

namespace freshet {

/// One record of a partition, or what stands there instead. Views live as long as it does.
class KafkaMessage {
 public:
  enum class Kind {
    record,
    end,    ///< of the partition, for now; `offset` is the next one's
    gone,   ///< the offset asked for is not there; the topic's first or last one is another
    error,  ///< `text` says what; nothing was passed over
  };

  explicit KafkaMessage(rd_kafka_message_s* message) : message_(message) {}

  Kind kind() const;
  std::int64_t offset() const;
  Millis timestamp() const;  ///< -1: none
  bool has_key() const;
  std::string_view key() const;
  bool has_value() const;  ///< not a tombstone
  std::string_view value() const;
  /// The last header of this name; nullopt if there is none, or its value is null.
  std::optional<std::string_view> header(const std::string& name) const;
  std::string text() const;
  /// `error`: trying again is useless (topic deleted, not authorized, damaged batch).
  bool is_final() const;

 private:
  struct Free {
    void operator()(rd_kafka_message_s* message) const;
  };
  std::unique_ptr<rd_kafka_message_s, Free> message_;
};

}  // namespace freshet
