#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "stream/event_time.h"

namespace freshet {

/// A labeled row: the row number is its index.
struct Row {
  std::uint64_t question = 0;  ///< asked order
  double label = 0;
  std::uint64_t known_position = 0;  ///< log position at which the label became known
};

/// One feature identity and its vector's width.
struct FeatureColumn {
  std::string identity;
  std::size_t width = 0;
};

/// Questions, each stored once in asked order with its feature vectors, the answers given to
/// them, and the rows that their labels made: one SQLite file per pipeline, append-only, in
/// chunks of kChunk, each with its hash (docs/row-format.md). All of it derives from the log: it
/// is cut back to the last checkpoint on open.
///
/// What is appended is readable at once (unwritten chunks are read from memory). The newest
/// chunks, and those read last, are cached; memory is bounded whatever the length.
/// Used by one thread; other threads open a reader of their own after `flush` and `sync`.
class RowStore {
 public:
  static constexpr std::size_t kChunk = 1024;

  /// Opens or creates. ":memory:" keeps all in memory.
  static std::unique_ptr<RowStore> open(const std::string& path,
                                        std::vector<FeatureColumn> columns);
  /// Read-only, over what was flushed. Error{not_found} if there is none.
  static std::unique_ptr<RowStore> open_reader(const std::string& path);
  /// Copies the first `questions` questions with their vectors and answers, and `rows` rows, into a
  /// new file, durable on return; whoever writes `from` waits for one chunk's reading at most. Each
  /// chunk is read against its hash: throws Error{corrupt} naming a damaged one.
  static void copy(const std::string& from, const std::string& to, std::uint64_t questions,
                   std::uint64_t rows);
  virtual ~RowStore() = default;

  /// As they were opened and added; a reader's in any order.
  virtual const std::vector<FeatureColumn>& columns() const = 0;
  /// The column of a feature set. Error{conflict} if there is none.
  std::size_t column(const std::string& identity) const;
  /// Adds a column behind the others. `vector_of` is asked for the vectors of the recorded
  /// questions from `first` on, in order, that the file doesn't hold from an earlier time. If it
  /// throws, there is no such column.
  virtual void add_column(
      const FeatureColumn& column, std::uint64_t first,
      const std::function<void(std::uint64_t question, std::span<float> out)>& vector_of) = 0;

  // Questions.
  virtual std::uint64_t questions() const = 0;
  /// Appends a question; vectors[i] has columns()[i].width floats.
  virtual std::uint64_t ask(std::uint64_t position, Millis time,
                            std::span<const std::span<const float>> vectors) = 0;
  /// Vectors of questions [begin, end) in asked order, row-major, into `out`.
  virtual void read_vectors(std::size_t column, std::uint64_t begin, std::uint64_t end,
                            float* out) = 0;
  virtual std::uint64_t position(std::uint64_t question) = 0;
  virtual Millis time(std::uint64_t question) = 0;

  /// Replaces the vectors of the questions asked at `positions` (ascending), of all columns, by
  /// those that `vectors_of` gives for a question's time; gives the questions that were not dropped
  /// from [0, questions()). Afterwards nothing of the old ones is stored, once it was flushed.
  virtual std::vector<std::uint64_t> rewrite(
      std::span<const std::uint64_t> positions,
      const std::function<std::span<const std::span<const float>>(Millis time)>& vectors_of) = 0;

  // Answers: one series of `width` floats a question for each answerer, e.g. "served" or
  // "learner:steady". A series starts at any question and grows without gaps.
  /// Appends n = answers.size()/width answers for the questions from `first` on, which must be
  /// where the series ends (or its start, if it is new).
  virtual void answer(const std::string& answerer, std::size_t width, std::uint64_t first,
                      std::span<const float> answers) = 0;
  /// [begin, end) of the questions a series covers and that were not dropped; {0, 0} if there is
  /// none.
  virtual std::pair<std::uint64_t, std::uint64_t> answered(const std::string& answerer) = 0;
  /// Answers for questions [begin, end), row-major, into `out`; all must be covered.
  virtual void read_answers(const std::string& answerer, std::uint64_t begin, std::uint64_t end,
                            float* out) = 0;

  // Rows.
  virtual std::uint64_t rows() const = 0;
  virtual std::uint64_t add_row(const Row& row) = 0;
  virtual Row row(std::uint64_t number) = 0;
  /// Vectors of the questions of rows [begin, end), in row order, into `out`.
  virtual void read_row_vectors(std::size_t column, std::uint64_t begin, std::uint64_t end,
                                float* out) = 0;

  /// Hands all appended so far, the half-filled chunks included, to a writing thread.
  virtual void flush() = 0;
  /// All flushed so far is on disk on return, and other readers see it. Throws what writing met.
  /// Thread-safe.
  virtual void sync() = 0;
  /// Cuts back to the first `questions` questions (answers too) and `rows` rows.
  virtual void cut(std::uint64_t questions, std::uint64_t rows) = 0;

  /// Questions below `question` (their vectors and answers too) and rows below `row` are needed no
  /// longer, and may not be read any more. Durable on return.
  virtual void drop(std::uint64_t question, std::uint64_t row) = 0;
  /// What was dropped ends here.
  virtual std::uint64_t first_question() const = 0;
  virtual std::uint64_t first_row() const = 0;

  /// sha256 (hex) over the checksums of all chunks of questions, answers and rows, whatever was
  /// flushed when and whatever was dropped.
  virtual std::string content_hash() = 0;
  /// Reads every chunk against its hash; the damage found, in words. Empty: all is well.
  virtual std::vector<std::string> verify() = 0;
};

}  // namespace freshet
