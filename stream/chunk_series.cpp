#include "stream/chunk_series.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "stream/checksum.h"

namespace freshet {

ChunkSeries::ChunkSeries(ChunkFile& file, ChunkFile::SeriesRecord record, bool read_only)
    : file_(file), record_(std::move(record)) {
  if (!read_only) cut(record_.end);
}

const char* ChunkSeries::chunk(std::uint64_t number) {
  if (has_tail_ && number == record_.end / kChunk) return tail_.data();
  if (read_number_ != number) {
    read_chunk_ = file_.get(record_.id, record_.name, number);
    read_number_ = number;
  }
  return read_chunk_->data();
}

void ChunkSeries::append(const void* records, std::uint64_t count) {
  const auto* from = static_cast<const char*>(records);
  has_tail_ = true;
  while (count > 0) {
    const std::uint64_t number = record_.end / kChunk;
    const std::uint64_t room = (number + 1) * kChunk - record_.end;
    const std::uint64_t taken = std::min(room, count);
    tail_.append(from, taken * record_.record_bytes);
    from += taken * record_.record_bytes;
    count -= taken;
    record_.end += taken;
    tail_written_ = false;
    if (taken < room) return;
    const std::uint64_t records_in = record_.end - chunk_begin(number);
    auto bytes = std::make_shared<const std::string>(std::move(tail_));
    file_.put(record_.id, number, records_in, std::move(bytes), true);
    tail_.clear();
    tail_.reserve(kChunk * record_.record_bytes);
    tail_written_ = true;
  }
}

void ChunkSeries::read(std::uint64_t begin, std::uint64_t end, void* out) {
  if (begin < record_.begin || end > record_.end || begin > end) {
    throw Error(ErrorKind::invalid,
                fmt::format("series \"{}\" holds [{}, {}), asked for [{}, {})", record_.name,
                            record_.begin, record_.end, begin, end));
  }
  if (begin < record_.kept && begin < end) {
    throw Error(ErrorKind::not_found,
                fmt::format("series \"{}\" was dropped below {}, as stream.keep says; asked for "
                            "[{}, {})",
                            record_.name, record_.kept, begin, end));
  }
  auto* to = static_cast<char*>(out);
  while (begin < end) {
    const std::uint64_t number = begin / kChunk;
    const std::uint64_t count = std::min(end, (number + 1) * kChunk) - begin;
    const char* from = chunk(number) + (begin - chunk_begin(number)) * record_.record_bytes;
    std::memcpy(to, from, count * record_.record_bytes);
    to += count * record_.record_bytes;
    begin += count;
  }
}

std::uint64_t ChunkSeries::stored_begin() const {
  return std::max(record_.begin, record_.kept / kChunk * kChunk);
}

void ChunkSeries::read_stored(std::uint64_t number, void* out) {
  const std::uint64_t in = number / kChunk;
  std::memcpy(out, chunk(in) + (number - chunk_begin(in)) * record_.record_bytes,
              record_.record_bytes);
}

void ChunkSeries::overwrite(std::uint64_t number, const void* record) {
  const std::uint64_t in = number / kChunk;
  const std::size_t at = (number - chunk_begin(in)) * record_.record_bytes;
  if (has_tail_ && in == record_.end / kChunk) {
    std::memcpy(tail_.data() + at, record, record_.record_bytes);
    tail_written_ = false;
    return;
  }
  const std::uint64_t records = (in + 1) * kChunk - chunk_begin(in);
  std::string bytes(chunk(in), records * record_.record_bytes);
  std::memcpy(bytes.data() + at, record, record_.record_bytes);
  file_.put(record_.id, in, records, std::make_shared<const std::string>(std::move(bytes)), true);
  read_number_ = ~std::uint64_t{0};
}

void ChunkSeries::flush() {
  if (tail_written_ || tail_.empty()) return;
  const std::uint64_t number = record_.end / kChunk;
  file_.put(record_.id, number, record_.end - chunk_begin(number),
            std::make_shared<const std::string>(tail_), false);
  tail_written_ = true;
}

const ChunkFile::SeriesRecord& ChunkSeries::keep_from(std::uint64_t kept) {
  record_.kept = std::max(record_.kept, std::min(kept, record_.end));
  return record_;
}

void ChunkSeries::each_checksum(const std::function<void(const std::string&)>& each) {
  for (std::uint64_t number = record_.begin / kChunk; number * kChunk < record_.end; ++number) {
    const bool in_tail = has_tail_ && number == record_.end / kChunk;
    each(in_tail ? checksum({}, tail_) : file_.checksum_of(record_.id, record_.name, number));
  }
}

void ChunkSeries::cut(std::uint64_t end) {
  end = std::clamp(end, record_.begin, record_.end);
  const std::uint64_t number = end / kChunk;
  const std::uint64_t kept = end > chunk_begin(number) ? end - chunk_begin(number) : 0;
  std::string tail;
  if (kept > 0) tail.assign(chunk(number), kept * record_.record_bytes);
  if (end != record_.end) file_.cut(record_.id, number, kept, tail);
  tail_ = std::move(tail);
  tail_written_ = true;
  record_.end = end;
  has_tail_ = true;
  read_number_ = ~std::uint64_t{0};
}

}  // namespace freshet
