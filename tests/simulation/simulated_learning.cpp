#include "tests/simulation/simulated_learning.h"

#include "stream/codec.h"

namespace freshet {

namespace {

class SlotModel : public Model {
 public:
  SlotModel(std::size_t slots, std::size_t slot) : slots_(slots), slot_(slot) {}

  std::size_t outputs() const override { return 1; }
  std::size_t slot() const { return slot_; }
  void predict(const float* vectors, std::size_t n, float* answers) const override {
    for (std::size_t i = 0; i < n; ++i) answers[i] = vectors[i * slots_ + slot_];
  }

 private:
  const std::size_t slots_;
  const std::size_t slot_;
};

}  // namespace

void SimulatedLearning::start(std::uint64_t version, std::size_t recipe, std::uint64_t /*seed*/,
                              std::uint64_t next_row) {
  students_[version] = {recipe, next_row, true, {}};
}

void SimulatedLearning::cut(std::uint64_t version, std::uint64_t learner) {
  students_[version] = students_.at(learner);
  students_[version].takes_part = false;
}

void SimulatedLearning::order(const TrainingOrder& order) {
  const std::size_t slot = learners_ + orders_++ % (slots_ - learners_);
  students_[order.version] = {slot, order.end, false, {}};
}

void SimulatedLearning::collect(std::uint64_t /*version*/) {}

void SimulatedLearning::follow(std::uint64_t version, std::uint64_t next_row) {
  students_.at(version).end = next_row;
  students_.at(version).takes_part = true;
}

void SimulatedLearning::drop(std::uint64_t version) { students_.erase(version); }

void SimulatedLearning::wait() {
  const Segment& segment = *posted_.front();
  posted_.pop_front();
  for (auto& [version, student] : students_) {
    if (!student.takes_part) continue;
    student.answers.resize(segment.questions);
    const SlotModel model(slots_, student.slot);
    model.predict(segment.vectors[0].questions.data(), segment.questions, student.answers.data());
    student.end = segment.end_row();
  }
}

std::span<const float> SimulatedLearning::answers(std::uint64_t version) const {
  return students_.at(version).answers;
}

Snapshot SimulatedLearning::make(std::uint64_t slot, std::uint64_t row) const {
  return {std::make_shared<SlotModel>(slots_, slot), std::make_shared<ModelState>(), row};
}

Snapshot SimulatedLearning::snapshot(std::uint64_t version) {
  const Student& student = students_.at(version);
  return make(student.slot, student.end);
}

std::optional<std::string> SimulatedLearning::stopped(std::uint64_t /*version*/) const {
  return std::nullopt;
}

std::string SimulatedLearning::artifact(std::size_t /*recipe*/, const Snapshot& snapshot) const {
  const std::uint64_t slot = dynamic_cast<const SlotModel&>(*snapshot.model).slot();
  return Encoder().put(slot).take();
}

Snapshot SimulatedLearning::from_artifact(const std::string& bytes, std::uint64_t row) const {
  return make(Decoder(bytes).get<std::uint64_t>(), row);
}

std::string SimulatedLearning::save(std::uint64_t version) const {
  const Student& student = students_.at(version);
  return Encoder().put(student.slot).put(student.end).take();
}

void SimulatedLearning::load(std::uint64_t version, std::size_t /*recipe*/,
                             const std::string& state, bool takes_part) {
  Decoder from(state);
  Student& student = students_[version];
  student.slot = from.get<std::uint64_t>();
  student.end = from.get<std::uint64_t>();
  student.takes_part = takes_part;
}

}  // namespace freshet
