#include "stream/line_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "stream/blanks.h"
#include "stream/error.h"

namespace freshet {
namespace {

constexpr std::size_t kReadBytes = 1 << 18;
constexpr std::size_t kKeptBytes = 4096;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::uint64_t count_lines(std::string_view text) {
  return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

LineReader::LineReader(std::unique_ptr<ByteInput> input, bool follow)
    : input_(std::move(input)),
      follow_(follow && input_->is_file()),
      buffer_(kMaxRecordBytes + 2 * kReadBytes) {}

bool LineReader::fill(int wait_ms) {
  if (begin_ > 0 && buffer_.size() - end_ < kReadBytes) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    scan_ -= begin_;
    end_ -= begin_;
    begin_ = 0;
  }
  const std::size_t room = std::min(kReadBytes, buffer_.size() - end_);
  const ByteInput::Got got = input_->read(buffer_.data() + end_, room, wait_ms);
  end_ += got.size;
  input_ended_ = got.end;
  return got.size > 0;
}

void LineReader::skip_mark() {
  const std::string_view start(buffer_.data() + begin_, end_ - begin_);
  if (start.size() < kByteOrderMark.size() && kByteOrderMark.starts_with(start) &&
      !(input_ended_ && !follow_)) {
    return;
  }
  started_ = true;
  if (start.starts_with(kByteOrderMark)) {
    begin_ += kByteOrderMark.size();
    scan_ = begin_;
    offset_ += kByteOrderMark.size();
  }
}

std::optional<char> LineReader::peek(int wait_ms, Status& status) {
  while (true) {
    if (!started_) skip_mark();
    if (started_) {
      const std::string_view bytes(buffer_.data() + begin_, end_ - begin_);
      const auto at = bytes.find_first_not_of(" \t\r\n");
      if (at != std::string_view::npos) return bytes[at];
    }
    // Nothing but white space as far as a record may reach: no format starts like that.
    if (end_ - begin_ > kMaxRecordBytes) return ' ';
    if (fill(wait_ms)) continue;
    status = input_ended_ && !follow_ ? ended : idle;
    return std::nullopt;
  }
}

// Quotes count only at the start of a field, as RFC 4180 has it: a stray one within a field
// must not swallow the lines that follow.
std::optional<std::size_t> LineReader::find_end() {
  const std::size_t limit = std::min(end_, begin_ + kMaxRecordBytes + 1);
  if (framing_ == Framing::lines) {
    if (scan_ >= limit) return std::nullopt;
    const void* found = std::memchr(buffer_.data() + scan_, '\n', limit - scan_);
    scan_ = found == nullptr
                ? limit
                : static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data());
    return found == nullptr ? std::nullopt : std::optional(scan_);
  }
  for (; scan_ < limit; ++scan_) {
    const char c = buffer_[scan_];
    if (quote_ == Quote::inside) {
      if (c == '"') quote_ = Quote::closing;
    } else if (c == '\n') {
      return scan_;
    } else if (c == ',') {
      quote_ = Quote::field_start;
    } else if (c == '"' && quote_ != Quote::outside) {
      quote_ = Quote::inside;  // opened, or the second of a doubled quote
    } else {
      quote_ = Quote::outside;
    }
  }
  return std::nullopt;
}

// False for a blank line: it is passed over.
bool LineReader::take(std::size_t size, std::size_t terminator, RawRecord& out) {
  std::string_view bytes(buffer_.data() + begin_, size);
  const std::uint64_t first_line = line_;
  offset_ += size + terminator;
  line_ += terminator + (framing_ == Framing::csv ? count_lines(bytes) : 0);
  begin_ += size + terminator;
  scan_ = begin_;
  quote_ = Quote::field_start;
  if (is_blank(bytes)) return false;
  if (bytes.ends_with('\r')) bytes.remove_suffix(1);
  out = {bytes, first_line, bytes.size(), RawRecord::none};
  return true;
}

void LineReader::take_first_line(RawRecord& out) {
  const std::string_view bytes(buffer_.data() + begin_, scan_ - begin_);
  const auto line_end = bytes.find('\n');
  if (line_end == std::string_view::npos) {
    take(bytes.size(), 0, out);
  } else {
    take(line_end, 1, out);
  }
  out.defect = RawRecord::unclosed_quote;
}

LineReader::Status LineReader::take_last(RawRecord& out) {
  if (!input_->complete()) {
    throw Error(ErrorKind::corrupt,
                fmt::format("{}: the gzip data end too early: the file was cut after line {}",
                            display_name(input_->name()), line_));
  }
  if (begin_ == end_) return ended;
  if (framing_ == Framing::csv && quote_ == Quote::inside) {
    take_first_line(out);
    return record;
  }
  return take(end_ - begin_, 0, out) ? record : ended;
}

bool LineReader::drop_line() {
  const std::string_view bytes(buffer_.data() + begin_, end_ - begin_);
  const auto line_end = bytes.find('\n');
  const bool found = line_end != std::string_view::npos;
  dropped_ += found ? line_end : bytes.size();
  begin_ = found ? begin_ + line_end + 1 : end_;
  scan_ = begin_;
  return found;
}

LineReader::Status LineReader::take_dropped(std::size_t terminator, RawRecord& out) {
  dropping_ = false;
  quote_ = Quote::field_start;
  out = {kept_, line_, dropped_, RawRecord::too_long};
  offset_ += dropped_ + terminator;
  line_ += terminator;
  return record;
}

LineReader::Status LineReader::next(RawRecord& out, int wait_ms) {
  while (true) {
    if (!started_) skip_mark();
    if (dropping_) {
      if (drop_line()) return take_dropped(1, out);
    } else if (started_) {
      if (const auto at = find_end()) {
        if (take(*at - begin_, 1, out)) return record;
        continue;
      }
      if (at_limit()) {
        const std::string_view bytes(buffer_.data() + begin_, scan_ - begin_);
        if (framing_ == Framing::csv && bytes.find('\n') != std::string_view::npos) {
          take_first_line(out);
          return record;
        }
        kept_ = bytes.substr(0, kKeptBytes);
        dropping_ = true;
        dropped_ = 0;
        continue;
      }
    }
    if (fill(wait_ms)) continue;
    if (!input_ended_) return idle;
    if (follow_) {
      if (wait_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(wait_ms));
      return idle;
    }
    if (!started_) continue;
    return dropping_ ? take_dropped(0, out) : take_last(out);
  }
}

bool LineReader::skip_to(std::uint64_t offset) {
  while (offset_ < offset) {
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(offset - offset_, end_ - begin_));
    line_ += count_lines({buffer_.data() + begin_, count});
    begin_ += count;
    offset_ += count;
    if (offset_ < offset && !fill(100) && input_ended_) return false;
  }
  scan_ = begin_;
  started_ = started_ || offset > 0;
  return true;
}

}  // namespace freshet
