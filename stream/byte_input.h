#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace freshet {

/// The bytes of a file or of standard input ("-"), decompressed when they start like gzip's
/// (several members in a row are one stream).
///
///   auto input = ByteInput::open("events.csv.gz");
///   ByteInput::Got got = input->read(buffer, size, 100);
///
/// A file may grow while it is read. Used by one thread.
class ByteInput {
 public:
  struct Got {
    std::size_t size = 0;
    bool end = false;  ///< nothing more for now (a file) or for ever (a pipe); size is 0
  };

  /// Throws Error{not_found} if there is no such file, Error{invalid} for a folder,
  /// Error{unavailable} if it cannot be opened.
  static std::unique_ptr<ByteInput> open(const std::string& name);
  virtual ~ByteInput() = default;

  /// Reads up to `size` bytes of the decompressed stream; a pipe is waited for at most `wait_ms`.
  /// {0, false}: nothing came in that time. Throws Error{unavailable} on an I/O error,
  /// Error{corrupt} for damaged gzip data, Error{conflict} when the file was replaced or cut
  /// while it was read.
  virtual Got read(char* to, std::size_t size, int wait_ms) = 0;

  /// False in the middle of a gzip member: at the end, the file was cut short.
  virtual bool complete() const = 0;

  /// A regular file; false for standard input and pipes, which cannot be read again.
  virtual bool is_file() const = 0;

  /// Tells a replaced file from one that has grown: "<n>:<sha256 of the first n bytes>" of the
  /// file as it lies on disk, n = min(4096, its size). Empty for a pipe.
  virtual std::string identity() const = 0;

  /// Whether the file still starts with the bytes that `identity` was made of.
  virtual bool matches(const std::string& identity) const = 0;

  virtual const std::string& name() const = 0;
};

/// "standard input" for "-", else the name: for messages.
std::string display_name(const std::string& input_name);

}  // namespace freshet
