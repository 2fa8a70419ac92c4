#include <fmt/format.h>

#include <utility>

#include "orchestrator/build_identity.h"
#include "orchestrator/config_recorded.h"
#include "orchestrator/pipeline.h"
#include "trainer/train_step.h"

namespace freshet {

namespace {

void put_revision(Encoder& to, const ServedRevision& revision) {
  to.put(revision.version).put(revision.row).put(static_cast<std::uint64_t>(revision.recipe));
  to.put(revision.snapshot.row).put(std::string_view(revision.artifact));
}

void put_candidate(Encoder& to, const Candidate& c) {
  to.put(c.version).put(c.kind).put(static_cast<std::uint64_t>(c.recipe)).put(c.seed);
  to.put(c.begin).put(c.end).put(c.epochs).put(c.join_row).put(c.trigger_position);
  to.put(static_cast<std::uint8_t>(c.by_hand)).put(static_cast<std::uint8_t>(c.follow));
  to.put(static_cast<std::uint8_t>(c.collected)).put(static_cast<std::uint8_t>(c.joined));
  to.put(std::string_view(c.warm_start));
}

Candidate get_candidate(Decoder& from) {
  Candidate c;
  c.version = from.get<std::uint64_t>();
  c.kind = from.get<RetrainKind>();
  c.recipe = from.get<std::uint64_t>();
  c.seed = from.get<std::uint64_t>();
  c.begin = from.get<std::uint64_t>();
  c.end = from.get<std::uint64_t>();
  c.epochs = from.get<std::uint32_t>();
  c.join_row = from.get<std::uint64_t>();
  c.trigger_position = from.get<std::uint64_t>();
  c.by_hand = from.get<std::uint8_t>() != 0;
  c.follow = from.get<std::uint8_t>() != 0;
  c.collected = from.get<std::uint8_t>() != 0;
  c.joined = from.get<std::uint8_t>() != 0;
  c.warm_start = std::string(from.text());
  return c;
}

void put_version(Encoder& to, const KnownVersion& known) {
  const Lineage& l = known.record.lineage;
  to.put(known.record.number).put(static_cast<std::uint64_t>(known.recipe));
  for (const std::string& text : {l.kind, l.recipe, l.recipe_name, l.feature_identity, l.build,
                                  l.profile, known.record.status}) {
    to.put(std::string_view(text));
  }
  to.put(l.rows_begin).put(l.rows_end).put(l.knowledge_position).put(l.parent).put(l.seed);
  to.put(known.record.created_row).put(known.record.created_time);
  to.put(l.parent_row).put(l.epochs).put(known.record.promoted_row).put(known.record.stopped_row);
}

std::string bits_depend_on() {
  return fmt::format("{}, profile {}", build_identity(), isa_profile());
}

void put_mark(Encoder& to, const Mark& mark) {
  to.put(mark.question).put(mark.row).put(mark.position).put(mark.watermark).put(mark.bytes);
}

Mark get_mark(Decoder& from) {
  Mark mark;
  mark.question = from.get<std::uint64_t>();
  mark.row = from.get<std::uint64_t>();
  mark.position = from.get<std::uint64_t>();
  mark.watermark = from.get<Millis>();
  mark.bytes = from.get<std::uint64_t>();
  return mark;
}

constexpr std::uint32_t kStateFormat = 4;

KnownVersion get_version(Decoder& from) {
  KnownVersion known;
  Lineage& l = known.record.lineage;
  known.record.number = from.get<std::uint64_t>();
  known.recipe = from.get<std::uint64_t>();
  for (std::string* text : {&l.kind, &l.recipe, &l.recipe_name, &l.feature_identity, &l.build,
                            &l.profile, &known.record.status}) {
    *text = std::string(from.text());
  }
  for (std::uint64_t* number :
       {&l.rows_begin, &l.rows_end, &l.knowledge_position, &l.parent, &l.seed}) {
    *number = from.get<std::uint64_t>();
  }
  known.record.created_row = from.get<std::uint64_t>();
  known.record.created_time = from.get<Millis>();
  for (std::uint64_t* number :
       {&l.parent_row, &l.epochs, &known.record.promoted_row, &known.record.stopped_row}) {
    *number = from.get<std::uint64_t>();
  }
  return known;
}

template <class Counts, class Each>
void each_count(Counts& c, const Each& each) {
  each(c.refreshes), each(c.held_back), each(c.candidates), each(c.promotions);
  each(c.rejections), each(c.inconclusive), each(c.superseded), each(c.rollbacks);
}

void check_format(Decoder& from) {
  const auto format = from.get<std::uint32_t>();
  if (format == kStateFormat) return;
  throw Error(
      ErrorKind::corrupt,
      fmt::format("the checkpoint has state format {}, this build reads {}", format, kStateFormat));
}

}  // namespace

// The parts that a fingerprint is made of hold nothing but what the log and the commands determine.
void Pipeline::save(CheckpointRecord& record) const {
  Encoder to;
  const auto part = [&](const char* name, const auto& put) {
    const std::size_t begin = to.bytes().size();
    put();
    record.parts.push_back({name, begin, to.bytes().size()});
  };
  to.put(kStateFormat).put(std::string_view(write_config(config_)));
  put_mark(to, kept_);
  asker_.save(to);
  part("live", [&] {
    scoreboard_.save(to);
    each_count(counts_, [&](std::uint64_t count) { to.put(count); });
  });
  to.put(position_).put(row_).put(question_).put(watermark_).put(settled_question_);
  to.put(log_bytes_).put(first_time_);
  for (const std::deque<Mark>& marks : {marks_, committed_kept_}) {
    to.put(static_cast<std::uint64_t>(marks.size()));
    for (const Mark& mark : marks) put_mark(to, mark);
  }
  to.put(static_cast<std::uint64_t>(versions_.size()));
  for (const auto& [number, known] : versions_) put_version(to, known);
  asker_.save_features(to);
  part("learners", [&] { save_learners(to); });
  to.put(static_cast<std::uint8_t>(champion_.has_value()));
  if (champion_) put_revision(to, *champion_);
  to.put(static_cast<std::uint8_t>(previous_.has_value()));
  if (previous_) put_revision(to, *previous_);
  to.put(static_cast<std::uint8_t>(followed_)).put(static_cast<std::uint8_t>(paused_));
  to.put(static_cast<std::uint8_t>(holding_)).put(champion_question_).put(first_champion_row_);
  to.put(static_cast<std::uint64_t>(candidates_.size()));
  for (const Candidate& c : candidates_) {
    put_candidate(to, c);
    if (c.collected || c.kind == RetrainKind::cut) {
      to.put(std::string_view(learning_.save(c.version)));
    }
  }
  part("evaluation_state", [&] { save_evaluations(to); });
  to.put(next_version_).put(next_decision_).put(next_evaluation_).put(applied_command_);
  to.put(trigger_row_).put(trigger_time_).put(last_trigger_time_);
  to.put(std::string_view(bits_depend_on()));
  record.state = to.take();
}

void Pipeline::save_learners(Encoder& to) const {
  to.put(static_cast<std::uint64_t>(learners_.size()));
  for (const ActiveLearner& l : learners_) {
    to.put(l.version).put(static_cast<std::uint64_t>(l.recipe)).put(l.seed).put(l.started_row);
    to.put(l.restart_row).put(static_cast<std::uint8_t>(l.retiring));
    to.put(static_cast<std::uint8_t>(l.stopped));
    to.put(std::string_view(learning_.save(l.version)));
  }
}

void Pipeline::save_evaluations(Encoder& to) const {
  to.put(static_cast<std::uint64_t>(trials_.size()));
  for (const Trial& t : trials_) {
    to.put(t.number).put(t.candidate).put(static_cast<std::uint8_t>(t.challenger));
    to.put(t.start_question).put(t.start_row);
    t.evaluation.save(to);
  }
  to.put(static_cast<std::uint8_t>(probation_.has_value()));
  if (probation_) {
    to.put(probation_->start_question).put(probation_->rows);
    to.put(static_cast<std::uint8_t>(probation_->concluded));
    probation_->evaluation.save(to);
  }
}

std::uint64_t settled_questions(const CheckpointRecord& record, const Schema& schema) {
  Decoder from(record.state);
  check_format(from);
  from.text();  // the config
  get_mark(from);
  return Asker::load_settled(from, schema);
}

Mark kept_mark(const CheckpointRecord& record) {
  Decoder from(record.state);
  check_format(from);
  from.text();  // the config
  return get_mark(from);
}

void Pipeline::load(const CheckpointRecord& record) {
  Decoder from(record.state);
  check_format(from);
  // The config in force then, which may not be the newest.
  config_ = parse_recorded_config(std::string(from.text()), "checkpoint");
  config_hash_ = freshet::config_hash(config_);
  cuts_ = makes_cuts(config_);
  scoreboard_.config_changed();
  kept_ = get_mark(from);
  asker_.load(from);
  scoreboard_.load(from);
  each_count(counts_, [&](std::uint64_t& count) { count = from.get<std::uint64_t>(); });
  position_ = from.get<std::uint64_t>();
  row_ = from.get<std::uint64_t>();
  question_ = from.get<std::uint64_t>();
  watermark_ = from.get<Millis>();
  settled_question_ = from.get<std::uint64_t>();
  log_bytes_ = from.get<std::uint64_t>();
  first_time_ = from.get<Millis>();
  for (std::deque<Mark>* marks : {&marks_, &committed_kept_}) {
    for (auto n = from.get<std::uint64_t>(); n > 0; --n) marks->push_back(get_mark(from));
  }
  committed(kept_);
  last_checkpoint_row_ = row_;
  last_checkpoint_question_ = question_;
  for (auto n = from.get<std::uint64_t>(); n > 0; --n) {
    KnownVersion known = get_version(from);
    versions_.emplace(known.record.number, std::move(known));
  }
  load_recipes();
  asker_.load_features(from);
  load_learners(from);
  load_champion(from);
  load_candidates(from);
  load_evaluations(from);
  next_version_ = from.get<std::uint64_t>();
  next_decision_ = from.get<std::uint64_t>();
  next_evaluation_ = from.get<std::uint64_t>();
  applied_command_ = from.get<std::uint64_t>();
  trigger_row_ = from.vector<std::uint64_t>();
  trigger_time_ = from.vector<Millis>();
  last_trigger_time_ = from.get<Millis>();
  note_other_build(std::string(from.text()));
  if (champion_damage_) fall_back();
}

// From here on the same rows may give other bits than they would have there.
void Pipeline::note_other_build(const std::string& before) {
  if (before == bits_depend_on()) return;
  decide(
      new_decision("build_changed", fmt::format("build changed at row {}: {} until here, {} from "
                                                "here on; weights may differ in their last bits",
                                                row_, before, bits_depend_on())));
}

void Pipeline::load_learners(Decoder& from) {
  for (auto n = from.get<std::uint64_t>(); n > 0; --n) {
    ActiveLearner l;
    l.version = from.get<std::uint64_t>();
    l.recipe = from.get<std::uint64_t>();
    l.seed = from.get<std::uint64_t>();
    l.started_row = from.get<std::uint64_t>();
    l.restart_row = from.get<std::uint64_t>();
    l.retiring = from.get<std::uint8_t>() != 0;
    l.stopped = from.get<std::uint8_t>() != 0;
    learning_.load(l.version, l.recipe, std::string(from.text()), true);
    learners_.push_back(l);
  }
}

// Each recipe was a learner's, whose lineage holds it.
void Pipeline::load_recipes() {
  for (const auto& [number, known] : versions_) {
    if (known.recipe < recipes_.size() && known.record.lineage.kind != "learner") continue;
    if (recipes_.size() <= known.recipe) recipes_.resize(known.recipe + 1);
    recipes_[known.recipe] = parse_recipe(known.record.lineage.recipe, config_);
  }
  for (const Recipe& recipe : recipes_) asker_.add_features(recipe, kept_.question);
  for (auto& [number, known] : versions_) {
    known.features = asker_.features().index_of(config_.schema, recipes_[known.recipe]);
  }
  learning_.use_recipes(recipes_);
}

void Pipeline::load_champion(Decoder& from) {
  const auto get = [&](std::optional<ServedRevision>& revision) {
    if (from.get<std::uint8_t>() == 0) return;
    revision.emplace();
    revision->version = from.get<std::uint64_t>();
    revision->row = from.get<std::uint64_t>();
    revision->recipe = from.get<std::uint64_t>();
    const auto learned = from.get<std::uint64_t>();
    revision->artifact = std::string(from.text());
    revision->snapshot =
        learning_.from_artifact(journal_.get_artifact(revision->artifact), learned);
  };
  // A damaged champion is never served; what it was is kept for the receipt.
  try {
    get(champion_);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corrupt && error.kind() != ErrorKind::not_found) throw;
    champion_damage_ = error.what();
  }
  try {
    get(previous_);
  } catch (const Error&) {
    if (champion_damage_) throw;
    previous_.reset();
  }
  followed_ = from.get<std::uint8_t>() != 0;
  paused_ = from.get<std::uint8_t>() != 0;
  holding_ = from.get<std::uint8_t>() != 0;
  champion_question_ = from.get<std::uint64_t>();
  first_champion_row_ = from.get<std::uint64_t>();
}

void Pipeline::load_candidates(Decoder& from) {
  for (auto n = from.get<std::uint64_t>(); n > 0; --n) {
    Candidate c = get_candidate(from);
    if (c.collected || c.kind == RetrainKind::cut) {
      learning_.load(c.version, c.recipe, std::string(from.text()), false);
    } else {
      place_order(c);
    }
    candidates_.push_back(std::move(c));
  }
}

void Pipeline::load_evaluations(Decoder& from) {
  for (auto n = from.get<std::uint64_t>(); n > 0; --n) {
    const auto number = from.get<std::uint64_t>();
    const auto candidate = from.get<std::uint64_t>();
    const bool challenger = from.get<std::uint8_t>() != 0;
    const auto question = from.get<std::uint64_t>();
    const auto row = from.get<std::uint64_t>();
    trials_.push_back({number, candidate, challenger, question, row, Evaluation::load(from)});
  }
  if (from.get<std::uint8_t>() != 0) {
    const auto question = from.get<std::uint64_t>();
    const auto rows = from.get<std::uint64_t>();
    const bool concluded = from.get<std::uint8_t>() != 0;
    probation_.emplace(Probation{question, rows, concluded, Evaluation::load(from)});
  }
}

void Pipeline::fall_back() {
  const std::string damage = *std::exchange(champion_damage_, std::nullopt);
  if (!previous_) {
    throw Error(ErrorKind::corrupt,
                damage +
                    "; there is no previous version to serve instead: restore a backup "
                    "(freshet workspace restore), or go through the log again in a new "
                    "workspace (freshet run CONFIG --from-log W --workspace NEW)");
  }
  set_status(champion_->version, "quarantined");
  Decision receipt = new_decision(
      "quarantined", fmt::format("version {} is not served: {}; version {} serves instead",
                                 champion_->version, damage, previous_->version));
  champion_->snapshot = {};
  ServedRevision target = *previous_;
  for (const Trial& trial : trials_) record_trial(trial, "superseded", "superseded", "");
  trials_.clear();
  receipt.from_version = champion_->version;
  receipt.from_row = champion_->row;
  paused_ = true;
  followed_ = false;
  serve(std::move(target), std::move(receipt));
  end_probation();
}

}  // namespace freshet
