#include "stream/text_source.h"

#include <fmt/format.h>

#include <utility>

#include "stream/csv_source.h"
#include "stream/error.h"
#include "stream/jsonl_source.h"
#include "stream/sha256.h"

namespace freshet {
namespace {

constexpr int kWaitMs = 50;

}  // namespace

TextSource::TextSource(const InputSpec& spec, const Schema& schema,
                       const std::optional<SourceProgress>& resume)
    : schema_(schema), spec_(spec), reader_(ByteInput::open(spec.name), spec.follow) {
  progress_.name = spec.name;
  if (spec.format != InputSpec::detect) make_decoder(spec.format);
  if (reader_.input().is_file()) {
    progress_.identity = reader_.input().identity();
    if (resume) resume_file(*resume);
    return;
  }
  chained_ = schema.id_field.empty() && !spec.labels_only;
  if (resume && chained_) expected_ = resume;
}

void TextSource::resume_file(const SourceProgress& from) {
  const std::string start = spec_.name + ": was replaced since it was read: ";
  if (!reader_.input().matches(from.identity)) {
    throw Error(ErrorKind::conflict,
                start + "its first bytes are others; give the new file another name");
  }
  if (!reader_.skip_to(from.offset)) {
    throw Error(ErrorKind::conflict, fmt::format("{}it is {} bytes long, {} were read before",
                                                 start, reader_.offset(), from.offset));
  }
  // A file that was empty when it was first read gets its identity with its first records.
  const std::string name = progress_.name;
  const std::string identity = progress_.identity;
  progress_ = from;
  progress_.name = name;
  if (from.records == 0 && from.header.empty()) progress_.identity = identity;
  if (from.header.empty()) return;
  if (!decoder_) make_decoder(InputSpec::csv);
  if (!decoder_->has_header()) return;
  decoder_->read_header(from.header);
  header_read_ = true;
}

void TextSource::make_decoder(InputSpec::Format format) {
  if (format == InputSpec::csv) {
    decoder_ = std::make_unique<CsvDecoder>(schema_, spec_.labels_only, spec_.name);
  } else {
    decoder_ = std::make_unique<JsonlDecoder>(schema_, spec_.labels_only);
  }
  reader_.set_framing(decoder_->framing());
  header_read_ = !decoder_->has_header();
}

LineReader::Status TextSource::begin(int wait_ms) {
  if (!decoder_) {
    LineReader::Status status = LineReader::idle;
    const auto first = reader_.peek(wait_ms, status);
    if (!first) {
      if (status == LineReader::ended && !expected_) {
        throw Error(ErrorKind::invalid,
                    fmt::format("{}: is empty: expected JSON lines, or CSV with a header line",
                                display_name(spec_.name)));
      }
      if (status == LineReader::idle) return status;
    }
    const bool json = first ? *first == '{' || *first == '[' : expected_->header.empty();
    make_decoder(json ? InputSpec::jsonl : InputSpec::csv);
  }
  if (!header_read_) {
    const LineReader::Status status = read_header(wait_ms);
    if (status != LineReader::record) return status;
  }
  return expected_ ? skip_known(wait_ms) : LineReader::record;
}

LineReader::Status TextSource::read_header(int wait_ms) {
  const LineReader::Status status = reader_.next(record_, wait_ms);
  if (status == LineReader::idle) return status;
  const std::string name = display_name(spec_.name);
  if (status == LineReader::ended) {
    throw Error(ErrorKind::invalid,
                name + ": is empty: expected a header line with the names of the columns");
  }
  if (record_.defect != RawRecord::none) {
    throw Error(
        ErrorKind::invalid,
        fmt::format("{}: line {}: the header line {}", name, record_.line,
                    record_.defect == RawRecord::too_long ? "is longer than 1 MiB"
                                                          : "opens a quote that is never closed"));
  }
  decoder_->read_header(record_.bytes);
  if (expected_ && expected_->header != record_.bytes) {
    throw Error(ErrorKind::conflict,
                fmt::format("{}: differs from the one read before: its header is {}, it was {}",
                            name, quoted(record_.bytes), quoted(expected_->header)));
  }
  progress_.header = record_.bytes;
  progress_.offset = reader_.offset();
  header_read_ = true;
  if (reader_.input().is_file()) progress_.identity = reader_.input().identity();
  return LineReader::record;
}

LineReader::Status TextSource::skip_known(int wait_ms) {
  while (progress_.records < expected_->records) {
    const LineReader::Status status = reader_.next(record_, wait_ms);
    if (status == LineReader::ended) break;
    if (status == LineReader::idle) return status;
    count(record_);
  }
  if (progress_.records != expected_->records ||
      progress_.rolling_hash != expected_->rolling_hash) {
    throw Error(ErrorKind::conflict,
                fmt::format("{}: differs from the one read before in its first {} records ({} "
                            "came now); give events an id to go on with other input",
                            display_name(spec_.name), expected_->records, progress_.records));
  }
  expected_.reset();
  return LineReader::record;
}

void TextSource::count(const RawRecord& record) {
  // A file that was empty at first has its identity from the moment it gives a record.
  if (progress_.records == 0 && reader_.input().is_file() && progress_.header.empty()) {
    progress_.identity = reader_.input().identity();
  }
  ++progress_.records;
  progress_.offset = reader_.offset();
  if (!chained_) return;
  Sha256 hash;
  hash.add(progress_.rolling_hash);
  hash.add(record.bytes);
  progress_.rolling_hash = hash.hex();
}

LineReader::Status TextSource::next(int wait_ms) {
  if (!header_read_ || expected_) {
    const LineReader::Status status = begin(wait_ms);
    if (status != LineReader::record) return status;
  }
  return reader_.next(record_, wait_ms);
}

void TextSource::hand_over(const RawRecord& record, RecordSink& sink) {
  const Origin origin = {record.line, record.bytes, progress_.name};
  if (record.defect == RawRecord::too_long) {
    sink.bad(origin, fmt::format("the record is {} bytes long, more than 1 MiB", record.size));
  } else if (record.defect == RawRecord::unclosed_quote) {
    sink.bad(origin, "a quote opens and is not closed within 1 MiB or the input");
  } else if (const auto reason = decoder_->decode(record.bytes, event_)) {
    sink.bad(origin, *reason);
  } else {
    sink.event(event_, origin);
  }
}

PollStatus TextSource::poll(std::size_t max_records, RecordSink& sink) {
  if (failure_) std::rethrow_exception(failure_);
  for (std::size_t given = 0; given < max_records; ++given) {
    LineReader::Status status = LineReader::idle;
    try {
      status = next(given == 0 ? kWaitMs : 0);
    } catch (const Error&) {
      if (given == 0) throw;
      failure_ = std::current_exception();
      return PollStatus::ready;
    }
    if (status != LineReader::record) {
      if (given > 0) return PollStatus::ready;
      return status == LineReader::idle ? PollStatus::idle : PollStatus::ended;
    }
    count(record_);
    hand_over(record_, sink);
  }
  return PollStatus::ready;
}

std::vector<SourceProgress> TextSource::progress() const {
  // Until the skipped records are passed, the earlier run's progress stands.
  return {expected_ ? *expected_ : progress_};
}

}  // namespace freshet
