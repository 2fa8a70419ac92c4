#pragma once

#include <string>
#include <string_view>

#include "web/request.h"

namespace freshet {

/// A file of the page, embedded in the program as it is and gzipped. The bytes must stay as long as
/// the program.
struct Asset {
  std::string_view path;          ///< "/app.js"
  std::string_view content_type;  ///< "text/javascript; charset=utf-8"
  std::string_view plain;
  std::string_view gzipped;  ///< empty: not worth it
  std::string_view sha256;   ///< of `plain`; the ETag
};

/// The file, gzipped where Accept-Encoding has gzip; 304 if the client's copy is this one.
/// The browser keeps it, and asks each time whether it still holds.
Response serve_asset(const Request& request, const Asset& asset);

}  // namespace freshet
