#include <fmt/format.h>

#include <utility>

#include <nlohmann/json.hpp>

#include "orchestrator/config_recorded.h"
#include "orchestrator/pipeline.h"

namespace freshet {

void Pipeline::replay(std::vector<CommandRecord> commands) {
  commands_.clear();
  for (CommandRecord& command : commands) {
    if (command.sequence > applied_command_) commands_.push_back(std::move(command));
  }
}

bool Pipeline::command_due() const {
  return !commands_.empty() && asked_.empty() && commands_.front().position <= position_;
}

void Pipeline::apply_due_command() {
  const CommandRecord command = std::move(commands_.front());
  commands_.pop_front();
  apply(command);
}

void Pipeline::apply(const CommandRecord& command) {
  const auto arguments = nlohmann::json::parse(command.arguments, nullptr, false);
  const std::uint64_t version =
      arguments.is_object() ? arguments.value("version", std::uint64_t{0}) : 0;
  if (command.kind == "promote" || command.kind == "approve") {
    promote(version, command.reason);
  } else if (command.kind == "rollback") {
    const CommandRecord filled = resolved(command);
    const auto target = nlohmann::json::parse(filled.arguments);
    roll_back(target.at("version"), target.at("row"), command.reason);
  } else if (command.kind == "pause") {
    pause(command.reason);
  } else if (command.kind == "resume") {
    resume(command.reason);
  } else if (command.kind == "train") {
    train(command.reason);
  } else if (command.kind == "apply") {
    apply_config(parse_recorded_config(arguments.at("config").dump(), "applied config"),
                 command.reason);
  } else if (command.kind == "erase") {
    erase(command);
  } else {
    throw Error(ErrorKind::corrupt, fmt::format("recorded command {} is of an unknown kind: {}",
                                                command.sequence, command.kind));
  }
  applied_command_ = command.sequence;
}

}  // namespace freshet
