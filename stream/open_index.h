#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace freshet {

/// From an id's hash to the number of its open question: linear probing over 4-byte cells. The
/// hashes stand with the questions; `hash_at(number)` gives them. Used by one thread.
class OpenIndex {
 public:
  static constexpr std::uint32_t kEmpty = 0xFFFFFFFF;
  static constexpr std::uint32_t kErased = 0xFFFFFFFE;

  template <class HashAt>
  std::uint32_t find(std::uint64_t hash, const HashAt& hash_at) const {
    if (cells_.empty()) return kEmpty;
    for (std::size_t i = hash & mask();; i = (i + 1) & mask()) {
      if (cells_[i] == kEmpty) return kEmpty;
      if (cells_[i] != kErased && hash_at(cells_[i]) == hash) return cells_[i];
    }
  }

  template <class HashAt>
  void insert(std::uint64_t hash, std::uint32_t number, const HashAt& hash_at) {
    if ((used_ + 1) * 4 > cells_.size() * 3) rebuild(hash_at);
    place(hash, number);
    ++live_;
  }

  void erase(std::uint64_t hash, std::uint32_t number) {
    for (std::size_t i = hash & mask(); cells_[i] != kEmpty; i = (i + 1) & mask()) {
      if (cells_[i] != number) continue;
      cells_[i] = kErased;
      --live_;
      return;
    }
  }

  void clear() {
    cells_.clear();
    used_ = live_ = 0;
  }

 private:
  std::size_t mask() const { return cells_.size() - 1; }

  void place(std::uint64_t hash, std::uint32_t number) {
    std::size_t i = hash & mask();
    while (cells_[i] != kEmpty) i = (i + 1) & mask();
    cells_[i] = number;
    ++used_;
  }

  template <class HashAt>
  void rebuild(const HashAt& hash_at) {
    std::vector<std::uint32_t> old(std::bit_ceil(std::max<std::size_t>(live_ * 2, 64)), kEmpty);
    old.swap(cells_);
    used_ = 0;
    for (const std::uint32_t number : old) {
      if (number != kEmpty && number != kErased) place(hash_at(number), number);
    }
  }

  std::vector<std::uint32_t> cells_;
  std::size_t used_ = 0;
  std::size_t live_ = 0;
};

}  // namespace freshet
