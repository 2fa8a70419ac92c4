#include "tests/simulation/memory_stores.h"

#include <span>
#include <utility>

namespace freshet {

std::uint64_t MemoryLog::append(const LogBatch& batch) {
  records_.insert(records_.end(), batch.records.begin(), batch.records.end());
  return head();
}

std::shared_ptr<const RecordBatch> MemoryLog::batch(std::uint64_t position) const {
  if (position >= head()) {
    throw Error(ErrorKind::corrupt, "read beyond the head of a log in memory");
  }
  const std::span<const std::string> rest = std::span(records_).subspan(position);
  const std::size_t count = batch_length(rest);
  std::string payload = batch_payload(rest.first(count));
  const std::string hash = batch_hash(position, count, payload);
  return std::make_shared<const RecordBatch>(position, count, std::move(payload), hash);
}

void MemoryJournal::commit(CheckpointRecord record) {
  for (Revision& revision : record.revisions) {
    if (!revision.artifact.empty()) revisions_[revision.version] = std::move(revision);
  }
}

std::string MemoryJournal::put_artifact(const std::string& bytes) {
  std::string name = std::to_string(artifacts_.size());
  artifacts_.emplace(name, bytes);
  return name;
}

}  // namespace freshet
