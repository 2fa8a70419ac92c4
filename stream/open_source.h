#pragma once

#include <memory>
#include <optional>
#include <string>

#include "stream/schema.h"
#include "stream/source.h"

namespace freshet {

/// A text input as the user names it.
struct InputSpec {
  enum Format {
    detect,  ///< by name: .csv, .jsonl, .ndjson, .json, each perhaps with .gz; for standard input,
             ///< pipes and a bare .gz by the first character: '{' or '[' is JSON
    csv,
    jsonl,
  };

  std::string name;  ///< path, or "-"
  Format format = detect;
  bool follow = false;       ///< the end of the file is no end: it may grow
  bool labels_only = false;  ///< label records {id, label, time}; see EventDecoder for the names
};

/// Opens an input; with `resume`, where an earlier run left off.
///
/// Throws Error{not_found | invalid | unavailable} if it cannot be opened or its format is not
/// known, Error{conflict} "was replaced" if `resume` tells of another file under this name.
/// `poll` of the source throws Error{invalid} for a CSV header that misses a field and for an
/// input without a header, Error{corrupt} for damaged gzip data, Error{conflict} for a file that
/// is replaced while it is followed and for a standard input that differs from the one read
/// before.
std::unique_ptr<Source> open_source(const InputSpec& spec, const Schema& schema,
                                    const std::optional<SourceProgress>& resume);

/// One source of two, merged by event time: of the next event and the next label the earlier one,
/// the event when their times are equal; bad records at once. The order is a function of the two
/// inputs alone. Its progress is that of both inputs.
///
/// Throws Error{invalid} if the schema's events have no times of their own (`TimeEvery`).
std::unique_ptr<Source> merge_sources(std::unique_ptr<Source> events,
                                      std::unique_ptr<Source> labels, const Schema& schema);

}  // namespace freshet
