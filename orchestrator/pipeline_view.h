#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/open_pipeline.h"

namespace freshet {

/// How a pipeline stands at one moment, for people and programs.
struct PipelineView {
  std::string state;                      ///< a JSON object, as GET pipelines/P answers
  std::string features;                   ///< a JSON array, as GET pipelines/P/features lists
  std::vector<EvaluationRecord> running;  ///< evaluations under way
  std::string config;                     ///< canonical JSON
  std::string config_hash;
  std::uint64_t champion = 0;  ///< version; 0: none
  std::uint64_t rows = 0;
  std::uint64_t settled_rows = 0;
  std::uint64_t position = 0;
  std::uint64_t head = 0;  ///< of the log
  std::uint64_t last_decision = 0;
  std::uint64_t last_evaluation = 0;
  Millis watermark = Watermark::kNone;
  IngestCounts ingest;
  LabelCounts labels;
  PipelineCounts counts;
  std::uint64_t promote_verdicts =
      0;  ///< evaluations that ended so, whether it was followed or not
  std::uint64_t open_questions = 0;
  double live_loss = 0;   ///< mean judged loss of all settled rows, as served
  double prior_loss = 0;  ///< the running prior's on the same rows
  double no_change_loss = 0;
};

/// Makes the views of one pipeline, and keeps what they need of the past. Metrics are computed
/// anew as often as that takes no more than a fiftieth of the time. Used by the pipeline thread.
class PipelineViewer {
 public:
  /// `decisions`: those recorded so far.
  explicit PipelineViewer(const std::vector<Decision>& decisions);
  ~PipelineViewer();

  void note(const Decision& decision);
  /// `log`: a reader of this thread's own.
  PipelineView look(const OpenPipeline& open, const EventLog& log);

 private:
  struct Figures;  ///< what is costly, as JSON
  struct InForce;  ///< what follows from the config and the champion alone

  void measure_rate(std::uint64_t head);
  void compute_figures(const OpenPipeline& open);
  const InForce& in_force(const Pipeline& pipeline);

  using Clock = std::chrono::steady_clock;

  std::optional<Decision> last_;
  std::optional<Decision> last_served_;  ///< the last one that changed the champion
  std::uint64_t last_evaluation_ = 0;
  std::uint64_t promote_verdicts_ = 0;
  Clock::time_point rate_since_;
  std::uint64_t rate_head_ = 0;
  bool rate_begun_ = false;
  double events_per_second_ = 0;
  std::unique_ptr<Figures> figures_;
  Clock::time_point figures_due_;
  std::unique_ptr<const InForce> in_force_;
};

}  // namespace freshet
