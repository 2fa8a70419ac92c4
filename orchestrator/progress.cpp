#include "orchestrator/progress.h"

#include <fmt/format.h>

#include "orchestrator/summary.h"
#include "orchestrator/terminal.h"

namespace freshet {

ProgressLine::ProgressLine(bool terminal)
    : terminal_(terminal), started_(Clock::now()), last_(started_) {}

bool ProgressLine::due() {
  const auto now = Clock::now();
  if (now - last_ < (terminal_ ? std::chrono::milliseconds(200) : std::chrono::seconds(10))) {
    return false;
  }
  last_ = now;
  return true;
}

double ProgressLine::seconds() const {
  return std::chrono::duration<double>(Clock::now() - started_).count();
}

void ProgressLine::show(const std::string& text) {
  if (terminal_) {
    say("\r\033[K{}", text);
  } else {
    say("{}\n", text);
  }
  line_open_ = terminal_;
}

void ProgressLine::finish() {
  if (line_open_) say("\r\033[K");
  line_open_ = false;
}

Progress::Progress(bool terminal, std::uint64_t rows_before)
    : line_(terminal), rows_before_(rows_before) {}

void Progress::update(const Pipeline& pipeline, std::uint64_t head) {
  if (!line_.due()) return;
  const double rate = static_cast<double>(pipeline.rows() - rows_before_) / line_.seconds();
  const double left = static_cast<double>(head - pipeline.position());
  std::string text = fmt::format("row {}  position {} of {}  {:.0f} rows/s", pipeline.rows(),
                                 pipeline.position(), head, rate);
  if (rate > 0) text += fmt::format("  {:.0f} s left of what is logged", left / rate);
  if (pipeline.champion() != nullptr) {
    text += fmt::format("  champion {}@{}", pipeline.champion()->version, pipeline.champion()->row);
  }
  line_.show(text);
}

void Progress::decision(const Decision& decision) {
  line_.finish();
  say("{}\n", decision_line(decision));
}

void Progress::finish() { line_.finish(); }

}  // namespace freshet
