#include "orchestrator/asker.h"

#include <algorithm>
#include <optional>
#include <span>

#include "stream/erasure.h"

namespace freshet {

Asker::Asker(const PipelineConfig& config, const EventLog& log, RowStore& store)
    : config_(config),
      log_(log),
      store_(store),
      features_(config),
      join_(config.schema),
      watermark_(config.schema.out_of_orderness) {
  make_room();
}

void Asker::make_room() {
  for (std::size_t i = vectors_.size(); i < features_.size(); ++i) {
    vectors_.emplace_back(features_[i].width());
    columns_.emplace_back(vectors_[i]);
  }
}

void Asker::add_features(const Recipe& recipe, std::uint64_t first) {
  if (features_.index_of(config_.schema, recipe) < features_.size()) return;
  FeatureSet added(config_.schema, recipe.features);
  store_.add_column({added.identity(), added.width()}, first,
                    [&](std::uint64_t question, std::span<float> vector) {
                      decode(record(store_.position(question), position_), config_.schema, event_);
                      added.ask(event_, vector);
                    });
  features_.add(config_.schema, recipe);
  make_room();
}

void Asker::erase(std::span<const std::uint64_t> positions) {
  log_.forget();
  batch_.reset();
  ErasedEvent erased(config_.schema);
  const auto vectors_of = [&](Millis time) {
    for (std::size_t i = 0; i < features_.size(); ++i) {
      features_[i].ask(erased.at(time), vectors_[i]);
    }
    return std::span<const std::span<const float>>(columns_);
  };
  for (const std::uint64_t question : store_.rewrite(positions, vectors_of)) {
    join_.give_up(question);
  }
}

bool Asker::next(std::uint64_t head, Segment& segment) {
  begin(segment);
  const std::uint64_t from = position_;
  while (position_ < head) {
    const std::uint64_t at = position_;
    const bool complete = take(record(position_, head), segment);
    within_record_ = complete && position_ == at;
    if (complete) break;
  }
  // What an erasure settled waits for the next record too: this segment would be thrown away.
  if (position_ == from && segment.rows.empty()) return false;
  while (auto settled = join_.next_settled()) segment.settled.push_back(*settled);
  segment.end_position = position_;
  segment.end_bytes = bytes_;
  segment.watermark = watermark_.value();
  return true;
}

void Asker::begin(Segment& segment) {
  segment.first_question = store_.questions();
  segment.questions = 0;
  segment.vectors.resize(features_.size());
  for (Segment::Vectors& vectors : segment.vectors) {
    vectors.questions.clear();
    vectors.rows.clear();
  }
  segment.served.clear();
  segment.served_answers.clear();
  segment.first_row = store_.rows();
  segment.rows.clear();
  segment.settled.clear();
  segment.at_tick = false;
}

// A tick may fall between two of the rows that one record releases: the record is then taken again,
// which moves nothing twice, because the watermark stands and released labels are gone.
bool Asker::take(std::string_view bytes, Segment& segment) {
  decode(bytes, config_.schema, event_);
  if (event_.kind == RecordKind::close) {
    if (!closed_) join_.close();
    closed_ = true;
    if (release_due(segment)) return true;
    pass(bytes);
    return full(segment);
  }
  const bool marker = event_.kind == RecordKind::time;
  marker ? watermark_.reach(event_.time) : watermark_.observe(event_.time, event_.reached);
  join_.advance(watermark_.value());
  if (release_due(segment)) return true;

  std::optional<KnownLabel> known;
  if (event_.kind == RecordKind::event) {
    ask(segment);
    ++segment.questions;
    known = join_.ask(event_);
    for (std::size_t i = 0; i < features_.size(); ++i) features_[i].observe(event_);
  } else if (event_.kind == RecordKind::label) {
    known = join_.label(event_);
  }
  pass(bytes);
  if (known && add_row(*known, position_, segment)) return true;
  return full(segment);
}

void Asker::pass(std::string_view record) {
  ++position_;
  bytes_ += record.size();
}

// What was computed when the question was answered is taken as it was; the rest is computed now.
void Asker::ask(Segment& segment) {
  const std::size_t served =
      event_.served ? take_served(*event_.served, segment) : features_.size();
  for (std::size_t i = 0; i < features_.size(); ++i) {
    std::vector<float>& vector = vectors_[i];
    if (i != served) features_[i].ask(event_, vector);
    std::vector<float>& all = segment.vectors[i].questions;
    all.insert(all.end(), vector.begin(), vector.end());
  }
  store_.ask(position_, event_.time, columns_);
}

std::size_t Asker::take_served(const ServedAnswer& served, Segment& segment) {
  segment.served.push_back(segment.questions);
  const std::size_t width = answer_width(config_.schema);
  const std::size_t at = segment.served_answers.size();
  segment.served_answers.resize(at + width);
  copy_floats(served.answer, std::span(segment.served_answers).subspan(at));
  const std::size_t features = features_.index_of_served(served.features);
  if (features < features_.size()) copy_floats(served.vector, vectors_[features]);
  return features;
}

bool Asker::release_due(Segment& segment) {
  while (const auto due = join_.next_due()) {
    if (add_row(*due, position_, segment) || full(segment)) return true;
  }
  return false;
}

bool Asker::add_row(const KnownLabel& known, std::uint64_t known_position, Segment& segment) {
  const std::uint64_t number = store_.add_row({known.question, known.label, known_position});
  segment.rows.push_back({known.label, known.question, segment.questions});
  for (std::size_t i = 0; i < features_.size(); ++i) {
    Segment::Vectors& vectors = segment.vectors[i];
    const std::size_t width = features_[i].width();
    const std::size_t at = vectors.rows.size();
    vectors.rows.resize(at + width);
    float* out = vectors.rows.data() + at;
    if (known.question >= segment.first_question) {
      const float* in =
          vectors.questions.data() + (known.question - segment.first_question) * width;
      std::copy(in, in + width, out);
    } else {
      store_.read_vectors(i, known.question, known.question + 1, out);
    }
  }
  segment.at_tick = (number + 1) % config_.tick_rows == 0;
  return segment.at_tick;
}

bool Asker::full(const Segment& segment) const {
  return segment.questions >= kMaxSegment || segment.rows.size() >= kMaxSegment;
}

std::string_view Asker::record(std::uint64_t position, std::uint64_t head) {
  if (batch_ == nullptr || !batch_->holds(position)) batch_ = log_.batch(position, head);
  return batch_->record(position);
}

void Asker::save(Encoder& to) const {
  const int flags = (closed_ ? 1 : 0) | (within_record_ ? 2 : 0) | (watermark_.held() ? 4 : 0);
  to.put(position_).put(bytes_);
  to.put(static_cast<std::uint8_t>(flags));
  watermark_.save(to);
  join_.save(to);
  features_[0].save(to);
}

void Asker::save_features(Encoder& to) const {
  for (std::size_t i = 1; i < features_.size(); ++i) features_[i].save(to);
}

void Asker::load_features(Decoder& from) {
  for (std::size_t i = 1; i < features_.size(); ++i) features_[i].load(from);
}

std::uint64_t Asker::load_settled(Decoder& from, const Schema& schema) {
  from.get<std::uint64_t>();  // position
  from.get<std::uint64_t>();  // bytes
  const auto flags = from.get<std::uint8_t>();
  Watermark watermark(schema.out_of_orderness);
  watermark.load(from, (flags & 4U) != 0);
  LabelJoin join(schema);
  join.load(from);
  return join.settled();
}

void Asker::load(Decoder& from) {
  position_ = from.get<std::uint64_t>();
  bytes_ = from.get<std::uint64_t>();
  const auto flags = from.get<std::uint8_t>();
  closed_ = (flags & 1U) != 0;
  within_record_ = (flags & 2U) != 0;
  watermark_.load(from, (flags & 4U) != 0);
  join_.load(from);
  features_[0].load(from);
  batch_.reset();
}

}  // namespace freshet
