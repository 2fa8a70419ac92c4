#include <fmt/format.h>

#include <memory>

#include "bench/bare_torch.h"
#include "bench/measure.h"
#include "bench/planted_rows.h"
#include "trainer/learner.h"

namespace freshet {

namespace {

BenchResult learn(const BenchOptions& options, std::uint32_t batch) {
  const std::uint64_t wanted = options.rows.value_or(batch < 256 ? 60'000 : 200'000);
  const PlantedRows rows(1, (wanted + batch - 1) / batch * batch);
  const Recipe recipe = bench_recipe(batch);
  Learner learner(bench_spec(), recipe, 1, 0);
  BareTorch bare(PlantedRows::kWidth, recipe.network.hidden, recipe.learning_rate);
  const auto subject = [&] {
    return seconds_of([&] {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        learner.learn(rows.vectors.data() + i * PlantedRows::kWidth, rows.labels[i]);
      }
    });
  };
  const auto reference = [&] {
    return seconds_of(
        [&] { bare.train(rows.vectors.data(), rows.labels.data(), rows.size(), batch); });
  };
  return interleave(fmt::format("learner/{}", batch), "rows/s", static_cast<double>(rows.size()), 7,
                    subject, reference, "bare LibTorch training of scaled rows in memory");
}

}  // namespace

std::vector<Bench> learner_benches() {
  std::vector<Bench> benches;
  for (const std::uint32_t batch : {32U, 256U, 1024U}) {
    benches.push_back({fmt::format("learner/{}", batch),
                       [batch](const BenchOptions& options) -> std::vector<BenchResult> {
                         return {learn(options, batch)};
                       }});
  }
  return benches;
}

}  // namespace freshet
