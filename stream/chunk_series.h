#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "stream/sqlite.h"

namespace freshet {

using Chunk = std::shared_ptr<const std::string>;

/// The chunks of a row store on disk: (series, chunk number) -> checked bytes. Writes are gathered
/// and hashed and written a few megabytes at a time by a thread of its own; what is not written yet
/// is readable. Chunks read or written last are cached, up to a fixed number of bytes. Used by one
/// thread, `sync` by any. Once a write has failed, every function that writes throws what it met.
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
  ~ChunkFile();

  std::vector<SeriesRecord> series() const;
  std::int64_t add_series(const std::string& name, std::size_t record_bytes, std::uint64_t begin);
  void remove_series(std::int64_t id);

  /// `complete` chunks never change again; others are replaced by a later put.
  void put(std::int64_t series, std::uint64_t number, std::uint64_t records, Chunk bytes,
           bool complete);
  Chunk get(std::int64_t series, const std::string& name, std::uint64_t number);
  /// Replaces the chunks from `number` on by one of `records` (none: 0), in one transaction: what
  /// is kept must never be missing from the file.
  void cut(std::int64_t series, std::uint64_t number, std::uint64_t records,
           const std::string& kept);

  /// Hands all puts to the writing thread; waits for what was handed to it before.
  void commit();
  /// All that was committed is on disk on return.
  void sync();
  std::vector<std::string> verify() const;

 private:
  using Key = std::pair<std::int64_t, std::uint64_t>;
  struct Pending {
    std::uint64_t records = 0;
    Chunk bytes;
  };

  using Batch = std::map<Key, Pending>;

  void cache(const Key& key, Chunk bytes);
  /// Nothing is being written on return.
  void settle() const;
  void write_loop(const std::stop_token& stop);
  void write(const Batch& batch);
  std::vector<std::string> gaps(std::vector<std::pair<std::int64_t, std::int64_t>>& keys) const;
  std::shared_ptr<const Batch> writing() const;

  const std::string path_;
  mutable SQLite::Database database_;
  Batch pending_;
  std::size_t pending_bytes_ = 0;
  std::list<std::pair<Key, Chunk>> recent_;  ///< newest first
  std::map<Key, std::list<std::pair<Key, Chunk>>::iterator> cached_;
  std::size_t cached_bytes_ = 0;

  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  std::shared_ptr<const Batch> writing_;  ///< under mutex_
  std::exception_ptr error_;              ///< under mutex_
  std::jthread thread_;                   // last: stops before what it uses goes
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
