#include "orchestrator/workspace_copy.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <system_error>

#include "orchestrator/disk_use.h"
#include "orchestrator/outbox_mark.h"
#include "orchestrator/part_folder.h"
#include "orchestrator/pipeline_state.h"
#include "orchestrator/run.h"
#include "orchestrator/workspace.h"
#include "stream/error.h"
#include "stream/event_log.h"
#include "stream/row_store.h"
#include "stream/sqlite.h"
#include "stream/whole_file.h"

namespace freshet {

namespace {

namespace fs = std::filesystem;

constexpr const char* kTokens[] = {"/token", "/tokens.json"};

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

void stop_where_asked() {
  if (!stop_requested) return;
  throw Error(ErrorKind::unavailable, "stopped by a signal; nothing was kept of the copy");
}

void check_room(const std::string& from, const std::string& to) {
  const DiskUse use = disk_use(from);
  const std::uint64_t needed = use.total() - use.bytes.at("other");
  const std::uint64_t free = disk_use(to).free_bytes;
  if (free > needed) return;
  throw Error(
      ErrorKind::unavailable,
      fmt::format("{}: has room for {}, the copy needs up to {}: make room, or give another "
                  "folder",
                  to, size_text(free), size_text(needed)));
}

/// The copy of one workspace into one folder, step by step.
class Copying {
 public:
  Copying(std::string from, std::string to) : from_(std::move(from)), to_(std::move(to)) {}

  void run() {
    const std::map<std::string, OutboxMark> published = outbox_marks();
    copy_moment();
    Workspace source = Workspace::open(from_, Workspace::Mode::read);
    const auto copied = Registry::open_reader(to_ + "/registry.db");
    ArtifactStore artifacts = ArtifactStore::open(to_ + "/artifacts");
    for (const std::string& name : copied->pipelines()) {
      copy_artifacts(*copied, name, source.artifacts(), artifacts);
      copy_if_there(place(name) + "/backtests.db");
      const auto mark = published.find(name);
      if (mark != published.end()) {
        write_outbox_mark(to_ + place(name) + "/outbox.json", mark->second);
      }
    }
    for (const char* file : kTokens) copy_secret(file);
  }

  std::uint64_t artifacts() const { return done_.size(); }
  bool tokens() const { return tokens_; }

 private:
  static std::string place(const std::string& pipeline) { return "/pipelines/" + pipeline; }

  // Before all else: what is published later is published again by the copy, under the same ids.
  std::map<std::string, OutboxMark> outbox_marks() const {
    std::map<std::string, OutboxMark> marks;
    for (const std::string& name : Registry::open_reader(from_ + "/registry.db")->pipelines()) {
      const std::string file = from_ + place(name) + "/outbox.json";
      if (exists(file)) marks[name] = read_outbox_mark(file);
    }
    return marks;
  }

  // Registry first, so that each log reaches its checkpoint. A command that was recorded in between
  // would be missing in the copy while events after it are there, or what it erased is not: then
  // once more.
  void copy_moment() {
    constexpr int kTries = 5;
    for (int tries = 0; tries < kTries; ++tries) {
      std::error_code none;
      fs::remove(to_ + "/registry.db", none);
      copy_database(from_ + "/registry.db", to_ + "/registry.db");
      const auto copied = Registry::open_reader(to_ + "/registry.db");
      for (const std::string& name : copied->pipelines()) {
        stop_where_asked();
        make_folder(to_ + place(name));
        fs::remove(to_ + place(name) + "/log.db", none);
        copy_if_there(place(name) + "/log.db");
        fs::remove(to_ + place(name) + "/rows.db", none);
        copy_rows(*copied, name);
      }
      if (commands(*copied) == commands(*Registry::open_reader(from_ + "/registry.db"))) return;
    }
    throw Error(
        ErrorKind::unavailable,
        fmt::format("{}: operators' commands kept coming while it was copied: try again", from_));
  }

  static std::size_t commands(const Registry& registry) {
    std::size_t count = 0;
    for (const std::string& name : registry.pipelines()) count += registry.commands(name).size();
    return count;
  }

  void copy_artifacts(const Registry& registry, const std::string& pipeline,
                      const ArtifactStore& source, ArtifactStore& target) {
    constexpr std::size_t kAtOnce = std::size_t{16} << 20U;
    std::vector<std::string> all;
    std::size_t bytes = 0;
    for (const Revision& revision : registry.all_revisions(pipeline)) {
      for (const std::string& sha256 : {revision.artifact, revision.learner_state}) {
        if (sha256.empty() || !done_.insert(sha256).second) continue;
        stop_where_asked();
        all.push_back(source.get(sha256));
        bytes += all.back().size();
        if (bytes < kAtOnce) continue;
        target.put_all(all);
        all.clear();
        bytes = 0;
      }
    }
    target.put_all(all);
  }

  void copy_rows(const Registry& registry, const std::string& pipeline) {
    stop_where_asked();
    const auto checkpoint = registry.checkpoint(pipeline);
    if (!checkpoint) return;
    const std::string file = place(pipeline) + "/rows.db";
    RowStore::copy(from_ + file, to_ + file, checkpoint->questions, checkpoint->row);
    const Mark needed = kept_mark(*checkpoint);
    const auto copied = RowStore::open_reader(to_ + file);
    const auto log = EventLog::open_reader(to_ + place(pipeline) + "/log.db");
    if (copied->first_row() <= needed.row && copied->first_question() <= needed.question &&
        log->begin() <= needed.position) {
      return;
    }
    throw Error(ErrorKind::unavailable,
                fmt::format("{}: what the checkpoint needs was dropped while it was copied "
                            "(stream.keep): try again",
                            from_ + file));
  }

  void copy_if_there(const std::string& file) const {
    if (exists(from_ + file)) copy_database(from_ + file, to_ + file);
  }

  void copy_secret(const char* file) {
    if (!exists(from_ + file)) return;
    std::ifstream in(from_ + file, std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(in), {});
    if (!in) {
      throw Error(ErrorKind::unavailable,
                  fmt::format("{}{}: cannot be read: tokens may be read by their owner alone; run "
                              "this as that user",
                              from_, file));
    }
    write_whole_file(to_ + file, text, S_IRUSR | S_IWUSR);
    tokens_ = true;
  }

  const std::string from_;
  const std::string to_;
  std::set<std::string> done_;  ///< artifacts
  bool tokens_ = false;
};

/// Whoever looked into the copy has left these, empty.
void remove_beside(const std::string& folder) {
  std::vector<fs::path> beside;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const bool is_index = name.ends_with(".db-shm");
    const bool is_log = name.ends_with(".db-wal") || name.ends_with(".db-journal");
    if (is_index || (is_log && fs::file_size(entry.path()) == 0)) beside.push_back(entry.path());
  }
  for (const fs::path& path : beside) fs::remove(path);
}

void refuse_inside(const std::string& from, const std::string& to) {
  const fs::path outer = fs::weakly_canonical(fs::absolute(from));
  const fs::path inner = fs::weakly_canonical(fs::absolute(to));
  const auto [left, right] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  if (left != outer.end()) return;
  throw Error(ErrorKind::invalid,
              fmt::format("{}: is within {}, which is copied: give a folder elsewhere", to, from));
}

void refuse_damage(const std::string& from, const WorkspaceReport& report) {
  if (report.damage.empty()) return;
  std::string text = fmt::format("{}: is damaged, and was not copied:", from);
  for (const Damage& damage : report.damage) text += "\n  " + damage_text(damage);
  throw Error(ErrorKind::corrupt, text);
}

}  // namespace

WorkspaceCopy copy_workspace(const std::string& from, const std::string& to) {
  Workspace::open(from, Workspace::Mode::read);
  refuse_inside(from, to);
  PartFolder part(to, from);
  check_room(from, part.path());
  Copying copying(from, part.path());
  copying.run();
  WorkspaceReport report = verify_workspace(part.path());
  refuse_damage(from, report);
  stop_where_asked();
  remove_beside(part.path());
  WorkspaceCopy copy;
  copy.size_bytes = disk_use(part.path()).total();
  copy.artifacts = copying.artifacts();
  copy.tokens = copying.tokens();
  copy.pipelines = std::move(report.pipelines);
  part.publish();
  return copy;
}

}  // namespace freshet
