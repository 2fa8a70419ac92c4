#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace freshet {

// Standard input, output and error of the program.

/// Before anything is opened: a standard stream that is closed stays one that cannot be read or
/// written, as no file of ours takes its number; and a file that reaches its limit is an error of
/// the write, not the end of the program.
void keep_standard_streams();

/// Says something to people, on stderr. Where that cannot be written nothing happens: what is said
/// never ends what is done. Any thread.
void say_text(std::string_view text);

template <class... Values>
void say(fmt::format_string<Values...> format, Values&&... values) {
  say_text(fmt::format(format, std::forward<Values>(values)...));
}

/// Whether all that was printed is out.
bool flush_output();

}  // namespace freshet
