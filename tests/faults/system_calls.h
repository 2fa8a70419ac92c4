#pragma once

#include <string>
#include <vector>

namespace freshet {

/// A system call of the program, found again in another run of the same: the `number`th of its name
/// (from 1) that a thread makes, of those on `path` if it isn't empty.
struct SystemCall {
  std::string name;
  std::string path;
  std::size_t number = 1;

  std::string said() const;
};

/// Why strace can't be used here; empty if it can.
std::string no_strace();

/// What changes files, in the order first seen, when `arguments` are run in `workspace`: a call on
/// one of its lasting files is told apart by it, others (renames, files of a moment) by their
/// number alone. The run goes to its end.
std::vector<SystemCall> system_calls(const std::string& arguments, const std::string& workspace);

/// The prefix under which the program meets `fault` (strace's words: "signal=KILL", "error=EIO")
/// at that call and, for `times` > 1, at those after it.
std::string injected(const SystemCall& call, const std::string& fault, std::size_t times = 1);

}  // namespace freshet
