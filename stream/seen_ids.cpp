#include "stream/seen_ids.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

namespace freshet {

namespace {

EVP_MD_CTX* as_context(void* context) { return static_cast<EVP_MD_CTX*>(context); }

}  // namespace

IdHasher::IdHasher() : context_(EVP_MD_CTX_new()) {
  if (context_ == nullptr) throw std::bad_alloc();
  EVP_DigestInit_ex(as_context(context_), EVP_sha256(), nullptr);
}

IdHasher::~IdHasher() { EVP_MD_CTX_free(as_context(context_)); }

IdHash IdHasher::operator()(std::string_view id) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  EVP_DigestInit_ex(as_context(context_), nullptr, nullptr);
  EVP_DigestUpdate(as_context(context_), id.data(), id.size());
  EVP_DigestFinal_ex(as_context(context_), digest.data(), nullptr);
  IdHash hash;
  std::memcpy(&hash, digest.data(), sizeof hash);
  return hash;
}

bool SeenIds::known(const IdHash& id, Millis horizon) const {
  if (cells_.empty()) return false;
  const Cell& cell = cells_[find(id)];
  return cell.time != kEmpty && cell.time >= horizon;
}

void SeenIds::remember(const IdHash& id, Millis time, Millis horizon) {
  if (time < horizon) return;
  if ((used_ + 1) * 5 > cells_.size() * 4) rebuild(horizon, 0);
  Cell& cell = cells_[find(id)];
  if (cell.time == kEmpty) {
    cell = {id, time};
    ++used_;
  } else {
    cell.time = std::max(cell.time, time);
  }
}

// Each id's cell is a cache miss of its own: many are asked for ahead.
void SeenIds::remember(const std::vector<SeenId>& ids, Millis horizon) {
  constexpr std::size_t kAhead = 16;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (i + kAhead < ids.size() && !cells_.empty()) {
      __builtin_prefetch(&cells_[home(ids[i + kAhead].id)], 1);
    }
    remember(ids[i].id, ids[i].time, horizon);
  }
}

void SeenIds::remember(const SeenIds& others, Millis horizon) {
  for (const Cell& cell : others.cells_) {
    if (cell.time != kEmpty) remember(cell.id, cell.time, horizon);
  }
}

void SeenIds::reserve(std::size_t ids) { rebuild(kEmpty, ids); }

// Maps the uniform hash to [0, size) without a division or a power of two (Lemire 2016).
std::size_t SeenIds::home(const IdHash& id) const {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::size_t>((static_cast<Wide>(id.low) * cells_.size()) >> 64);
}

std::size_t SeenIds::find(const IdHash& id) const {
  std::size_t at = home(id);
  while (cells_[at].time != kEmpty && !(cells_[at].id == id)) {
    if (++at == cells_.size()) at = 0;
  }
  return at;
}

void SeenIds::rebuild(Millis horizon, std::size_t more) {
  const auto alive = [&](const Cell& cell) { return cell.time != kEmpty && cell.time >= horizon; };
  const auto live = static_cast<std::size_t>(std::count_if(cells_.begin(), cells_.end(), alive));
  std::vector<Cell> old(std::max<std::size_t>(live * 2 + more * 3 / 2, 1024));
  old.swap(cells_);
  used_ = 0;
  for (const Cell& cell : old) {
    if (!alive(cell)) continue;
    cells_[find(cell.id)] = cell;
    ++used_;
  }
}

}  // namespace freshet
