#include "orchestrator/outbox_mark.h"

#include <fmt/format.h>

#include <fstream>

#include <nlohmann/json.hpp>

#include "stream/error.h"
#include "stream/whole_file.h"

namespace freshet {

using nlohmann::json;

namespace {
constexpr std::uint64_t kFormat = 1;
}  // namespace

OutboxMark read_outbox_mark(const std::string& path) {
  std::ifstream in(path);
  if (!in.is_open()) return {};
  try {
    const json mark = json::parse(in);
    if (const std::uint64_t format = mark.at("format"); format != kFormat) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("{}: is of format {}, this build reads {}", path, format, kFormat));
    }
    return {mark.at("decisions"), mark.at("predictions")};
  } catch (const json::exception&) {
    throw Error(
        ErrorKind::corrupt,
        fmt::format("{}: found no mark of what was published, expected {{\"format\": 1, "
                    "\"decisions\": N, \"predictions\": N}}; remove the file to publish all again",
                    path));
  }
}

void write_outbox_mark(const std::string& path, const OutboxMark& mark) {
  const json text{
      {"format", kFormat}, {"decisions", mark.decisions}, {"predictions", mark.predictions}};
  write_whole_file(path, text.dump() + "\n", 0666);
}

}  // namespace freshet
