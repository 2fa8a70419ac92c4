#pragma once

#include <string>
#include <vector>

namespace freshet {

struct InferOptions {
  std::string label;  ///< the field to predict
  std::string time;   ///< a field; two as "date,hour"; "every:30m,from:TIME"; empty: guess
  std::string id;
  std::string name;               ///< empty: from the file's name
  std::vector<std::string> drop;  ///< fields to leave out
  std::string task;               ///< binary, multiclass or regression; empty: guess by the label
  std::string known;              ///< "with_event" (if empty), "after:7d" or "at:FIELD"
};

struct InferredConfig {
  std::string text;                ///< a config, JSON, that `parse_config` takes
  std::vector<std::string> notes;  ///< what was guessed or left out, and why
};

/// A first config from a look at the first 2,000 records of a CSV or JSON lines file (.gz too):
/// kinds of fields, task, classes, time. Left out with a note are fields that count records or
/// tell them apart, that cannot be read in one way, and that give the label away: a number that
/// follows it (regression: correlation above 0.97, or a sum of two that is the label; binary: a
/// threshold that splits the classes almost without error). Throws Error{invalid} naming the option
/// and what was found when an option names no field or does not fit the records, or when the label
/// has no two values, and what opening the file throws.
InferredConfig infer_config(const std::string& input, const InferOptions& options);

}  // namespace freshet
