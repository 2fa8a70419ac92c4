#pragma once

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

/// Numbers of a series that share a chunk.
inline constexpr std::uint64_t kChunkRecords = 1024;

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
    std::uint64_t kept = 0;  ///< records below it were dropped
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

  /// The checksum of a chunk's records, dropped or not.
  std::string checksum_of(std::int64_t series, const std::string& name, std::uint64_t number);
  /// Records below `kept` of the series are needed no longer: chunks that hold no others lose their
  /// bytes, not their checksums. Durable on return.
  void drop(const std::vector<SeriesRecord>& series);

  struct DroppedChunk {
    std::uint64_t number = 0;
    std::uint64_t records = 0;
    std::string hash;
  };
  /// Chunks that were dropped before they came to be in this file. Durable on return.
  void put_dropped(std::int64_t series, const std::vector<DroppedChunk>& chunks);

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
  Error missing(const std::string& name, std::uint64_t number) const;
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

}  // namespace freshet
