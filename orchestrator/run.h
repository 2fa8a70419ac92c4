#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "orchestrator/open_pipeline.h"
#include "stream/open_source.h"

namespace freshet {

struct RunOptions {
  std::string config_path;  ///< empty: the workspace's only pipeline, as recorded
  std::string workspace;
  std::vector<InputSpec> inputs;  ///< read one after another
  std::string labels;             ///< label events, merged by time with the one input
  std::string from_log;           ///< a workspace whose log is taken as the input
  bool demo = false;              ///< run the demo's own config
  bool follow = false;            ///< Kafka: on beyond the partitions' ends, until a signal
  bool final = false;             ///< close the stream at its end
  bool json = false;
  RunKnobs knobs;
};

/// Set by a signal handler: the run stops at the next consistent point.
extern std::atomic<bool> stop_requested;
/// Set while an answer is waited for that may never come: a signal ends the program soon.
extern std::atomic<bool> answer_awaited;

/// `freshet run`: reads bounded inputs through the whole loop and prints a summary (JSON on stdout
/// with `json`). Progress goes to stderr. Gives the exit code: 0, also when stopped by a signal.
int run(const RunOptions& options);

}  // namespace freshet
