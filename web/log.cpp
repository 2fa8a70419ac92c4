#include "web/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

namespace freshet {

namespace {

// spdlog's pattern has no JSON escaping: the line is escaped before it comes there.
std::string escaped(const std::string& line, LogFormat format) {
  if (format == LogFormat::text) return line;
  return nlohmann::json(line).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

}  // namespace

ServerLog::ServerLog(LogFormat format) : format_(format) {
  auto logger = spdlog::get("freshet");
  if (!logger) logger = spdlog::stderr_logger_mt("freshet");
  spdlog::set_default_logger(logger);
  spdlog::set_pattern(format == LogFormat::text
                          ? "%Y-%m-%dT%H:%M:%S.%eZ %l %v"
                          : R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","message":%v})",
                      spdlog::pattern_time_type::utc);
}

void ServerLog::info(const std::string& line) const { spdlog::info("{}", escaped(line, format_)); }
void ServerLog::warn(const std::string& line) const { spdlog::warn("{}", escaped(line, format_)); }

}  // namespace freshet
