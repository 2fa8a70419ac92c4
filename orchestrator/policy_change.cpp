#include "orchestrator/policy_change.h"

#include <fmt/format.h>

namespace freshet {

void apply_config(Workspace& workspace, OpenPipeline& open, const PipelineConfig& config,
                  const std::string& reason) {
  std::string refused;
  std::string summary;
  for (const ConfigDifference& d : differences(open.config, config)) {
    summary += (summary.empty() ? "" : "; ") + d.path + ": " + d.from + " -> " + d.to;
    if (d.means != "policy") refused += (refused.empty() ? "" : ", ") + d.path;
  }
  if (summary.empty()) {
    throw Error(ErrorKind::conflict, "nothing differs from the recorded config");
  }
  if (!refused.empty()) {
    throw Error(
        ErrorKind::conflict,
        fmt::format("{} cannot change in this workspace: what has been learned depends on it. Run "
                    "the new config over the same log: freshet run CONFIG --from-log {} "
                    "--workspace NEW",
                    refused, workspace.folder()));
  }
  open.pipeline.drain();
  open.pipeline.note_policy(config, summary, reason);
  CommandRecord record;
  record.kind = "apply";
  record.arguments = write_config(config);
  record.reason = reason;
  open.command(workspace, record);
  const auto lock = workspace.use_registry();
  workspace.registry().set_config(config.pipeline, write_config(config));
}

}  // namespace freshet
