// The server under TLS, with a certificate made here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "stream/error.h"
#include "tests/web/certificate.h"
#include "tests/web/served.h"

namespace freshet {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class Tls : public ::testing::Test {
 protected:
  Tls() {
    std::filesystem::create_directories(folder_);
    write_certificate(certificate_file(), key_file(), "IP:127.0.0.1");
  }
  ~Tls() override { std::filesystem::remove_all(folder_); }

  std::string certificate_file() const { return (folder_ / "certificate.pem").string(); }
  std::string key_file() const { return (folder_ / "key.pem").string(); }
  std::unique_ptr<Served> serve(const std::string& address = "127.0.0.1") const {
    return std::make_unique<Served>(
        [&](Server::Options& options) {
          options.address = address;
          options.tls_certificate_file = certificate_file();
          options.tls_key_file = key_file();
        },
        nullptr, Access::Options{.allowed_hosts = {}, .tls = true});
  }

  // The whole answer; "" if there is none.
  static std::string ask(int port, const std::string& bytes) {
    const RawClient client(port);
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    SSL* ssl = SSL_new(context);
    SSL_set_fd(ssl, client.socket());
    std::string answer;
    if (SSL_connect(ssl) == 1 && SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size())) > 0) {
      std::vector<char> chunk(65536);
      for (;;) {
        const int count = SSL_read(ssl, chunk.data(), static_cast<int>(chunk.size()));
        if (count <= 0) break;
        answer.append(chunk.data(), static_cast<std::size_t>(count));
      }
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    return answer;
  }

 private:
  const std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) / ("freshet-tls-" + std::to_string(::getpid()));
};

TEST_F(Tls, AnswersLikeThePlainServer) {
  const auto served = serve();
  const std::string host = "Host: " + served->host() + "\r\n";
  EXPECT_THAT(ask(served->port(), "GET /livez HTTP/1.1\r\n" + host + "\r\n"), HasSubstr("alive"));
  const std::string body(900'000, 'x');
  const std::string answer = ask(
      served->port(), "POST /echo HTTP/1.1\r\n" + host + "Content-Length: 900000\r\n\r\n" + body);
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_TRUE(answer.ends_with("\r\n\r\n" + body));
  EXPECT_THAT(ask(served->port(), "GET /login?token=view-token HTTP/1.1\r\n" + host + "\r\n"),
              HasSubstr("; Secure"));
}

TEST_F(Tls, SlowHandshakesHoldUpNobody) {
  const auto served = serve();
  std::vector<RawClient> slow;
  for (int i = 0; i < 300; ++i) {
    slow.push_back(served->client());
    slow.back().send("\x16\x03");
  }
  const auto begin = std::chrono::steady_clock::now();
  const std::string host = "Host: " + served->host() + "\r\n";
  EXPECT_EQ(status_of(ask(served->port(), "GET /livez HTTP/1.1\r\n" + host + "\r\n")), 200);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1s);
}

TEST_F(Tls, WhatIsNoTlsIsClosed) {
  const auto served = serve();
  const std::string answer = served->get("/livez");
  EXPECT_EQ(status_of(answer), 0) << answer;
}

TEST_F(Tls, LetsAnOpenAddressBe) {
  const auto served = serve("0.0.0.0");
  const std::string host = "Host: " + served->host() + "\r\n";
  EXPECT_EQ(status_of(ask(served->port(), "GET /livez HTTP/1.1\r\n" + host + "\r\n")), 200);
}

TEST_F(Tls, FilesThatAreNoneAreNamed) {
  std::filesystem::remove(key_file());
  try {
    serve();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid);
    EXPECT_THAT(error.what(), HasSubstr("key.pem"));
  }
}

}  // namespace
}  // namespace freshet
