#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "orchestrator/workspace.h"

namespace freshet {

/// Something in a workspace that is not as it was written, or not there.
struct Damage {
  std::string file;    ///< in the workspace's folder
  std::string what;    ///< with positions, rows or versions
  std::string advice;  ///< what to do
};

/// How far a pipeline's files reach.
struct PipelineReach {
  std::string pipeline;
  std::uint64_t head = 0;      ///< of the log
  std::uint64_t position = 0;  ///< of the last checkpoint, as the row and the questions; 0: none
  std::uint64_t row = 0;
  std::uint64_t questions = 0;
};

struct WorkspaceReport {
  struct Part {
    std::string file;
    std::uint64_t size_bytes = 0;  ///< with what SQLite keeps beside it
    std::string holds;             ///< in words
  };
  std::vector<Part> parts;
  std::vector<PipelineReach> pipelines;
  std::vector<Damage> damage;
  std::vector<std::string> notes;  ///< what is no damage, but nothing needs
};

/// Reads a whole workspace, beside its owner too: the registry's structure, references and
/// checkpoints, each artifact that a revision names, each log batch, each row chunk and each
/// backtest against its hash, all formats, and whether log and rows reach the checkpoint. Throws
/// Error{not_found} if there is no workspace, Error{unavailable} when the disk refuses.
WorkspaceReport verify_workspace(const std::string& folder);

/// The same of one pipeline and the registry.
std::vector<Damage> verify_pipeline(Workspace& workspace, const std::string& pipeline);

/// "file: what; advice"
std::string damage_text(const Damage& damage);

}  // namespace freshet
