#include "web/metrics.h"

#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "stream/watermark.h"

namespace freshet {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

/// One family over all pipelines.
class Family {
 public:
  Family(std::string name, std::string help, MetricType type) {
    family_.name = std::move(name);
    family_.help = std::move(help);
    family_.type = type;
  }

  void add(Labels labels, double value) {
    if (!std::isfinite(value)) return;
    ClientMetric metric;
    metric.label = std::move(labels);
    (family_.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    family_.metric.push_back(std::move(metric));
  }

  void add(Labels labels, const Durations& durations) {
    const Durations::Seen seen = durations.seen();
    ClientMetric metric;
    metric.label = std::move(labels);
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < seen.counts.size(); ++i) {
      count += seen.counts[i];
      const double bound = i < Durations::kBounds.size() ? Durations::kBounds[i]
                                                         : std::numeric_limits<double>::infinity();
      metric.histogram.bucket.push_back({count, bound});
    }
    metric.histogram.sample_count = count;
    metric.histogram.sample_sum = seen.seconds;
    family_.metric.push_back(std::move(metric));
  }

  MetricFamily take() { return std::move(family_); }

 private:
  MetricFamily family_;
};

/// A pipeline as it was looked at.
struct Looked {
  const ServedPipeline* pipeline;
  std::shared_ptr<const PipelineView> view;
  Labels labels;

  Labels with(const char* name, const char* value) const {
    Labels more = labels;
    more.push_back({name, value});
    return more;
  }
};

struct Figure {
  const char* name;
  const char* help;
  double (*value)(const Looked& of);  ///< NaN: there is none
};

double real(std::uint64_t count) { return static_cast<double>(count); }

// Of what is recorded, but for predictions: since the process started.
const std::vector<Figure> kCounters = {
    {"freshet_events_accepted_total", "Records in the event log.",
     [](const Looked& of) { return real(of.view->ingest.accepted); }},
    {"freshet_events_duplicate_total", "Records that were there already.",
     [](const Looked& of) { return real(of.view->ingest.duplicates); }},
    {"freshet_events_late_total", "Events that came too late.",
     [](const Looked& of) { return real(of.view->ingest.late); }},
    {"freshet_dead_letters_total", "Records that were refused.",
     [](const Looked& of) { return real(of.view->ingest.dead_letters); }},
    {"freshet_candidates_total", "Candidates that were made.",
     [](const Looked& of) { return real(of.view->counts.candidates); }},
    {"freshet_promotions_total", "Champions that took over, the first one not counted.",
     [](const Looked& of) { return real(of.view->counts.promotions); }},
    {"freshet_rollbacks_total", "Returns to a version that had served.",
     [](const Looked& of) { return real(of.view->counts.rollbacks); }},
    {"freshet_refreshes_total", "Times the champion took newer weights of its learner.",
     [](const Looked& of) { return real(of.view->counts.refreshes); }},
    {"freshet_refreshes_held_back_total", "Refreshes that were held back.",
     [](const Looked& of) { return real(of.view->counts.held_back); }},
    {"freshet_predictions_total", "Events answered since the process started.",
     [](const Looked& of) { return real(of.pipeline->predictions()); }},
};

const std::vector<Figure> kGauges = {
    {"freshet_lag_records", "Records in the log that the pipeline has not gone through.",
     [](const Looked& of) {
       return real(of.view->head - std::min(of.view->head, of.view->position));
     }},
    {"freshet_watermark_timestamp_seconds", "Event time up to which all is taken to be here.",
     [](const Looked& of) {
       return of.view->watermark == Watermark::kNone
                  ? std::nan("")
                  : static_cast<double>(of.view->watermark) / 1000;
     }},
    {"freshet_queue_records", "Requests' records that wait to be made durable.",
     [](const Looked& of) { return real(of.pipeline->queued()); }},
    {"freshet_queue_bytes", "Their bytes.",
     [](const Looked& of) { return real(of.pipeline->queued_bytes()); }},
    {"freshet_rows", "Labeled events.", [](const Looked& of) { return real(of.view->rows); }},
    {"freshet_settled_rows", "Rows whose answers are judged.",
     [](const Looked& of) { return real(of.view->settled_rows); }},
    {"freshet_open_questions", "Events that wait for their label.",
     [](const Looked& of) { return real(of.view->open_questions); }},
    {"freshet_evaluations_running", "Comparisons under way.",
     [](const Looked& of) { return real(of.view->running.size()); }},
    {"freshet_pipeline_failed", "1 if the pipeline has stopped because of a failure.",
     [](const Looked& of) { return of.pipeline->failure() ? 1.0 : 0.0; }},
};

void add_figures(const std::vector<Looked>& all, const std::vector<Figure>& figures,
                 MetricType type, std::vector<MetricFamily>& families) {
  for (const Figure& figure : figures) {
    Family family(figure.name, figure.help, type);
    for (const Looked& one : all) family.add(one.labels, figure.value(one));
    families.push_back(family.take());
  }
}

void add_split_figures(const std::vector<Looked>& all, std::vector<MetricFamily>& families) {
  Family verdicts("freshet_verdicts_total", "Comparisons that ended, by how.", MetricType::Counter);
  Family loss("freshet_loss", "Mean loss over all judged rows, as answered before the label.",
              MetricType::Gauge);
  for (const Looked& one : all) {
    const PipelineCounts& counts = one.view->counts;
    verdicts.add(one.with("verdict", "promote"), real(one.view->promote_verdicts));
    verdicts.add(one.with("verdict", "reject"), real(counts.rejections));
    verdicts.add(one.with("verdict", "inconclusive"), real(counts.inconclusive));
    verdicts.add(one.with("verdict", "superseded"), real(counts.superseded));
    if (one.view->settled_rows == 0) continue;
    loss.add(one.with("answerer", "champion"), one.view->live_loss);
    loss.add(one.with("answerer", "prior"), one.view->prior_loss);
    loss.add(one.with("answerer", "no_change"), one.view->no_change_loss);
  }
  families.push_back(verdicts.take());
  families.push_back(loss.take());
}

void add_sources(const std::vector<Looked>& all, std::vector<MetricFamily>& families) {
  Family lag("freshet_source_lag_records",
             "Records of a Kafka partition that are not in the log yet.", MetricType::Gauge);
  Family offset("freshet_source_next_offset", "A Kafka partition's offset to be read next.",
                MetricType::Gauge);
  Family records("freshet_source_records_total",
                 "Records read of a Kafka partition, those that were refused included.",
                 MetricType::Counter);
  Family errors("freshet_source_errors_total",
                "Errors heard of Kafka's brokers and partitions since the source was opened.",
                MetricType::Counter);
  Family trouble("freshet_source_in_trouble",
                 "1 if the source gives nothing: a broker that can't be reached, or a failure.",
                 MetricType::Gauge);
  for (const Looked& one : all) {
    const SourceState state = one.pipeline->feed_state();
    for (const SourceState::Part& part : state.parts) {
      lag.add(one.with("input", part.input.c_str()), real(part.end - part.next));
      offset.add(one.with("input", part.input.c_str()), real(part.next));
      records.add(one.with("input", part.input.c_str()), real(part.records));
    }
    if (!state.parts.empty() || state.errors > 0) errors.add(one.labels, real(state.errors));
    const bool troubled = !state.trouble.empty() || one.pipeline->feed_failure();
    trouble.add(one.labels, troubled ? 1 : 0);
  }
  families.push_back(lag.take());
  families.push_back(offset.take());
  families.push_back(records.take());
  families.push_back(errors.take());
  families.push_back(trouble.take());
}

void add_sinks(const std::vector<Looked>& all, std::vector<MetricFamily>& families) {
  Family waiting("freshet_sink_waiting_records",
                 "Decisions or predictions that Kafka has not acknowledged yet.",
                 MetricType::Gauge);
  Family delivered("freshet_sink_delivered_records_total",
                   "Up to which decision, or question, Kafka has acknowledged all.",
                   MetricType::Counter);
  Family trouble("freshet_sink_in_trouble", "1 if nothing that is published is acknowledged.",
                 MetricType::Gauge);
  for (const Looked& one : all) {
    const auto state = one.pipeline->sink_state();
    if (!state) continue;
    for (const Outbox::Topic& topic : state->topics) {
      waiting.add(one.with("kind", topic.kind.c_str()), real(topic.waiting));
      delivered.add(one.with("kind", topic.kind.c_str()), real(topic.delivered));
    }
    trouble.add(one.labels, state->trouble.empty() ? 0 : 1);
  }
  families.push_back(waiting.take());
  families.push_back(delivered.take());
  families.push_back(trouble.take());
}

void add_times(const std::vector<Looked>& all, std::vector<MetricFamily>& families) {
  struct Timed {
    const char* name;
    const char* help;
    Durations WorkTimes::*durations;
  };
  for (const Timed& timed :
       {Timed{"freshet_predict_duration_seconds", "The champion's answers to one request.",
              &WorkTimes::predict},
        Timed{"freshet_score_duration_seconds", "A learner's answers to a segment's questions.",
              &WorkTimes::score},
        Timed{"freshet_learn_duration_seconds", "A learner's learning of a segment's rows.",
              &WorkTimes::learn},
        Timed{"freshet_train_duration_seconds", "A candidate's training over stored rows.",
              &WorkTimes::train}}) {
    Family family(timed.name, timed.help, MetricType::Histogram);
    for (const Looked& one : all) {
      family.add(one.labels, one.pipeline->times().*timed.durations);
    }
    families.push_back(family.take());
  }
}

void add_disk(const DiskWatch::State& disk, std::vector<MetricFamily>& families) {
  Family bytes("freshet_workspace_bytes", "What the workspace takes on disk, by kind of file.",
               MetricType::Gauge);
  for (const auto& [kind, size] : disk.use.bytes) bytes.add({{"kind", kind}}, real(size));
  Family free("freshet_disk_free_bytes", "Free on the workspace's file system.", MetricType::Gauge);
  free.add({}, real(disk.use.free_bytes));
  Family low("freshet_disk_low",
             "1 if that is less than the last hour's growth, than 1 GiB and a twentieth of it all.",
             MetricType::Gauge);
  low.add({}, disk.warning.empty() ? 0 : 1);
  for (Family* family : {&bytes, &free, &low}) families.push_back(family->take());
}

std::string status_class(int status) { return std::to_string(status / 100) + "xx"; }

}  // namespace

struct ServiceMetrics::Requests {
  static prometheus::Histogram::BucketBoundaries bounds() {
    return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
  }

  prometheus::Registry registry;
  prometheus::Family<prometheus::Histogram>& seconds =
      prometheus::BuildHistogram()
          .Name("freshet_http_request_duration_seconds")
          .Help("From a request being here to its answer, by route and class of status.")
          .Register(registry);
};

ServiceMetrics::ServiceMetrics(const Service& service)
    : service_(service), requests_(std::make_unique<Requests>()) {}

ServiceMetrics::~ServiceMetrics() = default;

void ServiceMetrics::request(const Route* route, int status, double seconds) {
  requests_->seconds
      .Add({{"method", route == nullptr ? "none" : route->method},
            {"route", route == nullptr ? "none" : route->pattern},
            {"status", status_class(status)}},
           Requests::bounds())
      .Observe(seconds);
}

std::string ServiceMetrics::text() const {
  std::vector<Looked> all;
  for (const auto& pipeline : service_.pipelines()) {
    all.push_back({pipeline.get(), pipeline->view(), {{"pipeline", pipeline->name()}}});
  }
  std::vector<MetricFamily> families;
  add_figures(all, kCounters, MetricType::Counter, families);
  add_figures(all, kGauges, MetricType::Gauge, families);
  add_split_figures(all, families);
  add_sources(all, families);
  add_sinks(all, families);
  add_times(all, families);
  add_disk(service_.disk().state(), families);
  for (MetricFamily& family : requests_->registry.Collect()) families.push_back(std::move(family));
  std::erase_if(families, [](const MetricFamily& family) { return family.metric.empty(); });
  return prometheus::TextSerializer().Serialize(families);
}

void add_metrics_route(RouteTable& routes, const ServiceMetrics& metrics) {
  routes.add({.method = "GET",
              .pattern = "/metrics",
              .role = Role::view,
              .handler =
                  [&metrics](const Request&) {
                    Response response;
                    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
                    response.body = metrics.text();
                    return response;
                  },
              .summary = "Figures for Prometheus, as text",
              .answer_types = {"text/plain"}});
}

}  // namespace freshet
