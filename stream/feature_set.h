#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "stream/codec.h"
#include "stream/event.h"
#include "stream/schema.h"

namespace freshet {

/// How a field becomes numbers.
enum class Encoding {
  number,       ///< the value itself, or standard-scaled by the learner (`scale`)
  one_hot,      ///< one 0/1 slot for each of `values`, and one for any other
  hash,         ///< one 0/1 slot for each of `buckets` hash buckets
  embedding,    ///< a bucket number; each network learns `dim` weights a bucket
  time_of_day,  ///< sine and cosine of the UTC (+ utc_offset) time within its day
  day_of_week,  ///< sine and cosine of the time within its week
};

/// One entry of `features` in a pipeline's config. `from` is a field's name, or "event.time".
struct FeatureSpec {
  std::string name;
  std::string from;
  Encoding encoding = Encoding::number;
  bool scale = false;               ///< number: standard-scaled
  std::vector<std::string> values;  ///< one_hot
  std::uint32_t buckets = 0;        ///< hash, embedding
  std::uint32_t dim = 0;            ///< embedding

  bool operator==(const FeatureSpec&) const = default;
};

/// One number of a feature vector, as a network sees it.
struct FeatureSlot {
  std::string name;
  bool embedding = false;     ///< the number is a bucket, exact in a float
  bool scaled = false;        ///< the learner standardises it; a missing value (NaN) becomes its
                              ///< running mean
  std::uint32_t buckets = 0;  ///< embedding only
  std::uint32_t dim = 0;

  bool operator==(const FeatureSlot&) const = default;
};

/// The slots of a feature vector: all dense slots first, then all embedding slots.
using FeatureLayout = std::vector<FeatureSlot>;

/// A versioned, pure definition of (event, state so far) -> feature vector of floats.
/// Numbers beyond +-1.7e38 are taken as that, so that a float holds them.
/// A missing number is NaN in its slot when its rule is `mean`, beside an indicator slot (0/1)
/// named "<name> missing"; only fields whose rule is `mean` have one. A missing category hashes
/// as a value of its own.
///
/// `observe` after `ask`: the state that an event's features see holds the events before it.
/// (Plain features have no state; window features will.) Used by one thread.
class FeatureSet {
 public:
  /// Throws Error{invalid} naming the feature for an unknown field or an encoding that does not
  /// fit the field's kind. An empty `specs` takes every field by its kind.
  FeatureSet(const Schema& schema, std::vector<FeatureSpec> specs);
  ~FeatureSet();
  FeatureSet(FeatureSet&&) noexcept;

  /// What an empty list stands for: numbers scaled; booleans; categories and texts embedded
  /// (256 buckets, dim 4); times by time of day and day of week.
  static std::vector<FeatureSpec> defaults(const Schema& schema);

  const std::vector<FeatureSpec>& specs() const;
  const FeatureLayout& layout() const;
  std::size_t width() const { return layout().size(); }

  /// sha256 (hex) of the canonical JSON of the specs without names and of what they need of the
  /// schema, and an engine-semantics number. Equal identities give equal vectors.
  const std::string& identity() const;

  /// The event's feature vector as of now, into `out` (width() floats).
  void ask(const Event& event, std::span<float> out) const;
  /// The event is past: later questions may see it.
  void observe(const Event& event);

  void save(Encoder& to) const;
  void load(Decoder& from);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace freshet
