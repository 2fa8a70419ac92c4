#include "orchestrator/progress.h"

#include <fmt/format.h>

#include <cstdio>

#include "orchestrator/summary.h"

namespace freshet {

Progress::Progress(bool terminal, std::uint64_t rows_before)
    : terminal_(terminal), rows_before_(rows_before), started_(Clock::now()), last_(started_) {}

void Progress::update(const Pipeline& pipeline, std::uint64_t head) {
  const auto now = Clock::now();
  if (now - last_ < (terminal_ ? std::chrono::milliseconds(200) : std::chrono::seconds(10))) return;
  last_ = now;
  const double seconds = std::chrono::duration<double>(now - started_).count();
  const double rate = static_cast<double>(pipeline.rows() - rows_before_) / seconds;
  const double left = static_cast<double>(head - pipeline.position());
  std::string text = fmt::format("row {}  position {} of {}  {:.0f} rows/s", pipeline.rows(),
                                 pipeline.position(), head, rate);
  if (rate > 0) text += fmt::format("  {:.0f} s left of what is logged", left / rate);
  if (pipeline.champion() != nullptr) {
    text += fmt::format("  champion {}@{}", pipeline.champion()->version, pipeline.champion()->row);
  }
  if (terminal_) {
    fmt::print(stderr, "\r\033[K{}", text);
  } else {
    fmt::print(stderr, "{}\n", text);
  }
  line_open_ = terminal_;
  std::fflush(stderr);
}

void Progress::decision(const Decision& decision) {
  if (line_open_) fmt::print(stderr, "\r\033[K");
  line_open_ = false;
  fmt::print(stderr, "{}\n", decision_line(decision));
}

void Progress::finish() {
  if (line_open_) fmt::print(stderr, "\r\033[K");
  line_open_ = false;
}

}  // namespace freshet
