#include "stream/known_ids.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace freshet {

namespace {

constexpr std::size_t kLookedFor = 8;  // more are not worth it: each reads all that is stored

}  // namespace

KnownIds::KnownIds(const EventLog& log, Millis horizon) : log_(log), horizon_(horizon) {
  const std::uint64_t count = log_.seen_ids();
  if (count == 0) return;
  loading_ = std::async(std::launch::async, [this, count] { load(count); });
}

KnownIds::~KnownIds() { stop_ = true; }  // then loading_ is waited for

void KnownIds::load(std::uint64_t count) {
  stored_.reserve(count);
  auto stretch = log_.seen_before(EventLog::kNewest);
  for (; stretch && !stop_; stretch = log_.seen_before(stretch->end)) {
    stored_.remember(stretch->ids, horizon_);
  }
}

bool KnownIds::known(const IdHash& id, Millis horizon) {
  if (ids_.known(id, horizon)) return true;
  if (!loading_.valid()) return false;
  if (looked_for_ < kLookedFor &&
      loading_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    ++looked_for_;
    return is_stored(id, horizon);
  }
  loading_.get();  // again each time where it failed
  stored_.remember(ids_, horizon_);
  ids_ = std::move(stored_);
  loading_ = {};
  return ids_.known(id, horizon);
}

void KnownIds::remember(const IdHash& id, Millis time, Millis horizon) {
  ids_.remember(id, time, horizon);
}

bool KnownIds::is_stored(const IdHash& id, Millis horizon) const {
  const auto matches = [&](const SeenId& seen) { return seen.id == id && seen.time >= horizon; };
  auto stretch = log_.seen_before(EventLog::kNewest);
  for (; stretch; stretch = log_.seen_before(stretch->end)) {
    if (std::any_of(stretch->ids.begin(), stretch->ids.end(), matches)) return true;
  }
  return false;
}

}  // namespace freshet
