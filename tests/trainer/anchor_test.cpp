#include "trainer/anchor.h"

#include <gmock/gmock.h>

#include "stream/error.h"

namespace freshet {
namespace {

using testing::HasSubstr;

TEST(Anchor, HoldsTheStateBehindItsFormat) {
  EXPECT_EQ(anchor_state(anchor_bytes("the state")), "the state");
  EXPECT_EQ(anchor_state("of before there were formats"), "of before there were formats");
}

TEST(Anchor, OfAnotherFormatIsRefusedNamingBoth) {
  std::string bytes = anchor_bytes("the state");
  bytes[8] = 9;
  try {
    anchor_state(bytes);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    EXPECT_THAT(error.what(), HasSubstr("format 9, this build reads formats 1 and 2"));
  }
  EXPECT_THROW(anchor_state(std::string_view(bytes).substr(0, 10)), Error);
}

}  // namespace
}  // namespace freshet
