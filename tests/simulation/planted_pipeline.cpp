#include "tests/simulation/planted_pipeline.h"

#include "tests/simulation/planted_stream.h"

namespace freshet {

namespace {

std::unique_ptr<RowStore> rows_in_memory(const PipelineConfig& config) {
  const FeatureSet features(config.schema, config.features);
  return RowStore::open(":memory:", {{features.identity(), features.width()}});
}

}  // namespace

PlantedPipeline::PlantedPipeline(const PipelineConfig& config, const EventLog& log)
    : store(rows_in_memory(config)), learning(kPlantedSlots, kPlantedLearners) {
  pipeline.emplace(config, log, *store, learning, journal);
  pipeline->begin();
}

}  // namespace freshet
