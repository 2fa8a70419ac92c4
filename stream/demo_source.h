#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "stream/schema.h"
#include "stream/source.h"

namespace freshet {

struct DemoSpec {
  std::uint64_t seed = 1;
  std::uint64_t events = 60'000;  ///< about 1,000 a day of event time, from 2024-01-01 on
};

/// A made-up stream of card payments of which some 6 to 8 % are fraud: the same for the same spec.
///
/// Fields: amount, distance_km (numbers), online (boolean), terminal (200 of them), customer
/// (1,000), merchant (categories); amount, distance_km and merchant are missing at times. What
/// fraud looks like depends on amount, hour, distance and online together (no weighted sum of
/// them tells it) and on terminals; it changes at once at 35 % and 70 % of the events, and from
/// 45 % to 60 % gift cards grow risky. A fraud's label record follows 1 to 48 h of event time
/// after its event; other events get none.
///
/// `schema` says which of the fields are wanted; `resume` goes on after its `records`. Throws
/// Error{invalid} for a field that the stream doesn't have, a field of another kind, a schema
/// without an id or whose labels do not come later, and Error{conflict} if `resume` is of another
/// spec. Ends after the last label. Used by one thread.
std::unique_ptr<Source> demo_source(const DemoSpec& spec, const Schema& schema,
                                    const std::optional<SourceProgress>& resume);

}  // namespace freshet
