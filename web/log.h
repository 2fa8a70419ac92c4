#pragma once

#include <string>

namespace freshet {

enum class LogFormat { text, json };

/// The server's log on stderr: a line an event, as text or as JSON {"time", "level", "message"}.
/// Thread-safe once it is made.
class ServerLog {
 public:
  explicit ServerLog(LogFormat format);

  void info(const std::string& line) const;
  void warn(const std::string& line) const;

 private:
  LogFormat format_;
};

}  // namespace freshet
