#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "stream/open_source.h"
#include "tests/support/error_of.h"

namespace freshet {

/// What a source handed over, in words: "event a 1000 5 x -", "label a 2000 1",
/// "bad 3: reason".
class Collected : public RecordSink {
 public:
  void event(const Event& event, const Origin& origin) override {
    lines.push_back(origin.line);
    std::string text = event.kind == RecordKind::label ? "label" : "event";
    text += " " + std::string(event.id) + " " + std::to_string(event.time);
    for (const FieldValue& value : event.values) {
      text += " ";
      if (value.missing) {
        text += "-";
      } else if (std::isnan(value.number)) {
        text += value.text;
      } else {
        text += short_number(value.number);
      }
    }
    if (event.label) text += " =" + short_number(*event.label);
    if (event.label_time != 0) text += "@" + std::to_string(event.label_time);
    records.push_back(text);
  }

  void bad(const Origin& origin, const std::string& reason) override {
    lines.push_back(origin.line);
    raws.emplace_back(origin.raw);
    records.push_back("bad " + std::to_string(origin.line) + ": " + reason);
  }

  std::vector<std::string> records;
  std::vector<std::uint64_t> lines;
  std::vector<std::string> raws;  ///< of the bad ones

 private:
  static std::string short_number(double number) {
    std::ostringstream out;
    out << number;
    return out.str();
  }
};

/// Everything a source gives until it is idle or ended.
inline std::vector<std::string> read_all(Source& source, std::size_t at_once = 100) {
  Collected collected;
  while (source.poll(at_once, collected) == PollStatus::ready) {
  }
  return collected.records;
}

/// Reads at most `count` records.
inline std::vector<std::string> read_some(Source& source, std::size_t count) {
  Collected collected;
  source.poll(count, collected);
  return collected.records;
}

/// A folder of its own for a test, with inputs to be written there.
class TextInputTest : public testing::Test {
 protected:
  TextInputTest()
      : folder_(std::filesystem::path(testing::TempDir()) /
                ("freshet_input_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~TextInputTest() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& bytes) const {
    const std::string path = (folder_ / name).string();
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  void append(const std::string& path, const std::string& bytes) const {
    std::ofstream(path, std::ios::binary | std::ios::app) << bytes;
  }

  std::unique_ptr<Source> open(const std::string& path) const {
    return open_source({.name = path}, schema, std::nullopt);
  }

  std::vector<std::string> read(const std::string& name, const std::string& bytes) const {
    return read_all(*open(write(name, bytes)));
  }

  /// id, t (milliseconds), x (number), c (category), y (binary, with the event).
  static Schema small_schema() {
    Schema small;
    small.id_field = "id";
    small.time.form = TimeField{"t", TimeUnit::milliseconds};
    small.fields = {{"x", FieldKind::number, MissingRule::mean, ""},
                    {"c", FieldKind::category, MissingRule::mean, ""}};
    small.label.field = "y";
    return small;
  }

  Schema schema = small_schema();

 private:
  std::filesystem::path folder_;
};

/// Standard input stands in for `bytes` as long as this lives (at most a pipe's 64 KiB).
class StandardInput {
 public:
  explicit StandardInput(const std::string& bytes) : saved_(::dup(STDIN_FILENO)) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe(ends), 0);
    EXPECT_EQ(::write(ends[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    ::close(ends[1]);
    ::dup2(ends[0], STDIN_FILENO);
    ::close(ends[0]);
  }
  ~StandardInput() {
    ::dup2(saved_, STDIN_FILENO);
    ::close(saved_);
  }

 private:
  int saved_;
};

}  // namespace freshet
