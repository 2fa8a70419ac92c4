#include "tests/simulation/planted_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <utility>
#include <vector>

#include "stream/random.h"

namespace freshet {

namespace {

constexpr std::array<PlantedCellInfo, 7> kCells = {{{PlantedCell::iid, "aa/iid"},
                                                    {PlantedCell::class_delay, "aa/class_delay"},
                                                    {PlantedCell::cycle, "aa/cycle"},
                                                    {PlantedCell::autocorrelated, "aa/ar1"},
                                                    {PlantedCell::rare, "aa/rare"},
                                                    {PlantedCell::better, "planted/better"},
                                                    {PlantedCell::worse, "planted/worse"}}};

constexpr Millis kFrom = 1'704'067'200'000;  // 2024-01-01
constexpr std::size_t kCycleRows = 5000;
constexpr std::size_t kCycleStart = 4096;  // about where the first evaluation starts
constexpr std::size_t kSwitchRow = 2048;   // the first champion serves from here on

using Losses = std::array<double, kPlantedSlots>;

/// Labels and losses of one stream, row by row.
class LossStream {
 public:
  LossStream(PlantedCell cell, std::uint64_t stream)
      : cell_(cell), generator_(7, static_cast<std::uint64_t>(cell), stream) {
    for (double& state : slow_) state = normal();
  }

  /// Gives the label of row `row`, the rows in turn.
  bool next(std::size_t row, Losses& loss) {
    const bool label = generator_.uniform() < positives();
    for (std::size_t slot = 0; slot < kPlantedSlots; ++slot) loss[slot] = draw(row, slot, label);
    return label;
  }

 private:
  double positives() const {
    if (cell_ == PlantedCell::class_delay) return 0.008;
    return cell_ == PlantedCell::rare ? 0.002 : 0.5;
  }

  double draw(std::size_t row, std::size_t slot, bool label) {
    constexpr double kDeviation = 0.25;
    switch (cell_) {
      case PlantedCell::class_delay:
      case PlantedCell::rare:
        return by_class(slot, label);
      case PlantedCell::autocorrelated: {
        constexpr double kPhi = 0.98;
        constexpr double kShare = 0.23;
        slow_[slot] = kPhi * slow_[slot] + std::sqrt(1 - kPhi * kPhi) * normal();
        const double z = std::sqrt(kShare) * slow_[slot] + std::sqrt(1 - kShare) * normal();
        return std::clamp(0.55 + kDeviation * z, 0.02, 4.5);
      }
      default:
        // Uniform, so that no clamp ever moves a mean.
        return 0.5 + shift(row, slot) + kDeviation * std::sqrt(3.0) * (2 * uniform() - 1);
    }
  }

  double shift(std::size_t row, std::size_t slot) const {
    if (slot == 0) return 0;
    switch (cell_) {
      case PlantedCell::cycle: {
        const std::size_t phase = (row + kCycleRows - kCycleStart) % kCycleRows;
        return phase < kCycleRows / 2 ? -0.03 : 0.03;
      }
      case PlantedCell::better:
        if (slot != 1) return 0;
        return row < kSwitchRow ? 0.06 : -0.03;
      case PlantedCell::worse:
        return 0.03;
      default:
        return 0;
    }
  }

  /// Half a nat better on the positives and as much worse on the negatives, over all the same.
  double by_class(std::size_t slot, bool label) {
    constexpr double kEffect = 0.5;
    const double sign = slot == 0 || slot == 3 ? 1 : -1;
    const double noise = 2 * uniform() - 1;
    if (label) return 1.5 + sign * kEffect + 0.4 * noise;
    const double odds = positives() / (1 - positives());
    const double base = cell_ == PlantedCell::rare ? 0.0125 : 0.018;
    return base - sign * kEffect * odds + 0.001 * noise;
  }

  double uniform() { return generator_.uniform(); }
  double normal() {
    return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(2 * std::numbers::pi * uniform());
  }

  const PlantedCell cell_;
  KeyedGenerator generator_;
  Losses slow_{};
};

std::string stream_config(PlantedCell cell) {
  std::string fields;
  for (std::size_t i = 0; i < kPlantedSlots; ++i) {
    fields +=
        fmt::format(R"({}"a{}": {{"kind": "number", "missing": "reject"}})", i == 0 ? "" : ", ", i);
  }
  const bool delayed = cell == PlantedCell::class_delay;
  return fmt::format(
      R"("stream": {{
           "event": {{{}"time": {{"every": "{}", "from": "2024-01-01T00:00:00Z"}},
                      "fields": {{{}}}}},
           "label": {{"field": "label", {}}}}})",
      delayed ? R"("id": "id", )" : "", delayed ? "2m" : "1s", fields,
      delayed ? R"("known": "later", "wait": "7d", "default": 0)" : R"("known": "with_event")");
}

void add_event(const Schema& schema, std::uint64_t row, Millis time, const Losses& loss, bool label,
               bool with_label, Event& event, std::string& out) {
  event.kind = RecordKind::event;
  const std::string id = std::to_string(row);
  event.id = id;
  event.time = time;
  event.values.resize(kPlantedSlots);
  for (std::size_t slot = 0; slot < kPlantedSlots; ++slot) {
    const double p = std::exp(-loss[slot]);
    event.values[slot].missing = false;
    event.values[slot].number = label ? p : 1 - p;
  }
  event.label.reset();
  if (with_label) event.label = label ? 1 : 0;
  encode(event, schema, out);
}

void add_label(const Schema& schema, std::uint64_t row, Millis time, std::string& out) {
  Event event;
  event.kind = RecordKind::label;
  const std::string id = std::to_string(row);
  event.id = id;
  event.time = time;
  event.label = 1;
  encode(event, schema, out);
}

void add_close(const Schema& schema, Millis time, std::string& out) {
  Event event;
  event.kind = RecordKind::close;
  event.time = time;
  encode(event, schema, out);
}

}  // namespace

std::span<const PlantedCellInfo> planted_cells() { return kCells; }

PipelineConfig planted_config(PlantedCell cell) {
  std::string cycle = R"("cycle": "0s")";
  if (cell == PlantedCell::cycle) cycle = fmt::format(R"("cycle": "{}s")", kCycleRows);
  if (cell == PlantedCell::class_delay) cycle = R"("cycle": null)";
  return parse_config(fmt::format(R"({{
    "pipeline": "planted", "task": "binary", {},
    "learners": [
      {{"name": "a", "network": {{"kind": "linear"}}, "train": {{"optimizer": "sgd"}}}},
      {{"name": "b", "network": {{"kind": "linear"}}, "train": {{"optimizer": "sgd"}}}}
    ],
    "retrain": {{"when": {{"any": [{{"rows": 5000}}]}}, "do": [{{"fresh": "a"}}]}},
    "evaluate": {{{}}}
  }})",
                                  stream_config(cell), cycle),
                      "planted config");
}

void write_planted_stream(PlantedCell cell, const Schema& schema, std::uint64_t stream,
                          MemoryLog& log) {
  const bool delayed = cell == PlantedCell::class_delay;
  const Millis every = delayed ? 2 * kMinute : kSecond;
  LossStream losses(cell, stream);
  KeyedGenerator delays(8, stream);
  LogBatch batch;
  Event event;
  std::vector<std::pair<Millis, std::uint64_t>> due;  // labels of positives, a heap by time
  const auto later = std::greater<>();
  const auto add_due = [&](Millis now) {
    while (!due.empty() && due.front().first <= now) {
      add_label(schema, due.front().second, due.front().first, batch.records.emplace_back());
      std::pop_heap(due.begin(), due.end(), later);
      due.pop_back();
    }
  };
  Losses loss{};
  for (std::size_t row = 0; row < kPlantedRows; ++row) {
    const Millis now = kFrom + static_cast<Millis>(row) * every;
    add_due(now);
    const bool label = losses.next(row, loss);
    add_event(schema, row, now, loss, label, !delayed, event, batch.records.emplace_back());
    if (!delayed || !label) continue;
    const auto delay = static_cast<Millis>(delays.below(static_cast<std::uint64_t>(4 * kDay)));
    due.emplace_back(now + kDay + delay, row);
    std::push_heap(due.begin(), due.end(), later);
  }
  const Millis end = kFrom + static_cast<Millis>(kPlantedRows) * every + 5 * kDay;
  add_due(end);
  add_close(schema, end, batch.records.emplace_back());
  log.append(batch);
}

}  // namespace freshet
