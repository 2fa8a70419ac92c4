#include <gtest/gtest.h>

#include "orchestrator/pipeline.h"
#include "tests/simulation/planted_stream.h"
#include "tests/simulation/simulated_learning.h"

namespace freshet {
namespace {

// The segments are the pipeline's, and the learning thread reads them: after an error it read what
// was gone.
TEST(Pipeline, LeavesNoSegmentWithLearningWhenItEndsEarly) {
  const PipelineConfig config = planted_config(PlantedCell::iid);
  MemoryLog log;
  write_planted_stream(PlantedCell::iid, config.schema, 0, log);
  const FeatureSet features(config.schema, config.features);
  const auto store = RowStore::open(":memory:", {{features.identity(), features.width()}});
  SimulatedLearning learning(kPlantedSlots, kPlantedLearners);
  MemoryJournal journal;
  {
    Pipeline pipeline(config, log, *store, learning, journal);
    pipeline.begin();
    ASSERT_TRUE(pipeline.advance(log.head(), 1));
    ASSERT_GT(learning.posted(), 0U);
  }
  EXPECT_EQ(learning.posted(), 0U);
}

}  // namespace
}  // namespace freshet
