#include "orchestrator/policy_change.h"

#include <nlohmann/json.hpp>

namespace freshet {

void apply_config(Workspace& workspace, OpenPipeline& open, const PipelineConfig& config,
                  const std::string& reason) {
  if (config == open.pipeline.config()) {
    throw Error(ErrorKind::conflict, "nothing differs from the recorded config");
  }
  CommandRecord record;
  record.kind = "apply";
  record.arguments = nlohmann::json{{"config", nlohmann::json::parse(write_config(config))}}.dump();
  record.reason = reason;
  open.command(workspace, record);
}

}  // namespace freshet
