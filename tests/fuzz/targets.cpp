#include "fuzz/targets.h"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <variant>

#include "orchestrator/config.h"
#include "stream/byte_input.h"
#include "stream/csv_source.h"
#include "stream/error.h"
#include "stream/event.h"
#include "stream/jsonl_source.h"
#include "stream/line_reader.h"
#include "trainer/artifact.h"
#include "web/api_support.h"
#include "web/request_head.h"

namespace freshet {
namespace {

void require(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

/// What `read` gives; nullptr if it refuses.
template <class Read>
auto taken(Read read) -> std::unique_ptr<decltype(read())> {
  try {
    return std::make_unique<decltype(read())>(read());
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::invalid || error.kind() == ErrorKind::corrupt,
            "refused as what it is not");
    return nullptr;
  }
}

class MemoryInput : public ByteInput {
 public:
  explicit MemoryInput(std::string_view bytes) : bytes_(bytes) {}
  Got read(char* to, std::size_t size, int) override {
    const std::size_t count = bytes_.copy(to, size);
    bytes_.remove_prefix(count);
    return {count, count == 0};
  }
  bool complete() const override { return true; }
  bool is_file() const override { return true; }
  std::string identity() const override { return ""; }
  bool matches(const std::string&) const override { return true; }
  const std::string& name() const override { return name_; }

 private:
  std::string_view bytes_;
  const std::string name_ = "memory";
};

const Schema& schema() {
  static const Schema all = [] {
    Schema made;
    made.task = Task::multiclass;
    made.id_field = "id";
    made.time.form = TimeField{"at", TimeUnit::rfc3339};
    made.fields = {{"x", FieldKind::number, MissingRule::mean, ""},
                   {"b", FieldKind::boolean, MissingRule::mean, ""},
                   {"c", FieldKind::category, MissingRule::mean, ""},
                   {"t", FieldKind::text, MissingRule::mean, ""},
                   {"w", FieldKind::time, MissingRule::mean, ""}};
    made.label.field = "y";
    made.label.classes = {"red", "green", "blue"};
    return made;
  }();
  return all;
}

void take_record(std::string_view bytes) {
  Event event;
  if (!taken([&] { return decode(bytes, schema(), event), 0; })) return;
  std::string written;
  encode(event, schema(), written);
  Event again;
  decode(written, schema(), again);
  std::string twice;
  encode(again, schema(), twice);
  require(written == twice, "a record changes as it is written");
}

void take_records(std::string_view bytes, RecordDecoder& decoder) {
  LineReader reader(std::make_unique<MemoryInput>(bytes), false);
  reader.set_framing(decoder.framing());
  bool header = decoder.has_header();
  RawRecord record;
  std::uint64_t line = 0;
  while (reader.next(record, 0) == LineReader::record) {
    require(record.line > line, "lines are counted backwards");
    line = record.line;
    if (record.defect != RawRecord::none) continue;
    Event event;
    if (header) {
      if (!taken([&] { return decoder.read_header(record.bytes), 0; })) return;
      header = false;
    } else if (!decoder.decode(record.bytes, event)) {
      std::string written;
      encode(event, schema(), written);
      take_record(written);
    }
  }
  require(reader.offset() <= bytes.size(), "more was read than there is");
}

void take_json_lines(std::string_view bytes) {
  JsonlDecoder decoder(schema(), false);
  take_records(bytes, decoder);
}

void take_csv(std::string_view bytes) {
  CsvDecoder decoder(schema(), false, "memory");
  take_records(bytes, decoder);
}

void take_config(std::string_view bytes) {
  const auto config = taken([&] { return parse_config(std::string(bytes), "config"); });
  if (!config) return;
  require(parse_config(write_config(*config), "config") == *config,
          "a config changes as it is written");
}

void take_artifact(std::string_view bytes) {
  const auto artifact = taken([&] { return read_artifact(std::string(bytes)); });
  if (!artifact) return;
  const Artifact again = read_artifact(write_artifact(artifact->spec, artifact->state));
  require(again.spec == artifact->spec && again.state == artifact->state,
          "an artifact changes as it is written");
}

void take_request_head(std::string_view bytes) {
  const auto head = parse_request_head(bytes);
  if (const auto* refusal = std::get_if<Response>(&head)) {
    require(refusal->status >= 400, "a refusal that is none");
    return;
  }
  for (const auto& [name, value] : std::get<RequestHead>(head).headers) {
    require(value.find_first_of("\r\n") == std::string::npos, "a header holds a line end");
  }
}

void take_cursor(std::string_view bytes) {
  Request request;
  request.query = {{"cursor", std::string(bytes)}, {"limit", std::string(bytes)}};
  const auto page = taken([&] { return page_of(request); });
  require(!page || (page->limit >= 1 && page->limit <= 1000), "a page without bounds");
}

std::string json_lines() {
  return R"({"id":"a","at":"2024-01-01T00:00:00Z","x":-1.5e3,"b":true,"c":"k\u00e9","t":"w","w":"2024-02-29T12:30:00+02:00","y":"red","other":[{}]})"
         "\n"
         R"({"id":7,"at":"2024-01-01","x":null,"y":"blue"})"
         "\n";
}

std::string csv() {
  return "id,at,x,b,c,t,w,y\r\n"
         "a,2024-01-01T00:00:00Z,1.5,true,\"k, \"\"l\"\"\",w,2024-02-29,red\r\n"
         "b,2024-01-01 00:00:01,,0,m,\"two\nlines\",,blue\r\n";
}

std::string record() {
  JsonlDecoder decoder(schema(), false);
  Event event;
  const std::string lines = json_lines();
  decoder.decode(std::string_view(lines).substr(0, lines.find('\n')), event);
  std::string bytes;
  encode(event, schema(), bytes);
  return bytes;
}

std::string config() {
  return R"({"pipeline":"p","task":"binary","stream":{"event":{"id":"id","time":{"field":"at"},
"fields":{"x":"number","c":{"kind":"category"},"t":"text"}},
"label":{"field":"y","known":"later","wait":"7d","default":0},"out_of_orderness":"10s"},
"learners":[{"name":"a","network":{"kind":"mlp","hidden":[8,8]},"train":{"optimizer":"adam",
"learning_rate":0.01,"batch":32,"replay":{"kind":"recent","capacity":100,"share":0.5}}}],
"retrain":{"when":{"any":[{"rows":1000}]},"do":[{"fresh":"a","window_rows":4000}]}})";
}

std::string artifact() {
  ModelSpec spec;
  spec.network.hidden = {3};
  FeatureSlot number;
  number.name = "x";
  number.scaled = true;
  FeatureSlot kind;
  kind.name = "c";
  kind.embedding = true;
  kind.buckets = 4;
  kind.dim = 2;
  spec.layout = {number, kind};
  ModelState state;
  state.parameters.assign(parameter_count(spec), 0.25F);
  state.scaler = {{9}, {1}, {4}};
  return write_artifact(spec, state);
}

}  // namespace

const std::vector<FuzzTarget>& fuzz_targets() {
  static const std::vector<FuzzTarget> all = {
      {"json-lines", take_json_lines, {json_lines()}},
      {"csv", take_csv, {csv()}},
      {"record", take_record, {record()}},
      {"config", take_config, {config()}},
      {"artifact", take_artifact, {artifact()}},
      {"request-head",
       take_request_head,
       {"POST /api/v1/pipelines/a/events?x=%20y HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Content-Length: 12\r\nAuthorization: Bearer t\r\n\r\n"}},
      {"cursor", take_cursor, {"100", "999999999999999999"}},
  };
  return all;
}

}  // namespace freshet
