#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "orchestrator/erasure_json.h"
#include "orchestrator/pipeline.h"
#include "orchestrator/reproduce.h"

namespace freshet {

void Pipeline::roll_back_to(ServedRevision revision, Decision receipt) {
  supersede_trials(0);
  receipt.from_version = champion_->version;
  receipt.from_row = champion_->row;
  store_artifact(*champion_);
  // Rolled back to a learner that was about to retire: it keeps its place, and the one that had
  // replaced it goes. (Where its recipe has left the config, it stays while it serves.)
  for (ActiveLearner& learner : learners_) {
    if (learner.version != revision.version || !learner.retiring) continue;
    if (!in_force(recipes_[learner.recipe])) continue;
    learner.retiring = false;
    for (ActiveLearner& other : learners_) {
      if (other.recipe == learner.recipe && other.version != learner.version) {
        other.retiring = true;
      }
    }
  }
  previous_ = std::move(champion_);
  paused_ = true;
  followed_ = false;
  ++counts_.rollbacks;
  serve(std::move(revision), std::move(receipt));
  end_probation();
}

CommandRecord Pipeline::resolved(CommandRecord command) {
  if (command.kind != "rollback" && command.kind != "apply") return command;
  auto arguments = nlohmann::json::parse(command.arguments);
  if (command.kind == "apply") {
    if (!arguments.contains("before")) {
      arguments["before"] = nlohmann::json::parse(write_config(config_));
    }
    command.arguments = arguments.dump();
    return command;
  }
  if (arguments.contains("row")) return command;
  if (!champion_) throw Error(ErrorKind::conflict, "there is no champion to roll back from");
  auto version = arguments.value("version", std::uint64_t{0});
  if (version == 0) {
    if (!previous_) {
      throw Error(ErrorKind::conflict, "no other version has served: nothing to roll back to");
    }
    command.arguments =
        nlohmann::json{{"version", previous_->version}, {"row", previous_->row}}.dump();
    return command;
  }
  if (version == champion_->version) {
    throw Error(ErrorKind::conflict,
                fmt::format("version {} is the champion already; to go back to an earlier "
                            "revision of it name its row, as {}@ROW",
                            version, version));
  }
  std::optional<std::uint64_t> row;
  if (previous_ && previous_->version == version) row = previous_->row;
  if (!row) {
    // A candidate's weights are kept as it was trained, though it may never have served.
    const auto known = versions_.find(version);
    const bool candidate =
        known != versions_.end() && known->second.record.lineage.kind != "learner";
    const std::uint64_t from = candidate ? known->second.record.promoted_row : 0;
    for (const Revision& stored : revisions_of(version)) {
      if (candidate && (from == 0 || stored.row < from)) continue;
      if (!stored.artifact.empty()) row = std::max(row.value_or(0), stored.row);
    }
  }
  if (!row) {
    throw Error(ErrorKind::not_found,
                fmt::format("version {} has never served: nothing to roll back to", version));
  }
  command.arguments = nlohmann::json{{"version", version}, {"row", *row}}.dump();
  return command;
}

void Pipeline::roll_back(std::uint64_t version, std::uint64_t row, const std::string& reason) {
  if (!champion_) throw Error(ErrorKind::conflict, "there is no champion to roll back from");
  if (champion_->version == version && champion_->row == row) {
    throw Error(ErrorKind::conflict, fmt::format("{}@{} is the champion already", version, row));
  }
  const auto known = versions_.find(version);
  if (known == versions_.end()) {
    throw Error(ErrorKind::not_found,
                fmt::format("there is no version {}; see freshet registry list", version));
  }
  require_revision(known->second.record, row, row_);
  const bool before = previous_ && previous_->version == version && previous_->row == row;
  ServedRevision target = before ? *previous_ : revision_at(version, row);
  Decision receipt = new_decision("rolled_back", reason);
  receipt.actor = "operator";
  roll_back_to(std::move(target), std::move(receipt));
}

std::vector<Revision> Pipeline::revisions_of(std::uint64_t version) const {
  std::vector<Revision> all = journal_.revisions(version);
  for (const Revision& revision : pending_.revisions) {
    if (revision.version == version) all.push_back(revision);
  }
  return all;
}

void Pipeline::refuse_erased(std::uint64_t version, std::uint64_t row) const {
  std::vector<Decision> decisions = journal_.decisions();
  std::erase_if(decisions, [&](const Decision& d) { return d.sequence >= next_decision_; });
  for (const Decision& decision : pending_.decisions) decisions.push_back(decision);
  refuse_revision_of_erased(decisions, fmt::format("{}@{}", version, row), row);
}

// What is stored and whole is taken as it is; anything else is learned again. Both are the same
// bits, so a replay may come here by the other way.
ServedRevision Pipeline::revision_at(std::uint64_t version, std::uint64_t row) {
  const KnownVersion& known = versions_.at(version);
  ServedRevision revision;
  revision.version = version;
  revision.row = row;
  revision.recipe = known.recipe;
  for (const Revision& stored : revisions_of(version)) {
    if (stored.row != row || stored.artifact.empty()) continue;
    try {
      revision.snapshot =
          learning_.from_artifact(journal_.get_artifact(stored.artifact),
                                  learned_end(known.record, recipes_[known.recipe], row));
      revision.artifact = stored.artifact;
      return revision;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::corrupt && error.kind() != ErrorKind::not_found) throw;
    }
  }
  refuse_erased(version, row);
  const VersionHistory history{[this](std::uint64_t v) { return versions_.at(v).record; },
                               [this](std::uint64_t v) { return revisions_of(v); },
                               [this](const std::string& s) { return journal_.get_artifact(s); }};
  const ReproducedRevision made = Reproduction(config_, store_, history).revision(version, row);
  revision.snapshot = learning_.from_artifact(made.artifact, made.learned_end);
  return revision;
}

}  // namespace freshet
