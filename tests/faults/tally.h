#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace freshet {

/// Whether the long form was asked for (`./dev faults --long`): thousands of tries, minutes.
bool is_long();
inline std::size_t tries(std::size_t few, std::size_t many) { return is_long() ? many : few; }
/// What all random draws of the suite start from (`./dev faults --seed N`).
std::uint64_t fault_seed();

/// How a workspace stands after a fault; the oracle finds it out, see oracle.h.
struct Standing {
  std::size_t lost = 0;     ///< acknowledged events that are not in the log
  std::size_t doubled = 0;  ///< events that are in the log more than once
  bool differs = false;     ///< from a run over the same log in which nothing happened
  std::string said;         ///< the first of it, in words

  bool holds() const { return lost == 0 && doubled == 0 && !differs; }
};

/// One line of the table: a fault, how often it was tried and what came of it. When it goes, the
/// line is kept for the table, and a loss, a double or a difference fails the test.
class Tally {
 public:
  explicit Tally(std::string fault) : fault_(std::move(fault)) {}
  ~Tally();
  Tally(const Tally&) = delete;
  Tally& operator=(const Tally&) = delete;

  std::size_t count() const { return tries_; }
  /// What `tries` together have left behind; those that spoiled it can't be told apart: one is.
  void add(const Standing& standing, std::size_t tries = 1);
  /// One try, where there is no workspace to stand: whether all was as it must be.
  void add(bool held, const std::string& said);
  /// Stands behind the figures in the table.
  void note(const std::string& text) { note_ = text; }

 private:
  std::string fault_;
  std::size_t tries_ = 0;
  std::size_t survived_ = 0;
  std::size_t lost_ = 0;
  std::size_t doubled_ = 0;
  std::size_t differing_ = 0;
  std::string note_;
};

}  // namespace freshet
