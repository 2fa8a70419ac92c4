#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "orchestrator/config.h"
#include "stream/event.h"

namespace freshet {

/// A log of made-up events, and runs of the whole pipeline over it, each in a workspace of its own.
///
///   PipelineRun run(folder, config, 600'000, fill);   // writes the log
///   run.seconds();                                    // as often as wanted
class PipelineRun {
 public:
  /// `config`: a config's JSON. `fill(i, event)` sets the values and the label of event i; its time
  /// is i seconds. Throws what a config's or a log's errors are.
  PipelineRun(std::string folder, const std::string& config, std::uint64_t events,
              const std::function<void(std::uint64_t, Event&)>& fill);

  /// From the first record to the head and a last checkpoint.
  double seconds() const;

 private:
  void write_log(std::uint64_t events,
                 const std::function<void(std::uint64_t, Event&)>& fill) const;

  const std::string folder_;
  const PipelineConfig config_;
};

}  // namespace freshet
