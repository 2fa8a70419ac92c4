#include "stream/label_join.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <deque>
#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "stream/open_index.h"
#include "stream/watermark.h"

namespace freshet {

namespace {

constexpr std::size_t kMaxEarlyLabels = 1'000'000;

/// 64 bits of an id's sha256. Among ten million open ids two share it with probability 3e-6.
std::uint64_t hash_id(std::string_view id) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  EVP_Digest(id.data(), id.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  std::uint64_t hash = 0;
  std::memcpy(&hash, digest.data(), sizeof hash);
  return hash;
}

/// A question that is open, or closed but not yet settled: 16 bytes.
struct Entry {
  std::uint64_t payload = 0;  ///< open: id hash (`later`) or label bits; closed: label bits
  Millis due_and_state = 0;   ///< due time * 4 + state

  enum State : Millis { open = 0, open_out_of_order = 1, labeled = 2, given_up = 3 };

  State state() const { return static_cast<State>(due_and_state & 3); }
  bool is_open() const { return state() == open || state() == open_out_of_order; }
  Millis due() const { return due_and_state >> 2; }
  void set(Millis due, State state) { due_and_state = due * 4 + state; }
};

}  // namespace

class LabelJoin::Impl {
  static constexpr std::uint32_t kNumbers = 0x7FFFFFFF;

  auto hash_at() const {
    return [this](std::uint32_t number) { return entries_[offset_of(number)].payload; };
  }

  // The index and the heap hold 31-bit numbers that don't change as the front is popped.
  std::size_t offset_of(std::uint32_t number) const { return (number - base_) & kNumbers; }
  std::uint32_t number_of(std::size_t offset) const {
    return (static_cast<std::uint32_t>(offset) + base_) & kNumbers;
  }

  auto by_due() const {
    return [this](std::uint32_t a, std::uint32_t b) {
      const std::size_t at = offset_of(a);
      const std::size_t other = offset_of(b);
      const Millis due = entries_[at].due();
      const Millis other_due = entries_[other].due();
      return due != other_due ? due > other_due : at > other;
    };
  }

 public:
  explicit Impl(const Schema& schema) : spec_(schema.label), max_open_(schema.max_open_questions) {}

  void advance(Millis watermark) {
    if (watermark == Watermark::kNone || watermark <= horizon_) return;
    horizon_ = watermark;
    expire_early();
  }

  void close() { horizon_ = kForever; }

  std::optional<KnownLabel> next_due() {
    while (const auto next = pop_due()) {
      Entry& entry = entries_[*next];
      --open_;
      if (spec_.known == LabelKnown::later) {
        unindex(*next);
        if (!spec_.default_label) {
          give_up(entry);
          continue;
        }
        ++counts_.defaults;
        remember(entry.payload, *spec_.default_label);
        return known(*next, *spec_.default_label);
      }
      return known(*next, std::bit_cast<double>(entry.payload));
    }
    return std::nullopt;
  }

  std::optional<KnownLabel> ask(const Event& event) {
    if (open_ >= max_open_) {
      throw Error(ErrorKind::unavailable,
                  fmt::format("{} questions are open, as many as stream.max_open_questions allows: "
                              "labels are later, or scarcer, than label.wait says",
                              open_));
    }
    const auto offset = static_cast<std::uint32_t>(entries_.size());
    entries_.emplace_back();
    Entry& entry = entries_.back();
    if (spec_.known == LabelKnown::later) return ask_later(event, offset, entry);
    if (!event.label) {
      give_up(entry);
      return std::nullopt;
    }
    if (spec_.known == LabelKnown::with_event) return known(offset, *event.label);
    entry.payload = std::bit_cast<std::uint64_t>(*event.label);
    open(offset, spec_.known == LabelKnown::after ? event.time + spec_.after : event.label_time,
         event.time);
    return std::nullopt;
  }

  std::optional<KnownLabel> label(const Event& event) {
    if (!event.label) return std::nullopt;
    const std::uint64_t hash = hash_id(event.id);
    const std::uint32_t number = index_.find(hash, hash_at());
    if (number != OpenIndex::kEmpty) {
      const std::size_t offset = offset_of(number);
      --open_;
      index_.erase(hash, number);
      out_of_order_.erase({entries_[offset].due(), first_ + offset});
      remember(hash, *event.label);
      return known(offset, *event.label);
    }
    const auto answered = answered_.find(hash);
    if (answered != answered_.end()) {
      ++(answered->second == *event.label ? counts_.repeated : counts_.conflicts);
      return std::nullopt;
    }
    const auto [early, added] = early_.try_emplace(hash, *event.label);
    if (!added) {
      ++(early->second == *event.label ? counts_.repeated : counts_.conflicts);
      return std::nullopt;
    }
    early_order_.emplace_back(hash, event.time);
    if (early_.size() > kMaxEarlyLabels) drop_oldest_early();
    return std::nullopt;
  }

  std::uint64_t settled() const {
    std::size_t offset = 0;
    while (offset < entries_.size() && !entries_[offset].is_open()) ++offset;
    return first_ + offset;
  }

  std::optional<SettledQuestion> next_settled() {
    if (entries_.empty() || entries_.front().is_open()) return std::nullopt;
    SettledQuestion settled;
    settled.question = first_;
    const Entry entry = entries_.front();
    if (entry.state() == Entry::labeled) settled.label = std::bit_cast<double>(entry.payload);
    pop_front();
    return settled;
  }

  void give_up(std::uint64_t question) {
    if (spec_.known != LabelKnown::later || question < first_ || question >= questions()) return;
    const std::size_t offset = question - first_;
    if (!entries_[offset].is_open()) return;
    --open_;
    unindex(offset);
    out_of_order_.erase({entries_[offset].due(), question});
    give_up(entries_[offset]);
  }

  std::uint64_t questions() const { return first_ + entries_.size(); }
  std::uint64_t open_count() const { return open_; }
  const LabelCounts& counts() const { return counts_; }

  void save(Encoder& to) const {
    to.put(first_).put(horizon_).put(open_).put(max_time_);
    to.put(counts_.known).put(counts_.defaults).put(counts_.given_up).put(counts_.conflicts);
    to.put(counts_.repeated).put(counts_.unknown_ids);
    to.put(static_cast<std::uint64_t>(entries_.size()));
    for (const Entry& entry : entries_) to.put(entry.payload).put(entry.due_and_state);
    to.put(static_cast<std::uint64_t>(cursor_));
    save_hashes(to, early_, early_order_);
    save_hashes(to, answered_, answered_order_);
  }

  void load(Decoder& from) {
    first_ = from.get<std::uint64_t>();
    horizon_ = from.get<Millis>();
    open_ = from.get<std::uint64_t>();
    max_time_ = from.get<Millis>();
    for (std::uint64_t* count : {&counts_.known, &counts_.defaults, &counts_.given_up,
                                 &counts_.conflicts, &counts_.repeated, &counts_.unknown_ids}) {
      *count = from.get<std::uint64_t>();
    }
    entries_.resize(from.get<std::uint64_t>());
    for (Entry& entry : entries_) {
      entry.payload = from.get<std::uint64_t>();
      entry.due_and_state = from.get<Millis>();
    }
    base_ = 0;
    cursor_ = from.get<std::uint64_t>();
    reindex();
    load_hashes(from, early_, early_order_);
    load_hashes(from, answered_, answered_order_);
  }

 private:
  static constexpr Millis kForever = std::numeric_limits<Millis>::max() / 8;
  using Hashes = std::map<std::uint64_t, double>;
  using HashOrder = std::deque<std::pair<std::uint64_t, Millis>>;

  void reindex() {
    heap_.clear();
    out_of_order_.clear();
    index_.clear();
    for (std::uint32_t i = 0; i < entries_.size(); ++i) {
      const Entry& entry = entries_[i];
      if (!entry.is_open()) continue;
      if (spec_.known == LabelKnown::later) index_.insert(entry.payload, i, hash_at());
      if (entry.state() == Entry::open_out_of_order) enqueue(i);
    }
  }

  static void save_hashes(Encoder& to, const Hashes& hashes, const HashOrder& order) {
    to.put(static_cast<std::uint64_t>(hashes.size()));
    for (const auto& [hash, label] : hashes) to.put(hash).put(label);
    to.put(static_cast<std::uint64_t>(order.size()));
    for (const auto& [hash, time] : order) to.put(hash).put(time);
  }

  static void load_hashes(Decoder& from, Hashes& hashes, HashOrder& order) {
    hashes.clear();
    order.clear();
    for (auto n = from.get<std::uint64_t>(); n > 0; --n) {
      const auto hash = from.get<std::uint64_t>();
      hashes.emplace(hash, from.get<double>());
    }
    for (auto n = from.get<std::uint64_t>(); n > 0; --n) {
      const auto hash = from.get<std::uint64_t>();
      order.emplace_back(hash, from.get<Millis>());
    }
  }

  std::optional<KnownLabel> ask_later(const Event& event, std::uint32_t offset, Entry& entry) {
    const std::uint64_t hash = hash_id(event.id);
    const auto early = early_.find(hash);
    if (early != early_.end()) {
      const double label = early->second;
      early_.erase(early);
      remember(hash, label);
      return known(offset, label);
    }
    if (event.label) {
      remember(hash, *event.label);
      return known(offset, *event.label);
    }
    entry.payload = hash;
    index_.insert(hash, number_of(offset), hash_at());
    open(offset, event.time + spec_.wait, event.time);
    return std::nullopt;
  }

  void open(std::uint32_t offset, Millis due, Millis time) {
    ++open_;
    // Constant delays fall due in event-time order: those asked in it need no heap.
    const bool in_order = spec_.known != LabelKnown::at && time >= max_time_;
    max_time_ = std::max(max_time_, time);
    entries_[offset].set(due, in_order ? Entry::open : Entry::open_out_of_order);
    if (!in_order) enqueue(offset);
  }

  // Answered questions must leave the queue, save with `at`, where only their due time answers
  // them: there a bare heap of 4 bytes a question will do.
  void enqueue(std::size_t offset) {
    if (spec_.known == LabelKnown::at) {
      heap_.push_back(number_of(offset));
      std::push_heap(heap_.begin(), heap_.end(), by_due());
    } else {
      out_of_order_.emplace(entries_[offset].due(), first_ + offset);
    }
  }

  // The offset of the next question that is due, by (due time, question).
  std::optional<std::size_t> pop_due() {
    if (spec_.known == LabelKnown::at) return pop_heap_due();
    while (cursor_ < entries_.size() && entries_[cursor_].state() != Entry::open) ++cursor_;
    const bool walked = cursor_ < entries_.size() && entries_[cursor_].due() <= horizon_;
    const bool queued = !out_of_order_.empty() && out_of_order_.begin()->first <= horizon_;
    if (queued && (!walked ||
                   *out_of_order_.begin() < std::pair{entries_[cursor_].due(), first_ + cursor_})) {
      const std::size_t offset = out_of_order_.begin()->second - first_;
      out_of_order_.erase(out_of_order_.begin());
      return offset;
    }
    if (!walked) return std::nullopt;
    return cursor_++;
  }

  std::optional<std::size_t> pop_heap_due() {
    if (heap_.empty() || entries_[offset_of(heap_.front())].due() > horizon_) return std::nullopt;
    const std::size_t offset = offset_of(heap_.front());
    std::pop_heap(heap_.begin(), heap_.end(), by_due());
    heap_.pop_back();
    return offset;
  }

  KnownLabel known(std::size_t offset, double label) {
    entries_[offset].payload = std::bit_cast<std::uint64_t>(label);
    entries_[offset].set(0, Entry::labeled);
    ++counts_.known;
    return {first_ + offset, label};
  }

  void give_up(Entry& entry) {
    entry.set(0, Entry::given_up);
    ++counts_.given_up;
  }

  void unindex(std::size_t offset) { index_.erase(entries_[offset].payload, number_of(offset)); }

  void pop_front() {
    entries_.pop_front();
    ++first_;
    base_ = (base_ + 1) & kNumbers;
    if (cursor_ > 0) --cursor_;
  }

  // Answered ids are known for as long as a question may wait, to tell conflicts.
  void remember(std::uint64_t hash, double label) {
    answered_[hash] = label;
    answered_order_.emplace_back(hash, horizon_);
  }

  void expire_early() {
    while (!early_order_.empty() && early_order_.front().second < horizon_ - spec_.wait) {
      drop_oldest_early();
    }
    while (!answered_order_.empty() && answered_order_.front().second < horizon_ - spec_.wait) {
      answered_.erase(answered_order_.front().first);
      answered_order_.pop_front();
    }
  }

  void drop_oldest_early() {
    if (early_.erase(early_order_.front().first) > 0) ++counts_.unknown_ids;
    early_order_.pop_front();
  }

  const LabelSpec spec_;
  const std::uint64_t max_open_;
  std::deque<Entry> entries_;        // asked order, from the first that is not settled
  std::uint64_t first_ = 0;          // question number of entries_.front()
  std::uint32_t base_ = 0;           // number of entries_.front()
  std::size_t cursor_ = 0;           // entries before it were released, or are in the heap
  std::vector<std::uint32_t> heap_;  // `at`: all open questions, by due time
  std::set<std::pair<Millis, std::uint64_t>> out_of_order_;  // else: those the cursor passes over
  OpenIndex index_;
  Hashes early_;  // labels whose event has not come
  HashOrder early_order_;
  Hashes answered_;
  HashOrder answered_order_;
  Millis horizon_ = std::numeric_limits<Millis>::min() / 8;
  Millis max_time_ = std::numeric_limits<Millis>::min() / 8;
  std::uint64_t open_ = 0;
  LabelCounts counts_;
};

LabelJoin::LabelJoin(const Schema& schema) : impl_(std::make_unique<Impl>(schema)) {}
LabelJoin::~LabelJoin() = default;

void LabelJoin::advance(Millis watermark) { impl_->advance(watermark); }
void LabelJoin::close() { impl_->close(); }
std::optional<KnownLabel> LabelJoin::next_due() { return impl_->next_due(); }
std::optional<KnownLabel> LabelJoin::ask(const Event& event) { return impl_->ask(event); }
std::optional<KnownLabel> LabelJoin::label(const Event& event) { return impl_->label(event); }
std::uint64_t LabelJoin::settled() const { return impl_->settled(); }
std::optional<SettledQuestion> LabelJoin::next_settled() { return impl_->next_settled(); }
void LabelJoin::give_up(std::uint64_t question) { impl_->give_up(question); }
std::uint64_t LabelJoin::questions() const { return impl_->questions(); }
std::uint64_t LabelJoin::open() const { return impl_->open_count(); }
const LabelCounts& LabelJoin::counts() const { return impl_->counts(); }
void LabelJoin::save(Encoder& to) const { impl_->save(to); }
void LabelJoin::load(Decoder& from) { impl_->load(from); }

}  // namespace freshet
