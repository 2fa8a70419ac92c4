#pragma once

#include <string>
#include <vector>

namespace freshet {

/// Content-addressed files in a folder: `<folder>/<sha256>`. Writing: temp file in the same folder,
/// write, fsync, read back and verify, rename, fsync the folder. Reading verifies the hash. Throws
/// Error{unavailable} when the disk refuses, Error{not_found}, Error{corrupt} naming the file.
/// Thread-safe (it holds no state but the folder's name).
class ArtifactStore {
 public:
  /// Makes the folder where it is missing (not when `read_only`).
  static ArtifactStore open(const std::string& folder, bool read_only = false);

  /// Stores bytes, durable on return; gives their sha256 (hex). Storing twice is once.
  std::string put(const std::string& bytes);
  std::string get(const std::string& sha256) const;
  bool contains(const std::string& sha256) const;
  std::vector<std::string> list() const;
  void remove(const std::string& sha256);
  /// Deletes left-over temp files and artifacts that are not in `kept`; gives how many.
  std::size_t collect(const std::vector<std::string>& kept);

 private:
  explicit ArtifactStore(std::string folder) : folder_(std::move(folder)) {}
  std::string folder_;
};

}  // namespace freshet
