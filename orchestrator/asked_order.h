#pragma once

#include <cstdint>
#include <vector>

#include "stream/label_join.h"
#include "stream/row_store.h"

namespace freshet {

/// Rows [begin, end) in asked order, in bounded memory: the labels of a window of questions at a
/// time, found by going through the rows that became known after its first question. Read with
/// ascending questions. Used by one thread.
class AskedOrder {
 public:
  /// `store` must outlive it.
  AskedOrder(RowStore& store, std::uint64_t begin, std::uint64_t end);

  /// The labeled questions of [begin, end) whose row is in the range.
  std::vector<SettledQuestion> questions(std::uint64_t begin, std::uint64_t end);

 private:
  void read_window(std::uint64_t first);

  RowStore& store_;
  std::uint64_t begin_;
  std::uint64_t end_;
  std::uint64_t window_ = ~std::uint64_t{0};  ///< its first question
  std::vector<double> labels_;                ///< of the window; NaN: none
};

}  // namespace freshet
