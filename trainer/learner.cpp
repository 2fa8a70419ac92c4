#include "trainer/learner.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "stream/random.h"
#include "trainer/input_scaling.h"

namespace freshet {

namespace {

/// Rows to draw replayed ones from: raw vectors and labels in a ring (recent), or a uniform sample
/// of all rows (reservoir: Vitter's algorithm R, 1985).
class ReplayBuffer {
 public:
  ReplayBuffer(const Recipe& recipe, std::size_t width, std::uint64_t seed)
      : kind_(recipe.replay),
        capacity_(recipe.replay == ReplayKind::none ? 0 : recipe.replay_capacity),
        width_(width),
        seed_(seed) {}

  std::size_t size() const { return numbers_.size(); }
  const float* vector(std::size_t i) const { return vectors_.data() + i * width_; }
  float label(std::size_t i) const { return labels_[i]; }

  void add(std::uint64_t number, const float* vector, float label) {
    if (capacity_ == 0) return;
    ++seen_;
    std::size_t place = numbers_.size();
    if (place < capacity_) {
      numbers_.push_back(number);
      labels_.push_back(label);
      vectors_.insert(vectors_.end(), vector, vector + width_);
      return;
    }
    if (kind_ == ReplayKind::recent) {
      place = static_cast<std::size_t>((seen_ - 1) % capacity_);
    } else {
      place = static_cast<std::size_t>(KeyedGenerator(seed_, 3, seen_).below(seen_));
      if (place >= capacity_) return;
    }
    numbers_[place] = number;
    labels_[place] = label;
    std::copy_n(vector, width_, vectors_.begin() + static_cast<std::ptrdiff_t>(place * width_));
  }

  std::uint64_t first_needed(std::uint64_t next) const {
    return numbers_.empty() ? next : *std::min_element(numbers_.begin(), numbers_.end());
  }

  void save(Encoder& to) const { to.put(seen_).put(numbers_); }

  void load(Decoder& from, const RowReader& rows) {
    seen_ = from.get<std::uint64_t>();
    numbers_ = from.vector<std::uint64_t>();
    vectors_.resize(numbers_.size() * width_);
    labels_.resize(numbers_.size());
    for (std::size_t i = 0; i < numbers_.size();) {
      std::size_t end = i + 1;  // whole runs of numbers are read at once
      while (end < numbers_.size() && numbers_[end] == numbers_[end - 1] + 1) ++end;
      rows(numbers_[i], numbers_[end - 1] + 1, vectors_.data() + i * width_, labels_.data() + i);
      i = end;
    }
  }

 private:
  ReplayKind kind_;
  std::size_t capacity_;
  std::size_t width_;
  std::uint64_t seed_;
  std::uint64_t seen_ = 0;
  std::vector<std::uint64_t> numbers_;
  std::vector<float> vectors_;
  std::vector<float> labels_;
};

}  // namespace

class Learner::Impl {
 public:
  Impl(const ModelSpec& spec, const Recipe& recipe, std::uint64_t seed, std::uint64_t next_row)
      : spec_(spec),
        recipe_(recipe),
        seed_(seed),
        next_row_(next_row),
        learned_end_(next_row),
        scaler_(empty_scaler(spec.layout)),
        replay_(recipe, spec.layout.size(), seed),
        step_(TorchModule::load().make(spec, recipe, seed)) {}

  bool learn(const float* vector, float label) {
    const std::uint64_t number = next_row_++;
    pending_.insert(pending_.end(), vector, vector + width());
    pending_labels_.push_back(label);
    if ((number + 1) % recipe_.batch != 0) return false;
    const bool learned = !stopped_;
    if (learned) learn_batch();
    replay_pending();
    learned_end_ = next_row_;
    return learned;
  }

  std::shared_ptr<const Model> model() {
    if (model_ == nullptr) {
      state_ = std::make_shared<const ModelState>(current_state());
      model_ = make_model(spec_, *state_);
    }
    return model_;
  }

  std::shared_ptr<const ModelState> state() {
    model();
    return state_;
  }

  ModelState current_state() const {
    ModelState state;
    state.parameters.resize(parameter_count(spec_));
    step_->read_parameters(state.parameters);
    state.scaler = scaler_;
    if (spec_.task == Task::regression) {
      state.label_mean = label_mean_;
      state.label_scale = label_scale();
    }
    return state;
  }

  void warm_start(const ModelState& from) {
    if (from.parameters.size() != parameter_count(spec_)) {
      throw Error(ErrorKind::invalid,
                  fmt::format("the weights to start from are {} numbers, this network has {}",
                              from.parameters.size(), parameter_count(spec_)));
    }
    step_->write_parameters(from.parameters);
    scaler_ = from.scaler;
    if (spec_.task == Task::regression) {
      // The scale is kept as that of many rows, so that it moves on slowly.
      label_count_ = 1000;
      label_mean_ = from.label_mean;
      label_m2_ = from.label_scale * from.label_scale * label_count_;
    }
    model_.reset();
  }

  /// A new pass over the same rows; a half-filled batch of the pass before is left out.
  void begin_pass(std::uint64_t next_row) {
    next_row_ = learned_end_ = next_row;
    pending_.clear();
    pending_labels_.clear();
  }

  void save(Encoder& to) const {
    std::vector<float> parameters(parameter_count(spec_));
    step_->read_parameters(parameters);
    to.put(seed_).put(next_row_).put(learned_end_).put(batches_).put(parameters);
    to.put(std::string_view(step_->optimizer_state()));
    to.put(scaler_.count).put(scaler_.mean).put(scaler_.m2);
    to.put(label_count_).put(label_mean_).put(label_m2_);
    to.put(static_cast<std::uint8_t>(stopped_.has_value()));
    to.put(std::string_view(stopped_.value_or("")));
    replay_.save(to);
  }

  void load(Decoder& from, const RowReader& rows) {
    seed_ = from.get<std::uint64_t>();
    next_row_ = from.get<std::uint64_t>();
    learned_end_ = from.get<std::uint64_t>();
    batches_ = from.get<std::uint64_t>();
    const std::vector<float> parameters = from.vector<float>();
    if (parameters.size() != parameter_count(spec_)) {
      throw Error(ErrorKind::corrupt, "a learner's saved weights don't fit its network");
    }
    step_->write_parameters(parameters);
    step_->restore_optimizer(std::string(from.text()));
    scaler_.count = from.vector<double>();
    scaler_.mean = from.vector<double>();
    scaler_.m2 = from.vector<double>();
    label_count_ = from.get<double>();
    label_mean_ = from.get<double>();
    label_m2_ = from.get<double>();
    const bool stopped = from.get<std::uint8_t>() != 0;
    const std::string reason(from.text());
    stopped_ = stopped ? std::optional(reason) : std::nullopt;
    replay_ = ReplayBuffer(recipe_, width(), seed_);
    replay_.load(from, rows);
    const std::size_t half = next_row_ - learned_end_;
    pending_.resize(half * width());
    pending_labels_.resize(half);
    if (half > 0) rows(learned_end_, next_row_, pending_.data(), pending_labels_.data());
    model_.reset();
  }

  const ModelSpec spec_;
  const Recipe recipe_;
  std::uint64_t seed_;
  std::uint64_t next_row_;
  std::uint64_t learned_end_;
  std::optional<std::string> stopped_;
  ScalerState scaler_;
  ReplayBuffer replay_;
  std::unique_ptr<TrainStep> step_;

 private:
  std::size_t width() const { return spec_.layout.size(); }

  double label_scale() const {
    if (label_count_ < 2) return 1;
    const double deviation = std::sqrt(label_m2_ / label_count_);
    return deviation > 0 ? deviation : 1;
  }

  void learn_batch() {
    keep_copy();
    const std::size_t fresh = pending_labels_.size();
    update_scaler(scaler_, pending_.data(), fresh, width());
    if (spec_.task == Task::regression) observe_labels();
    const InputScaling scaling(spec_.layout, scaler_);
    inputs_.clear();
    targets_.clear();
    for (std::size_t i = 0; i < fresh; ++i) {
      add_input(scaling, pending_.data() + i * width(), pending_labels_[i]);
    }
    double loss = 0;
    for (std::uint32_t step = 0; step < recipe_.steps && std::isfinite(loss); ++step) {
      inputs_.resize(fresh * width());
      targets_.resize(fresh);
      draw_replayed(scaling, fresh, step);
      loss = step_->step(inputs_.data(), targets_.data(), targets_.size());
    }
    ++batches_;
    model_.reset();
    if (!std::isfinite(loss) || !finite()) stop(loss);
  }

  void add_input(const InputScaling& scaling, const float* vector, float label) {
    const std::size_t at = inputs_.size();
    inputs_.insert(inputs_.end(), vector, vector + width());
    scaling.apply(vector, inputs_.data() + at);
    const bool regression = spec_.task == Task::regression;
    targets_.push_back(
        regression ? static_cast<float>((static_cast<double>(label) - label_mean_) / label_scale())
                   : label);
  }

  void draw_replayed(const InputScaling& scaling, std::size_t fresh, std::uint32_t step) {
    if (replay_.size() == 0 || recipe_.replay_share <= 0) return;
    const double share = recipe_.replay_share;
    const auto count =
        static_cast<std::size_t>(std::llround(static_cast<double>(fresh) * share / (1 - share)));
    KeyedGenerator generator(seed_, 2, batches_ * recipe_.steps + step);
    for (std::size_t i = 0; i < count; ++i) {
      const auto drawn = static_cast<std::size_t>(generator.below(replay_.size()));
      add_input(scaling, replay_.vector(drawn), replay_.label(drawn));
    }
  }

  void observe_labels() {
    for (const float label : pending_labels_) {
      label_count_ += 1;
      const double delta = static_cast<double>(label) - label_mean_;
      label_mean_ += delta / label_count_;
      label_m2_ += delta * (static_cast<double>(label) - label_mean_);
    }
  }

  void replay_pending() {
    const std::size_t n = pending_labels_.size();
    for (std::size_t i = 0; i < n; ++i) {
      replay_.add(next_row_ - n + i, pending_.data() + i * width(), pending_labels_[i]);
    }
    pending_.clear();
    pending_labels_.clear();
  }

  void keep_copy() {
    kept_.resize(parameter_count(spec_));
    step_->read_parameters(kept_);
    kept_scaler_ = scaler_;
    kept_labels_ = {label_count_, label_mean_, label_m2_};
  }

  bool finite() {
    std::vector<float>& weights = check_;
    weights.resize(kept_.size());
    step_->read_parameters(weights);
    float sum = 0;
    for (const float weight : weights) sum += weight * 0.0F;  // NaN or infinity makes it NaN
    return sum == 0.0F;
  }

  void stop(double loss) {
    stopped_ = fmt::format(
        "the {} turned {} at row {}: the learner went back to its weights of row {} and learns no "
        "more; lower its learning rate, or clip its gradients",
        std::isfinite(loss) ? "weights" : "loss", std::isnan(loss) ? "NaN" : "infinite", next_row_,
        learned_end_);
    step_->write_parameters(kept_);
    scaler_ = kept_scaler_;
    label_count_ = kept_labels_[0];
    label_mean_ = kept_labels_[1];
    label_m2_ = kept_labels_[2];
  }

  std::uint64_t batches_ = 0;
  double label_count_ = 0;
  double label_mean_ = 0;
  double label_m2_ = 0;
  std::vector<float> pending_;  // raw vectors of the half-filled batch
  std::vector<float> pending_labels_;
  std::vector<float> inputs_;  // of one step
  std::vector<float> targets_;
  std::vector<float> kept_;  // the last finite weights
  std::vector<float> check_;
  ScalerState kept_scaler_;
  std::array<double, 3> kept_labels_{};
  std::shared_ptr<const Model> model_;  // none: to be made anew, and its state
  std::shared_ptr<const ModelState> state_;
};

Learner::Learner(const ModelSpec& spec, const Recipe& recipe, std::uint64_t seed,
                 std::uint64_t next_row)
    : impl_(std::make_unique<Impl>(spec, recipe, seed, next_row)) {}
Learner::~Learner() = default;

bool Learner::learn(const float* vector, float label) { return impl_->learn(vector, label); }
std::uint64_t Learner::next_row() const { return impl_->next_row_; }
std::uint64_t Learner::learned_end() const { return impl_->learned_end_; }
std::shared_ptr<const Model> Learner::model() { return impl_->model(); }
std::shared_ptr<const ModelState> Learner::state() { return impl_->state(); }
const std::optional<std::string>& Learner::stopped() const { return impl_->stopped_; }
const ModelSpec& Learner::spec() const { return impl_->spec_; }
const Recipe& Learner::recipe() const { return impl_->recipe_; }
void Learner::save(Encoder& to) const { impl_->save(to); }
void Learner::load(Decoder& from, const RowReader& rows) { impl_->load(from, rows); }
std::uint64_t Learner::first_row_needed() const {
  return std::min(impl_->learned_end_, impl_->replay_.first_needed(impl_->next_row_));
}

std::unique_ptr<Learner> retrain(const ModelSpec& spec, const Recipe& recipe, std::uint64_t seed,
                                 std::uint64_t begin, std::uint64_t end, std::uint32_t epochs,
                                 const ModelState* warm_start, const RowReader& rows,
                                 const std::function<bool()>& cancelled) {
  auto learner = std::make_unique<Learner>(spec, recipe, seed, begin);
  if (warm_start != nullptr) learner->impl_->warm_start(*warm_start);
  constexpr std::uint64_t kStretch = 256;
  const std::size_t width = spec.layout.size();
  std::vector<float> vectors(kStretch * width);
  std::vector<float> labels(kStretch);
  for (std::uint32_t epoch = 0; epoch < epochs; ++epoch) {
    learner->impl_->begin_pass(begin);
    for (std::uint64_t row = begin; row < end; row += kStretch) {
      if (cancelled()) return nullptr;
      const std::uint64_t stop = std::min(row + kStretch, end);
      rows(row, stop, vectors.data(), labels.data());
      for (std::uint64_t i = row; i < stop; ++i) {
        learner->learn(vectors.data() + (i - row) * width, labels[i - row]);
      }
    }
  }
  return learner;
}

}  // namespace freshet
