#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace freshet {

/// Writes a file whole or not at all, durable on return, in place of one that is there: into a file
/// of its own beside `path` (NAME.PID.N.part) made with `mode` (less the umask), which is synced,
/// renamed to `path`, and its folder synced. Others see the file as it was or as it is now. May be
/// called by any thread.
///
/// Throws Error{unavailable} with the path and the system's reason; what was at `path` is still
/// there then, unless only the last sync failed.
void write_whole_file(const std::string& path, std::string_view bytes, mode_t mode);

/// Makes a folder, with those above it, durable on return. Throws Error{unavailable} as above.
void make_folder(const std::string& path);

/// What was written to the file is on disk on return; a file that is not there has nothing to be.
/// Throws Error{unavailable} as above. May be called by any thread.
void sync_file(const std::string& path);

}  // namespace freshet
