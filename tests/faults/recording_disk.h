#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "stream/random.h"

namespace freshet {

/// One thing that SQLite did to a file.
struct DiskOperation {
  enum class Kind { write, truncate, sync, remove, remove_durably };
  Kind kind = Kind::write;
  std::string file;          ///< its name in the folder
  std::uint64_t offset = 0;  ///< truncate: the new size
  std::string bytes;
};

/// While it lives, SQLite's default file system is one that also records what is done to databases,
/// their journals and write-ahead logs. One at a time; databases are opened and closed within its
/// life.
class Recording {
 public:
  Recording();
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  /// So far, by all threads.
  static std::size_t count();
  static std::vector<DiskOperation> operations();
};

/// What a disk holds after a power cut. Of what was written since a file's last sync each part may
/// be there or not, in any order, to the sector; a new file's name may be missing until then, a
/// removed one may be back. What lies beside a write in its sector stays whole ("powersafe
/// overwrite", which SQLite assumes too).
class Disk {
 public:
  /// How much of what is not synced survives the cut.
  enum class Survivor { all, none, some, torn };

  void apply(const DiskOperation& operation);
  /// Writes the files as they may be found.
  void cut_power(Survivor survivor, KeyedGenerator& draw, const std::string& folder) const;

 private:
  struct File {
    bool named = false;   ///< its name is on disk
    std::string durable;  ///< its bytes as of the last sync
    std::vector<DiskOperation> pending;
  };

  /// Names are as they were last.
  void sync_folder();

  std::map<std::string, File> files_;
};

}  // namespace freshet
