#pragma once

#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "stream/sqlite.h"

namespace freshet {

using Chunk = std::shared_ptr<const std::string>;

/// The chunks of a row store on disk: (series, chunk number) -> checked bytes. Writes are gathered
/// and committed a few megabytes at a time; what is not committed yet is readable. Chunks read or
/// written last are cached, up to a fixed number of bytes. Used by one thread.
class ChunkFile {
 public:
  struct SeriesRecord {
    std::int64_t id = 0;
    std::string name;
    std::size_t record_bytes = 0;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };

  ChunkFile(const std::string& path, bool read_only);

  std::vector<SeriesRecord> series() const;
  std::int64_t add_series(const std::string& name, std::size_t record_bytes, std::uint64_t begin);
  void remove_series(std::int64_t id);

  /// `complete` chunks never change again; others are replaced by a later put.
  void put(std::int64_t series, std::uint64_t number, std::uint64_t records, Chunk bytes,
           bool complete);
  Chunk get(std::int64_t series, const std::string& name, std::uint64_t number);
  /// Deletes the chunks from `number` on.
  void remove_from(std::int64_t series, std::uint64_t number);

  /// Makes all puts durable.
  void commit();
  std::vector<std::string> verify() const;

 private:
  using Key = std::pair<std::int64_t, std::uint64_t>;
  struct Pending {
    std::uint64_t records = 0;
    Chunk bytes;
  };

  void cache(const Key& key, Chunk bytes);

  const std::string path_;
  mutable SQLite::Database database_;
  std::map<Key, Pending> pending_;
  std::size_t pending_bytes_ = 0;
  std::list<std::pair<Key, Chunk>> recent_;  ///< newest first
  std::map<Key, std::list<std::pair<Key, Chunk>>::iterator> cached_;
  std::size_t cached_bytes_ = 0;
};

/// Fixed-size records numbered [begin, end), kept in chunks of 1,024 numbers; the last, half-filled
/// chunk is in memory. Used by one thread.
class ChunkSeries {
 public:
  static constexpr std::uint64_t kChunk = 1024;

  ChunkSeries(ChunkFile& file, ChunkFile::SeriesRecord record, bool read_only);

  const std::string& name() const { return record_.name; }
  std::int64_t id() const { return record_.id; }
  std::size_t record_bytes() const { return record_.record_bytes; }
  std::uint64_t begin() const { return record_.begin; }
  std::uint64_t end() const { return record_.end; }

  void append(const void* records, std::uint64_t count);
  /// Records [begin, end) into `out`. Throws Error{invalid} for numbers that are not there.
  void read(std::uint64_t begin, std::uint64_t end, void* out);
  /// Writes the half-filled chunk too.
  void flush();
  void cut(std::uint64_t end);

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
