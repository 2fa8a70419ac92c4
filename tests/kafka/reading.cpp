#include "kafka/reading.h"

#include <fmt/format.h>

#include <chrono>
#include <numeric>
#include <utility>

#include "stream/error.h"
#include "stream/ingest.h"
#include "stream/row_store.h"

namespace freshet {

Schema numbered_schema() {
  Schema schema;
  schema.time.form = TimeField{"time", TimeUnit::milliseconds};
  schema.fields = {{"part", FieldKind::number, MissingRule::mean, ""},
                   {"n", FieldKind::number, MissingRule::mean, ""}};
  schema.label.field = "label";
  schema.out_of_orderness = kDay;
  return schema;
}

std::string numbered(int part, int n, Millis time) {
  return fmt::format(R"({{"time": {}, "part": {}, "n": {}, "label": {}}})", time, part, n, n % 2);
}

Reading::Reading(const std::string& log_path, const Schema& schema, const KafkaInput& input)
    : schema_(schema),
      input_(input),
      log_(EventLog::open(log_path, "test")),
      ingest_(std::make_unique<Ingest>(schema, *log_)) {}

Reading::~Reading() = default;

std::unique_ptr<Source> Reading::open(bool until_end) {
  KafkaReading reading;
  reading.group = "test";
  reading.until_end = until_end;
  reading.give_up_after = std::chrono::seconds(20);
  reading.sync = [this] { synced_ = log_->head(); };
  reading.notice = [this](const std::string& text) { notices_.push_back(text); };
  return kafka_source(input_, schema_, log_->all_progress(), reading);
}

void Reading::drain(std::size_t chunk) {
  const auto source = open(true);
  while (ingest_->pump(*source, chunk) != PollStatus::ended) {
  }
}

bool Reading::step() {
  if (!source_) source_ = open(false);
  return ingest_->pump(*source_, 1000) != PollStatus::ended;
}

std::string Reading::refusal() {
  try {
    drain();
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

bool Reading::follow(const std::function<bool()>& done) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!done()) {
    step();
    if (std::chrono::steady_clock::now() > limit) return false;
  }
  return true;
}

std::vector<std::vector<int>> numbers_in(const EventLog& log, const Schema& schema, int parts) {
  std::vector<std::vector<int>> all(static_cast<std::size_t>(parts));
  const std::size_t part_at = schema.find("part").value();
  const std::size_t n_at = schema.find("n").value();
  Event event;
  log.read(0, log.head(), [&](std::uint64_t, std::string_view record) {
    decode(record, schema, event);
    if (event.kind != RecordKind::event) return true;  // a marker of a partition that was idle
    const auto part = static_cast<std::size_t>(event.values.at(part_at).number);
    all.at(part).push_back(static_cast<int>(event.values.at(n_at).number));
    return true;
  });
  return all;
}

std::uint64_t first_answered(const std::string& workspace) {
  const auto rows = RowStore::open_reader(workspace + "/pipelines/turning/rows.db");
  return rows->position(rows->answered("served").first);
}

std::vector<int> counting(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

}  // namespace freshet
