#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stream/byte_input.h"

namespace freshet {

inline constexpr std::size_t kMaxRecordBytes = 1 << 20;

/// How an input's bytes are cut into records.
enum class Framing {
  lines,  ///< at every line end
  csv,    ///< at every line end that is not within quotes (RFC 4180)
};

/// One record as it was read, without its line end (LF or CRLF).
struct RawRecord {
  enum Defect {
    none,
    too_long,        ///< over kMaxRecordBytes; `bytes` are its first 4 KiB
    unclosed_quote,  ///< CSV: no end within kMaxRecordBytes or the input; `bytes` are its first
                     ///< line, the next record begins after that
  };

  std::string_view bytes;  ///< valid until the next call of the reader
  std::uint64_t line = 0;  ///< 1-based number of its first line
  std::uint64_t size = 0;  ///< of the whole record, also if it is too long
  Defect defect = none;
};

/// Cuts a byte stream into records; memory is bounded whatever the bytes are. A byte order mark at
/// the start and blank lines are skipped. The records are the same however the bytes come in.
/// Used by one thread.
class LineReader {
 public:
  enum Status { record, idle, ended };

  /// `follow`: the end of a file is no end; a last line without its line end is waited for.
  LineReader(std::unique_ptr<ByteInput> input, bool follow);

  void set_framing(Framing framing) { framing_ = framing; }

  /// The first byte that is not white space, without taking it; nullopt with `idle` or `ended` in
  /// `status` if there is none. For use before the first record.
  std::optional<char> peek(int wait_ms, Status& status);

  /// The next record; a pipe or followed file is waited for at most about `wait_ms`.
  /// Throws what `ByteInput::read` throws, after all whole records have been given.
  Status next(RawRecord& record, int wait_ms);

  /// Moves on to byte `offset` of the stream, counting lines; false if it ends before.
  bool skip_to(std::uint64_t offset);

  /// Bytes up to the end of the last record.
  std::uint64_t offset() const { return offset_; }

  const ByteInput& input() const { return *input_; }

 private:
  enum class Quote { field_start, outside, inside, closing };

  std::optional<std::size_t> find_end();
  bool at_limit() const { return scan_ - begin_ > kMaxRecordBytes; }
  /// Reads more; false when nothing came.
  bool fill(int wait_ms);
  void skip_mark();
  bool take(std::size_t size, std::size_t terminator, RawRecord& record);
  void take_first_line(RawRecord& record);
  Status take_last(RawRecord& record);
  /// Drops the rest of a line that is too long; true once its end was found.
  bool drop_line();
  Status take_dropped(std::size_t terminator, RawRecord& record);

  std::unique_ptr<ByteInput> input_;
  bool follow_;
  Framing framing_ = Framing::lines;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  ///< where the next record starts
  std::size_t scan_ = 0;   ///< no record ends before
  std::size_t end_ = 0;
  Quote quote_ = Quote::field_start;
  bool input_ended_ = false;  ///< the last read found an end
  bool started_ = false;      ///< past a byte order mark
  std::uint64_t offset_ = 0;
  std::uint64_t line_ = 1;
  bool dropping_ = false;      ///< within a line that is too long
  std::string kept_;           ///< its start
  std::uint64_t dropped_ = 0;  ///< its bytes so far
};

}  // namespace freshet
