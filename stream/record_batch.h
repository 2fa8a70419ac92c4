#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

/// How many of `records`, from the first on, go into one stored batch: at most 4,096, and no more
/// than 16 MiB unless one record alone is larger.
std::size_t batch_length(std::span<const std::string> records);

/// The stored form of one batch (docs/log-format.md, "Payload"): each record behind its length.
std::string batch_payload(std::span<const std::string> records);

/// Checksum over the batch's first position, its count and its payload.
std::string batch_hash(std::uint64_t first, std::uint64_t count, std::string_view payload);

/// One batch as it was read: checked against its hash, its records at hand by position.
class RecordBatch {
 public:
  /// Throws Error{corrupt} naming the positions when hash, count or lengths do not fit.
  RecordBatch(std::uint64_t first, std::uint64_t count, std::string payload, std::string_view hash);

  std::uint64_t first() const { return first_; }
  std::uint64_t end() const { return first_ + ends_.size(); }
  bool holds(std::uint64_t position) const { return position >= first_ && position < end(); }

  /// Events and label records; not the closing record.
  std::uint64_t accepted() const;

  /// `position` must be in the batch; the view lives as long as the batch.
  std::string_view record(std::uint64_t position) const;

 private:
  std::uint64_t first_;
  std::string payload_;
  std::vector<std::uint32_t> ends_;  ///< where each record ends in the payload
};

}  // namespace freshet
