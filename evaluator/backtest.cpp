#include "evaluator/backtest.h"

#include <string>
#include <string_view>
#include <utility>

#include "evaluator/sentences.h"

namespace freshet {

Backtest::Backtest(Task task, std::size_t outputs, const EvaluationPolicy& policy, std::uint64_t k,
                   std::uint64_t promotions, std::vector<PairedLoss> recorded)
    : promotions_(promotions),
      evaluation_(policy, k, std::move(recorded)),
      candidate_(task, outputs, policy.clip),
      champion_(task, outputs, policy.clip),
      baselines_(task, outputs, policy.clip) {}

void Backtest::add(const AnsweredRow& row) {
  if (verdict_) return;
  candidate_.add(row.candidate, row.label);
  champion_.add(row.champion, row.label);
  baselines_.score(row.baseline.first(row.candidate.size()), row.baseline.back(), row.label);
  evaluation_.add(row.loss);
  if (evaluation_.look_due()) verdict_ = evaluation_.look(promotions_);
}

Verdict Backtest::conclusion() const {
  return verdict_ ? *verdict_ : undecided(evaluation_.policy().loss, figures(), rows());
}

void Backtest::save(Encoder& to) const {
  to.put(promotions_);
  evaluation_.save(to);
  to.put(static_cast<std::uint8_t>(verdict_.has_value()));
  if (verdict_) {
    to.put(verdict_->kind).put(std::string_view(verdict_->reason));
    to.put(std::string_view(verdict_->sentence));
  }
  candidate_.save(to);
  champion_.save(to);
  baselines_.save(to);
}

void Backtest::load(Decoder& from) {
  promotions_ = from.get<std::uint64_t>();
  evaluation_ = Evaluation::load(from);
  verdict_.reset();
  if (from.get<std::uint8_t>() != 0) {
    verdict_.emplace();
    verdict_->kind = from.get<VerdictKind>();
    verdict_->reason = std::string(from.text());
    verdict_->sentence = std::string(from.text());
  }
  candidate_.load(from);
  champion_.load(from);
  baselines_.load(from);
}

}  // namespace freshet
