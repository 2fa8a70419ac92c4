#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "registry/registry.h"
#include "stream/row_store.h"

namespace freshet {

/// Where a version's answer to a question comes from.
enum class AnswerSource {
  served,    ///< recorded while it was the live champion
  recorded,  ///< recorded as a learner's
  scored,    ///< its stored weights, which had seen no label that became known after the question
};
inline constexpr std::size_t kAnswerSources = 3;
const char* name_of(AnswerSource source);

/// Questions [begin, end) that a version answers honestly in one way.
struct AnswerStretch {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  AnswerSource source = AnswerSource::served;
  std::string artifact;  ///< scored: sha256 of the weights
};

/// All that a version can honestly answer, in asked order, without overlap.
struct AnswerSources {
  std::uint64_t first_row = 0;  ///< the first row that may count
  std::vector<AnswerStretch> stretches;
};

/// The answers of `version` to questions below `questions`, by what the registry and the row store
/// hold of it. A champion's answers are those it served while it was live, then those it gave as a
/// learner; a candidate's the other way round; where neither was recorded, those of the newest
/// weights stored of it that knew nothing later than the question. What a question's answer is
/// never changes as the stream goes on. Throws Error{not_found} for a version of which nothing is
/// kept.
AnswerSources answer_sources(const Registry& registry, const std::string& pipeline, RowStore& store,
                             std::uint64_t version, std::uint64_t questions, bool as_champion);

/// A stretch in which both sides have one source each.
struct PairedStretch {
  AnswerStretch candidate;  ///< [begin, end) is the same in both
  AnswerStretch champion;
};

/// Where both have answers, in asked order.
std::vector<PairedStretch> paired(const AnswerSources& candidate, const AnswerSources& champion);

}  // namespace freshet
