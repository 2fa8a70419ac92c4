#include "orchestrator/reproduce.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "orchestrator/feature_sets.h"
#include "stream/error.h"
#include "stream/event_decoder.h"
#include "trainer/anchor.h"
#include "trainer/artifact.h"

namespace freshet {

namespace {

bool learns_by_itself(const Version& version) { return version.lineage.kind == "learner"; }

/// The rows a learner must have taken to have a revision's weights. A candidate's first revision
/// has the weights it was judged by, which end before the row at which it was promoted.
std::uint64_t taken_end(const Version& version, std::uint64_t row) {
  if (learns_by_itself(version)) return row;
  const bool learned_on = version.promoted_row != 0 && row > version.promoted_row;
  return learned_on ? row : version.lineage.rows_end;
}

void learn_until(Learner& learner, std::uint64_t end, const RowReader& read) {
  constexpr std::uint64_t kRows = 256;
  const std::size_t width = learner.spec().layout.size();
  std::vector<float> vectors(kRows * width);
  std::vector<float> labels(kRows);
  while (learner.next_row() < end) {
    const std::uint64_t begin = learner.next_row();
    const std::uint64_t stop = std::min(begin + kRows, end);
    read(begin, stop, vectors.data(), labels.data());
    for (std::uint64_t row = begin; row < stop; ++row) {
      learner.learn(vectors.data() + (row - begin) * width, labels[row - begin]);
    }
  }
}

}  // namespace

RevisionName parse_revision(std::string_view text) {
  const auto number = [](std::string_view digits) -> std::optional<std::uint64_t> {
    std::uint64_t value = 0;
    const char* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, value);
    if (error != std::errc() || stop != end) return std::nullopt;
    return value;
  };
  const std::size_t at = text.find('@');
  const auto version = number(text.substr(0, at));
  const auto row = at == std::string_view::npos ? std::nullopt : number(text.substr(at + 1));
  if (!version || *version == 0 || (at != std::string_view::npos && !row)) {
    throw Error(ErrorKind::invalid,
                fmt::format("{} names no revision: expected a version, as 12, or one at a row, as "
                            "12@34560; see freshet registry list",
                            quoted(text)));
  }
  return {*version, row};
}

std::uint64_t last_revision_row(const Version& version, std::uint64_t rows) {
  return version.stopped_row != 0 ? version.stopped_row : rows;
}

void require_revision(const Version& version, std::uint64_t row, std::uint64_t rows) {
  const bool learner = learns_by_itself(version);
  if (!learner && version.promoted_row == 0) {
    throw Error(ErrorKind::invalid,
                fmt::format("version {} was never promoted: it has no revisions", version.number));
  }
  const std::uint64_t first = learner ? version.lineage.rows_begin : version.promoted_row;
  const std::uint64_t last = last_revision_row(version, rows);
  if (row >= first && row <= last) return;
  throw Error(ErrorKind::invalid,
              fmt::format("version {} has no revision at row {}: it has them at rows {} to {}{}",
                          version.number, row, first, last,
                          version.stopped_row != 0 ? ", where it stopped learning" : ""));
}

std::uint64_t learned_end(const Version& version, const Recipe& recipe, std::uint64_t row) {
  const std::uint64_t end = taken_end(version, row);
  return std::max(version.lineage.rows_begin, end - end % recipe.batch);
}

ReproducedRevision Reproduction::revision(std::uint64_t number, std::uint64_t row, bool anchors) {
  const Version version = history_.version(number);
  ReproducedRevision made;
  const auto learned = learner(version, taken_end(version, row), anchors, made.from);
  made.artifact = write_artifact(learned->spec(), *learned->state());
  made.learned_end = learned->learned_end();
  return made;
}

std::unique_ptr<Learner> Reproduction::learner(const Version& version, std::uint64_t row,
                                               bool anchors, std::string& from) {
  if (row > store_.rows()) {
    throw Error(ErrorKind::not_found,
                fmt::format("the stored rows end at {}, before row {}", store_.rows(), row));
  }
  std::unique_ptr<Learner> made = anchors ? anchored(version, row, from) : nullptr;
  if (made == nullptr) made = from_lineage(version, anchors, from);
  learn_until(*made, row, reader(version));
  return made;
}

std::unique_ptr<Learner> Reproduction::anchored(const Version& version, std::uint64_t row,
                                                std::string& from) {
  std::vector<Revision> revisions = history_.revisions(version.number);
  std::erase_if(revisions,
                [&](const Revision& r) { return r.learner_state.empty() || r.row > row; });
  std::sort(revisions.begin(), revisions.end(),
            [](const Revision& a, const Revision& b) { return a.row > b.row; });
  for (const Revision& revision : revisions) {
    try {
      const std::string state = history_.artifact(revision.learner_state);
      auto learner = std::make_unique<Learner>(
          spec(version), parse_recipe(version.lineage.recipe, config_), version.lineage.seed, 0);
      Decoder decoder(anchor_state(state));
      learner->load(decoder, reader(version));
      from = fmt::format("the anchor {}@{}", version.number, revision.row);
      return learner;
    } catch (const Error& error) {
      // A damaged anchor only costs the way from the one before.
      if (error.kind() != ErrorKind::corrupt && error.kind() != ErrorKind::not_found) throw;
    }
  }
  return nullptr;
}

std::unique_ptr<Learner> Reproduction::from_lineage(const Version& version, bool anchors,
                                                    std::string& from) {
  const Lineage& lineage = version.lineage;
  if (lineage.kind == "cut") {
    return learner(history_.version(lineage.parent), lineage.rows_end, anchors, from);
  }
  if (lineage.kind != "learner") return trained(version, anchors, from);
  from = fmt::format("seed {} at row {}", lineage.seed, lineage.rows_begin);
  return std::make_unique<Learner>(spec(version), parse_recipe(lineage.recipe, config_),
                                   lineage.seed, lineage.rows_begin);
}

std::unique_ptr<Learner> Reproduction::trained(const Version& version, bool anchors,
                                               std::string& from) {
  const Lineage& lineage = version.lineage;
  if (lineage.epochs == 0) {
    throw Error(ErrorKind::conflict,
                fmt::format("version {} was made by an earlier build, which did not record how "
                            "often it went over its rows: it cannot be made again",
                            version.number));
  }
  std::optional<Artifact> warm;
  from = fmt::format("seed {}", lineage.seed);
  if (lineage.kind == "warm") {
    warm = read_artifact(revision(lineage.parent, lineage.parent_row, anchors).artifact);
    from = fmt::format("the weights of {}@{}", lineage.parent, lineage.parent_row);
  }
  from += fmt::format(", {} epochs over rows [{}, {})", lineage.epochs, lineage.rows_begin,
                      lineage.rows_end);
  return retrain(spec(version), parse_recipe(lineage.recipe, config_), lineage.seed,
                 lineage.rows_begin, lineage.rows_end, static_cast<std::uint32_t>(lineage.epochs),
                 warm ? &warm->state : nullptr, reader(version), [] { return false; });
}

ModelSpec Reproduction::spec(const Version& version) const {
  const Recipe recipe = parse_recipe(version.lineage.recipe, config_);
  return {config_.schema.task, answer_width(config_.schema),
          FeatureSet(config_.schema, features_of(config_, recipe)).layout(), recipe.network};
}

RowReader Reproduction::reader(const Version& version) const {
  const std::size_t column = store_.column(version.lineage.feature_identity);
  return [this, column](std::uint64_t begin, std::uint64_t end, float* vectors, float* labels) {
    store_.read_row_vectors(column, begin, end, vectors);
    for (std::uint64_t row = begin; row < end; ++row) {
      *labels++ = static_cast<float>(store_.row(row).label);
    }
  };
}

}  // namespace freshet
