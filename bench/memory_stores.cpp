#include "bench/memory_stores.h"

namespace freshet {

std::uint64_t MemoryLog::append(const LogBatch& batch) {
  records_.insert(records_.end(), batch.records.begin(), batch.records.end());
  return head();
}

void MemoryLog::read(std::uint64_t begin, std::uint64_t end,
                     const std::function<bool(std::uint64_t, std::string_view)>& each) const {
  if (end > head()) throw Error(ErrorKind::corrupt, "read beyond the head of a log in memory");
  for (std::uint64_t position = begin; position < end; ++position) {
    if (!each(position, records_[position])) return;
  }
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
