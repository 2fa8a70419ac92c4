#include "web/json_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "stream/error.h"

namespace freshet {
namespace {

using ::testing::HasSubstr;

std::string fault_of(const std::string& text, const JsonLimits& limits = {}) {
  try {
    parse_json(text, limits);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid);
    return error.what();
  }
  return "";
}

std::string nested(std::size_t depth, const std::string& open, const std::string& close) {
  std::string text;
  for (std::size_t i = 0; i < depth; ++i) text += open;
  text += "1";
  for (std::size_t i = 0; i < depth; ++i) text += close;
  return text;
}

TEST(JsonLimits, WhatIsWithinThemIsParsed) {
  const std::vector<std::string> texts = {
      R"({"a":[1,-2,2.5,true,false,null,"x\u00e4\n",{"b":{}},[]],"c":18446744073709551615})",
      "[]",
      "3",
      "\"\"",
      "null",
      R"({"a":{"a":{"a":1}},"b":{"a":2}})",
      R"([[1,2],[3,[4]],[]])"};
  for (const std::string& text : texts) {
    EXPECT_EQ(parse_json(text), nlohmann::json::parse(text)) << text;
  }
}

TEST(JsonLimits, DepthIsCheckedWhileParsing) {
  EXPECT_EQ(fault_of(nested(64, "[", "]")), "");
  EXPECT_EQ(fault_of(nested(65, "[", "]")), "JSON, byte 64: nested deeper than 64 levels");
  EXPECT_EQ(fault_of(nested(65, "{\"a\":", "}")), "JSON, byte 320: nested deeper than 64 levels");
  EXPECT_EQ(fault_of(std::string(1'000'000, '[')), "JSON, byte 64: nested deeper than 64 levels");
}

TEST(JsonLimits, SizeIsCheckedFirst) {
  EXPECT_EQ(fault_of("[1,2]", {.bytes = 4, .depth = 64}),
            "JSON, byte 4: the document has 5 bytes; 4 are taken");
  EXPECT_EQ(fault_of("[1,2]", {.bytes = 5, .depth = 64}), "");
}

TEST(JsonLimits, AKeyMayNotStandTwice) {
  EXPECT_EQ(fault_of(R"({"a":1,"a":2})"), "JSON, byte 9: the key \"a\" stands twice");
  EXPECT_EQ(fault_of(R"([{"a":{"b":1,"b":2}}])"), "JSON, byte 15: the key \"b\" stands twice");
  EXPECT_EQ(fault_of(R"({"a":1,"\u0061":2})"), "JSON, byte 14: the key \"a\" stands twice");
}

TEST(JsonLimits, SyntaxNamesTheByte) {
  EXPECT_THAT(fault_of("[1,]"), HasSubstr("JSON, byte 3: "));
  EXPECT_THAT(fault_of(""), HasSubstr("JSON, byte 0: "));
  EXPECT_THAT(fault_of("{} x"), HasSubstr("JSON, byte 3: "));
  EXPECT_THAT(fault_of("{'a':1}"), HasSubstr("JSON, byte 1: "));
  for (const char* text : {"[1", "{\"a\"", "nan", "01", "\"\t\"", "[1]]", "// c\n1", "1e999"}) {
    EXPECT_THAT(fault_of(text), HasSubstr("JSON, byte ")) << text;
  }
}

TEST(JsonLimits, BytesMustBeUtf8) {
  EXPECT_THAT(fault_of("\"a\xff\""), HasSubstr("byte 0xff at offset 2"));
  EXPECT_NE(fault_of("\"\xc0\x80\""), "");
  EXPECT_NE(fault_of(R"("\ud800")"), "");
}

}  // namespace
}  // namespace freshet
