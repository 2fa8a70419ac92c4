#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace freshet {

/// A backtest as kept: what was asked, what came out so far, and how to go on.
struct BacktestRecord {
  std::string id;  ///< sha256 (hex) of what was asked
  std::uint64_t candidate = 0;
  std::uint64_t champion = 0;
  std::string status;  ///< running, undecided, promote, reject, inconclusive
  std::string report;  ///< canonical JSON: figures, verdict, series
  std::string state;   ///< bytes to go on from; `list` leaves them out
};

/// The backtests of one pipeline, in a SQLite file of their own: they are reports, made beside the
/// workspace's owner, and nothing that decides reads them. Several processes may write; the last
/// one to put a record wins, which is the same record. Throws Error{unavailable} when the disk
/// refuses, Error{corrupt} for a damaged file or state. Used by one thread.
class BacktestStore {
 public:
  static std::unique_ptr<BacktestStore> open(const std::string& path);
  /// Error{not_found} if there is none.
  static std::unique_ptr<BacktestStore> open_reader(const std::string& path);
  virtual ~BacktestStore() = default;

  /// In one transaction, durable on return; takes the place of the record with the same id.
  virtual void put(const BacktestRecord& record) = 0;
  virtual std::optional<BacktestRecord> find(const std::string& id) const = 0;
  /// All, by candidate, champion and id.
  virtual std::vector<BacktestRecord> list() const = 0;
};

}  // namespace freshet
