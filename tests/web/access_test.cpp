// Every route x {no token, bad token, view, operate, cookie, foreign Host, foreign Origin}, over a
// real socket; then the parts by themselves.
#include "web/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <variant>

#include "tests/registry/test_folder.h"
#include "tests/web/served.h"
#include "web/token_store.h"

namespace freshet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kView = "Authorization: Bearer view-token\r\n";
const std::string kOperate = "Authorization: Bearer operate-token\r\n";

// A route's path with something in place of each parameter.
std::string example_path(std::string pattern) {
  for (auto begin = pattern.find('{'); begin != std::string::npos; begin = pattern.find('{')) {
    pattern.replace(begin, pattern.find('}', begin) - begin + 1, "1");
  }
  return pattern;
}

class EveryRoute : public ::testing::Test {
 protected:
  int ask(const Route& route, const std::string& headers, const std::string& host = "HOST") {
    return status_of(served.ask(route.method + " " + example_path(route.pattern) +
                                " HTTP/1.1\r\nHost: " + host + "\r\n" + headers + "\r\n"));
  }
  static bool is_refusal(int status) { return status == 401 || status == 403 || status == 429; }

  Served served;
};

TEST_F(EveryRoute, IsClosedToWhoIsNotLetIn) {
  for (const Route& route : served.routes.routes()) {
    SCOPED_TRACE(route.method + " " + route.pattern);
    if (route.pattern == "/login") continue;
    const bool is_open = route.role == Role::none;
    const bool is_operate = route.role == Role::operate;
    const bool is_mutation = route.method != "GET";
    EXPECT_EQ(is_refusal(ask(route, "")), !is_open);
    EXPECT_EQ(is_refusal(ask(route, "Authorization: Bearer wrong\r\n")), !is_open);
    EXPECT_EQ(is_refusal(ask(route, kView)), is_operate);
    EXPECT_FALSE(is_refusal(ask(route, kOperate)));
    EXPECT_EQ(is_refusal(ask(route, "Cookie: freshet=operate-token\r\n")), !is_open && is_mutation);
    EXPECT_FALSE(is_refusal(ask(route, "Cookie: freshet=operate-token\r\nX-Freshet: 1\r\n")));
    EXPECT_EQ(ask(route, kOperate, "evil.example"), 421);
    EXPECT_EQ(ask(route, kOperate, "127.0.0.1:1"), 421);
    EXPECT_EQ(ask(route, kOperate + "Origin: http://evil.example\r\n"), 403);
    EXPECT_EQ(ask(route, kOperate + "Origin: null\r\n"), 403);
    EXPECT_NE(ask(route, kOperate + "Origin: http://HOST\r\n"), 403);
  }
}

TEST_F(EveryRoute, WhatIsNoRouteIsClosedToo) {
  EXPECT_EQ(status_of(served.get("/nowhere")), 401);
  EXPECT_EQ(status_of(served.get("/nowhere", kView)), 404);
  const std::string answer = served.ask("PUT /livez HTTP/1.1\r\nHost: HOST\r\n" + kView + "\r\n");
  EXPECT_EQ(status_of(answer), 405);
  EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD\r\n"));
}

TEST_F(EveryRoute, ARefusedBodyIsNotRead) {
  const RawClient client = served.client();
  client.send("POST /api/v1/pipelines/p/promote HTTP/1.1\r\nHost: " + served.host() +
              "\r\nContent-Length: 1000\r\n\r\n");
  EXPECT_EQ(status_of(client.receive()), 401);
}

TEST_F(EveryRoute, TellsWhichFlagLetsAHostIn) {
  EXPECT_THAT(served.ask("GET /livez HTTP/1.1\r\nHost: a.b\r\n\r\n"), HasSubstr("--allow-host"));
}

TEST_F(EveryRoute, TheLoginLinkBecomesACookie) {
  const std::string answer = served.get("/login?token=operate-token");
  EXPECT_EQ(status_of(answer), 303);
  EXPECT_THAT(answer, HasSubstr("Location: /\r\n"));
  EXPECT_THAT(answer, HasSubstr("Set-Cookie: freshet=operate-token; HttpOnly; SameSite=Strict; "
                                "Path=/"));
  EXPECT_THAT(answer, Not(HasSubstr("Secure")));
  EXPECT_EQ(status_of(served.get("/login?token=wrong")), 401);
  EXPECT_EQ(status_of(served.get("/login")), 401);
  EXPECT_EQ(status_of(served.get("/api/v1/pipelines/p", "Cookie: a=b; freshet=view-token\r\n")),
            200);
}

class AccessRules : public ::testing::Test {
 protected:
  AccessRules() {
    tokens.add({"viewer", Role::view, Tokens::hash_of("v")});
    tokens.add({"operator", Role::operate, Tokens::hash_of("o")});
    access.listening_on("127.0.0.1", 8420);
  }
  static RequestHead head(std::map<std::string, std::string> headers,
                          const std::string& method = "GET") {
    RequestHead result;
    result.method = method;
    result.target = "/";
    result.headers = std::move(headers);
    return result;
  }
  // 0: let in.
  int refusal(const RequestHead& request, Role role = Role::view) {
    const auto outcome = access.identify(request, role);
    const auto* response = std::get_if<Response>(&outcome);
    return response ? response->status : 0;
  }
  int refusal_of(const std::string& authorization) {
    return refusal(head({{"authorization", authorization}}));
  }
  int origin_refusal(const std::string& host, const std::string& origin = "") {
    auto request = head({{"host", host}});
    if (!origin.empty()) request.headers["origin"] = origin;
    const auto response = access.check_origin(request);
    return response ? response->status : 0;
  }

  std::chrono::steady_clock::time_point now{};
  Tokens tokens;
  Access access{tokens,
                {.allowed_hosts = {"Freshet.example", "other.example:99"},
                 .tls = false,
                 .behind_proxy = false,
                 .clock = [this] { return now; }}};
};

TEST_F(AccessRules, TakeBearerBasicAndCookie) {
  EXPECT_EQ(refusal_of("Bearer v"), 0);
  EXPECT_EQ(refusal_of("bEARER v"), 0);
  EXPECT_EQ(refusal_of("Basic YW55Ym9keTp2"), 0);  // anybody:v
  EXPECT_EQ(refusal(head({{"cookie", "x=y; freshet=v"}})), 0);
  for (const char* wrong : {"Bearer", "Bearer ", "Bearer vv", "Basic v",
                            "Basic YW55Ym9keQ==", "Digest v", "v", "Basic \xff"}) {
    EXPECT_EQ(refusal_of(wrong), 401) << wrong;
  }
}

TEST_F(AccessRules, ABadAuthorizationIsNotMadeGoodByACookie) {
  EXPECT_EQ(refusal(head({{"authorization", "Bearer x"}, {"cookie", "freshet=v"}})), 401);
}

TEST_F(AccessRules, MutationsByCookieNeedTheHeader) {
  EXPECT_EQ(refusal(head({{"cookie", "freshet=o"}}, "POST"), Role::operate), 403);
  EXPECT_EQ(refusal(head({{"cookie", "freshet=o"}, {"x-freshet", ""}}, "POST"), Role::operate), 0);
  EXPECT_EQ(refusal(head({{"authorization", "Bearer o"}}, "POST"), Role::operate), 0);
  EXPECT_EQ(refusal(head({{"authorization", "Bearer v"}}, "POST"), Role::operate), 403);
}

TEST_F(AccessRules, TenBadTokensSlowDownBadOnesOnly) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(refusal_of("Bearer x" + std::to_string(i)), 401);
    now += std::chrono::seconds(1);
  }
  const auto outcome = access.identify(head({{"authorization", "Bearer x"}}), Role::view);
  ASSERT_TRUE(std::holds_alternative<Response>(outcome));
  EXPECT_EQ(std::get<Response>(outcome).status, 429);
  const std::pair<std::string, std::string> retry{"Retry-After", "50"};
  EXPECT_THAT(std::get<Response>(outcome).headers, ::testing::Contains(retry));
  EXPECT_EQ(refusal_of("Bearer v"), 0);
  EXPECT_EQ(refusal(head({})), 401);
  now += std::chrono::seconds(50);
  EXPECT_EQ(refusal_of("Bearer x"), 401);
  EXPECT_EQ(refusal_of("Bearer y"), 429);
  EXPECT_EQ(refusal_of("Bearer x"), 401);  // the same again is no new guess
}

TEST_F(AccessRules, HostIsLoopbackWithThePortOrConfigured) {
  for (const char* good : {"127.0.0.1:8420", "localhost:8420", "LOCALHOST:8420", "[::1]:8420",
                           "freshet.example", "freshet.example:8420", "other.example:99"}) {
    EXPECT_EQ(origin_refusal(good), 0) << good;
  }
  for (const char* bad :
       {"", "127.0.0.1", "localhost", "127.0.0.1:8421", "127.0.0.1:8420.evil", "other.example",
        "freshet.example:1", "evil.example:8420", "127.0.0.1:8420, evil"}) {
    EXPECT_EQ(origin_refusal(bad), 421) << bad;
  }
}

TEST_F(AccessRules, OriginIsHosts) {
  EXPECT_EQ(origin_refusal("localhost:8420", "http://localhost:8420"), 0);
  for (const char* bad : {"https://localhost:8420", "http://localhost", "http://127.0.0.1:8420",
                          "null", "localhost:8420", "http://evil.example"}) {
    EXPECT_EQ(origin_refusal("localhost:8420", bad), 403) << bad;
  }
}

TEST_F(AccessRules, ARevokedTokenIsOutAtOnce) {
  EXPECT_TRUE(tokens.revoke("viewer"));
  EXPECT_FALSE(tokens.revoke("viewer"));
  EXPECT_EQ(refusal_of("Bearer v"), 401);
}

TEST(Tokens, AreRandomAndKeptAsHashes) {
  const std::string token = Tokens::make();
  EXPECT_EQ(token.size(), 64U);
  EXPECT_NE(token, Tokens::make());
  EXPECT_NE(Tokens::hash_of(token), token);
}

class TokenFile : public FolderTest {
 protected:
  std::vector<Tokens::Token> tokens_in(const std::string& text) const {
    write(path("tokens.json"), text);
    return TokenStore(path("")).list();
  }
  std::string refusal_of(const std::string& text) const {
    try {
      tokens_in(text);
    } catch (const Error& error) {
      return error.what();
    }
    return "none";
  }
};

TEST_F(TokenFile, HasAFormatAndOneOfAnotherBuildIsRefusedNamingBoth) {
  TokenStore(path("")).add("dashboard", Role::view);
  EXPECT_THAT(read(path("tokens.json")), HasSubstr("\"format\": 2"));
  EXPECT_EQ(TokenStore(path("")).list().size(), 1U);
  const std::string hash(64, 'a');
  EXPECT_EQ(tokens_in(R"([{"name": "old", "role": "view", "sha256": ")" + hash + "\"}]").size(),
            1U);
  EXPECT_THAT(refusal_of(R"({"format": 3, "tokens": []})"),
              HasSubstr("format 3, this build reads formats 1 and 2"));
  EXPECT_THAT(refusal_of(R"({"tokens": []})"), HasSubstr("expected {\"format\": 2"));
  EXPECT_THAT(refusal_of("7"), HasSubstr("expected {\"format\": 2"));
}

TEST(Login, CookieIsSecureUnderTls) {
  Tokens tokens;
  tokens.add({"a", Role::view, Tokens::hash_of("t")});
  Access access(tokens, {.allowed_hosts = {}, .tls = true});
  Request request;
  request.query.emplace("token", "t");
  EXPECT_THAT(access.login(request).headers.back().second, ::testing::EndsWith("; Secure"));
}

}  // namespace
}  // namespace freshet
