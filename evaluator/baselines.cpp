#include <algorithm>
#include <utility>

#include "evaluator/metrics.h"

namespace freshet {

class Baselines::Impl {
 public:
  Impl(Task task, std::size_t outputs, double clip)
      : task_(task),
        outputs_(outputs),
        counts_(task == Task::binary ? 2 : outputs, 0.0),
        prior_(task, outputs, clip, false),
        no_change_(task, outputs, clip, false),
        answer_(outputs) {}

  void known(double label) {
    last_ = label;
    ++known_;
    if (task_ == Task::regression) {
      mean_ += (label - mean_) / known_;
    } else {
      counts_[static_cast<std::size_t>(label)] += 1;
    }
  }

  void answer(std::span<float> prior, float& no_change) const {
    no_change = static_cast<float>(last_);
    if (task_ == Task::regression) {
      prior[0] = static_cast<float>(mean_);
      return;
    }
    // One made-up row of each class keeps the frequencies off 0 and 1.
    const double total = known_ + static_cast<double>(counts_.size());
    if (task_ == Task::binary) {
      prior[0] = static_cast<float>((counts_[1] + 1) / total);
      return;
    }
    for (std::size_t j = 0; j < outputs_; ++j) {
      prior[j] = static_cast<float>((counts_[j] + 1) / total);
    }
  }

  void score(std::span<const float> prior, float no_change, double label) {
    prior_.add(prior, label);
    if (task_ == Task::multiclass) {
      std::fill(answer_.begin(), answer_.end(), 0.0F);
      answer_[static_cast<std::size_t>(no_change)] = 1.0F;
    } else {
      answer_[0] = no_change;
    }
    no_change_.add(answer_, label);
  }

  void save(Encoder& to) const {
    to.put(counts_).put(known_).put(mean_).put(last_);
    prior_.save(to);
    no_change_.save(to);
  }

  void load(Decoder& from) {
    counts_ = from.vector<double>();
    known_ = from.get<double>();
    mean_ = from.get<double>();
    last_ = from.get<double>();
    prior_.load(from);
    no_change_.load(from);
  }

  const Metrics& prior() const { return prior_; }
  const Metrics& no_change() const { return no_change_; }

 private:
  const Task task_;
  const std::size_t outputs_;
  std::vector<double> counts_;
  double known_ = 0;
  double mean_ = 0;
  double last_ = 0;
  Metrics prior_;
  Metrics no_change_;
  std::vector<float> answer_;  // reused
};

Baselines::Baselines(Task task, std::size_t outputs, double clip)
    : impl_(std::make_unique<Impl>(task, outputs, clip)) {}
Baselines::~Baselines() = default;
Baselines::Baselines(Baselines&&) noexcept = default;

void Baselines::known(double label) { impl_->known(label); }
void Baselines::answer(std::span<float> prior, float& no_change) const {
  impl_->answer(prior, no_change);
}
void Baselines::score(std::span<const float> prior, float no_change, double label) {
  impl_->score(prior, no_change, label);
}
const Metrics& Baselines::prior() const { return impl_->prior(); }
const Metrics& Baselines::no_change() const { return impl_->no_change(); }
void Baselines::save(Encoder& to) const { impl_->save(to); }
void Baselines::load(Decoder& from) { impl_->load(from); }

}  // namespace freshet
