#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace freshet {

/// A file in an artifact store that nobody needs.
struct LeftOver {
  std::string name;
  std::uint64_t size_bytes = 0;
};

/// Content-addressed files in a folder: `<folder>/<sha256>`. Writing: temp file in the same folder,
/// write, fsync, read back and verify, rename, fsync the folder. Reading verifies the hash. Throws
/// Error{unavailable} when the disk refuses (full, read-only, failed fsync: nothing is stored, and
/// nothing is tried again), Error{not_found}, Error{corrupt} naming the file.
/// Thread-safe (it holds no state but the folder's name), but for `collect`.
class ArtifactStore {
 public:
  /// Makes the folder where it is missing (not when `read_only`).
  static ArtifactStore open(const std::string& folder, bool read_only = false);

  /// Stores bytes, durable on return; gives their sha256 (hex). Storing twice is once; one that
  /// has been damaged since is whole again.
  std::string put(const std::string& bytes);
  /// Several at once, for the price of one sync of the folder.
  void put_all(const std::vector<std::string>& all);
  std::string get(const std::string& sha256) const;
  /// Whether the file is there; `get` tells whether it is whole.
  bool contains(const std::string& sha256) const;
  /// All addresses, sorted.
  std::vector<std::string> list() const;
  /// Without effect if there is no such artifact.
  void remove(const std::string& sha256);
  /// The left-over temp files and the artifacts that are not in `kept`, by name.
  std::vector<LeftOver> left_over(const std::vector<std::string>& kept) const;
  /// Deletes left-over temp files and artifacts that are not in `kept`; gives how many. For the
  /// owner's start: no `put` may be under way.
  std::size_t collect(const std::vector<std::string>& kept);

 private:
  explicit ArtifactStore(std::string folder) : folder_(std::move(folder)) {}
  std::string place(const std::string& bytes);
  bool is_whole(const std::string& sha256) const;

  std::string folder_;
};

}  // namespace freshet
