#include "bench/pipeline_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "bench/measure.h"
#include "orchestrator/open_pipeline.h"

namespace freshet {

namespace fs = std::filesystem;

PipelineRun::PipelineRun(std::string folder, const std::string& config, std::uint64_t events,
                         const std::function<void(std::uint64_t, Event&)>& fill)
    : folder_(std::move(folder)), config_(parse_config(config, "bench config")) {
  fs::create_directories(folder_);
  write_log(events, fill);
}

void PipelineRun::write_log(std::uint64_t events,
                            const std::function<void(std::uint64_t, Event&)>& fill) const {
  constexpr std::uint64_t kBatch = 4096;
  const auto log = EventLog::open(folder_ + "/log.db", log_description(config_));
  Event event;
  event.values.resize(config_.schema.fields.size());
  for (FieldValue& value : event.values) value.missing = false;
  for (std::uint64_t begin = 0; begin < events; begin += kBatch) {
    LogBatch batch;
    for (std::uint64_t i = begin; i < std::min(begin + kBatch, events); ++i) {
      const std::string id = std::to_string(i);
      event.id = id;
      event.time = static_cast<Millis>(i) * kSecond;
      fill(i, event);
      encode(event, config_.schema, batch.records.emplace_back());
    }
    log->append(batch);
  }
}

double PipelineRun::seconds() const {
  const std::string folder = folder_ + "/workspace";
  double seconds = 0;
  {
    Workspace workspace = Workspace::open(folder, Workspace::Mode::own);
    // The log moves in and out: a copy would only measure the disk's cache.
    const std::string log = workspace.log_path(config_.pipeline);
    fs::rename(folder_ + "/log.db", log);
    {
      OpenPipeline open(workspace, config_.pipeline, config_, {});
      seconds = seconds_of([&] {
        while (open.pipeline.advance(open.log->head(), 64)) {
        }
        open.pipeline.checkpoint();
        open.journal.settle();
      });
    }
    fs::rename(log, folder_ + "/log.db");
  }
  fs::remove_all(folder);
  return seconds;
}

}  // namespace freshet
