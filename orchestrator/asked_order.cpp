#include "orchestrator/asked_order.h"

#include <cmath>
#include <limits>

#include "orchestrator/settled_rows.h"

namespace freshet {

namespace {

constexpr std::uint64_t kWindow = std::uint64_t{1} << 20U;  // questions, 8 bytes each

}  // namespace

AskedOrder::AskedOrder(RowStore& store, std::uint64_t begin, std::uint64_t end)
    : store_(store), begin_(std::max(begin, store.first_row())), end_(end) {}

std::vector<SettledQuestion> AskedOrder::questions(std::uint64_t begin, std::uint64_t end) {
  std::vector<SettledQuestion> found;
  for (std::uint64_t question = begin; question < end; ++question) {
    const std::uint64_t window = question / kWindow * kWindow;
    if (window != window_) read_window(window);
    const double label = labels_[question - window];
    if (!std::isnan(label)) found.push_back({question, label});
  }
  return found;
}

void AskedOrder::read_window(std::uint64_t first) {
  window_ = first;
  labels_.assign(kWindow, std::numeric_limits<double>::quiet_NaN());
  const std::uint64_t low = first_row_known_after(
      store_, begin_, end_, store_.position(std::max(first, store_.first_question())));
  for (std::uint64_t number = low; number < end_; ++number) {
    const Row row = store_.row(number);
    if (row.question >= first && row.question < first + kWindow) {
      labels_[row.question - first] = row.label;
    }
  }
}

}  // namespace freshet
