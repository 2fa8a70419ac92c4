#pragma once

#include <stdexcept>
#include <string>

namespace freshet {

/// What went wrong, as far as a caller acts on it.
enum class ErrorKind {
  invalid,      ///< the input breaks a rule: mend it
  not_found,    ///< nothing of that name is there
  conflict,     ///< it is there, but in another state than the request needs
  corrupt,      ///< stored bytes don't match their hash or format
  unavailable,  ///< a resource refuses for now: disk full, locked, read-only
};

/// The one exception of the project: "this request, event batch or job is over".
/// The message says what was found, where (file, line, field or position), and what would be
/// right. Expected outcomes are values, programmer errors are asserts.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}

  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

/// What did not fit on the disk: it is not there, and may be done again once there is room.
class NoRoom : public Error {
 public:
  explicit NoRoom(const std::string& message) : Error(ErrorKind::unavailable, message) {}
};

}  // namespace freshet
