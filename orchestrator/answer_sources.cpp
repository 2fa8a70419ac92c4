#include "orchestrator/answer_sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "orchestrator/settled_rows.h"
#include "registry/decision_kinds.h"
#include "stream/error.h"

namespace freshet {

namespace {

using Stretches = std::vector<AnswerStretch>;

// Later ones lie over earlier ones.
void lay_over(Stretches& stretches, const AnswerStretch& top) {
  if (top.begin >= top.end) return;
  Stretches kept;
  for (const AnswerStretch& below : stretches) {
    if (below.begin < top.begin) {
      kept.push_back(below);
      kept.back().end = std::min(below.end, top.begin);
    }
    if (below.end > top.end) {
      kept.push_back(below);
      kept.back().begin = std::max(below.begin, top.end);
    }
  }
  kept.push_back(top);
  stretches = std::move(kept);
}

// The first row that can be of a question asked at or after `question`: rows are numbered as their
// labels become known.
std::uint64_t first_row_of(RowStore& store, std::uint64_t question) {
  if (question <= store.first_question()) return store.first_row();
  if (question >= store.questions()) return store.rows();
  return first_row_known_after(store, store.first_row(), store.rows(), store.position(question));
}

Stretches served(const Registry& registry, const std::string& pipeline, RowStore& store,
                 std::uint64_t version, std::uint64_t questions) {
  Stretches found;
  const auto [begin, end] = store.answered(kServedSeries);
  std::uint64_t live = 0;
  std::uint64_t since = 0;
  const auto close = [&, first = begin, last = end](std::uint64_t until) {
    if (live != version) return;
    found.push_back(
        {std::max(since, first), std::min({until, last, questions}), AnswerSource::served, ""});
  };
  for (const Decision& decision : registry.decisions(pipeline)) {
    if (!changes_champion(decision.kind)) continue;
    const std::uint64_t from = first_question_at(store, questions, decision.position);
    close(from);
    live = decision.to_version;
    since = from;
  }
  close(questions);
  return found;
}

Stretches scored(const Registry& registry, const std::string& pipeline, RowStore& store,
                 std::uint64_t version, std::uint64_t questions, std::uint64_t& first_row) {
  Stretches found;
  for (const Revision& revision : registry.revisions(pipeline, version)) {
    if (revision.artifact.empty() || revision.row > store.rows()) continue;
    // Of rows that were dropped, the first that stays says it later than they would.
    const std::uint64_t known =
        revision.row == 0 ? 0
                          : store.row(std::max(revision.row - 1, store.first_row())).known_position;
    if (found.empty()) first_row = std::min(first_row, revision.row);
    lay_over(found, {first_question_at(store, questions, known), questions, AnswerSource::scored,
                     revision.artifact});
  }
  return found;
}

}  // namespace

const char* name_of(AnswerSource source) {
  switch (source) {
    case AnswerSource::served:
      return "served";
    case AnswerSource::recorded:
      return "recorded";
    case AnswerSource::scored:
      return "scored";
  }
  return "";
}

AnswerSources answer_sources(const Registry& registry, const std::string& pipeline, RowStore& store,
                             std::uint64_t version, std::uint64_t questions, bool as_champion) {
  AnswerSources sources;
  sources.first_row = store.rows();
  sources.stretches = scored(registry, pipeline, store, version, questions, sources.first_row);
  const auto [begin, end] = store.answered(learner_series(version));
  Stretches learner = {{begin, std::min(end, questions), AnswerSource::recorded, ""}};
  if (learner.front().begin >= learner.front().end) learner.clear();
  Stretches live = served(registry, pipeline, store, version, questions);
  if (!as_champion) std::swap(learner, live);
  for (const Stretches& better : {learner, live}) {
    for (const AnswerStretch& stretch : better) {
      if (stretch.begin >= stretch.end) continue;
      sources.first_row = std::min(sources.first_row, first_row_of(store, stretch.begin));
      lay_over(sources.stretches, stretch);
    }
  }
  sources.first_row = std::max(sources.first_row, store.first_row());
  std::sort(sources.stretches.begin(), sources.stretches.end(),
            [](const auto& a, const auto& b) { return a.begin < b.begin; });
  if (sources.stretches.empty()) {
    throw Error(ErrorKind::not_found,
                fmt::format("version {} has answered no question and no weights of it are stored "
                            "(a candidate's are kept from its evaluation on; one that was dropped "
                            "before, or trains still, has none)",
                            version));
  }
  return sources;
}

std::vector<PairedStretch> paired(const AnswerSources& candidate, const AnswerSources& champion) {
  std::vector<PairedStretch> both;
  for (const AnswerStretch& a : candidate.stretches) {
    for (const AnswerStretch& b : champion.stretches) {
      const std::uint64_t begin = std::max(a.begin, b.begin);
      const std::uint64_t end = std::min(a.end, b.end);
      if (begin >= end) continue;
      PairedStretch stretch{a, b};
      stretch.candidate.begin = stretch.champion.begin = begin;
      stretch.candidate.end = stretch.champion.end = end;
      both.push_back(std::move(stretch));
    }
  }
  return both;
}

}  // namespace freshet
