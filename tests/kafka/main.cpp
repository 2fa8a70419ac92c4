#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Where there is no broker nothing is tried: ctest is to say so.
int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  const int result = RUN_ALL_TESTS();
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  const int tried = all.test_to_run_count() - all.skipped_test_count();
  return result == 0 && tried == 0 && all.skipped_test_count() > 0 ? 77 : result;
}
