#pragma once

#include <memory>
#include <string>

#include "registry/artifact_store.h"
#include "registry/registry.h"

namespace freshet {

/// A folder that holds everything: `lock`, `registry.db`, `artifacts/`, and for each pipeline
/// `pipelines/<name>/log.db`, `rows.db` and `backtests.db`. One process owns it (an flock on
/// `lock`, which holds its pid); others read. Throws Error{unavailable} when the disk refuses, and
/// what opening the registry throws. Used by one thread; databases of its pipelines are closed
/// before it.
class Workspace {
 public:
  enum class Mode {
    own,   ///< makes what is missing, removes half-written artifacts; Error{conflict} naming the
           ///< owner's pid if there is one
    read,  ///< Error{not_found} if there is no workspace
  };

  static Workspace open(const std::string& folder, Mode mode);
  Workspace(Workspace&&) noexcept;
  ~Workspace();

  const std::string& folder() const { return folder_; }
  Registry& registry() const { return *registry_; }
  ArtifactStore& artifacts() { return artifacts_; }

  /// Names are 1 to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or digit. Error{invalid}
  /// else. An owner's call makes the pipeline's folder.
  std::string log_path(const std::string& pipeline) const;
  std::string rows_path(const std::string& pipeline) const;
  std::string backtests_path(const std::string& pipeline) const;

 private:
  Workspace(std::string folder, Mode mode, int lock, std::unique_ptr<Registry> registry,
            ArtifactStore artifacts);
  std::string pipeline_folder(const std::string& pipeline) const;

  std::string folder_;
  Mode mode_;
  int lock_;  ///< descriptor; -1 when only reading
  std::unique_ptr<Registry> registry_;
  ArtifactStore artifacts_;
};

}  // namespace freshet
