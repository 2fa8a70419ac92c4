#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "stream/event_time.h"

namespace freshet {

/// The first half of an id's sha256: no two ids share it by accident.
struct IdHash {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  bool operator==(const IdHash&) const = default;
};

/// An id of the log, and the event time of the event that bore it.
struct SeenId {
  IdHash id;
  Millis time = 0;
};

/// The ids of a stretch of the log, kept beside it so that a start needn't decode the records.
struct SeenStretch {
  std::uint64_t end = 0;  ///< the stretch is of the records below it, from where the last ended
  Millis max_time = 0;    ///< the newest event time in the log below `end`
  std::vector<SeenId> ids;
};

/// Makes `IdHash`es; keeps OpenSSL's context, whose set-up costs more than the hash.
class IdHasher {
 public:
  IdHasher();
  ~IdHasher();
  IdHasher(const IdHasher&) = delete;
  IdHasher& operator=(const IdHasher&) = delete;

  IdHash operator()(std::string_view id);

 private:
  void* context_;
};

/// The ids of a horizon of event time: an id is known while the newest event that bore it is not
/// older than the horizon's begin. Which ids are known depends on the `remember`ed pairs alone,
/// not on their order. 30 to 48 bytes an id; what is past the horizon is dropped when the table is
/// full. Used by one thread.
class SeenIds {
 public:
  /// Was `id` remembered with a time at or after `horizon`?
  bool known(const IdHash& id, Millis horizon) const;

  /// `horizon`: the least that any later call will give.
  void remember(const IdHash& id, Millis time, Millis horizon);
  void remember(const std::vector<SeenId>& ids, Millis horizon);
  void remember(const SeenIds& others, Millis horizon);

  /// Makes room for `ids` more at once.
  void reserve(std::size_t ids);

  std::size_t size() const { return used_; }

 private:
  static constexpr Millis kEmpty = std::numeric_limits<Millis>::min();

  struct Cell {
    IdHash id;
    Millis time = kEmpty;
  };

  /// Where the search for `id` begins.
  std::size_t home(const IdHash& id) const;
  /// Where `id` stands, or the empty cell where it would.
  std::size_t find(const IdHash& id) const;
  void rebuild(Millis horizon, std::size_t more);

  std::vector<Cell> cells_;  ///< open addressing, linear probing
  std::size_t used_ = 0;     ///< cells that are not empty, those past the horizon included
};

}  // namespace freshet
