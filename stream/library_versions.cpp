#include "stream/library_versions.h"

#include <openssl/crypto.h>
#include <simdjson.h>
#include <sqlite3.h>
#include <zlib.h>

namespace freshet {

std::vector<LibraryVersion> stream_library_versions() {
  return {{"sqlite", sqlite3_libversion()},
          {"simdjson", SIMDJSON_STRINGIFY(SIMDJSON_VERSION)},
          {"zlib", zlibVersion()},
          {"openssl", OpenSSL_version(OPENSSL_VERSION)}};
}

}  // namespace freshet
