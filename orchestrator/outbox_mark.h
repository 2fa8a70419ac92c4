#pragma once

#include <cstdint>
#include <string>

namespace freshet {

/// How much of each a sink has acknowledged since the pipeline began: decisions by sequence,
/// predictions by question. Kept in `outbox.json`.
struct OutboxMark {
  std::uint64_t decisions = 0;
  std::uint64_t predictions = 0;

  bool operator==(const OutboxMark&) const = default;
};

/// Zeros where there is no such file. Throws Error{corrupt} for one that holds no mark.
OutboxMark read_outbox_mark(const std::string& path);

/// Durable on return.
void write_outbox_mark(const std::string& path, const OutboxMark& mark);

}  // namespace freshet
