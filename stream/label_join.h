#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "stream/codec.h"
#include "stream/event.h"
#include "stream/schema.h"

namespace freshet {

/// A question whose label has just become known: the next row.
struct KnownLabel {
  std::uint64_t question = 0;  ///< ordinal of the question in asked order, from 0
  double label = 0;
};

/// The next question in asked order that is no longer open.
struct SettledQuestion {
  std::uint64_t question = 0;
  std::optional<double> label;  ///< none: given up
};

struct LabelCounts {
  std::uint64_t known = 0;  ///< labels that became rows, defaults included
  std::uint64_t defaults = 0;
  std::uint64_t given_up = 0;     ///< waited out without a default, or unlabeled for ever
  std::uint64_t conflicts = 0;    ///< second labels that differ; the first wins
  std::uint64_t repeated = 0;     ///< second labels that say the same
  std::uint64_t unknown_ids = 0;  ///< labels whose event never came within `wait`
};

/// Joins labels to questions and says when each becomes known and in which order all is settled.
/// Call order, for each log record: advance(watermark), next_due() until it is empty, then ask()
/// or label() of the record; next_settled() at any time.
///
/// A label with a due time is known when the watermark has *passed or reached* it; equal due times
/// go by question. With `later`, a label becomes known at its own record; a label whose event has
/// not come yet waits, bounded by `wait`, and becomes known right when its event is asked.
/// An inline label that is missing leaves the question to be given up (with_event: at once).
/// Memory: at most 24 bytes for an open question. Used by one thread.
class LabelJoin {
 public:
  explicit LabelJoin(const Schema& schema);
  ~LabelJoin();

  /// Event time has come to `watermark` (monotonic; Watermark::kNone does nothing).
  void advance(Millis watermark);
  /// The stream is closed: whatever can become known is due now.
  void close();

  /// The next label or default that is due, by (due time, question); nullopt when there is none.
  std::optional<KnownLabel> next_due();

  /// Asks the next question (ordinals count up by themselves); its label if it is known at once.
  /// Throws Error{unavailable} past `max_open_questions`.
  std::optional<KnownLabel> ask(const Event& event);

  /// A label record; the row it makes, if its question is open.
  std::optional<KnownLabel> label(const Event& event);

  /// The lowest question still open (= number of questions when none is).
  std::uint64_t settled() const;
  /// Takes the next settled question, in asked order, each once; nullopt when there is none yet.
  std::optional<SettledQuestion> next_settled();

  /// With `later`: the question, if it is still open, gets no label any more.
  void give_up(std::uint64_t question);

  std::uint64_t questions() const;  ///< asked so far
  std::uint64_t open() const;       ///< of them still open
  const LabelCounts& counts() const;

  void save(Encoder& to) const;
  void load(Decoder& from);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace freshet
