#include "stream/kafka_message.h"

#include <librdkafka/rdkafka.h>

namespace freshet {

void KafkaMessage::Free::operator()(rd_kafka_message_s* message) const {
  rd_kafka_message_destroy(message);
}

KafkaMessage::Kind KafkaMessage::kind() const {
  switch (message_->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      return Kind::record;
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
      return Kind::end;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      return Kind::gone;
    default:
      return Kind::error;
  }
}

std::int64_t KafkaMessage::offset() const { return message_->offset; }

Millis KafkaMessage::timestamp() const {
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const std::int64_t time = rd_kafka_message_timestamp(message_.get(), &type);
  return type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : time;
}

bool KafkaMessage::has_key() const { return message_->key != nullptr; }
std::string_view KafkaMessage::key() const {
  return {static_cast<const char*>(message_->key), message_->key_len};
}

bool KafkaMessage::has_value() const { return message_->payload != nullptr; }
std::string_view KafkaMessage::value() const {
  return {static_cast<const char*>(message_->payload), message_->len};
}

std::optional<std::string_view> KafkaMessage::header(const std::string& name) const {
  rd_kafka_headers_t* headers = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  if (rd_kafka_message_headers(message_.get(), &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      rd_kafka_header_get_last(headers, name.c_str(), &value, &size) !=
          RD_KAFKA_RESP_ERR_NO_ERROR ||
      value == nullptr) {
    return std::nullopt;
  }
  return std::string_view(static_cast<const char*>(value), size);
}

std::string KafkaMessage::text() const { return rd_kafka_message_errstr(message_.get()); }

bool KafkaMessage::is_final() const {
  switch (message_->err) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR__FATAL:
      return true;
    default:
      return false;
  }
}

}  // namespace freshet
