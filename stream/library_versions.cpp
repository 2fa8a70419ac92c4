#include "stream/library_versions.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <openssl/crypto.h>
#include <simdjson.h>
#include <sqlite3.h>
#include <xxhash.h>
#include <zlib.h>

#include <string>

namespace freshet {

namespace {

std::string xxhash_version() {
  const unsigned number = XXH_versionNumber();
  return fmt::format("{}.{}.{}", number / 10000, number / 100 % 100, number % 100);
}

}  // namespace

std::vector<LibraryVersion> stream_library_versions() {
  return {{"sqlite", sqlite3_libversion()},
          {"simdjson", SIMDJSON_STRINGIFY(SIMDJSON_VERSION)},
          {"zlib", zlibVersion()},
          {"xxhash", xxhash_version()},
          {"librdkafka", rd_kafka_version_str()},
          {"openssl", OpenSSL_version(OPENSSL_VERSION)}};
}

}  // namespace freshet
