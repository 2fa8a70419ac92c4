#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/asker.h"
#include "orchestrator/config.h"
#include "orchestrator/journal.h"
#include "orchestrator/learning.h"
#include "orchestrator/pipeline_state.h"
#include "orchestrator/scoreboard.h"
#include "stream/event_log.h"
#include "stream/row_store.h"

namespace freshet {

/// One model kept fresh: asks, learns, judges and decides, in the order of the log.
///
///   Pipeline pipeline(config, log, store, learning, journal);
///   pipeline.begin();  or  pipeline.load(checkpoint);
///   while (running) pipeline.advance(log.head());   // as often as there is more
///   pipeline.checkpoint();                          // before leaving
///
/// Everything is decided at ticks (every `tick_rows` rows), commands apart; the segment being
/// asked runs ahead of the one being judged, and learning goes on beside both: none of it can
/// change a bit. Used by one thread (the pipeline thread).
class Pipeline {
 public:
  Pipeline(const PipelineConfig& config, const EventLog& log, RowStore& store, Learning& learning,
           Journal& journal);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  /// A new pipeline: its learners start with the first row.
  void begin();
  /// Goes on from a checkpoint; the store must have been cut back to it.
  void load(const CheckpointRecord& record);

  /// Goes through the records below `head`, at most `max_segments` segments of them; true when
  /// there is more. Checkpoints are made on the way.
  bool advance(std::uint64_t head, std::size_t max_segments);

  /// Goes through the record that was begun and judges what was asked ahead, asking nothing more:
  /// commands take effect here.
  void drain();

  /// Commits the state as it stands to the journal. `alone`: older checkpoints can't be gone on
  /// from any more, and go.
  void checkpoint(bool alone = false);

  /// Commands recorded but not in the state yet: each takes effect when the pipeline has come to
  /// its position, as it did before.
  void replay(std::vector<CommandRecord> commands);
  bool replayed() const { return commands_.empty(); }
  /// A command takes effect here and now. Throws as the functions below, with nothing changed.
  /// What a command leaves open must be filled in before (`resolved`).
  /// Follow with checkpoint().
  void apply(const CommandRecord& command);
  /// A command with what it leaves open filled in as things stand here: the revision that a
  /// rollback without one goes to (a version's last; of no version: the alias `previous`), the
  /// config that another takes the place of.
  CommandRecord resolved(CommandRecord command);

  // What commands do; each is a decision.
  void promote(std::uint64_t version, const std::string& reason);
  /// To a version as of a row: one that has served, or could have (it is learned again where it is
  /// not stored). Refresh and automatic promotion pause.
  void roll_back(std::uint64_t version, std::uint64_t row, const std::string& reason);
  void pause(const std::string& reason);
  void resume(const std::string& reason);
  /// Orders the retrain actions now; their evidence starts at this position. Error{conflict} where
  /// there are none, or no champion yet.
  void train(const std::string& reason);
  /// `next` is in force from here on. Running evaluations were begun under the old config and end.
  /// A new or changed recipe starts a learner, which learns all rows up to here first; the learner
  /// of one that is gone stops (the champion's: once another version serves and its probation is
  /// over). Throws Error{conflict} naming what would need a new workspace.
  void apply_config(const PipelineConfig& next, const std::string& reason);
  /// A person's data go from the log, the rows and what learners replay; open questions of theirs
  /// are given up. `command` is an erase command, for this position; gives its decision. Once it
  /// was begun it must be done: after an error, by a new start.
  Decision erase(const CommandRecord& command);

  /// In force now; `apply` changes it.
  const PipelineConfig& config() const { return config_; }
  const std::string& config_hash() const { return config_hash_; }
  const std::string& recipe_name(std::size_t recipe) const { return recipes_.at(recipe).name; }

  /// Answers with the champion as it is; nullptr before the first one.
  const ServedRevision* champion() const { return champion_ ? &*champion_ : nullptr; }
  const ServedRevision* previous() const { return previous_ ? &*previous_ : nullptr; }
  const PipelineCounts& counts() const { return counts_; }
  const Scoreboard& scoreboard() const { return scoreboard_; }
  const std::vector<ActiveLearner>& learners() const { return learners_; }
  const LabelCounts& labels() const { return asker_.join().counts(); }
  std::uint64_t open_questions() const { return asker_.join().open(); }
  std::uint64_t rows() const { return row_; }
  /// What a revision's answers are made from: its own features or the pipeline's.
  const std::vector<FeatureSpec>& features(const ServedRevision& revision) const {
    return freshet::features_of(config_, recipes_.at(revision.recipe));
  }
  /// A version as the pipeline knows it, recorded or to be recorded.
  const Version& version(std::uint64_t number) const { return versions_.at(number).record; }
  std::uint64_t position() const { return position_; }
  /// What is before it may have been deleted (stream.keep).
  const Mark& kept() const { return kept_; }
  Millis watermark() const { return watermark_; }
  /// The evaluations under way, as they stand.
  std::vector<EvaluationRecord> running_evaluations() const;
  /// Settled rows that a first champion still needs.
  std::uint64_t missing_rows() const;
  bool paused() const { return paused_; }
  bool holding() const { return holding_; }
  /// Decisions made since the last call, for progress lines.
  std::vector<Decision> take_news();

 private:
  // pipeline_commands.cpp: recorded commands.
  bool command_due() const;
  void apply_due_command();

  // pipeline.cpp: the flow.
  /// Learning runs ahead of judging, but not past a tick that may need a learner as it is.
  void post_ahead();
  bool wants_learner(const Segment& segment) const;
  bool anchor_row(std::uint64_t row) const;
  void judge(const Segment& segment);
  void record_answers(const Segment& segment);
  void answer_served(const Segment& segment);
  void feed_trial(const SettledRows& rows, Trial& trial);
  std::vector<double> frozen_losses(const SettledRows& rows, std::size_t first,
                                    std::uint64_t version, const Model& model);
  /// Which feature set a version learned from.
  std::size_t features_of(std::uint64_t version) const;
  void feed_probation(const SettledRows& rows);
  std::vector<std::uint64_t> active_versions() const;

  // pipeline_tick.cpp: what a tick decides, in this order.
  void tick();
  void tick_stopped_learners();
  void tick_first_champion();
  void tick_refresh();
  void tick_probation();
  void tick_verdicts();
  void tick_challengers();
  void tick_candidates();
  void tick_triggers();
  void tick_anchor();
  void tick_retention();
  /// Looks at a trial if a look is due; true when it ended in a promotion (trials_ has changed).
  bool look(std::size_t trial);
  void conclude(std::size_t trial, const Verdict& verdict);

  // pipeline_champion.cpp, pipeline_rollback.cpp: who serves.
  void serve(ServedRevision revision, Decision decision);
  void promote_version(std::uint64_t version, Decision decision);
  void take_recipe_place(const Candidate& candidate);
  void end_trial_by_hand(std::uint64_t candidate);
  void supersede_trials(std::uint64_t except);
  void start_probation(std::uint64_t version, const Trial* trial);
  void end_probation();
  void roll_back_to(ServedRevision revision, Decision decision);
  ServedRevision revision_now(std::uint64_t version);
  std::vector<Revision> revisions_of(std::uint64_t version) const;
  ServedRevision revision_at(std::uint64_t version, std::uint64_t row);
  void refuse_erased(std::uint64_t version, std::uint64_t row) const;
  void store_artifact(ServedRevision& revision);
  void keep_anchor(std::uint64_t version);

  // pipeline_apply.cpp: another config.
  static bool makes_cuts(const PipelineConfig& config);
  void drop_stale_candidates();
  void stop_learners();
  void start_learners();
  /// With new weights from the first row on; gives its version.
  std::uint64_t start_learner(std::size_t recipe);
  void retire(std::size_t learner);
  bool in_force(const Recipe& recipe) const;
  std::size_t recipe_index(const std::string& name) const;

  // pipeline_erase.cpp: a person's data.
  void forget_learned_rows();

  // pipeline_retention.cpp: what stream.keep lets go.
  void add_mark();
  bool within_limits(const Mark& mark) const;
  std::uint64_t first_row_needed() const;
  std::uint64_t first_question_needed() const;
  /// There is a new commit; gives what the oldest of those that may be gone back to needs.
  std::optional<Mark> committed(const Mark& kept);
  void forget_old();

  // pipeline_candidates.cpp: frozen candidates.
  void order_candidate(const RetrainAction& action, bool by_hand, const std::string& trigger);
  void place_order(const Candidate& candidate);
  void keep_candidate(const Candidate& candidate);
  /// The version that learns by a recipe now.
  std::uint64_t learner_of(std::size_t recipe) const;
  void join_candidate(Candidate& candidate);
  void refuse_candidate(const Candidate& candidate, const std::string& why);
  void drop_candidate(std::uint64_t version, const std::string& status);
  std::uint64_t holdout_rows() const;
  void backfill(std::uint64_t number, std::uint64_t from_row);

  // pipeline_records.cpp: what goes into the registry.
  Decision new_decision(const std::string& kind, const std::string& reason) const;
  void decide(Decision decision);
  EvaluationRecord describe(const Trial& trial) const;
  void record_trial(const Trial& trial, const std::string& status, const std::string& reason,
                    const std::string& sentence);
  Lineage describe(std::size_t recipe, std::uint64_t seed, Lineage lineage) const;
  std::uint64_t add_version(std::size_t recipe, Lineage lineage, const std::string& status);
  void set_status(std::uint64_t version, const std::string& status);
  EvaluationPolicy evaluation_policy(Millis started) const;

  // pipeline_checkpoint.cpp: all state, saved and loaded.
  void save(CheckpointRecord& record) const;
  void save_learners(Encoder& to) const;
  void save_evaluations(Encoder& to) const;
  void load_recipes();
  void load_learners(Decoder& from);
  void load_champion(Decoder& from);
  void load_candidates(Decoder& from);
  void load_evaluations(Decoder& from);
  void fall_back();
  void note_other_build(const std::string& before);

  PipelineConfig config_;  ///< in force; Asker and Scoreboard read it here
  std::string config_hash_;
  std::vector<Recipe> recipes_;  ///< all that were ever in force, in the order they came
  RowStore& store_;
  Learning& learning_;
  Journal& journal_;
  Asker asker_;
  Scoreboard scoreboard_;

  // Segments asked ahead of the one being judged; front() is next.
  std::vector<Segment> spare_;
  std::deque<Segment> asked_;
  std::size_t posted_ = 0;  ///< how many of them were given to the learners
  bool cuts_;               ///< the policy may cut a candidate from a learner at any tick

  // As of the last segment judged.
  std::uint64_t position_ = 0;
  std::uint64_t row_ = 0;
  std::uint64_t question_ = 0;
  Millis watermark_ = Watermark::kNone;
  std::uint64_t log_bytes_ = 0;
  Millis first_time_ = 0;               ///< event time of the first question
  std::uint64_t settled_question_ = 0;  ///< questions below it were judged

  std::vector<ActiveLearner> learners_;
  std::map<std::uint64_t, KnownVersion> versions_;
  std::optional<ServedRevision> champion_;
  std::optional<ServedRevision> previous_;
  bool followed_ = false;  ///< the champion's learner is followed
  bool paused_ = false;
  bool holding_ = false;                 ///< the brake holds the refresh back
  std::uint64_t champion_question_ = 0;  ///< questions from here on were asked after its promotion
  std::uint64_t first_champion_row_ = 0;
  std::vector<Candidate> candidates_;
  std::vector<Trial> trials_;
  std::optional<Probation> probation_;
  PipelineCounts counts_;
  std::uint64_t next_version_ = 1;
  std::uint64_t next_decision_ = 1;
  std::uint64_t next_evaluation_ = 1;
  std::deque<Mark> marks_;                  ///< since `kept_`, where stream.keep is set
  Mark kept_;                               ///< what is before it may be deleted
  std::vector<std::uint64_t> trigger_row_;  ///< per trigger: row at which it last fired
  std::vector<Millis> trigger_time_;
  Millis last_trigger_time_ = Watermark::kNone;

  std::deque<CommandRecord> commands_;  ///< to be replayed, by (position, sequence)
  std::uint64_t applied_command_ = 0;   ///< sequence of the last command in the state

  std::deque<Mark> committed_kept_;  ///< kept_ as of the newest commits

  CheckpointRecord pending_;  ///< what the next commit writes
  bool checkpoint_due_ = false;
  std::uint64_t last_checkpoint_row_ = 0;
  std::uint64_t last_checkpoint_question_ = 0;
  std::vector<float> answers_;  ///< reused
  std::vector<Decision> news_;
  std::optional<std::string> champion_damage_;  ///< found while loading
};

}  // namespace freshet
