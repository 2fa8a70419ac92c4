#include <gtest/gtest.h>

#include "tests/simulation/planted_pipeline.h"
#include "tests/simulation/planted_stream.h"

namespace freshet {
namespace {

// The segments are the pipeline's, and the learning thread reads them: after an error it read what
// was gone.
TEST(Pipeline, LeavesNoSegmentWithLearningWhenItEndsEarly) {
  const PipelineConfig config = planted_config(PlantedCell::iid);
  MemoryLog log;
  write_planted_stream(PlantedCell::iid, config.schema, 0, log);
  PlantedPipeline planted(config, log);
  ASSERT_TRUE(planted.pipeline->advance(log.head(), 1));
  ASSERT_GT(planted.learning.posted(), 0U);
  planted.pipeline.reset();
  EXPECT_EQ(planted.learning.posted(), 0U);
}

// One record may release many rows, and a tick may stand between two of them. Whoever gives a
// command there must not see it replayed before the rest of them.
TEST(Pipeline, DrainsToTheEndOfTheRecordItIsIn) {
  PipelineConfig config = planted_config(PlantedCell::class_delay);
  config.tick_rows = 4;
  MemoryLog log;
  write_planted_stream(PlantedCell::class_delay, config.schema, 0, log);
  const auto rows_at = [&](std::uint64_t head, std::size_t segments) {
    PlantedPipeline planted(config, log);
    Pipeline& pipeline = *planted.pipeline;
    if (segments > 0) {
      for (std::size_t i = 0; i < segments; ++i) pipeline.advance(head, 1);
      pipeline.drain();
    } else {
      while (pipeline.advance(head, 64)) {
      }
    }
    return std::pair{pipeline.position(), pipeline.rows()};
  };
  for (const std::size_t segments : {40, 41, 42, 43, 200, 201, 202, 203, 204}) {
    const auto [position, rows] = rows_at(log.head(), segments);
    EXPECT_EQ(rows_at(position, 0).second, rows) << "at position " << position;
  }
}

}  // namespace
}  // namespace freshet
