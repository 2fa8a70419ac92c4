#include <gmock/gmock.h>

#include "orchestrator/pipeline.h"
#include "stream/codec.h"
#include "stream/error.h"

namespace freshet {
namespace {

TEST(Checkpoint, OfAnotherFormatIsRefusedNamingBoth) {
  Encoder state;
  state.put(std::uint32_t{77}).put(std::string_view("a state of another build"));
  CheckpointRecord record;
  record.state = state.take();
  try {
    settled_questions(record, Schema());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    EXPECT_THAT(error.what(), testing::ContainsRegex("state format 77, this build reads [0-9]+"));
  }
}

}  // namespace
}  // namespace freshet
