#pragma once

#include <optional>
#include <string>

#include "orchestrator/config_describe.h"

/// The second half of the description of a config's keys: learners and policies, and the whole.
namespace freshet {

template <class V>
void describe_network(V& v, NetworkSpec& network) {
  v.key("kind", Choice<NetworkKind>{network.kind, kNetworks},
        "linear, or mlp: layers of ReLU units");
  v.derived("hidden",
            List{network.hidden,
                 [](std::uint32_t& units) {
                   return Count<std::uint32_t>{units, 1, 8192};
                 },
                 0, 16},
            "mlp: units of each hidden layer; default: [64, 64], linear: none");
}

template <class V>
void describe_replay(V& v, Recipe& recipe) {
  v.derived("kind", Choice<ReplayKind>{recipe.replay, kReplays},
            "Which rows are kept: the recent ones (streams that drift), or a reservoir "
            "(stationary streams only); default: recent where `replay` stands, else none");
  v.key("capacity", Count<std::uint32_t>{recipe.replay_capacity, 1, 10'000'000},
        "Rows kept, at most");
  v.key("share", Number{recipe.replay_share, 0, 0.95}, "Of a step's rows, those replayed");
}

template <class V>
void describe_train(V& v, Recipe& recipe) {
  v.key("optimizer", Choice<OptimizerKind>{recipe.optimizer, kOptimizers}, "How weights move");
  v.derived("learning_rate", Number{recipe.learning_rate, 0, 100, true},
            "The optimizer's step; default: 0.003, sgd: 0.05");
  v.key("weight_decay", Number{recipe.weight_decay, 0, 10},
        "adamw: decoupled; sgd, adam: L2 on the weights");
  v.key("momentum", Number{recipe.momentum, 0, 1, false, true}, "sgd only");
  v.key("batch", Count<std::uint32_t>{recipe.batch, 1, 65536}, "New rows a batch");
  v.key("steps", Count<std::uint32_t>{recipe.steps, 1, 1000}, "Optimizer steps a batch");
  v.key("replay", Object{[&](auto& o) { describe_replay(o, recipe); }},
        "Earlier rows learned again beside the new ones");
  v.key("class_weights",
        List{recipe.class_weights,
             [](double& weight) {
               return Number{weight, 0, 1e6, true};
             }},
        "A weight for each class (binary: for 0, for 1); empty: all 1");
  v.key("clip_gradient_norm", Number{recipe.clip_gradient_norm}, "0: no clipping");
  v.key("loss", Choice<RegressionLoss>{recipe.loss, kRegressionLosses},
        "regression only: the loss on the standardised label");
}

template <class V>
void describe_learner(V& v, Recipe& recipe) {
  v.required("name", Text{recipe.name}, "The recipe's name");
  v.key("network", Object{[&](auto& o) { describe_network(o, recipe.network); }},
        "The model's shape");
  v.key("train", Object{[&](auto& o) { describe_train(o, recipe); }}, "How it learns");
  const auto feature = [](FeatureSpec& item) {
    return Object{[&item](auto& o) { describe_feature(o, item); }};
  };
  std::optional<std::vector<FeatureSpec>> own;
  if (!recipe.features.empty()) own = recipe.features;
  v.key("features",
        Maybe{own,
              [&](std::vector<FeatureSpec>& list) {
                return List{list, feature, 1};
              }},
        "What its network sees, in the form of the pipeline's `features`; default: those");
  recipe.features = own.value_or(std::vector<FeatureSpec>{});
}

template <class V>
void describe_trigger(V& v, TriggerSpec& trigger) {
  std::optional<std::uint64_t> rows;
  std::optional<Millis> every;
  if (trigger.rows != 0) rows = trigger.rows;
  if (trigger.every != 0) every = trigger.every;
  v.unsupported("drift");
  v.unsupported("performance");
  v.exactly_one({{"rows"}, {"every"}});
  v.key("rows",
        Maybe{rows,
              [](std::uint64_t& n) {
                return Count<std::uint64_t>{n, 1};
              }},
        "Every so many rows");
  v.key("every",
        Maybe{every,
              [](Millis& time) {
                return Duration{time, 1};
              }},
        "Every so much event time");
  trigger = {rows.value_or(0), every.value_or(0)};
}

template <class V>
void describe_action(V& v, RetrainAction& action) {
  std::optional<std::string> fresh, warm, cut;
  if (action.kind == RetrainKind::warm) {
    warm = action.learner;
  } else if (action.kind == RetrainKind::cut) {
    cut = action.learner;
  } else if (!action.learner.empty()) {
    fresh = action.learner;
  }
  const auto text = [](std::string& value) { return Text{value}; };
  v.exactly_one({{"fresh"}, {"warm"}, {"cut"}});
  v.key("fresh", Maybe{fresh, text}, "The learner whose recipe is trained with new weights");
  v.key("warm", Maybe{warm, text}, "The learner whose recipe goes on from the champion's weights");
  v.key("cut", Maybe{cut, text}, "The learner a copy of which is judged");
  v.key("window_rows", Count<std::uint64_t>{action.window_rows, 1},
        "fresh: the newest rows it trains on");
  v.key("epochs", Count<std::uint32_t>{action.epochs, 1, 1000}, "Passes over those rows");
  v.key("follow", Flag{action.follow},
        "Once promoted, it learns on and is followed; false: stays frozen");
  action.kind = warm ? RetrainKind::warm : cut ? RetrainKind::cut : RetrainKind::fresh;
  action.learner = warm ? *warm : cut ? *cut : fresh.value_or("");
}

template <class V>
void describe_retrain(V& v, RetrainPolicy& policy) {
  const auto trigger = [](TriggerSpec& item) {
    return Object{[&item](auto& o) { describe_trigger(o, item); }};
  };
  const auto action = [](RetrainAction& item) {
    return Object{[&item](auto& o) { describe_action(o, item); }};
  };
  v.derived("when", Object{[&](auto& o) {
              o.derived("any", List{policy.when, trigger}, "Each of them is enough");
            }},
            "What orders candidates; default: every 10,000 rows");
  v.derived("do", List{policy.actions, action},
            "The candidates that are made then; default: fresh, by the first learner's recipe");
  v.key("cooldown", Duration{policy.cooldown}, "Event time between two triggers, at least");
  v.key("budget", Object{[&](auto& o) {
          o.key("rows_per_row", Number{policy.rows_per_row, 0, 1e6, true},
                "Rows x steps that retraining does per row that arrives");
          o.unsupported("training_rows_per_hour");
        }},
        "What retraining may cost");
}

template <class V>
void describe_evaluate(V& v, EvaluatePolicy& policy) {
  v.key("metrics", List{policy.metrics, [](std::string& name) { return Text{name}; }},
        "What is reported; empty: all metrics of the task");
  v.key("holdout_rows", Count<std::uint64_t>{policy.holdout_rows},
        "The newest rows a frozen candidate does not learn, so that they can judge it");
  v.key("max_rows", Count<std::uint64_t>{policy.max_rows, 2000},
        "Counted rows after which an undecided evaluation is inconclusive");
  v.key("test", Choice<TestKind>{policy.test, kTests},
        "mixture: normal mixture with long-run variance (asymptotic); bounded: betting, slower, "
        "without assumptions");
  v.key("clip", Number{policy.clip, 0, 0.5, true, true},
        "Probabilities are clipped to [clip, 1 - clip] in the loss");
  v.key("cycle", Maybe{policy.cycle, [](Millis& cycle) { return Duration{cycle}; }, true},
        "Verdicts are read at whole cycles of event time; null: 24h where the log spans more than "
        "two days when an evaluation starts, else none; 0s: none");
  v.key("warmup_rows", Count<std::uint64_t>{policy.warmup_rows, 2000},
        "Rows before the first champion, and from it to the first evaluations");
  v.key("restart_after_rows", Count<std::uint64_t>{policy.restart_after_rows, 1},
        "Rows from a challenger's verdict to its next evaluation");
  v.key("in_flight", Count<std::uint32_t>{policy.in_flight, 1, 64},
        "Evaluations under way at once, at most");
  v.unsupported("slices");
}

template <class V>
void describe_refresh(V& v, RefreshPolicy& policy) {
  v.derived("every_rows", Count<std::uint64_t>{policy.every_rows, 1},
            "Rows from one refresh of the served weights to the next; default: tick_rows");
  v.key("gate", Choice<bool>{policy.on_evidence, kGates},
        "progressive: the champion follows its learner; evidence: no refresh, every change is "
        "judged");
  v.key("keep_every_rows", Count<std::uint64_t>{policy.keep_every_rows, 1},
        "Rows from one kept revision to the next");
}

template <class V>
void describe_promote(V& v, PromotePolicy& policy) {
  v.derived("on", Choice<LossKind>{policy.on, kLosses},
            "The loss that decides; default: log_loss, regression: absolute");
  v.key("margin", Number{policy.margin}, "How much lower a candidate's mean loss must be");
  v.key("alpha", Number{policy.alpha, 0, 1, true, true},
        "Chance of any false promotion, over all evaluations");
  v.key("approval", Choice<bool>{policy.automatic, kApprovals},
        "manual: a promotion waits for an operator");
  v.key("refresh", Object{[&](auto& o) { describe_refresh(o, policy.refresh); }},
        "How the champion follows its learner");
  v.unsupported("guardrails");
  v.key("probation", Object{[&](auto& o) {
          ProbationPolicy& probation = policy.probation;
          o.key("rows", Count<std::uint64_t>{probation.rows, 1}, "How long it lasts");
          o.key("tolerance", Number{probation.tolerance}, "Mean loss it may be worse by");
          o.key("alpha_rollback", Number{probation.alpha_rollback, 0, 1, true, true},
                "Chance of a false rollback");
          o.unsupported("false_alarm_blocks");
        }},
        "After a promotion: back to the version before if the new one is shown to be worse");
}

template <class V>
void describe(V& v, PipelineConfig& config) {
  const auto feature = [](FeatureSpec& item) {
    return Object{[&item](auto& o) { describe_feature(o, item); }};
  };
  const auto learner = [](Recipe& item) {
    return Object{[&item](auto& o) { describe_learner(o, item); }};
  };
  v.required("pipeline", Text{config.pipeline},
             "The pipeline's name: letters, digits, '.', '_' and '-', 64 at most");
  v.required("task", Choice<Task>{config.schema.task, kTasks}, "What a label is");
  v.key("seed", Count<std::uint64_t>{config.seed},
        "Of everything random; equal configs over equal logs give equal bits");
  v.key("tick_rows", Count<std::uint64_t>{config.tick_rows, 1, 1'000'000},
        "Decisions are made every so many rows");
  v.required("stream", Object{[&](auto& o) { describe_stream(o, config); }},
             "The events and their labels");
  v.derived("features", List{config.features, feature},
            "What networks see; default: every field by its kind");
  v.derived("learners", List{config.learners, learner, 0, 64},
            "Models that learn every row; the best serves, the others challenge it; default: a "
            "network (steady) and a linear model (linear)");
  v.key("retrain", Object{[&](auto& o) { describe_retrain(o, config.retrain); }},
        "Frozen candidates: when they are made and how");
  v.key("evaluate", Object{[&](auto& o) { describe_evaluate(o, config.evaluate); }},
        "How candidates are judged");
  v.key("promote", Object{[&](auto& o) { describe_promote(o, config.promote); }}, "What goes live");
  const auto sink = [](KafkaOutput& output) {
    return Object{[&output](auto& o) { describe_sink(o, output); }};
  };
  v.key("sink", Maybe{config.sink, sink},
        "Topics of Apache Kafka that decisions and predictions are published to");
}

}  // namespace freshet
