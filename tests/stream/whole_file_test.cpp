#include "stream/whole_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stream/error.h"
#include "tests/stream/log_folder.h"

namespace freshet {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class WholeFile : public LogFolderTest {
 protected:
  std::ptrdiff_t files() const {
    return std::distance(std::filesystem::directory_iterator(folder_), {});
  }
};

std::string refusal(const std::string& path, const std::string& bytes) {
  try {
    write_whole_file(path, bytes, 0644);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    return error.what();
  }
  return "";
}

TEST_F(WholeFile, TakesThePlaceOfTheOneBeforeWithTheModeAskedFor) {
  write_bytes(path("token"), "a longer secret than the next");
  write_whole_file(path("token"), "new\n", 0600);
  EXPECT_EQ(file_bytes(path("token")), "new\n");
  EXPECT_EQ(std::filesystem::status(path("token")).permissions(), std::filesystem::perms(0600));
  EXPECT_EQ(files(), 1);
}

TEST_F(WholeFile, AFullDiskLeavesTheOneBeforeAndNothingElse) {
  write_bytes(path("token"), "old");
  const FileSizeLimit limit(4096);
  EXPECT_EQ(refusal(path("token"), std::string(100'000, 'w')),
            path("token") + ": cannot be written: File too large");
  EXPECT_EQ(file_bytes(path("token")), "old");
  EXPECT_EQ(files(), 1);
}

TEST_F(WholeFile, AFolderThatIsNotThereIsNamedWithTheReason) {
  EXPECT_THAT(refusal(path("none/token"), "s"),
              HasSubstr("none/token: cannot be written: No such"));
}

TEST_F(WholeFile, AFolderInItsPlaceIsRefused) {
  std::filesystem::create_directories(path("token/within"));
  EXPECT_THAT(refusal(path("token"), "s"), StartsWith(path("token") + ": cannot be written: "));
  EXPECT_EQ(files(), 1);
}

}  // namespace
}  // namespace freshet
