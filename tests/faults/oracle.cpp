#include "faults/oracle.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <unordered_map>

#include "orchestrator/config.h"
#include "orchestrator/workspace.h"
#include "scenario/program.h"
#include "stream/event.h"
#include "stream/event_log.h"

namespace freshet {

namespace {

using Times = std::unordered_map<std::string, std::size_t>;

/// How often each id stands in the log.
Times logged(const std::string& config, const std::string& workspace) {
  const PipelineConfig read = read_config(config);
  const Workspace opened = Workspace::open(workspace, Workspace::Mode::read);
  const auto log = EventLog::open_reader(opened.log_path(read.pipeline));
  Times times;
  Event event;
  log->read(0, log->head(), [&](std::uint64_t, std::string_view record) {
    decode(record, read.schema, event);
    if (event.kind == RecordKind::event) ++times[std::string(event.id)];
    return true;
  });
  return times;
}

/// The fingerprint of an undisturbed run over a workspace's log. Once for each log: what is the
/// same in all its bytes needs no second run.
std::string undisturbed(const std::string& config, const std::string& workspace,
                        const std::string& log) {
  static std::map<std::string, std::string> known;
  std::string& fingerprint = known[config + " " + log];
  if (!fingerprint.empty()) return fingerprint;
  const ScratchFolder scratch;
  const Outcome outcome =
      freshet_program("run " + config + " -w " + scratch.path("w") + " --from-log " + workspace);
  if (outcome.code != 0) return "the undisturbed run: " + outcome.err;
  return fingerprint = fingerprint_of(scratch.path("w")).dump(2);
}

void note(Standing& standing, const std::string& said) {
  if (standing.said.empty()) standing.said = said;
}

}  // namespace

Standing broken(const std::string& said) {
  Standing standing;
  standing.differs = true;
  standing.said = said;
  return standing;
}

Standing judged(const std::string& config, const std::string& workspace,
                const std::vector<std::string>& acknowledged) {
  const Outcome verify = freshet_program("registry verify -w " + workspace);
  if (verify.code != 0) return broken(verify.out + verify.err);
  Standing standing;
  const Times times = logged(config, workspace);
  for (const auto& [id, count] : times) {
    if (count == 1) continue;
    ++standing.doubled;
    note(standing, fmt::format("event {} is in the log {} times", id, count));
  }
  if (times.size() > std::set(acknowledged.begin(), acknowledged.end()).size()) {
    standing.differs = true;
    note(standing, "the log holds events that nobody was told of");
  }
  for (const std::string& id : acknowledged) {
    if (times.contains(id)) continue;
    ++standing.lost;
    note(standing, fmt::format("event {} was acknowledged and is not in the log", id));
  }
  const Outcome found = freshet_program("registry fingerprint --parts --json -w " + workspace);
  if (found.code != 0) return broken(found.err);
  const std::string expected = undisturbed(config, workspace, found.json().at("log"));
  if (found.json().dump(2) != expected) {
    standing.differs = true;
    note(standing, found.json().dump(2) + "\nundisturbed: " + expected);
  }
  return standing;
}

}  // namespace freshet
