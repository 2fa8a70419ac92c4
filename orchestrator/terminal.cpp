#include "orchestrator/terminal.h"

#include <fcntl.h>

#include <csignal>
#include <cstdio>
#include <iostream>

namespace freshet {

void keep_standard_streams() {
  for (int stream = 0; stream <= 2; ++stream) {
    // The lowest free number is taken, for reading alone: what is printed there is not lost unseen.
    if (::fcntl(stream, F_GETFD) == -1) ::open("/dev/null", O_RDONLY);
  }
  std::signal(SIGXFSZ, SIG_IGN);
}

void say_text(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

bool flush_output() {
  std::cout.flush();
  return std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && !std::cout.fail();
}

}  // namespace freshet
