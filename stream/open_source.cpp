#include "stream/open_source.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <string_view>

#include "stream/error.h"
#include "stream/text_source.h"

namespace freshet {
namespace {

bool is_regular_file(const std::string& name) {
  struct stat status = {};
  return name != "-" && ::stat(name.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

InputSpec::Format format_by_name(const std::string& name) {
  std::string_view stem = name;
  const bool compressed = stem.ends_with(".gz");
  if (compressed) stem.remove_suffix(3);
  if (stem.ends_with(".csv")) return InputSpec::csv;
  for (const std::string_view ending : {".jsonl", ".ndjson", ".json"}) {
    if (stem.ends_with(ending)) return InputSpec::jsonl;
  }
  if (compressed || !is_regular_file(name)) return InputSpec::detect;
  throw Error(ErrorKind::invalid,
              fmt::format("{}: the name doesn't tell the format: expected .csv, .jsonl, .ndjson or "
                          ".json (perhaps with .gz), or --format csv or jsonl",
                          name));
}

}  // namespace

std::unique_ptr<Source> open_source(const InputSpec& spec, const Schema& schema,
                                    const std::optional<SourceProgress>& resume) {
  InputSpec known = spec;
  if (known.format == InputSpec::detect) known.format = format_by_name(known.name);
  return std::make_unique<TextSource>(known, schema, resume);
}

}  // namespace freshet
