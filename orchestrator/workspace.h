#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "registry/artifact_store.h"
#include "registry/registry.h"

namespace freshet {

/// A folder that holds everything: `lock`, `registry.db`, `artifacts/`, and for each pipeline
/// `pipelines/<name>/log.db`, `rows.db` and `backtests.db`. One process owns it (an flock on
/// `lock`, which holds its pid and, when it serves, its URL); others read. Throws
/// Error{unavailable} when the disk refuses, and what opening the registry throws. Used by one
/// thread, but for the registry and `use_registry`: several pipelines of one owner share it, each
/// use within a `use_registry`. Databases of its pipelines are closed
/// before it.
class Workspace {
 public:
  enum class Mode {
    own,   ///< makes what is missing, removes half-written artifacts and those that no revision
           ///< names; Error{conflict} naming the owner's pid if there is one
    read,  ///< Error{not_found} if there is no workspace
  };

  static Workspace open(const std::string& folder, Mode mode);
  Workspace(Workspace&&) noexcept;
  ~Workspace();

  /// Where the workspace's owner serves; nullopt if it has none, or one that doesn't serve.
  static std::optional<std::string> owner_url(const std::string& folder);
  /// Tells those who ask with `owner_url`. For the owner.
  void announce(const std::string& url);

  const std::string& folder() const { return folder_; }
  /// Nobody else uses the registry as long as the lock is held.
  std::unique_lock<std::mutex> use_registry() const { return std::unique_lock(*mutex_); }
  Registry& registry() const { return *registry_; }
  ArtifactStore& artifacts() { return artifacts_; }
  /// What any pipeline's revisions name, weights and anchors.
  std::vector<std::string> artifacts_in_use() const;

  /// Names are 1 to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or digit. Error{invalid}
  /// else. An owner's call makes the pipeline's folder.
  std::string log_path(const std::string& pipeline) const;
  std::string outbox_path(const std::string& pipeline) const;
  std::string rows_path(const std::string& pipeline) const;
  std::string backtests_path(const std::string& pipeline) const;

 private:
  Workspace(std::string folder, Mode mode, int lock, std::unique_ptr<Registry> registry,
            ArtifactStore artifacts);
  std::string pipeline_folder(const std::string& pipeline) const;

  std::string folder_;
  Mode mode_;
  int lock_;                           ///< descriptor; -1 when only reading
  std::unique_ptr<std::mutex> mutex_;  ///< of the registry
  std::unique_ptr<Registry> registry_;
  ArtifactStore artifacts_;
};

}  // namespace freshet
