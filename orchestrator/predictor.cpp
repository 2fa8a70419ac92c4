#include "orchestrator/predictor.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "stream/error.h"

namespace freshet {

nlohmann::json answer_json(const Answer& answer, const Schema& schema) {
  nlohmann::json j{{"revision", fmt::format("{}@{}", answer.version, answer.row)}};
  if (schema.task == Task::multiclass) {
    j["answer"] = answer.values;
  } else {
    j["answer"] = answer.values.front();
  }
  return j;
}

Predictor::Predictor(const Schema& schema)
    : schema_(schema), width_(answer_width(schema)), decoder_(schema, false) {}

void Predictor::serve(Champion champion) {
  {
    const std::lock_guard lock(mutex_);
    if (champion.model == champion_.model) {
      champion_ = std::move(champion);
      return;
    }
  }
  if (champion.model) {
    const std::vector<float> vector(champion.features->width(), 0.0F);
    std::vector<float> answer(width_);
    champion.model->predict(vector.data(), 1, answer.data());
  }
  const std::lock_guard lock(mutex_);
  champion_ = std::move(champion);
}

Predictor::Champion Predictor::champion() const {
  const std::lock_guard lock(mutex_);
  return champion_;
}

std::vector<Answer> Predictor::answer(const std::vector<std::string>& events) {
  const Champion champion = this->champion();
  const std::size_t width = champion.features ? champion.features->width() : 0;
  std::vector<float> vectors(events.size() * width);
  {
    const std::lock_guard lock(asking_);
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (const auto reason = decoder_.decode(events[i], event_)) {
        throw Error(ErrorKind::invalid, fmt::format("event {}: {}", i + 1, *reason));
      }
      if (event_.kind != RecordKind::event) {
        throw Error(ErrorKind::invalid,
                    fmt::format("event {}: is a label record; send labels to …/labels", i + 1));
      }
      if (champion.features)
        champion.features->ask(event_, std::span(vectors).subspan(i * width, width));
    }
  }
  if (!champion.model) {
    throw Error(ErrorKind::unavailable,
                fmt::format("there is no champion yet: {} more labeled rows are needed",
                            champion.missing_rows));
  }
  std::vector<float> answers(events.size() * width_);
  champion.model->predict(vectors.data(), events.size(), answers.data());
  std::vector<Answer> all(events.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto vector = std::span(vectors).subspan(i * width, width);
    const auto answer = std::span(answers).subspan(i * width_, width_);
    all[i].vector.assign(vector.begin(), vector.end());
    all[i].values.assign(answer.begin(), answer.end());
    all[i].version = champion.version;
    all[i].row = champion.row;
    all[i].position = champion.position;
    all[i].features = champion.served_key;
  }
  return all;
}

}  // namespace freshet
