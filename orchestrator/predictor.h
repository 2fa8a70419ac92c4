#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "stream/feature_set.h"
#include "stream/jsonl_source.h"
#include "trainer/model.h"

namespace freshet {

/// What the champion answered.
struct Answer {
  std::vector<float> values;  ///< probability of 1, the classes' probabilities, or the value
  std::vector<float> vector;  ///< the features it saw
  std::uint64_t version = 0;  ///< the revision that answered: version@row
  std::uint64_t row = 0;
  std::uint64_t position = 0;  ///< its state had gone through the log records below this one
  std::uint64_t features = 0;  ///< whose vector it is, as ServedAnswer tells it
};

/// {"answer": a number, or an array with one for each class; "revision": "7@1200"}.
nlohmann::json answer_json(const Answer& answer, const Schema& schema);

/// Answers raw events with the champion of the moment. A new one takes effect for the next call;
/// no call waits for it. Thread-safe.
class Predictor {
 public:
  struct Champion {
    std::shared_ptr<const Model> model;          ///< nullptr: none yet
    std::shared_ptr<const FeatureSet> features;  ///< what it answers from; goes with the model
    std::uint64_t served_key = 0;                ///< of them, in the log
    std::uint64_t version = 0;
    std::uint64_t row = 0;
    std::uint64_t position = 0;
    std::uint64_t missing_rows = 0;  ///< before the first one
  };

  explicit Predictor(const Schema& schema);

  /// Has the model answer once before it goes live.
  void serve(Champion champion);

  /// One answer for each event (a JSON object on one line). Throws Error{invalid} naming the event
  /// by its number from 1 and what is wrong with it, Error{unavailable} before the first champion.
  std::vector<Answer> answer(const std::vector<std::string>& events);

 private:
  Champion champion() const;

  const Schema schema_;
  const std::size_t width_;

  std::mutex asking_;
  JsonlDecoder decoder_;  ///< under asking_
  Event event_;           ///< under asking_

  mutable std::mutex mutex_;
  Champion champion_;  ///< under mutex_
};

}  // namespace freshet
