#pragma once

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "stream/ingest.h"
#include "stream/random.h"
#include "tests/stream/log_folder.h"

namespace freshet {

/// One record of a script.
struct Line {
  enum class Kind { event, label, bad, unreadable, time } kind = Kind::event;
  std::string id;
  Millis time = 0;
  std::optional<Millis> reached{};  ///< by the part of the source that is furthest behind
};

inline Line event_at(const std::string& id, Millis time) { return {Line::Kind::event, id, time}; }
inline Line label_at(const std::string& id, Millis time) { return {Line::Kind::label, id, time}; }
inline Line bad_line() { return {Line::Kind::bad, "", 0}; }

/// A source that gives the lines of a script, from where its progress says.
class ScriptSource : public Source {
 public:
  explicit ScriptSource(std::vector<Line> lines, std::uint64_t from = 0)
      : lines_(std::move(lines)), at_(from) {}

  PollStatus poll(std::size_t max_records, RecordSink& sink) override {
    for (std::size_t i = 0; i < max_records; ++i) {
      if (at_ == lines_.size()) return PollStatus::ended;
      const Line& line = lines_[at_];
      if (line.kind == Line::Kind::unreadable) {
        throw Error(ErrorKind::unavailable, "the script cannot be read any further");
      }
      ++at_;
      hand_over(line, sink);
    }
    return PollStatus::ready;
  }

  std::vector<SourceProgress> progress() const override {
    SourceProgress progress;
    progress.name = "script";
    progress.offset = progress.records = at_;
    return {progress};
  }

 private:
  void hand_over(const Line& line, RecordSink& sink) const {
    const std::string raw = line.id + "@" + std::to_string(line.time);
    const Origin origin = {at_, raw, {}};
    if (line.kind == Line::Kind::bad) return sink.bad(origin, "cannot be read");
    if (line.kind == Line::Kind::time) return sink.time_reached(line.time);
    Event event;
    event.kind = line.kind == Line::Kind::label ? RecordKind::label : RecordKind::event;
    event.id = line.id;
    event.time = line.time;
    if (line.reached) event.reached = TimeReached{*line.reached, line.time};
    if (line.kind == Line::Kind::label) {
      event.label = 1;
    } else {
      event.values.push_back({static_cast<double>(at_), "", false});
    }
    sink.event(event, origin);
  }

  std::vector<Line> lines_;
  std::uint64_t at_;
};

/// What ingestion says it does, written down as plainly as can be.
class Expected {
 public:
  explicit Expected(const Schema& schema) : schema_(schema) {}

  void take(const Line& line) {
    if (line.kind == Line::Kind::bad) {
      ++counts.dead_letters;
      return;
    }
    if (line.kind == Line::Kind::time) {
      const Millis reached = std::max(reached_, std::min(line.time, newest_));
      if (any_ && reached != std::exchange(reached_, reached)) ids.emplace_back();
      return;
    }
    const bool event = line.kind == Line::Kind::event;
    const auto seen = newest_of_.find(line.id);
    if (event && seen != newest_of_.end() && seen->second >= reached_ - schema_.dedup_within) {
      ++counts.duplicates;
    } else if (any_ && line.time > newest_ + schema_.max_time_jump) {
      ++counts.dead_letters;
    } else if (event && any_ &&
               line.time < reached_ - schema_.out_of_orderness - schema_.allowed_lateness) {
      ++counts.late;
    } else {
      ++counts.accepted;
      ids.push_back(line.id);
      newest_ = any_ ? std::max(newest_, line.time) : line.time;
      const Millis reached = std::min(line.reached.value_or(newest_), newest_);
      reached_ = any_ ? std::max(reached_, reached) : reached;
      any_ = true;
      if (event) newest_of_[line.id] = std::max(line.time, newest_of_[line.id]);
    }
  }

  IngestCounts counts;
  std::vector<std::string> ids;  ///< of the accepted records, in order

 private:
  const Schema& schema_;
  bool any_ = false;
  Millis newest_ = 0;
  Millis reached_ = 0;
  std::map<std::string, Millis> newest_of_;
};

/// A stream that walks through time and does everything that can go wrong. `in_parts`: from parts
/// of which some are behind most of the time.
inline std::vector<Line> troubled_stream(std::size_t count, bool in_parts = false) {
  KeyedGenerator draws(7);
  std::vector<Line> lines;
  Millis now = 1'600'000'000'000;
  for (std::size_t i = 0; i < count; ++i) {
    now += static_cast<Millis>(draws.below(2000));
    const double what = draws.uniform();
    const std::string id = std::to_string(i);
    // Ids come back after a few to a few thousand records: within and beyond the horizon.
    const std::string old = std::to_string(i - std::min(i, std::size_t{1} << draws.below(13)));
    const auto back = static_cast<Millis>(draws.below(60'000));
    if (what < 0.03) {
      lines.push_back(bad_line());
    } else if (what < 0.05) {
      lines.push_back(event_at(id, now + 2 * kDay));
    } else if (what < 0.15) {
      lines.push_back(event_at(old, now - back));
    } else if (what < 0.25) {
      lines.push_back(label_at(old, now - 100 * back));
    } else {
      lines.push_back(event_at(id, what < 0.5 ? now - back : now));
    }
    if (!in_parts || what < 0.03) continue;
    if (i % 5 != 0) lines.back().reached = now - static_cast<Millis>(draws.below(600'000));
    if (i % 97 == 0) lines.push_back({Line::Kind::time, "", now - static_cast<Millis>(back)});
  }
  return lines;
}

}  // namespace freshet
