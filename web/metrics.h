#pragma once

#include <memory>
#include <string>

#include "orchestrator/service.h"
#include "web/routes.h"

namespace freshet {

/// How a service stands and works, in Prometheus' text format. Thread-safe.
///
///   ServiceMetrics metrics(service);
///   add_metrics_route(routes, metrics);
///   options.observe = [&](auto... a) { metrics.request(a...); };  // of the server
///
/// Figures of a pipeline have the label `pipeline` and are those of its view, at most 0.2 s old.
/// Counters of what is recorded (events, candidates, promotions) count since the pipeline began;
/// after a crash those of decisions may step back to the last checkpoint for a moment. No label
/// holds a version or an id.
class ServiceMetrics {
 public:
  /// `service` must outlive this.
  explicit ServiceMetrics(const Service& service);
  ~ServiceMetrics();

  /// A request was answered. `route`: nullptr if it was refused before one was found.
  void request(const Route* route, int status, double seconds);

  /// All of it, now.
  std::string text() const;

 private:
  struct Requests;

  const Service& service_;
  std::unique_ptr<Requests> requests_;
};

/// GET /metrics, for who may view. `metrics` must outlive the table.
void add_metrics_route(RouteTable& routes, const ServiceMetrics& metrics);

}  // namespace freshet
