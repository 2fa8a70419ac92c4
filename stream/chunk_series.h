#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>

#include "stream/chunk_file.h"

namespace freshet {

/// Fixed-size records numbered [begin, end), kept in chunks of 1,024 numbers; the last, half-filled
/// chunk is in memory. Used by one thread.
class ChunkSeries {
 public:
  static constexpr std::uint64_t kChunk = kChunkRecords;

  ChunkSeries(ChunkFile& file, ChunkFile::SeriesRecord record, bool read_only);

  const std::string& name() const { return record_.name; }
  std::int64_t id() const { return record_.id; }
  std::size_t record_bytes() const { return record_.record_bytes; }
  std::uint64_t begin() const { return record_.begin; }
  std::uint64_t end() const { return record_.end; }
  /// Records below it were dropped.
  std::uint64_t kept() const { return record_.kept; }

  void append(const void* records, std::uint64_t count);
  /// Records [begin, end) into `out`. Throws Error{invalid} for numbers that are not there,
  /// Error{not_found} for those that were dropped.
  void read(std::uint64_t begin, std::uint64_t end, void* out);
  /// What is still in the file begins here: a chunk that was dropped in part is there whole.
  std::uint64_t stored_begin() const;
  /// As `read` of one record, from stored_begin() on.
  void read_stored(std::uint64_t number, void* out);
  /// Replaces a record, from stored_begin() on.
  void overwrite(std::uint64_t number, const void* record);
  /// Writes the half-filled chunk too.
  void flush();
  void cut(std::uint64_t end);
  /// The series' place in the file, with `kept` moved up; the caller drops it there.
  const ChunkFile::SeriesRecord& keep_from(std::uint64_t kept);
  /// Checksums of all chunks, in order, dropped ones too.
  void each_checksum(const std::function<void(const std::string&)>& each);

 private:
  std::uint64_t chunk_begin(std::uint64_t number) const {
    return std::max(record_.begin, number * kChunk);
  }
  const char* chunk(std::uint64_t number);

  ChunkFile& file_;
  ChunkFile::SeriesRecord record_;
  std::string tail_;
  bool has_tail_ = false;  ///< records of the last chunk are in tail_
  bool tail_written_ = true;
  std::uint64_t read_number_ = ~std::uint64_t{0};
  Chunk read_chunk_;
};

}  // namespace freshet
