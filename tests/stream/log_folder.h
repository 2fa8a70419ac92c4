#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "stream/event_log.h"
#include "tests/stream/text_input.h"

namespace freshet {

/// While it lives no file of this process grows beyond `bytes`: a disk that is full.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : signal_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit = {bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, signal_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  sighandler_t signal_;
  rlimit before_{};
};

/// A folder of its own for a test, with a log to be opened there, again and again.
class LogFolderTest : public testing::Test {
 protected:
  LogFolderTest()
      : folder_(std::filesystem::path(testing::TempDir()) /
                ("freshet_log_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~LogFolderTest() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name = "log.sqlite") const {
    return (folder_ / name).string();
  }
  std::unique_ptr<EventLog> open() const { return EventLog::open(path(), "schema 1"); }

  static std::string file_bytes(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  static void write_bytes(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }

  const std::filesystem::path folder_;
};

}  // namespace freshet
