#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "stream/codec.h"
#include "trainer/model.h"
#include "trainer/recipe.h"
#include "trainer/train_step.h"

namespace freshet {

/// Reads the vectors and labels of rows [begin, end), row order, row-major, for a restore:
/// `read(begin, end, vectors, labels)`.
using RowReader = std::function<void(std::uint64_t, std::uint64_t, float* vectors, float* labels)>;

/// A model being trained on rows in row order: weights, optimizer, scaler, replay buffer and the
/// next row. It learns when the next row number is divisible by its batch; what it answers with is
/// the weights of the full batches before. Everything is a function of (recipe, seed, rows).
/// Used by one thread at a time.
class Learner {
 public:
  /// New weights; the first row to come is `next_row` (any; the first batch may be short).
  Learner(const ModelSpec& spec, const Recipe& recipe, std::uint64_t seed, std::uint64_t next_row);
  ~Learner();

  /// Takes the row numbered next_row(): its raw feature vector and label. True if it completed a
  /// batch, and the learner learned: model() has changed.
  bool learn(const float* vector, float label);

  std::uint64_t next_row() const;
  /// The rows it has learned from end here: [.., learned_end()) (<= next_row()).
  std::uint64_t learned_end() const;

  /// The weights of the full batches so far, ready to answer. Cheap when nothing changed.
  std::shared_ptr<const Model> model();
  /// What model() was made from.
  std::shared_ptr<const ModelState> state();

  /// Set once a loss or a weight turned NaN or infinite: the reason. The learner went back to its
  /// last finite weights, answers on with them and learns no more.
  const std::optional<std::string>& stopped() const;

  const ModelSpec& spec() const;
  const Recipe& recipe() const;

  /// Bit for bit: a restored learner goes on as this one would. Replay and the half-filled batch
  /// are saved as row numbers and read again by `rows`.
  void save(Encoder& to) const;
  void load(Decoder& from, const RowReader& rows);

  /// Row numbers from here on are still needed by the replay buffer or a half-filled batch.
  std::uint64_t first_row_needed() const;

 private:
  friend std::unique_ptr<Learner> retrain(const ModelSpec&, const Recipe&, std::uint64_t,
                                          std::uint64_t, std::uint64_t, std::uint32_t,
                                          const ModelState*, const RowReader&,
                                          const std::function<bool()>&);
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Retraining on the worker: `epochs` passes over rows [begin, end) in row order, batches of the
/// recipe, by new weights (`fresh`) or from `warm_start` (its parameters and scaler). The result
/// has next_row() == end, an empty replay buffer filled with the newest rows, and learns on from
/// there. Returns nullptr when `cancelled` says so.
std::unique_ptr<Learner> retrain(const ModelSpec& spec, const Recipe& recipe, std::uint64_t seed,
                                 std::uint64_t begin, std::uint64_t end, std::uint32_t epochs,
                                 const ModelState* warm_start, const RowReader& rows,
                                 const std::function<bool()>& cancelled);

}  // namespace freshet
