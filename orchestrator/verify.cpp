#include "orchestrator/verify.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "orchestrator/command_support.h"
#include "orchestrator/open_pipeline.h"
#include "orchestrator/outbox_mark.h"
#include "orchestrator/pipeline.h"
#include "registry/backtest_store.h"
#include "stream/error.h"
#include "stream/event_log.h"
#include "stream/row_store.h"

namespace freshet {

namespace {

namespace fs = std::filesystem;

constexpr const char* kRestore =
    "restore a backup (freshet workspace restore), or run the config over the log in a new "
    "workspace (freshet run CONFIG --from-log W)";
constexpr const char* kRestoreLog =
    "restore a backup (freshet workspace restore); what was acknowledged after it is to be sent "
    "again";
constexpr const char* kDerive =
    "nothing is lost: stop what runs the workspace and delete the file; the next start derives it "
    "from the log again";
constexpr const char* kArtifact =
    "put the file of this name from a backup in its place; until then an earlier version serves";
constexpr const char* kOtherBuild = "use the build that wrote it";
constexpr const char* kBacktests = "these are reports: delete the file";
constexpr const char* kPublishAgain =
    "restore it from a backup, or delete it: all is published again, under the same ids";

std::uint64_t size_of(const std::string& database) {
  std::uint64_t bytes = 0;
  for (const char* beside : {"", "-wal", "-journal"}) {
    std::error_code error;
    const auto size = fs::file_size(database + beside, error);
    if (!error) bytes += size;
  }
  return bytes;
}

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

/// Looks at the parts of one workspace, and gathers what it finds.
class Verification {
 public:
  explicit Verification(std::string folder) : folder_(std::move(folder)) {}

  void registry(const Registry& registry) {
    attempt("registry.db", kRestore, [&] {
      for (const std::string& line : registry.verify()) damaged("registry.db", line, kRestore);
    });
    part("registry.db", fmt::format("pipelines: {}", fmt::join(registry.pipelines(), ", ")));
  }

  void artifacts(Workspace& workspace, const std::string& pipeline) {
    attempt("registry.db", kRestore, [&] {
      for (const Revision& revision : workspace.registry().all_revisions(pipeline)) {
        for (const std::string& sha256 : {revision.artifact, revision.learner_state}) {
          if (sha256.empty() || !seen_.insert(sha256).second) continue;
          attempt("artifacts/" + sha256, kArtifact, [&] {
            try {
              artifact_bytes_ += workspace.artifacts().get(sha256).size();
            } catch (const Error& error) {
              throw Error(ErrorKind::corrupt,
                          fmt::format("{} (revision {}@{} of pipeline \"{}\")", error.what(),
                                      revision.version, revision.row, pipeline));
            }
          });
        }
      }
    });
  }

  void orphans(Workspace& workspace) {
    report.parts.push_back({"artifacts", artifact_bytes_, fmt::format("{} files", seen_.size())});
    attempt("artifacts", kRestore, [&] {
      if (!exists(folder_ + "/artifacts")) return;
      const auto left = workspace.artifacts().left_over(workspace.artifacts_in_use());
      if (left.empty()) return;
      std::uint64_t bytes = 0;
      for (const LeftOver& file : left) bytes += file.size_bytes;
      report.notes.push_back(
          fmt::format("artifacts: {} files of {} bytes are named by no revision: being written, or "
                      "left over; the next start deletes those",
                      left.size(), bytes));
    });
  }

  /// `registry` as nullptr: it is damaged.
  void pipeline(const Registry* registry, const std::string& name) {
    PipelineReach reach;
    reach.pipeline = name;
    erased_ = false;
    // The checkpoint first: log and rows only grow.
    const bool checkpointed = registry != nullptr && look_at_checkpoint(*registry, reach);
    const std::string place = "pipelines/" + name;
    being_made_ = registry != nullptr && !checkpointed;
    derivable_ = false;
    const auto is_due = [&](const char* file) {
      return checkpointed || size_of(folder_ + '/' + place + file) > 0;
    };
    if (is_due("/log.db")) log(place + "/log.db", reach);
    if (is_due("/rows.db")) rows(place + "/rows.db", reach);
    if (size_of(folder_ + '/' + place + "/backtests.db") > 0) backtests(place + "/backtests.db");
    if (size_of(folder_ + '/' + place + "/outbox.json") > 0) outbox(place + "/outbox.json");
    being_made_ = false;
    report.pipelines.push_back(reach);
  }

  WorkspaceReport report;

  void damaged(const std::string& file, std::string what, const char* advice) {
    // The file is named already.
    for (const std::string& prefix : {folder_ + '/' + file + ": ", folder_ + '/'}) {
      for (auto at = what.find(prefix); at != std::string::npos; at = what.find(prefix)) {
        what.erase(at, prefix.size());
      }
    }
    const bool foreign = what.find("this build reads") != std::string::npos;
    report.damage.push_back({file, std::move(what), foreign ? kOtherBuild : advice});
  }

 private:
  template <class Check>
  void attempt(const std::string& file, const char* advice, const Check& check) {
    try {
      check();
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::unavailable) throw;
      if (error.kind() == ErrorKind::not_found && being_made_) return;
      damaged(file, error.what(), advice);
    }
  }

  void part(const std::string& file, std::string holds) {
    report.parts.push_back({file, size_of(folder_ + '/' + file), std::move(holds)});
  }

  bool look_at_checkpoint(const Registry& registry, PipelineReach& reach) {
    bool found = false;
    attempt("registry.db", kRestore, [&] {
      const auto checkpoint = registry.checkpoint(reach.pipeline);
      const PipelineConfig config = recorded_config(registry, reach.pipeline);
      erased_ = was_erased_from(registry, reach.pipeline);
      if (!checkpoint) return;
      found = true;
      reach.position = checkpoint->position;
      reach.row = checkpoint->row;
      reach.questions = checkpoint->questions;
      settled_questions(*checkpoint, config.schema);
    });
    return found;
  }

  void log(const std::string& file, PipelineReach& reach) {
    attempt(file, kRestoreLog, [&] {
      const auto log = EventLog::open_reader(folder_ + '/' + file);
      reach.head = log->head();
      for (const std::string& line : log->verify()) damaged(file, line, kRestoreLog);
      if (reach.head < reach.position) {
        damaged(file,
                fmt::format("ends at position {}, its checkpoint stands at {}", reach.head,
                            reach.position),
                kRestoreLog);
      }
      part(file, fmt::format("positions [{}, {}), {} inputs", log->begin(), reach.head,
                             log->all_progress().size()));
      derivable_ = log->begin() == 0 && !erased_;
    });
  }

  void rows(const std::string& file, const PipelineReach& reach) {
    const char* advice = derivable_ ? kDerive : kRestore;
    attempt(file, advice, [&] {
      const auto store = RowStore::open_reader(folder_ + '/' + file);
      if (store->questions() < reach.questions || store->rows() < reach.row) {
        damaged(file,
                fmt::format("holds {} questions and {} rows, its checkpoint stands at {} and {}",
                            store->questions(), store->rows(), reach.questions, reach.row),
                advice);
      }
      for (const std::string& line : store->verify()) damaged(file, line, advice);
      part(file, fmt::format("{} questions, {} rows", store->questions(), store->rows()));
    });
  }

  void backtests(const std::string& file) {
    attempt(file, kBacktests, [&] {
      const auto store = BacktestStore::open_reader(folder_ + '/' + file);
      const std::vector<BacktestRecord> all = store->list();
      for (const BacktestRecord& record : all) {
        attempt(file, kBacktests, [&] { store->find(record.id); });
      }
      part(file, fmt::format("{} backtests", all.size()));
    });
  }

  void outbox(const std::string& file) {
    attempt(file, kPublishAgain, [&] {
      const OutboxMark mark = read_outbox_mark(folder_ + '/' + file);
      part(file, fmt::format("published: {} decisions, {} predictions", mark.decisions,
                             mark.predictions));
    });
  }

  const std::string folder_;
  std::set<std::string> seen_;  ///< artifacts
  std::uint64_t artifact_bytes_ = 0;
  bool erased_ = false;      ///< events, from its log
  bool derivable_ = false;   ///< the pipeline's log is whole
  bool being_made_ = false;  ///< a pipeline's owner may just be starting: its files may be empty
};

std::vector<std::string> pipeline_folders(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder + "/pipelines", error), end; !error && at != end;
       at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

WorkspaceReport verify_workspace(const std::string& folder) {
  Verification verification(folder);
  std::vector<std::string> known;
  try {
    Workspace workspace = Workspace::open(folder, Workspace::Mode::read);
    known = workspace.registry().pipelines();
    verification.registry(workspace.registry());
    for (const std::string& name : known) verification.artifacts(workspace, name);
    verification.orphans(workspace);
    for (const std::string& name : known) verification.pipeline(&workspace.registry(), name);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corrupt) throw;
    verification.damaged("registry.db", error.what(), kRestore);
    known.clear();
  }
  for (const std::string& name : pipeline_folders(folder)) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    if (!verification.report.damage.empty()) verification.pipeline(nullptr, name);
    verification.report.notes.push_back(
        fmt::format("pipelines/{}: the registry knows no such pipeline", name));
  }
  return std::move(verification.report);
}

std::vector<Damage> verify_pipeline(Workspace& workspace, const std::string& pipeline) {
  Verification verification(workspace.folder());
  verification.registry(workspace.registry());
  verification.artifacts(workspace, pipeline);
  verification.pipeline(&workspace.registry(), pipeline);
  return std::move(verification.report.damage);
}

std::string damage_text(const Damage& damage) {
  return fmt::format("{}: {}; {}", damage.file, damage.what, damage.advice);
}

}  // namespace freshet
