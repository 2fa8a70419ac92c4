#include "evaluator/sentences.h"

#include <fmt/format.h>

#include <cmath>

namespace freshet {

const char* loss_in_words(LossKind loss) {
  switch (loss) {
    case LossKind::log_loss:
      return "log-loss";
    case LossKind::zero_one:
      return "error rate";
    case LossKind::absolute:
      return "capped MAE";
    case LossKind::squared:
      return "capped squared error";
  }
  return "";
}

std::string interval_text(const EvaluationFigures& figures, int sign) {
  if (!figures.interval_low) return "";
  const double low = sign > 0 ? *figures.interval_low : -*figures.interval_high;
  const double high = sign > 0 ? *figures.interval_high : -*figures.interval_low;
  return fmt::format(", between {:.4f} and {:.4f},", low, high);
}

Verdict unsteady(LossKind loss, const EvaluationFigures& figures) {
  return {VerdictKind::inconclusive, "unsteady",
          fmt::format("Inconclusive: the losses depend on each other over more than 500 rows, so "
                      "no test holds; the {} differed by {:.4f} over {} rows.",
                      loss_in_words(loss), figures.mean_difference, figures.counted_rows)};
}

Verdict undecided(LossKind loss, const EvaluationFigures& figures, std::uint64_t replayed_rows) {
  if (figures.blocks == 0) {
    return {VerdictKind::inconclusive, "calibrating",
            fmt::format("Inconclusive: the {} rows there are were all needed to calibrate or fill "
                        "no block; at least the first 2,000 don't count.",
                        replayed_rows)};
  }
  if (figures.unsteady) return unsteady(loss, figures);
  const int sign = figures.mean_difference < 0 ? -1 : 1;
  std::string sentence = fmt::format("Inconclusive: {} {} by {:.4f}{} after {} rows, all there are",
                                     loss_in_words(loss), sign > 0 ? "lower" : "higher",
                                     std::abs(figures.mean_difference),
                                     interval_text(figures, sign), figures.counted_rows);
  if (figures.rows_to_verdict > figures.counted_rows) {
    sentence +=
        fmt::format("; a difference of this size takes about {} rows", figures.rows_to_verdict);
  }
  return {VerdictKind::inconclusive, "rows_ended", sentence + "."};
}

}  // namespace freshet
