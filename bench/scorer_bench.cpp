#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>

#include "bench/bare_torch.h"
#include "bench/measure.h"
#include "bench/planted_rows.h"
#include "orchestrator/config.h"
#include "orchestrator/settled_rows.h"
#include "stream/row_store.h"
#include "trainer/learner.h"

namespace freshet {

namespace {

std::shared_ptr<const Model> trained_model(const PlantedRows& rows, std::uint64_t seed) {
  Learner learner(bench_spec(), bench_recipe(256), seed, 0);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    learner.learn(rows.vectors.data() + i * PlantedRows::kWidth, rows.labels[i]);
  }
  return learner.model();
}

BareTorch bare_network() { return {PlantedRows::kWidth, NetworkSpec{}.hidden, 0.001}; }

BenchResult score(const BenchOptions& options, std::size_t batch) {
  const std::uint64_t n = options.rows.value_or(batch == 1 ? 50'000 : 409'600);
  const PlantedRows rows(2, n);
  const auto model = trained_model(PlantedRows(1, 2048), 1);
  BareTorch bare = bare_network();
  std::vector<float> answers(rows.size());
  const auto subject = [&] {
    return seconds_of([&] {
      for (std::size_t i = 0; i < rows.size(); i += batch) {
        model->predict(rows.vectors.data() + i * PlantedRows::kWidth,
                       std::min(batch, rows.size() - i), answers.data() + i);
      }
    });
  };
  const auto reference = [&] {
    return seconds_of(
        [&] { bare.forward(rows.vectors.data(), rows.size(), batch, answers.data()); });
  };
  return interleave(fmt::format("scorer/{}", batch), "rows/s", static_cast<double>(rows.size()), 7,
                    subject, reference, "LibTorch forward in inference mode, same batch");
}

/// Stored questions with their labels, and the evaluation of two models over them.
class Backtest {
 public:
  Backtest(const BenchOptions& options, const PlantedRows& rows)
      : rows_(rows), store_(RowStore::open(options.folder + "/backtest.db", {{"bench", kWidth}})) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::span<const float> vector(rows.vectors.data() + i * kWidth, kWidth);
      const std::array<std::span<const float>, 1> columns = {vector};
      store_->ask(i, static_cast<Millis>(i) * kSecond, columns);
    }
    store_->flush();
    store_->sync();
    models_ = {trained_model(PlantedRows(1, 2048), 1), trained_model(PlantedRows(1, 2048), 2)};
  }

  double seconds() {
    return seconds_of([this] { run(); });
  }

 private:
  static constexpr std::size_t kWidth = PlantedRows::kWidth;
  static constexpr std::size_t kStretch = 4096;

  void run() {
    EvaluationPolicy policy;
    policy.max_rows = rows_.size();
    Evaluation evaluation(policy, 1, {});
    std::vector<float> vectors(kStretch * kWidth);
    std::array<std::vector<float>, 2> answers;
    for (std::size_t begin = 0; begin < rows_.size(); begin += kStretch) {
      const std::size_t count = std::min(kStretch, rows_.size() - begin);
      store_->read_vectors(0, begin, begin + count, vectors.data());
      for (std::size_t m = 0; m < 2; ++m) {
        answers[m].resize(count);
        models_[m]->predict(vectors.data(), count, answers[m].data());
      }
      for (std::size_t i = 0; i < count; ++i) {
        const auto label = static_cast<double>(rows_.labels[begin + i]);
        const auto loss = [&](std::size_t m) {
          return judged_loss(config_, std::span(answers[m]).subspan(i, 1), label);
        };
        evaluation.add(
            {begin + i, static_cast<Millis>(begin + i) * kSecond, loss(0), loss(1), label == 1});
      }
    }
  }

  const PlantedRows& rows_;
  const PipelineConfig config_;
  std::unique_ptr<RowStore> store_;
  std::array<std::shared_ptr<const Model>, 2> models_;
};

BenchResult backtest(const BenchOptions& options) {
  const PlantedRows rows(3, options.rows.value_or(409'600));
  Backtest subject(options, rows);
  BareTorch champion = bare_network();
  BareTorch candidate = bare_network();
  std::vector<float> answers(rows.size());
  const auto reference = [&] {
    return seconds_of([&] {
      champion.forward(rows.vectors.data(), rows.size(), 4096, answers.data());
      candidate.forward(rows.vectors.data(), rows.size(), 4096, answers.data());
    });
  };
  return interleave(
      "backtest", "rows/s", static_cast<double>(rows.size()), 7, [&] { return subject.seconds(); },
      reference, "LibTorch forward of both models from memory, batch 4096");
}

}  // namespace

std::vector<Bench> scorer_benches() {
  std::vector<Bench> benches;
  for (const std::size_t batch : {std::size_t{1}, std::size_t{4096}}) {
    benches.push_back({fmt::format("scorer/{}", batch),
                       [batch](const BenchOptions& options) -> std::vector<BenchResult> {
                         return {score(options, batch)};
                       }});
  }
  benches.push_back({"backtest", [](const BenchOptions& options) -> std::vector<BenchResult> {
                       return {backtest(options)};
                     }});
  return benches;
}

}  // namespace freshet
