#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stream/record_batch.h"
#include "stream/seen_ids.h"
#include "stream/source.h"
#include "stream/watermark.h"

namespace freshet {

struct DeadLetter {
  std::string source;
  std::uint64_t line = 0;
  std::string raw;  ///< the first 4 KiB of the record
  std::string reason;
  std::uint64_t number = 0;  ///< ascends from 1 on; the log gives it
};

/// Side outputs of ingestion, counted for ever.
struct IngestCounts {
  std::uint64_t accepted = 0;  ///< events and label records in the log, no others
  std::uint64_t duplicates = 0;
  std::uint64_t late = 0;
  std::uint64_t dead_letters = 0;

  bool operator==(const IngestCounts&) const = default;
};

/// What one transaction of the log adds.
struct LogBatch {
  std::vector<std::string> records;  ///< encoded; take the next positions in this order
  std::vector<DeadLetter> dead_letters;
  std::vector<DeadLetter> late;  ///< kept like dead letters, in a table of their own
  std::uint64_t duplicates = 0;
  std::vector<SourceProgress> progress;  ///< of each input read; replaces what stands by name
  /// The ids of the records since the last stretch, up to the head that this batch makes.
  std::optional<SeenStretch> seen;
  Millis forget_before = Watermark::kNone;  ///< with `seen`: stretches of older ids alone go
};

/// What a log is to hold in place of what it holds.
struct LogRewrite {
  std::vector<std::uint64_t> positions;  ///< of records, ascending
  /// What stands at one of them, from what stands there.
  std::function<std::string(std::uint64_t position, std::string_view record)> record;
  /// Numbers of those that lose their bytes, and the reason that may quote them.
  std::vector<std::uint64_t> dead_letters;
  std::vector<std::uint64_t> late_events;
  /// The ids up to `end` as they were, where no stretch tells them yet.
  std::optional<SeenStretch> seen;
};

/// When what was appended is on disk.
enum class LogSync {
  each_append,  ///< before `append` returns
  when_asked,   ///< at `sync`: what was appended since outlives the process, not the machine
};

/// A pipeline's durable, totally ordered log: one SQLite file, format in docs/log-format.md.
/// Positions are 0, 1, 2 … without gaps. Records are only appended, but for those that `rewrite`
/// replaces where they stand. They are kept in batches, each a blob with its hash, so a torn or
/// damaged batch is found and named. The oldest records may be dropped, by whole stretches of
/// kStretch, whose hashes stay.
///
/// One writer, whose functions any thread may call: each waits for the one under way. A reader is
/// one thread's: other threads open one of their own with `open_reader`. Every function throws
/// `Error{unavailable}` when the disk refuses (full, read-only, locked over 5 s) and
/// `Error{corrupt}` for a damaged batch, naming its positions. An append that throws has added
/// nothing.
class EventLog {
 public:
  /// Opens or creates the log for writing; verifies the last batches and how they follow one
  /// another. `description` is stored at creation and must match after, else Error{conflict} (it
  /// names what makes two logs incompatible, e.g. the schema).
  static std::unique_ptr<EventLog> open(const std::string& path, const std::string& description,
                                        LogSync sync = LogSync::each_append);
  /// Opens an existing log read-only. Error{not_found} if there is none.
  static std::unique_ptr<EventLog> open_reader(const std::string& path);
  virtual ~EventLog() = default;

  static constexpr std::uint64_t kStretch = 8192;
  /// Beyond every position and every number.
  static constexpr std::uint64_t kNewest = std::numeric_limits<std::int64_t>::max();

  /// The first position that was not dropped.
  virtual std::uint64_t begin() const = 0;
  /// Records below `position` are needed no longer: `drop` may drop them.
  virtual void keep_from(std::uint64_t position) = 0;
  /// Drops a few stretches that may go; false when there is none. Appends do so too.
  virtual bool drop() = 0;
  /// The first position that is still in the file: a batch that was dropped in part is there whole.
  virtual std::uint64_t oldest() const = 0;
  /// The position after the last record. Readers see what the writer has committed.
  virtual std::uint64_t head() const = 0;

  /// Appends in one transaction, durable on return (see LogSync); gives the new head.
  /// Error{conflict} when another writer has appended since this one opened the log.
  virtual std::uint64_t append(const LogBatch& batch) = 0;

  /// Replaces records and letters, batch by batch, each in a transaction, for which appends wait;
  /// those that are gone by then are passed over. Nothing of what they were stays in the file; the
  /// write-ahead file beside it holds it until it is emptied.
  virtual void rewrite(const LogRewrite& rewrite) = 0;
  /// Empties the write-ahead file. False: somebody reads the log just now. It is tried again with
  /// each append and `drop`, as the log is opened for writing, and as it is closed.
  virtual bool empty_write_ahead() = 0;
  /// The batch read last is read again: it may have been rewritten.
  virtual void forget_read() const = 0;

  /// Calls `each(position, record)` for the records of [begin, end), in order; stops early when
  /// it returns false. The view is valid during the call. Error{corrupt} beyond the head,
  /// Error{not_found} for what was dropped.
  void read(std::uint64_t begin, std::uint64_t end,
            const std::function<bool(std::uint64_t, std::string_view)>& each) const;
  /// The batch that holds `position`. Throws as `read` does.
  virtual std::shared_ptr<const RecordBatch> batch(std::uint64_t position) const = 0;

  /// All that was appended is on disk on return.
  virtual void sync() = 0;

  virtual IngestCounts counts() const = 0;
  /// Records of all inputs so far, bad, late and duplicate ones included: the next ordinal.
  std::uint64_t ordinals() const {
    const IngestCounts c = counts();
    return c.accepted + c.duplicates + c.late + c.dead_letters;
  }
  /// How many ids were appended and not forgotten.
  virtual std::uint64_t seen_ids() const = 0;
  /// The newest stretch of ids that ends before `end`, if there is one.
  virtual std::optional<SeenStretch> seen_before(std::uint64_t end) const = 0;
  virtual std::optional<SourceProgress> progress(const std::string& name) const = 0;
  virtual std::vector<SourceProgress> all_progress() const = 0;

  /// The newest `limit` dead letters (or late events) numbered below `before`, newest first.
  virtual std::vector<DeadLetter> dead_letters(std::uint64_t limit,
                                               std::uint64_t before = kNewest) const = 0;
  virtual std::vector<DeadLetter> late_events(std::uint64_t limit,
                                              std::uint64_t before = kNewest) const = 0;

  virtual const std::string& description() const = 0;

  /// sha256 (hex) over the hashes of the stretches, each over its records in order, whatever their
  /// batches and whatever was dropped; reads all that is there.
  virtual std::string content_hash() const = 0;

  /// Reads the whole file, every batch against its hash and all of them against the counters; the
  /// damage found, in words. Empty: all is well.
  virtual std::vector<std::string> verify() const = 0;
};

}  // namespace freshet
