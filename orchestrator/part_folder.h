#pragma once

#include <string>

namespace freshet {

/// A folder that comes to be whole or not at all: it is filled as `<target>.part`, in the hands of
/// one process, and published under its name; unpublished it is removed. What another process that
/// died left there is made way with.
///
///   PartFolder part("/backups/monday", mode);
///   … files into part.path() …
///   part.publish();
///
/// Throws Error{conflict} when the target is no empty folder or another process is filling it, or
/// what stands at `<target>.part` is none of this; Error{unavailable} when the disk refuses.
class PartFolder {
 public:
  /// `like`: the folder whose mode the new one gets, unless the target is there already.
  PartFolder(const std::string& target, const std::string& like);
  ~PartFolder();
  PartFolder(const PartFolder&) = delete;
  PartFolder& operator=(const PartFolder&) = delete;

  const std::string& path() const { return path_; }

  /// Syncs every file and folder, then renames; durable on return.
  void publish();

 private:
  void take();
  void clear() const;

  std::string target_;
  std::string path_;
  int lock_ = -1;
  bool published_ = false;
};

}  // namespace freshet
