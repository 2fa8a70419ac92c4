// The command line's client, against a server with a certificate of its own and one that refuses.
#include "web/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>

#include "orchestrator/workspace.h"
#include "stream/error.h"
#include "tests/web/certificate.h"
#include "tests/web/served.h"
#include "web/problem.h"

namespace freshet {
namespace {

using ::testing::HasSubstr;

class Client : public ::testing::Test {
 protected:
  Client() {
    std::string pattern = (std::filesystem::temp_directory_path() / "freshet-c-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    workspace_.emplace(Workspace::open(folder_ + "/w", Workspace::Mode::own));
    setenv("FRESHET_TOKEN", "operate-token", 1);
  }
  ~Client() override {
    unsetenv("FRESHET_TOKEN");
    workspace_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  std::unique_ptr<Served> serve(Route::Handler pause, const std::string& names) {
    const bool tls = !names.empty();
    if (tls) write_certificate(path("certificate.pem"), path("key.pem"), names);
    auto served = std::make_unique<Served>(
        [&](Server::Options& options) {
          if (!tls) return;
          options.tls_certificate_file = path("certificate.pem");
          options.tls_key_file = path("key.pem");
        },
        [&](RouteTable& routes) {
          routes.add({.method = "POST",
                      .pattern = "/api/v1/pipelines/{pipeline}/pause",
                      .role = Role::operate,
                      .handler = std::move(pause),
                      .summary = ""});
        },
        Access::Options{.allowed_hosts = {}, .tls = tls});
    workspace_->announce((tls ? "https://" : "http://") + served->host());
    return served;
  }
  std::string pause(const std::string& certificate = "") const {
    try {
      const auto owner = find_http_owner({folder_ + "/w", certificate});
      if (!owner) return "nobody";
      CommandRecord record;
      record.kind = "pause";
      record.arguments = "{}";
      record.reason = "why not";
      owner->command("bikes", record);
      return "done";
    } catch (const Error& error) {
      return error.what();
    }
  }
  static Response empty(const Request&) {
    Response response;
    response.content_type = "application/json";
    response.body = "{}";
    return response;
  }

  std::string folder_;
  std::optional<Workspace> workspace_;
};

TEST_F(Client, FindsNobodyWhereNobodyServes) { EXPECT_EQ(pause(), "nobody"); }

TEST_F(Client, TrustsTheCertificateItIsGivenAndNoOther) {
  const auto served = serve(empty, "IP:127.0.0.1");
  EXPECT_EQ(pause(path("certificate.pem")), "done");
  EXPECT_THAT(pause(), HasSubstr("not trusted"));
  write_certificate(path("other.pem"), path("other-key.pem"), "IP:127.0.0.1");
  EXPECT_THAT(pause(path("other.pem")), HasSubstr("not trusted"));
  EXPECT_THAT(pause(path("missing.pem")), HasSubstr("no such certificate"));
}

TEST_F(Client, TakesNoCertificateOfAnotherAddress) {
  const auto served = serve(empty, "DNS:example.org");
  EXPECT_THAT(pause(path("certificate.pem")), HasSubstr("names another address"));
}

TEST_F(Client, SaysWhatTheServerSays) {
  const auto served = serve(
      [](const Request&) -> Response { throw Error(ErrorKind::conflict, "it is paused already"); },
      "");
  EXPECT_EQ(pause(), "it is paused already");
  setenv("FRESHET_TOKEN", "view-token", 1);
  EXPECT_THAT(pause(), HasSubstr("token of FRESHET_TOKEN"));
}

TEST_F(Client, ComesAgainWhenThereIsNoRoomNow) {
  std::atomic<int> asked = 0;
  const auto served = serve(
      [&](const Request& request) {
        return ++asked < 2 ? problem_try_again(429, 1, "come again") : empty(request);
      },
      "");
  EXPECT_EQ(pause(), "done");
  EXPECT_EQ(asked, 2);
}

TEST_F(Client, SaysThatAServerIsGone) {
  { const auto served = serve(empty, ""); }
  EXPECT_THAT(pause(), HasSubstr("can't be reached"));
}

}  // namespace
}  // namespace freshet
