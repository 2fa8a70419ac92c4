#include "web/asset.h"

namespace freshet {

namespace {

// Whether gzip is among "gzip, deflate;q=0.5", and not with q=0.
bool accepts_gzip(const std::string& accept_encoding) {
  const auto at = accept_encoding.find("gzip");
  if (at == std::string::npos) return false;
  const auto end = accept_encoding.find(',', at);
  const std::string entry = accept_encoding.substr(at, end == std::string::npos ? end : end - at);
  const auto weight = entry.find("q=");
  return weight == std::string::npos ||
         entry.find_first_of("123456789", weight) != std::string::npos;
}

}  // namespace

Response serve_asset(const Request& request, const Asset& asset) {
  const bool is_gzipped = !asset.gzipped.empty() && accepts_gzip(request.header("accept-encoding"));
  const std::string tag = "\"" + std::string(asset.sha256) + (is_gzipped ? "-gz\"" : "\"");
  Response response;
  response.headers.emplace_back("ETag", tag);
  response.headers.emplace_back("Cache-Control", "no-cache");
  response.headers.emplace_back("Vary", "Accept-Encoding");
  if (request.header("if-none-match").find(tag) != std::string::npos) {
    response.status = 304;
    return response;
  }
  response.content_type = asset.content_type;
  response.body = is_gzipped ? asset.gzipped : asset.plain;
  if (is_gzipped) response.headers.emplace_back("Content-Encoding", "gzip");
  return response;
}

}  // namespace freshet
