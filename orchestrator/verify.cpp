#include "orchestrator/verify.h"

#include <fmt/format.h>

#include <set>

#include "stream/error.h"
#include "stream/event_log.h"
#include "stream/row_store.h"

namespace freshet {

std::vector<std::string> verify_workspace(Workspace& workspace, const std::string& pipeline) {
  std::vector<std::string> damage;
  const auto attempt = [&](const std::string& what, const auto& check) {
    try {
      check();
    } catch (const Error& error) {
      damage.push_back(what + ": " + error.what());
    }
  };
  attempt("registry", [&] { workspace.registry().check(); });
  std::set<std::string> seen;
  for (const Revision& revision : workspace.registry().all_revisions(pipeline)) {
    for (const std::string& sha256 : {revision.artifact, revision.learner_state}) {
      if (sha256.empty() || !seen.insert(sha256).second) continue;
      attempt(fmt::format("revision {}@{}", revision.version, revision.row),
              [&] { workspace.artifacts().get(sha256); });
    }
  }
  attempt("log", [&] {
    const auto log = EventLog::open_reader(workspace.log_path(pipeline));
    for (const std::string& line : log->verify()) damage.push_back("log: " + line);
  });
  attempt("rows", [&] {
    const auto store = RowStore::open_reader(workspace.rows_path(pipeline));
    for (const std::string& line : store->verify()) damage.push_back("rows: " + line);
  });
  attempt("checkpoint", [&] {
    const auto checkpoint = workspace.registry().checkpoint(pipeline);
    if (!checkpoint) return;
    for (const std::string& line : checkpoint->damage) damage.push_back("checkpoint: " + line);
  });
  return damage;
}

}  // namespace freshet
