// What cpp-httplib was seen to let through (RELIABILITY.md, Security), and its kin, sent as raw
// bytes: each gets its status, once, and nothing of it is taken for a second request.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/web/served.h"

namespace freshet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Attack {
  std::string name;
  std::string bytes;  ///< HOST stands for the right host
  int status;
};

std::string with(const std::string& line, const std::string& headers,
                 const std::string& body = "") {
  return line + " HTTP/1.1\r\nHost: HOST\r\n" + headers + "\r\n" + body;
}

std::string many_headers(int count) {
  std::string headers;
  for (int i = 0; i < count; ++i) headers += "X-" + std::to_string(i) + ": 1\r\n";
  return headers;
}

const std::string kSecond = "GET /livez HTTP/1.1\r\nHost: HOST\r\n\r\n";

std::vector<Attack> framing_attacks() {
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  return {
      {"chunked", with("POST /echo", chunked, "5\r\nhello\r\n0\r\n\r\n"), 411},
      {"chunked in capitals", with("POST /echo", "TRANSFER-ENCODING: x, chunked\r\n", "0\r\n\r\n"),
       411},
      {"CL and TE", with("POST /echo", "Content-Length: 5\r\n" + chunked, "0\r\n\r\n" + kSecond),
       400},
      {"TE and CL", with("POST /echo", chunked + "Content-Length: 4\r\n", "0\r\n\r\n" + kSecond),
       400},
      {"two CLs", with("POST /echo", "Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"), 400},
      {"two equal CLs", with("POST /echo", "Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
       400},
      {"a list as CL", with("POST /echo", "Content-Length: 5, 5\r\n", "hello"), 400},
      {"CL with a sign", with("POST /echo", "Content-Length: +5\r\n", "hello"), 400},
      {"negative CL", with("POST /echo", "Content-Length: -1\r\n", "hello"), 400},
      {"hex CL", with("POST /echo", "Content-Length: 0x5\r\n", "hello"), 400},
      {"empty CL", with("POST /echo", "Content-Length: \r\n", "hello"), 400},
      {"CL beyond 2^64", with("POST /echo", "Content-Length: 99999999999999999999\r\n"), 400},
      {"CL beyond the limit", with("POST /echo", "Content-Length: 1048577\r\n"), 413},
      {"gzip body",
       with("POST /echo", "Content-Encoding: gzip\r\nContent-Length: 2\r\n", "\x1f\x8b"), 415},
      {"multipart",
       with("POST /echo", "Content-Type: Multipart/form-data; boundary=x\r\nContent-Length: 1\r\n",
            "x"),
       415},
      {"GET with a body", with("GET /livez", "Content-Length: 38\r\n", kSecond), 400},
      {"HEAD with a body", with("HEAD /livez", "Content-Length: 38\r\n", kSecond), 400},
      {"DELETE with a body", with("DELETE /thing", "Content-Length: 38\r\n", kSecond), 400},
      {"other expectations", with("POST /echo", "Expect: much\r\nContent-Length: 1\r\n", "x"), 417},
  };
}

std::vector<Attack> syntax_attacks() {
  return {
      {"bare LF", "GET /livez HTTP/1.1\nHost: HOST\n\n", 400},
      {"bare CR", with("GET /livez", "X-A: 1\rX-B: 2\r\n"), 400},
      {"NUL", with("GET /livez", std::string("X-A: a\0b\r\n", 10)), 400},
      {"encoded CRLF", with("GET /livez", "X-A: a%0d%0aX-B: b\r\n"), 400},
      {"encoded LF in capitals", with("GET /livez", "X-A: a%0AX-B: b\r\n"), 400},
      {"encoded NUL", with("GET /livez", "X-A: a%00\r\n"), 400},
      {"folded line", with("GET /livez", "X-A: a\r\n b\r\n"), 400},
      {"space before the colon", with("GET /livez", "X-A : a\r\n"), 400},
      {"no name", with("GET /livez", ": a\r\n"), 400},
      {"no colon", with("GET /livez", "X-A\r\n"), 400},
      {"no Host", "GET /livez HTTP/1.1\r\n\r\n", 400},
      {"two Hosts", with("GET /livez", "Host: HOST\r\n"), 400},
      {"two credentials", with("GET /livez", "Authorization: a\r\nAuthorization: b\r\n"), 400},
      {"200,000 headers", with("GET /livez", many_headers(200'000)), 431},
      {"101 headers", with("GET /livez", many_headers(101)), 431},
      {"a header of 17 KiB", with("GET /livez", "X-A: " + std::string(17 * 1024, 'a') + "\r\n"),
       431},
      {"a target of 9 KiB", with("GET /" + std::string(9 * 1024, 'a'), ""), 414},
      {"control byte in the target", "GET /li\tvez HTTP/1.1\r\nHost: HOST\r\n\r\n", 400},
      {"encoded CRLF in the target", with("GET /livez%0d%0aX:%20y", ""), 400},
      {"half an escape", with("GET /livez?a=%4", ""), 400},
      {"no UTF-8 in the target", with("GET /%ff", ""), 400},
      {"absolute target", with("GET http://HOST/livez", ""), 400},
      {"no method that is known", with("BREW /livez", ""), 501},
      {"TRACE, which is known and taken nowhere", with("TRACE /livez", ""), 401},
      {"CONNECT", with("CONNECT HOST", ""), 501},
      {"preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"HTTP/0.9", "GET /livez\r\n\r\n", 400},
      {"TLS to a plain port", std::string("\x16\x03\x01\x02\x00\x01\x00", 7), 400},
      {"dots", with("GET /api/v1/pipelines/..", ""), 401},
      {"encoded slash", with("GET /%2e%2e%2fetc/passwd", ""), 401},
  };
}

TEST(Attack, EachGetsItsStatusOnce) {
  const Served served;
  auto attacks = framing_attacks();
  const auto more = syntax_attacks();
  attacks.insert(attacks.end(), more.begin(), more.end());
  for (const Attack& attack : attacks) {
    SCOPED_TRACE(attack.name);
    const std::string answer = served.ask(attack.bytes);
    EXPECT_EQ(status_of(answer), attack.status) << answer.substr(0, 400);
    EXPECT_EQ(answer.rfind("X-Request-Id: "), answer.find("X-Request-Id: ")) << answer;
    EXPECT_THAT(answer, Not(HasSubstr("alive")));
    EXPECT_THAT(answer, HasSubstr("Content-Security-Policy: default-src 'none'"));
    EXPECT_THAT(answer, HasSubstr("X-Request-Id: "));
  }
  EXPECT_EQ(status_of(served.get("/livez")), 200);
}

TEST(Attack, BytesAfterARequestAreNoSecondRequest) {
  const Served served;
  const std::string first = with("POST /echo", "Content-Length: 5\r\n", "hello");
  const std::string answer = served.ask(first + kSecond + kSecond);
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_THAT(answer, HasSubstr("hello"));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
  EXPECT_THAT(answer, Not(HasSubstr("alive")));
}

TEST(Attack, HeadersOfTheServersOwnMakingAreNotTakenFromTheClient) {
  const Served served;
  const std::string answer =
      served.get("/headers",
                 "REMOTE_ADDR: 6.6.6.6\r\nX-Forwarded-For: 6.6.6.6\r\nX-Request-Id: mine\r\n"
                 "LOCAL_ADDR: 6.6.6.6\r\nAccept: a\r\nAccept: b\r\nCookie: c=d\r\n");
  EXPECT_THAT(answer, HasSubstr("accept=a, b\nhost=" + served.host() + "\n"));
  EXPECT_THAT(answer, Not(HasSubstr("6.6.6.6")));
  EXPECT_THAT(answer, Not(HasSubstr("mine")));
  EXPECT_THAT(answer, Not(HasSubstr("c=d")));
}

TEST(Attack, ARangeIsNotCutOut) {
  const Served served;
  const std::string answer = served.get("/livez", "Range: bytes=0-0,1-1,0-0,1-1,0-0\r\n");
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_TRUE(answer.ends_with("\r\n\r\nalive"));
}

TEST(Attack, AnExceptionTellsNothingOfTheInside) {
  const Served served;
  const std::string answer = served.get("/fails");
  EXPECT_EQ(status_of(answer), 500);
  EXPECT_THAT(answer, Not(HasSubstr("secret")));
  EXPECT_THAT(answer, Not(HasSubstr("EXCEPTION")));
  EXPECT_THAT(served.log(), HasSubstr("secret: /var/lib\\x0a2026 forged line"));
}

TEST(Attack, AnAnswerThatWouldSplitIsNotSent) {
  const Served served;
  const std::string answer = served.get("/splits");
  EXPECT_EQ(status_of(answer), 500);
  EXPECT_THAT(answer, Not(HasSubstr("Set-Cookie")));
}

TEST(Attack, ABodyThatStopsShortIsNotAnswered) {
  const Served served;
  const RawClient client = served.client();
  client.send("POST /echo HTTP/1.1\r\nHost: " + served.host() + "\r\nContent-Length: 5\r\n\r\nhel");
  client.end_sending();
  EXPECT_EQ(client.receive(), "");
}

TEST(Attack, ARequestInSingleBytesIsARequest) {
  const Served served;
  const RawClient client = served.client();
  for (const char c :
       "POST /echo HTTP/1.1\r\nHost: " + served.host() + "\r\nContent-Length: 5\r\n\r\nhello") {
    ASSERT_TRUE(client.send({&c, 1}));
  }
  EXPECT_TRUE(client.receive().ends_with("\r\n\r\nhello"));
}

TEST(Attack, ExpectContinueIsAnswered) {
  const Served served;
  const RawClient client = served.client();
  client.send("POST /echo HTTP/1.1\r\nHost: " + served.host() +
              "\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.receive("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hello");
  EXPECT_TRUE(client.receive().ends_with("\r\n\r\nhello"));
}

TEST(Attack, ARefusedBodyIsTakenSoThatTheAnswerIsNotLostToAReset) {
  const Served served;
  const RawClient client = served.client();
  client.send("POST /echo HTTP/1.1\r\nHost: " + served.host() +
              "\r\nContent-Length: 1048577\r\n\r\n");
  for (int i = 0; i < 10; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_TRUE(client.send(std::string(50'000, 'x')));
  }
  EXPECT_EQ(status_of(client.receive()), 413);
}

TEST(Attack, HeadIsAnsweredLikeGetWithoutTheBody) {
  const Served served;
  const std::string answer = served.ask(with("HEAD /livez", ""));
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_THAT(answer, HasSubstr("Content-Length: 5\r\n"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

}  // namespace
}  // namespace freshet
