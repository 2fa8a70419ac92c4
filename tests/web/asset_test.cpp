#include "web/asset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace freshet {
namespace {

using ::testing::Contains;
using ::testing::Not;

constexpr Asset kAsset = {"/app.js", "text/javascript", "plain", "zipped", "abc"};
const std::pair<std::string, std::string> kGzip{"Content-Encoding", "gzip"};

Response ask(const std::string& name, const std::string& value) {
  Request request;
  request.headers[name] = value;
  return serve_asset(request, kAsset);
}

TEST(Asset, IsGzippedForWhoTakesIt) {
  for (const char* accepting : {"gzip", "br, gzip;q=0.5", "gzip, deflate"}) {
    const Response response = ask("accept-encoding", accepting);
    EXPECT_EQ(response.body, "zipped") << accepting;
    EXPECT_THAT(response.headers, Contains(kGzip));
  }
  for (const char* other : {"", "br", "gzip;q=0", "br, gzip;q=0.0, x;q=1"}) {
    const Response response = ask("accept-encoding", other);
    EXPECT_EQ(response.body, "plain") << other;
    EXPECT_THAT(response.headers, Not(Contains(kGzip)));
  }
}

TEST(Asset, IsNotSentTwice) {
  EXPECT_EQ(ask("if-none-match", "\"abc\"").status, 304);
  EXPECT_EQ(ask("if-none-match", "\"abd\"").status, 200);
}

}  // namespace
}  // namespace freshet
