#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "orchestrator/verify.h"

namespace freshet {

struct WorkspaceCopy {
  std::uint64_t size_bytes = 0;
  std::uint64_t artifacts = 0;           ///< files
  bool tokens = false;                   ///< there were some, and they were copied
  std::vector<PipelineReach> pipelines;  ///< of the copy
};

/// Copies a workspace as it stands at one moment, whoever runs it meanwhile, into a folder that is
/// empty or not there. First the registry, then the artifacts it names, each pipeline's log and
/// backtests, and its rows up to the checkpoint: so the log reaches the checkpoint. An owner's
/// commits go on. The copy is a workspace: tokens (mode 0600) are in it, a lock is not.
///
/// It is made in `<to>.part`, synced, verified by `verify_workspace` and only then renamed: a
/// folder of the name is a whole copy. What a copy that died left in `<to>.part` is made way with.
///
/// Throws Error{not_found} if there is no workspace, Error{conflict} for a folder that is not empty
/// or where another copy is being made, Error{corrupt} naming what is damaged, Error{unavailable}
/// when the disk refuses, has too little room, or a signal stops it. Then nothing is left behind.
WorkspaceCopy copy_workspace(const std::string& from, const std::string& to);

}  // namespace freshet
