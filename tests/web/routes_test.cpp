#include "web/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include <nlohmann/json.hpp>

#include "stream/error.h"
#include "web/target.h"

namespace freshet {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Routes : public ::testing::Test {
 protected:
  Routes() {
    add("GET", "/");
    add("GET", "/v2/models/{model}", Role::view);
    add("GET", "/v2/{anything}/ready");
    add("GET", "/v2/health/ready");
    add("GET", "/api/{pipeline}/versions/{version:number}", Role::view);
    add("POST", "/api/{pipeline}/promote");
    add("DELETE", "/api/{pipeline}/promote");
    add("GET", "/tags/{tag:text}");
    add("GET", "/files/{path:rest}");
  }
  void add(const std::string& method, const std::string& pattern, Role role = Role::operate) {
    Route route;
    route.method = method;
    route.pattern = pattern;
    route.role = role;
    route.handler = [](const Request&) { return Response{}; };
    routes.add(route);
  }
  RouteTable::Match match(const std::string& target, const std::string& method = "GET") const {
    const auto parsed = parse_target(target);
    return parsed ? routes.match(method, parsed->segments) : RouteTable::Match{};
  }
  std::string found(const std::string& target, const std::string& method = "GET") const {
    const auto result = match(target, method);
    return result.route ? result.route->pattern : "none";
  }

  RouteTable routes;
};

TEST_F(Routes, MatchSegmentBySegment) {
  EXPECT_EQ(found("/"), "/");
  EXPECT_EQ(found("/?a=b"), "/");
  EXPECT_EQ(found("/v2/models/m"), "/v2/models/{model}");
  EXPECT_EQ(found("/v2/models/m/"), "none");
  EXPECT_EQ(found("//v2/models/m"), "none");
  EXPECT_EQ(found("/v2/models"), "none");
  EXPECT_EQ(found("/V2/models/m"), "none");
}

TEST_F(Routes, TheEarlierLiteralWins) {
  EXPECT_EQ(found("/v2/health/ready"), "/v2/health/ready");
  EXPECT_EQ(found("/v2/other/ready"), "/v2/{anything}/ready");
  EXPECT_EQ(found("/v2/models/ready"), "/v2/models/{model}");
}

TEST_F(Routes, ParametersKeepToTheirPattern) {
  EXPECT_EQ(match("/api/card-fraud_1.x/versions/12").parameters.at("pipeline"), "card-fraud_1.x");
  EXPECT_EQ(match("/api/p/versions/12").parameters.at("version"), "12");
  EXPECT_EQ(match("/api/%70/versions/12").parameters.at("pipeline"), "p");
  for (const char* target :
       {"/api/P/versions/1", "/api/../versions/1", "/api/./versions/1", "/api/%2e%2e/versions/1",
        "/api//versions/1", "/api/a%2fb/versions/1", "/api/p/versions/-1", "/api/p/versions/",
        "/api/p/versions/1234567890123456789", "/api/p/versions/1a", "/api/%C3%A4/versions/1"}) {
    EXPECT_EQ(found(target), "none") << target;
  }
  EXPECT_EQ(found("/api/" + std::string(64, 'a') + "/versions/1"),
            "/api/{pipeline}/versions/{version:number}");
  EXPECT_EQ(found("/api/" + std::string(65, 'a') + "/versions/1"), "none");
  EXPECT_EQ(match("/tags/a%2Fb%20%C3%A4").parameters.at("tag"), "a/b \xC3\xA4");
}

TEST_F(Routes, RestJoinsSegmentsThatAreNoWayOut) {
  EXPECT_EQ(match("/files/a/b%20c/d").parameters.at("path"), "a/b c/d");
  for (const char* target : {"/files", "/files/", "/files/a//b", "/files/../a", "/files/a/%2e%2e",
                             "/files/a%2fb", "/files/a%5cb", "/files/a/."}) {
    EXPECT_EQ(found(target), "none") << target;
  }
}

TEST_F(Routes, AnotherMethodIsToldWhichAreTaken) {
  EXPECT_EQ(match("/api/p/promote").route, nullptr);
  EXPECT_THAT(match("/api/p/promote").allowed, ElementsAre("DELETE", "POST"));
  EXPECT_THAT(match("/v2/health/ready", "POST").allowed, ElementsAre("GET", "HEAD"));
  EXPECT_EQ(found("/v2/health/ready", "HEAD"), "/v2/health/ready");
  EXPECT_THAT(match("/nowhere").allowed, IsEmpty());
}

TEST_F(Routes, WrongOnesAreRefused) {
  for (const char* pattern : {"", "a", "/{a", "/{a:word}", "/{a:rest}/b", "/", "/a?b"}) {
    EXPECT_THROW(add("GET", pattern), Error) << pattern;
  }
  EXPECT_THROW(add("HEAD", "/x"), Error);
  EXPECT_THROW(routes.add(Route{}), Error);
}

TEST_F(Routes, BodiesAreForMethodsThatHaveThem) {
  EXPECT_EQ(match("/api/p/promote", "POST").route->body_limit(), 1024U * 1024U);
  EXPECT_EQ(match("/api/p/promote", "DELETE").route->body_limit(), 0U);
}

TEST_F(Routes, OpenApiHasThemAll) {
  const auto document = nlohmann::json::parse(
      routes.openapi_json("Freshet", "0.1.0", R"({"Version": {"type": "object"}})"));
  EXPECT_EQ(document.at("openapi"), "3.1.0");
  EXPECT_EQ(document.at("info").at("version"), "0.1.0");
  for (const char* scheme : {"bearer", "basic", "cookie"}) {
    EXPECT_TRUE(document.at("components").at("securitySchemes").contains(scheme));
  }
  EXPECT_TRUE(document.at("components").at("schemas").contains("Version"));
  EXPECT_EQ(document.at("paths").size(), 8U);
  const auto& version = document.at("paths").at("/api/{pipeline}/versions/{version}").at("get");
  EXPECT_EQ(version.at("parameters").size(), 2U);
  EXPECT_EQ(version.at("parameters").at(1).at("schema").at("type"), "integer");
  EXPECT_EQ(version.at("security").size(), 3U);
  EXPECT_EQ(version.at("responses").at("404").at("$ref"), "#/components/responses/Problem");
  EXPECT_TRUE(
      document.at("paths").at("/api/{pipeline}/promote").at("post").contains("requestBody"));
  EXPECT_FALSE(
      document.at("paths").at("/api/{pipeline}/promote").at("delete").contains("requestBody"));
}

TEST(Target, QueryIsDecoded) {
  const auto target = parse_target("/a%20b?x=1+2&y=%26&x=3&z&&");
  ASSERT_TRUE(target);
  EXPECT_THAT(target->segments, ElementsAre("a b"));
  using Pair = std::pair<const std::string, std::string>;
  EXPECT_THAT(target->query,
              ElementsAre(Pair("x", "1 2"), Pair("x", "3"), Pair("y", "&"), Pair("z", "")));
}

TEST(Target, WhatIsNoTextIsNone) {
  for (const char* target : {"", "a", "/%", "/%4", "/%zz", "/%00", "/%0a", "/%ff", "/?a=%c3",
                             "/?%0d", "/%+1", "/%-1", "/%7f"}) {
    EXPECT_FALSE(parse_target(target)) << target;
  }
}

}  // namespace
}  // namespace freshet
