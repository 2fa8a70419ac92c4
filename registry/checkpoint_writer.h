#pragma once

#include <string>

#include "registry/registry.h"
#include "stream/sqlite.h"

namespace freshet {

/// Writes everything of one moment; the caller holds the transaction.
///
/// Writing the same again changes nothing but what may change (a version's status, an evaluation's
/// standing), so a replay from an older checkpoint finds its records there. A replay that comes to
/// other ones throws Error{corrupt} "replay differs", naming both; `wall_time` is the first one's,
/// and so are a version's build and profile.
void write_checkpoint(SQLite::Database& database, const std::string& pipeline,
                      const CheckpointRecord& record);

/// The hash that is stored beside a checkpoint: of its state and of all its other columns.
std::string checkpoint_hash(const CheckpointRecord& record);

}  // namespace freshet
