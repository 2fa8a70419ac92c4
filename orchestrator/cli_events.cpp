#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "orchestrator/cli.h"
#include "orchestrator/command_support.h"
#include "orchestrator/open_pipeline.h"
#include "orchestrator/registry_json.h"
#include "orchestrator/run.h"
#include "orchestrator/summary.h"
#include "orchestrator/terminal.h"
#include "stream/csv_to_json.h"
#include "stream/erasure.h"
#include "stream/event_log.h"
#include "stream/ingest.h"
#include "stream/kafka_source.h"

namespace freshet {

using nlohmann::json;

namespace {

struct EventArguments {
  OwnerAddress owner;
  std::string pipeline;
  std::uint64_t limit = 20;
  bool late = false;
  bool json = false;
  std::vector<std::string> inputs;
  std::string partition;  ///< TOPIC/NUMBER
  std::uint64_t to = 0;
  std::string reason;
  InputSpec::Format format = InputSpec::detect;
  std::string key;  ///< FIELD=VALUE, or an id
  bool dry_run = false;
};

std::shared_ptr<EventArguments> add_arguments(CLI::App& command, bool steers) {
  const auto a = std::make_shared<EventArguments>();
  if (steers) {
    add_owner_options(command, a->owner);
  } else {
    command.add_option("-w,--workspace", a->owner.workspace, "The workspace's folder")->required();
  }
  command.add_option("-p,--pipeline", a->pipeline, "Which pipeline, if there are several");
  command.add_flag("--json", a->json, "As JSON");
  return a;
}

struct Opened {
  explicit Opened(const EventArguments& a)
      : workspace(read_workspace(a.owner.workspace)),
        name(choose_pipeline(workspace.registry(), a.pipeline)),
        config(recorded_config(workspace.registry(), name)),
        log(EventLog::open_reader(workspace.log_path(name))) {}

  Workspace workspace;
  std::string name;
  PipelineConfig config;
  std::unique_ptr<EventLog> log;
};

json event_json(const Event& event, const Schema& schema, std::uint64_t position) {
  json j{{"position", position}, {"id", std::string(event.id)}, {"time", format_time(event.time)}};
  if (event.kind == RecordKind::close) return {{"position", position}, {"kind", "close"}};
  if (event.kind == RecordKind::time) {
    return {{"position", position}, {"kind", "time"}, {"time", format_time(event.time)}};
  }
  j["kind"] = event.kind == RecordKind::event ? "event" : "label";
  if (event.label) j["label"] = *event.label;
  for (std::size_t i = 0; i < event.values.size(); ++i) {
    const FieldValue& value = event.values[i];
    json& field = j["fields"][schema.fields[i].name];
    if (value.missing) {
      field = nullptr;
    } else if (schema.fields[i].kind == FieldKind::category ||
               schema.fields[i].kind == FieldKind::text) {
      field = std::string(value.text);
    } else if (schema.fields[i].kind == FieldKind::boolean) {
      field = value.number != 0;
    } else if (schema.fields[i].kind == FieldKind::time) {
      field = format_time(static_cast<Millis>(value.number));
    } else {
      field = value.number;
    }
  }
  return j;
}

int tail(const EventArguments& a) {
  const Opened opened(a);
  const std::uint64_t head = opened.log->head();
  Event event;
  opened.log->read(head - std::min(head, a.limit), head,
                   [&](std::uint64_t position, std::string_view record) {
                     decode(record, opened.config.schema, event);
                     fmt::print("{}\n", event_json(event, opened.config.schema, position).dump());
                     return true;
                   });
  return kDone;
}

int stats(const EventArguments& a) {
  const Opened opened(a);
  const IngestCounts counts = opened.log->counts();
  json j{{"pipeline", opened.name},     {"head", opened.log->head()},
         {"accepted", counts.accepted}, {"duplicates", counts.duplicates},
         {"late", counts.late},         {"dead_letters", counts.dead_letters}};
  j["inputs"] = json::array();
  for (const SourceProgress& input : opened.log->all_progress()) {
    j["inputs"].push_back(
        {{"name", input.name}, {"offset", input.offset}, {"records", input.records}});
  }
  if (a.json) {
    fmt::print("{}\n", j.dump(2, ' ', false, json::error_handler_t::replace));
    return kDone;
  }
  fmt::print("{} positions: {} accepted, {} duplicates, {} late, {} dead letters\n",
             opened.log->head(), counts.accepted, counts.duplicates, counts.late,
             counts.dead_letters);
  for (const SourceProgress& input : opened.log->all_progress()) {
    if (input.name.starts_with("kafka:")) {
      fmt::print("  {}: {} records, {} tombstones, next offset {}\n", input.name, input.records,
                 kafka_tombstones(input), input.offset);
    } else {
      fmt::print("  {}: {} records, {} bytes\n", input.name, input.records, input.offset);
    }
  }
  return kDone;
}

// Stands among the dead letters: what was lost, and why that was accepted.
int accept_loss(const EventArguments& a) {
  const std::string reason = checked_reason(a.reason);
  Workspace workspace = Workspace::open(a.owner.workspace, Workspace::Mode::own);
  const std::string name = choose_pipeline(workspace.registry(), a.pipeline);
  const PipelineConfig config = recorded_config(workspace.registry(), name);
  const auto log = EventLog::open(workspace.log_path(name), log_description(config));
  auto progress = log->progress("kafka:" + a.partition);
  if (!progress) {
    throw Error(ErrorKind::not_found,
                fmt::format("{}: nothing was read of it yet, expected TOPIC/PARTITION; for its "
                            "first offset see stream.source.start",
                            a.partition));
  }
  if (progress->offset == a.to) {
    throw Error(ErrorKind::conflict,
                fmt::format("{} goes on at offset {} already", a.partition, a.to));
  }
  LogBatch batch;
  const std::string what = a.to > progress->offset
                               ? fmt::format("the loss of offsets {} to {} was accepted: {}",
                                             progress->offset, a.to - 1, reason)
                               : fmt::format("it goes on at offset {} instead of {}: {}", a.to,
                                             progress->offset, reason);
  batch.dead_letters.push_back({progress->name, progress->offset, "", what, 0});
  progress->offset = a.to;
  batch.progress.push_back(*progress);
  log->append(batch);
  fmt::print("{}: {}\n", a.partition, what);
  return kDone;
}

Erased erase_by(const EventArguments& a, const FindOwner& find_owner) {
  const EraseRequest request{a.key, a.reason, a.dry_run};
  if (const auto owner = find_owner(a.owner)) {
    const std::string name =
        choose_pipeline(read_workspace(a.owner.workspace).registry(), a.pipeline);
    return owner->erase(name, request);
  }
  Workspace workspace = Workspace::open(a.owner.workspace, Workspace::Mode::own);
  const std::string name = choose_pipeline(workspace.registry(), a.pipeline);
  parse_erasure_key(a.key, recorded_config(workspace.registry(), name).schema);
  OpenPipeline open(workspace, name, std::nullopt, {});
  return open.erase(workspace, request);
}

std::string erasure_text(const Erased& erased) {
  if (!found_any(erased)) {
    return "no event, label or refused record in the log matches the key; nothing was recorded";
  }
  const json figures = json::parse(erased.figures);
  const std::string what = fmt::format(
      "{} events, which are in {} labeled rows, with {} records in the log and {} that were "
      "refused",
      figures["events"].get<std::uint64_t>(), figures["rows"].get<std::uint64_t>(),
      figures["records"].get<std::uint64_t>(), figures["refused_records"].get<std::uint64_t>());
  if (!erased.decision) return "would erase " + what + "; nothing was recorded";
  return fmt::format(
      "{}\nerased {}; backups still hold them, and weights learned from them stay until they are "
      "retrained",
      decision_line(*erased.decision), what);
}

int erase(const EventArguments& a, const FindOwner& find_owner) {
  if (!a.dry_run && a.reason.empty()) {
    throw Error(ErrorKind::invalid, "--reason: why they are erased, for the record");
  }
  const Erased erased = erase_by(a, find_owner);
  if (!erased.warning.empty()) say("warning: {}\n", erased.warning);
  fmt::print("{}\n", a.json ? json_text(erased_json(erased), 2) : erasure_text(erased));
  return found_any(erased) ? kDone : kNegative;
}

int dead_letters(const EventArguments& a) {
  const Opened opened(a);
  const auto letters =
      a.late ? opened.log->late_events(a.limit) : opened.log->dead_letters(a.limit);
  for (const DeadLetter& letter : letters) {
    if (a.json) {
      const json j{{"source", letter.source},
                   {"line", letter.line},
                   {"reason", letter.reason},
                   {"raw", letter.raw}};
      fmt::print("{}\n", j.dump(-1, ' ', false, json::error_handler_t::replace));
    } else {
      const json raw = letter.raw.substr(0, 200);
      fmt::print("{}:{}: {}\n    {}\n", letter.source, letter.line, letter.reason,
                 raw.dump(-1, ' ', false, json::error_handler_t::replace));
    }
  }
  return kDone;
}

void print_appended(const EventArguments& a, const EventLog& log, const char* next) {
  const IngestCounts counts = log.counts();
  if (a.json) {
    const json j{
        {"head", log.head()}, {"accepted", counts.accepted}, {"dead_letters", counts.dead_letters}};
    fmt::print("{}\n", j.dump());
  } else {
    fmt::print("the log now ends at position {} ({} accepted, {} dead letters); {}\n", log.head(),
               counts.accepted, counts.dead_letters, next);
  }
}

/// Passes the records of one input on to an owner, as JSON lines.
class Forward : public RecordSink {
 public:
  Forward(Owner& owner, std::string pipeline, const Schema& schema, Source& source)
      : owner_(owner), pipeline_(std::move(pipeline)), schema_(schema), source_(source) {}

  void event(const Event& /*event*/, const Origin& origin) override { pass_on(origin); }
  void bad(const Origin& origin, const std::string& /*reason*/) override { pass_on(origin); }

  void flush() {
    if (!lines_.empty()) owner_.append(pipeline_, lines_);
    lines_.clear();
  }

 private:
  static constexpr std::size_t kBytes = std::size_t{1} << 20;

  void pass_on(const Origin& origin) {
    if (!begun_) {
      begun_ = true;
      const std::string header = source_.progress().front().header;
      if (!header.empty()) csv_ = std::make_unique<CsvToJson>(schema_, header);
    }
    lines_ += csv_ ? csv_->line(origin.raw) : std::string(origin.raw);
    lines_ += '\n';
    if (lines_.size() >= kBytes) flush();
  }

  Owner& owner_;
  const std::string pipeline_;
  const Schema& schema_;
  Source& source_;
  bool begun_ = false;
  std::unique_ptr<CsvToJson> csv_;
  std::string lines_;
};

int append_by(Owner& owner, const EventArguments& a) {
  const Opened opened(a);
  for (const std::string& input : a.inputs) {
    InputSpec spec;
    spec.name = input;
    spec.format = a.format;
    const auto source = open_source(spec, opened.config.schema, std::nullopt);
    Forward forward(owner, opened.name, opened.config.schema, *source);
    while (!stop_requested && source->poll(4096, forward) != PollStatus::ended) {
    }
    forward.flush();
  }
  print_appended(a, *opened.log, "the server goes on from there");
  return kDone;
}

int append(const EventArguments& a, const FindOwner& find_owner) {
  if (const auto owner = find_owner(a.owner)) return append_by(*owner, a);
  Workspace workspace = Workspace::open(a.owner.workspace, Workspace::Mode::own);
  const std::string name = choose_pipeline(workspace.registry(), a.pipeline);
  const PipelineConfig config = recorded_config(workspace.registry(), name);
  const auto log = EventLog::open(workspace.log_path(name), log_description(config));
  Ingest ingest(config.schema, *log);
  for (const std::string& input : a.inputs) {
    InputSpec spec;
    spec.name = input;
    spec.format = a.format;
    const auto source = open_source(spec, config.schema, log->progress(input));
    while (!stop_requested && ingest.pump(*source, 4096) != PollStatus::ended) {
    }
  }
  print_appended(a, *log, "freshet run goes on from there");
  return kDone;
}

void add_erase(CLI::App& events, Command& chosen, const FindOwner& find_owner) {
  auto* sub = events.add_subcommand(
      "erase",
      "Erases a person's events from log and rows, for good: their ids and fields go, their place, "
      "time and label stay. A decision; exit code 3 if nothing matches. Backups are not touched: "
      "make new ones and delete the old. Weights that learned from the events stay until they are "
      "retrained, as do answers and hashes of ids, which keep the events from coming back. Records "
      "that come later are new: erase them again");
  const auto a = add_arguments(*sub, true);
  sub->add_option("--key", a->key,
                  "FIELD=VALUE: the events with this value, and all records with their ids; VALUE "
                  "alone: an event's id")
      ->required();
  sub->add_option("--reason", a->reason, "Why, for the record, which stays: name no person here");
  sub->add_flag("--dry-run", a->dry_run, "Only say what would go");
  sub->callback([=, &chosen] { chosen = [=] { return erase(*a, find_owner); }; });
}

}  // namespace

void add_event_commands(CLI::App& app, Command& chosen, const FindOwner& find_owner) {
  auto* events = app.add_subcommand("events", "The log: what came in, and what did not");
  events->require_subcommand(1);
  const auto add = [&](const char* name, const char* about, auto command, bool steers = false) {
    auto* sub = events->add_subcommand(name, about);
    const auto a = add_arguments(*sub, steers);
    sub->callback([=, &chosen] { chosen = [=] { return command(*a); }; });
    return std::pair{sub, a};
  };
  add("stats", "Counts, and how far each input was read", stats);
  const auto [tail_sub, tail_args] = add("tail", "The newest records, as JSON lines", tail);
  const CLI::Range some(
      1, 1'000'000'000);  // as typed: read as an unsigned number, -1 would be the most
  tail_sub->add_option("-n,--limit", tail_args->limit, "How many")
      ->capture_default_str()
      ->check(some);
  const auto [dead_sub, dead_args] =
      add("dead-letters", "Records that were refused, newest first, with the reason", dead_letters);
  dead_sub->add_option("-n,--limit", dead_args->limit, "How many")
      ->capture_default_str()
      ->check(some);
  dead_sub->add_flag("--late", dead_args->late, "The events that came too late instead");
  const auto [loss_sub, loss_args] =
      add("accept-loss", "Goes on in a Kafka partition where records are gone", accept_loss);
  loss_sub->add_option("partition", loss_args->partition, "TOPIC/PARTITION")->required();
  loss_sub->add_option("--to", loss_args->to, "The offset to go on at")
      ->required()
      ->check(CLI::Range(std::int64_t{0}, std::numeric_limits<std::int64_t>::max()));
  loss_sub->add_option("--reason", loss_args->reason, "Why that is right; it is kept")->required();
  add_erase(*events, chosen, find_owner);
  const auto [append_sub, append_args] = add(
      "append", "Adds events to the log: a running server's, or without running the pipeline",
      [find_owner](const EventArguments& a) { return append(a, find_owner); }, true);
  append_sub->add_option("-i,--input", append_args->inputs, "Files, or - for standard input")
      ->required();
  add_format_option(*append_sub, append_args->format);
}

}  // namespace freshet
