#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stream/line_reader.h"
#include "stream/open_source.h"
#include "stream/record_decoder.h"
#include "stream/source.h"

namespace freshet {

/// A source of text records: a file, perhaps followed, or standard input. `open_source` makes it.
///
/// A file goes on at its offset, if it is still the same file. Standard input cannot: without ids
/// as many records as were read are skipped, checked by their hash chain; with ids everything is
/// read again (whoever takes the records knows the ids) and `records` starts over.
/// Used by one thread.
class TextSource : public Source {
 public:
  TextSource(const InputSpec& spec, const Schema& schema,
             const std::optional<SourceProgress>& resume);

  PollStatus poll(std::size_t max_records, RecordSink& sink) override;
  std::vector<SourceProgress> progress() const override;

 private:
  void resume_file(const SourceProgress& from);
  /// Chooses the format and reads the header, as far as that is not done yet.
  LineReader::Status begin(int wait_ms);
  void make_decoder(InputSpec::Format format);
  LineReader::Status read_header(int wait_ms);
  /// Passes over the records that an earlier run read from standard input.
  LineReader::Status skip_known(int wait_ms);
  LineReader::Status next(int wait_ms);
  void count(const RawRecord& record);
  void hand_over(const RawRecord& record, RecordSink& sink);

  Schema schema_;
  InputSpec spec_;
  LineReader reader_;
  std::unique_ptr<RecordDecoder> decoder_;
  bool chained_ = false;  ///< keeps `rolling_hash`: a pipe without ids
  bool header_read_ = false;
  std::optional<SourceProgress> expected_;  ///< what must be skipped first
  SourceProgress progress_;
  RawRecord record_;
  Event event_;
  std::exception_ptr failure_;  ///< met after records that had to be handed over first
};

}  // namespace freshet
