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
};

struct InferredConfig {
  std::string text;                ///< a config, JSON
  std::vector<std::string> notes;  ///< what was left out, and why
};

/// A first config from a look at the first 2,000 records of a CSV or JSON lines file (.gz too):
/// kinds of fields, task, classes, time. Fields that count records, and numbers that give the label
/// away, are left out with a note. Throws Error{invalid} naming the field when label or time are
/// not there.
InferredConfig infer_config(const std::string& input, const InferOptions& options);

}  // namespace freshet
