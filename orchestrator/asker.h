#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "orchestrator/config.h"
#include "orchestrator/feature_sets.h"
#include "orchestrator/segment.h"
#include "stream/event_log.h"
#include "stream/label_join.h"
#include "stream/read_ahead.h"
#include "stream/row_store.h"
#include "stream/watermark.h"

namespace freshet {

/// From log records to questions and rows: moves the watermark, releases the labels that became
/// due, computes features as of now, stores question and rows, and cuts the stream into segments
/// that end at ticks. Used by the pipeline thread.
class Asker {
 public:
  /// Segments that hold no tick end after this many questions or rows.
  static constexpr std::size_t kMaxSegment = 1024;

  /// `log` is left to it (a reader of its own).
  Asker(const PipelineConfig& config, const EventLog& log, RowStore& store);

  /// Builds the next segment from the records below `head`; false when there is nothing to add.
  /// A segment ends at a tick, at kMaxSegment, or at `head`.
  bool next(std::uint64_t head, Segment& segment);

  std::uint64_t position() const { return position_; }
  /// The record at position() has released some of its rows but not all: it is taken up again.
  bool within_record() const { return within_record_; }
  bool closed() const { return closed_; }
  const LabelJoin& join() const { return join_; }
  /// The feature sets it computes: those of the config it was made with, and those added.
  const FeatureSets& features() const { return features_; }
  /// A recipe's feature set is computed too from here on, and for the recorded questions from
  /// `first` on, from their records, where the store doesn't hold it. Throws what reading the log
  /// throws, with nothing changed.
  void add_features(const Recipe& recipe, std::uint64_t first);

  /// The vectors of the questions at `positions` (ascending) become those of events without
  /// fields; a question that is still open is given up.
  void erase(std::span<const std::uint64_t> positions);

  void save(Encoder& to) const;
  void load(Decoder& from);
  /// What the feature sets have seen, but for the pipeline's own, which is part of `save`. The
  /// same ones must be there when it is loaded.
  void save_features(Encoder& to) const;
  void load_features(Decoder& from);
  /// Of what `save` wrote, only how far questions had settled.
  static std::uint64_t load_settled(Decoder& from, const Schema& schema);

 private:
  void make_room();
  void begin(Segment& segment);
  /// Takes the record at position_; true when the segment is complete.
  bool take(std::string_view record, Segment& segment);
  /// The record at position_ is done with.
  void pass(std::string_view record);
  void ask(Segment& segment);
  /// Gives the feature set whose vector it holds; features().size() where that is none.
  std::size_t take_served(const ServedAnswer& served, Segment& segment);
  bool release_due(Segment& segment);
  bool add_row(const KnownLabel& known, std::uint64_t known_position, Segment& segment);
  bool full(const Segment& segment) const;
  /// The record at a position below `head`.
  std::string_view record(std::uint64_t position, std::uint64_t head);

  const PipelineConfig& config_;
  ReadAhead log_;
  RowStore& store_;
  FeatureSets features_;
  LabelJoin join_;
  Watermark watermark_;
  std::uint64_t position_ = 0;  ///< next record
  std::uint64_t bytes_ = 0;     ///< of the records before it
  bool closed_ = false;
  bool within_record_ = false;

  Event event_;                                  ///< reused
  std::vector<std::vector<float>> vectors_;      ///< reused, by feature set
  std::vector<std::span<const float>> columns_;  ///< of them
  std::shared_ptr<const RecordBatch> batch_;     ///< read last
};

}  // namespace freshet
