#include "orchestrator/learning_thread.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "stream/random.h"
#include "trainer/artifact.h"

namespace freshet {

namespace {

using Clock = std::chrono::steady_clock;

// Segments are short and a thread is long in waking up: one is woken for so many of them.
constexpr std::size_t kRun = 4;

// The time, where somebody wants to know.
Clock::time_point now_for(const WorkTimes* times) {
  return times == nullptr ? Clock::time_point() : Clock::now();
}

}  // namespace

LearningThread::LearningThread(const PipelineConfig& config, RowStore& store,
                               std::string store_path)
    : config_(config),
      store_(store),
      store_path_(std::move(store_path)),
      features_(config),
      recipes_(config.learners),
      learn_thread_([this](const std::stop_token& stop) { learn_loop(stop); }),
      work_thread_([this](const std::stop_token& stop) { work_loop(stop); }) {}

LearningThread::~LearningThread() {
  {
    const std::lock_guard lock(order_mutex_);
    for (auto& [version, order] : orders_) order->dropped = true;
  }
  learn_thread_.request_stop();
  work_thread_.request_stop();
}

void LearningThread::use_recipes(const std::vector<Recipe>& recipes) {
  recipes_ = recipes;
  for (const Recipe& recipe : recipes) features_.add(config_.schema, recipe);
}

std::size_t LearningThread::features(const Recipe& recipe) const {
  return features_.index_of(config_.schema, recipe);
}

ModelSpec LearningThread::spec(const Recipe& recipe) const {
  return {config_.schema.task, answer_width(config_.schema), features_[features(recipe)].layout(),
          recipe.network};
}

RowReader LearningThread::reader(RowStore& store, std::size_t column) {
  return [&store, column](std::uint64_t begin, std::uint64_t end, float* vectors, float* labels) {
    store.read_row_vectors(column, begin, end, vectors);
    for (std::uint64_t row = begin; row < end; ++row) {
      *labels++ = static_cast<float>(store.row(row).label);
    }
  };
}

LearningThread::Student& LearningThread::student(std::uint64_t version) {
  return students_.at(version);
}

const LearningThread::Student& LearningThread::student(std::uint64_t version) const {
  return students_.at(version);
}

void LearningThread::start(std::uint64_t version, std::size_t recipe, std::uint64_t seed,
                           std::uint64_t next_row) {
  settle();
  Student& student = students_[version];
  student.learner =
      std::make_unique<Learner>(spec(recipes_.at(recipe)), recipes_.at(recipe), seed, next_row);
  student.features = features(recipes_.at(recipe));
  student.standing = standing(*student.learner);
}

void LearningThread::cut(std::uint64_t version, std::uint64_t learner) {
  const std::string state = save(learner);
  const Recipe& recipe = student(learner).learner->recipe();
  const auto found = std::find(recipes_.begin(), recipes_.end(), recipe);
  load(version, static_cast<std::size_t>(found - recipes_.begin()), state, false);
}

void LearningThread::order(const TrainingOrder& order) {
  auto placed = std::make_shared<Order>();
  placed->order = order;
  placed->recipe = recipes_.at(order.recipe);
  placed->spec = spec(placed->recipe);
  placed->features = features_[features(placed->recipe)].identity();
  const std::lock_guard lock(order_mutex_);
  orders_[order.version] = std::move(placed);
  order_changed_.notify_all();
}

void LearningThread::collect(std::uint64_t version) {
  std::unique_lock lock(order_mutex_);
  const std::shared_ptr<Order> order = orders_.at(version);
  order_changed_.wait(lock, [&] { return order->done; });
  orders_.erase(version);
  if (!order->error.empty()) throw Error(ErrorKind::unavailable, order->error);
  settle();
  Student& student = students_[version];
  student.learner = std::move(order->trained);
  student.features = features(order->recipe);
  student.takes_part = false;
  student.standing = standing(*student.learner);
}

void LearningThread::follow(std::uint64_t version, std::uint64_t next_row) {
  settle();
  Student& followed = student(version);
  constexpr std::uint64_t kRows = 256;
  const std::size_t width = followed.learner->spec().layout.size();
  std::vector<float> vectors(kRows * width);
  std::vector<float> labels(kRows);
  const RowReader read = reader(store_, followed.features);
  for (std::uint64_t row = followed.learner->next_row(); row < next_row; row += kRows) {
    const std::uint64_t end = std::min(row + kRows, next_row);
    read(row, end, vectors.data(), labels.data());
    for (std::uint64_t i = row; i < end; ++i) {
      followed.learner->learn(vectors.data() + (i - row) * width, labels[i - row]);
    }
  }
  followed.standing = standing(*followed.learner);
  followed.takes_part = true;
  for (const Segment* segment : posted_) {
    followed.ahead.push_back(study(followed, *segment));
  }
}

void LearningThread::drop(std::uint64_t version) {
  settle();
  students_.erase(version);
  const std::lock_guard lock(order_mutex_);
  const auto found = orders_.find(version);
  if (found == orders_.end()) return;
  found->second->dropped = true;
  orders_.erase(found);
}

void LearningThread::post(const Segment& segment) {
  const std::lock_guard lock(segment_mutex_);
  posted_.push_back(&segment);
  if (posted_.size() - studied_ >= kRun) posted_changed_.notify_one();
}

// What the learning thread has not begun by now is done here: which thread studies can change no
// bit.
void LearningThread::wait() {
  std::unique_lock lock(segment_mutex_);
  if (studied_ == 0 && unstudied()) study_next(lock);
  if (studied_ == 0) await(lock, std::min(kRun, posted_.size()));
  if (!study_error_.empty()) throw Error(ErrorKind::unavailable, study_error_);
  posted_.pop_front();
  --studied_;
  for (auto& [version, student] : students_) {
    if (student.ahead.empty()) continue;
    student.standing = std::move(student.ahead.front());
    student.ahead.pop_front();
  }
}

void LearningThread::abandon() {
  std::unique_lock lock(segment_mutex_);
  const std::deque<const Segment*> dropped = std::exchange(posted_, {});
  await(lock, studied_ + 1);
  studied_ = 0;
}

void LearningThread::settle() {
  std::unique_lock lock(segment_mutex_);
  while (unstudied()) study_next(lock);
  await(lock, posted_.size());
}

void LearningThread::await(std::unique_lock<std::mutex>& lock, std::size_t studied) {
  awaited_ = studied;
  studied_changed_.wait(lock, [&] { return studied_ >= studied || !claimed_; });
  awaited_ = 0;
}

std::span<const float> LearningThread::answers(std::uint64_t version) const {
  return student(version).standing.answers;
}

const Model* LearningThread::answered_by(std::uint64_t version) const {
  const auto found = students_.find(version);
  return found == students_.end() ? nullptr : found->second.standing.answered_by.get();
}

LearningThread::Standing LearningThread::standing(Learner& learner) {
  return {
      {}, nullptr, {learner.model(), learner.state(), learner.learned_end()}, learner.stopped()};
}

// Questions are answered in runs, with the weights of the full batches before each.
LearningThread::Standing LearningThread::study(Student& student, const Segment& segment) {
  Learner& learner = *student.learner;
  const Segment::Vectors& vectors = segment.vectors[student.features];
  const std::size_t width = learner.spec().layout.size();
  const std::size_t outputs = learner.spec().outputs;
  std::vector<float> answers(segment.questions * outputs);
  std::uint32_t answered = 0;
  std::shared_ptr<const Model> by = learner.model();
  Clock::duration scoring{};
  const auto begin = now_for(times_);
  const auto answer_until = [&](std::uint32_t end) {
    if (end == answered) return;
    const auto asked = now_for(times_);
    const std::shared_ptr<const Model> model = learner.model();
    model->predict(vectors.questions.data() + answered * width, end - answered,
                   answers.data() + answered * outputs);
    if (by != model) by = nullptr;
    answered = end;
    scoring += now_for(times_) - asked;
  };
  for (std::size_t i = 0; i < segment.rows.size(); ++i) {
    const Segment::KnownRow& row = segment.rows[i];
    if ((segment.first_row + i + 1) % learner.recipe().batch == 0) answer_until(row.asked_before);
    learner.learn(vectors.rows.data() + i * width, static_cast<float>(row.label));
  }
  answer_until(segment.questions);
  if (times_ != nullptr) {
    if (segment.questions > 0) times_->score.add(scoring);
    if (!segment.rows.empty()) times_->learn.add(Clock::now() - begin - scoring);
  }
  Standing after = standing(learner);
  after.answers = std::move(answers);
  after.answered_by = std::move(by);
  return after;
}

void LearningThread::study_next(std::unique_lock<std::mutex>& lock) {
  const Segment& segment = *posted_[studied_];
  claimed_ = true;
  lock.unlock();
  std::vector<std::pair<Student*, Standing>> results;
  std::string error;
  try {
    for (auto& [version, student] : students_) {
      if (student.takes_part) results.emplace_back(&student, study(student, segment));
    }
  } catch (const std::exception& e) {
    error = e.what();
  }
  lock.lock();
  for (auto& [student, result] : results) student->ahead.push_back(std::move(result));
  if (study_error_.empty()) study_error_ = error;
  ++studied_;
  claimed_ = false;
  if (awaited_ > 0 && (studied_ >= awaited_ || !unstudied())) studied_changed_.notify_one();
}

void LearningThread::learn_loop(const std::stop_token& stop) {
  std::unique_lock lock(segment_mutex_);
  while (posted_changed_.wait(lock, stop, [this] { return unstudied(); })) study_next(lock);
}

void LearningThread::work_loop(const std::stop_token& stop) {
  std::unique_lock lock(order_mutex_);
  for (;;) {
    std::shared_ptr<Order> next;
    const auto find = [&] {
      for (auto& [version, order] : orders_) {
        if (!order->done) {
          next = order;
          return true;
        }
      }
      return false;
    };
    if (!order_changed_.wait(lock, stop, find)) return;
    lock.unlock();
    train(*next);
    lock.lock();
    next->done = true;
    order_changed_.notify_all();
  }
}

void LearningThread::train(Order& order) {
  if (worker_delay_seed_) {
    KeyedGenerator generator(*worker_delay_seed_, order.order.version);
    std::this_thread::sleep_for(std::chrono::milliseconds(generator.below(300)));
  }
  const auto cancelled = [&] {
    const std::lock_guard lock(order_mutex_);
    return order.dropped;
  };
  const auto begin = now_for(times_);
  try {
    const auto rows = RowStore::open_reader(store_path_);
    order.trained = retrain(order.spec, order.recipe, order.order.seed, order.order.begin,
                            order.order.end, order.order.epochs, order.order.warm_start.get(),
                            reader(*rows, rows->column(order.features)), cancelled);
  } catch (const std::exception& e) {
    order.error = e.what();
  }
  if (times_ != nullptr) times_->train.add(Clock::now() - begin);
}

Snapshot LearningThread::snapshot(std::uint64_t version) {
  return student(version).standing.snapshot;
}

std::optional<std::string> LearningThread::stopped(std::uint64_t version) const {
  return student(version).standing.stopped;
}

std::string LearningThread::artifact(std::size_t recipe, const Snapshot& snapshot) const {
  return write_artifact(spec(recipes_.at(recipe)), *snapshot.state);
}

Snapshot LearningThread::from_artifact(const std::string& bytes, std::uint64_t row) const {
  const Artifact artifact = read_artifact(bytes);
  return {make_model(artifact.spec, artifact.state),
          std::make_shared<const ModelState>(artifact.state), row};
}

std::string LearningThread::save(std::uint64_t version) const {
  Encoder to;
  student(version).learner->save(to);
  return to.take();
}

void LearningThread::load(std::uint64_t version, std::size_t recipe, const std::string& state,
                          bool takes_part) {
  settle();
  Student& student = students_[version];
  student.learner = std::make_unique<Learner>(spec(recipes_.at(recipe)), recipes_.at(recipe), 0, 0);
  Decoder from(state);
  student.features = features(recipes_.at(recipe));
  student.learner->load(from, reader(store_, student.features));
  student.takes_part = takes_part;
  student.standing = standing(*student.learner);
}

}  // namespace freshet
