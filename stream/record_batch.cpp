#include "stream/record_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "stream/checksum.h"
#include "stream/error.h"
#include "stream/event.h"

namespace freshet {

namespace {

// Numbers are written as they stand in memory.
static_assert(std::endian::native == std::endian::little);

using Length = std::uint32_t;

constexpr std::size_t kMostRecords = 4096;
constexpr std::size_t kMostBytes = std::size_t{16} << 20;

template <class T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace

std::size_t batch_length(std::span<const std::string> records) {
  std::size_t bytes = 0;
  std::size_t count = 0;
  while (count < std::min(records.size(), kMostRecords)) {
    bytes += sizeof(Length) + records[count].size();
    if (count > 0 && bytes > kMostBytes) break;
    ++count;
  }
  return count;
}

std::string batch_payload(std::span<const std::string> records) {
  std::size_t size = 0;
  for (const std::string& record : records) size += sizeof(Length) + record.size();
  std::string payload;
  payload.reserve(size);
  for (const std::string& record : records) {
    payload.append(bytes_of(static_cast<Length>(record.size())));
    payload.append(record);
  }
  return payload;
}

std::string batch_hash(std::uint64_t first, std::uint64_t count, std::string_view payload) {
  return checksum({first, count}, payload);
}

RecordBatch::RecordBatch(std::uint64_t first, std::uint64_t count, std::string payload,
                         std::string_view hash)
    : first_(first), payload_(std::move(payload)) {
  const auto damaged = [&](std::string_view what) {
    return Error(
        ErrorKind::corrupt,
        fmt::format("the batch of positions [{}, {}) is damaged: {}; restore the file from "
                    "a backup",
                    first, first + count, what));
  };
  if (batch_hash(first, count, payload_) != hash) throw damaged("it does not match its hash");
  ends_.reserve(std::min(count, payload_.size() / sizeof(Length)));
  std::size_t at = 0;
  while (at < payload_.size()) {
    Length length = 0;
    if (payload_.size() - at < sizeof length) throw damaged("it ends within a record's length");
    std::memcpy(&length, payload_.data() + at, sizeof length);
    at += sizeof length;
    if (payload_.size() - at < length) throw damaged("it ends within a record");
    at += length;
    ends_.push_back(static_cast<std::uint32_t>(at));
  }
  if (ends_.size() != count) {
    throw damaged(fmt::format("it holds {} records, expected {}", ends_.size(), count));
  }
}

std::uint64_t RecordBatch::accepted() const {
  std::uint64_t count = 0;
  for (std::uint64_t position = first_; position < end(); ++position) {
    count += kind_of(record(position)) <= RecordKind::label ? 1 : 0;
  }
  return count;
}

std::string_view RecordBatch::record(std::uint64_t position) const {
  const std::size_t index = position - first_;
  const std::size_t begin = (index == 0 ? 0 : ends_[index - 1]) + sizeof(Length);
  return std::string_view(payload_).substr(begin, ends_[index] - begin);
}

}  // namespace freshet
