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

  std::size_t size() const { return used_; }

 private:
  static constexpr Millis kEmpty = std::numeric_limits<Millis>::min();

  struct Cell {
    IdHash id;
    Millis time = kEmpty;
  };

  /// Where `id` stands, or the empty cell where it would.
  std::size_t find(const IdHash& id) const;
  void rebuild(Millis horizon);

  std::vector<Cell> cells_;  ///< open addressing, linear probing
  std::size_t used_ = 0;     ///< cells that are not empty, those past the horizon included
};

}  // namespace freshet
