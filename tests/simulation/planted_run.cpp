#include "tests/simulation/planted_run.h"

#include "stream/error.h"
#include "tests/simulation/planted_pipeline.h"

namespace freshet {

PlantedOutcome run_planted_stream(PlantedCell cell, const PipelineConfig& config,
                                  std::uint64_t stream) {
  MemoryLog log;
  write_planted_stream(cell, config.schema, stream, log);
  PlantedPipeline planted(config, log);
  Pipeline& pipeline = *planted.pipeline;
  while (pipeline.advance(log.head(), 64)) {
  }
  if (pipeline.champion() == nullptr) {
    throw Error(ErrorKind::invalid, "a planted stream ended without a first champion");
  }
  const PipelineCounts& counts = pipeline.counts();
  return {counts.promotions + counts.rejections + counts.inconclusive, counts.rejections,
          counts.promotions};
}

}  // namespace freshet
