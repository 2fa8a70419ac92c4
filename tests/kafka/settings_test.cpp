// What is said of settings, and what of secrets: of clients that never find a broker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

#include "kafka/reading.h"
#include "stream/error.h"
#include "stream/kafka_settings.h"
#include "stream/kafka_sink.h"

namespace freshet {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using From = KafkaSetting::From;

TEST(KafkaSource, SettingsThatAreRefusedAreNamedAndSecretsAreNot) {
  const auto refusal = [](const KafkaSetting& setting) -> std::string {
    KafkaInput input;
    input.bootstrap = "127.0.0.1:1";
    input.topic = "t";
    input.settings = {setting};
    try {
      kafka_source(input, numbered_schema(), {}, {"g", false, {}, {}, {}});
    } catch (const Error& error) {
      return error.what();
    }
    return "none";
  };
  EXPECT_THAT(refusal({"no.such.thing", "1", From::config}), HasSubstr("no.such.thing"));
  EXPECT_THAT(refusal({"sasl.password", "FRESHET_TEST_NOT_SET", From::environment}),
              AllOf(HasSubstr("sasl.password"), HasSubstr("no variable FRESHET_TEST_NOT_SET")));
  EXPECT_THAT(refusal({"sasl.password", "/no/file", From::file}), HasSubstr("/no/file"));
  ::setenv("FRESHET_TEST_SECRET", "hunter2", 1);
  EXPECT_THAT(refusal({"security.protocol", "FRESHET_TEST_SECRET", From::environment}),
              AllOf(HasSubstr("security.protocol"), Not(HasSubstr("hunter2"))));
}

TEST(KafkaSecrets, AreHiddenInWholeAndInPart) {
  KafkaSecrets secrets;
  EXPECT_EQ(secrets.hide("found hunter2"), "found hunter2");
  secrets.add("");
  secrets.add("abc");
  secrets.add("user=me key=züngeln");
  EXPECT_EQ(secrets.hide("abc refused: abd"), "… refused: abd");
  EXPECT_EQ(secrets.hide("user=me key=züngeln: bad"), "…: bad");
  EXPECT_EQ(secrets.hide("beginning at: key=züngeln"), "beginning at:…");
  EXPECT_EQ(secrets.hide("cut off: user=me k"), "cut off: …");
  EXPECT_EQ(secrets.hide("a key"), "a key");
}

/// What librdkafka quotes of it, it quotes from `unread` on.
std::vector<KafkaSetting> unreadable_token_config() {
  ::setenv("FRESHET_TEST_OAUTH", "principal=me unread=hunter2", 1);
  return {{"security.protocol", "SASL_PLAINTEXT", From::config},
          {"sasl.mechanism", "OAUTHBEARER", From::config},
          {"enable.sasl.oauthbearer.unsecure.jwt", "true", From::config},
          {"sasl.oauthbearer.config", "FRESHET_TEST_OAUTH", From::environment}};
}

TEST(KafkaSecrets, ThatLibrdkafkaQuotesAreNotPassedOnByTheSource) {
  KafkaInput input;
  input.bootstrap = "127.0.0.1:1";
  input.topic = "t";
  input.settings = unreadable_token_config();
  std::vector<std::string> told;
  KafkaReading how;
  how.group = "test";
  how.give_up_after = std::chrono::seconds(5);
  how.notice = [&](const std::string& text) { told.push_back(text); };
  class Nothing : public RecordSink {
    void event(const Event&, const Origin&) override {}
    void bad(const Origin&, const std::string&) override {}
  } nothing;
  try {
    const auto source = kafka_source(input, numbered_schema(), {}, how);
    while (source->poll(10, nothing) != PollStatus::ended) told.push_back(source->state().trouble);
    FAIL();
  } catch (const Error& error) {
    told.emplace_back(error.what());
  }
  EXPECT_THAT(told.back(), AllOf(HasSubstr("sasl.oauthbearer.config"), HasSubstr("…")));
  EXPECT_THAT(told, Each(AllOf(Not(HasSubstr("hunter2")), Not(HasSubstr("unread")))));
}

TEST(KafkaSecrets, ThatLibrdkafkaQuotesAreNotPassedOnByTheSink) {
  std::vector<std::string> told;
  KafkaSink sink({"127.0.0.1:1", "d", "", unreadable_token_config()}, "p",
                 [&](const std::string& text) { told.push_back(text); });
  for (int tries = 0; tries < 100 && told.empty(); ++tries) {
    sink.serve(std::chrono::milliseconds(50));
  }
  ASSERT_FALSE(told.empty());
  EXPECT_THAT(told.front(), AllOf(HasSubstr("sasl.oauthbearer.config"), HasSubstr("…")));
  told.push_back(sink.trouble());
  EXPECT_THAT(told, Each(AllOf(Not(HasSubstr("hunter2")), Not(HasSubstr("unread")))));
}

TEST(KafkaSettings, AreCheckedWithoutAClient) {
  EXPECT_THAT(kafka_setting_refusal({"acks", "all", From::config}), IsEmpty());
  EXPECT_THAT(kafka_setting_refusal({"linger.ms", "soon", From::config}),
              HasSubstr("Invalid value"));
  EXPECT_THAT(kafka_setting_refusal({"no.such.thing", "NOT_SET", From::environment}),
              HasSubstr("No such configuration property"));
  for (const char* name : {"sasl.password", "enable.ssl.certificate.verification", "linger.ms",
                           "security.protocol", "request.required.acks"}) {
    EXPECT_THAT(kafka_setting_refusal({name, "NOT_SET", From::environment}), IsEmpty()) << name;
  }
  EXPECT_THAT(kafka_setting_refusal({"plugin.library.paths", "/lib/x", From::file}),
              HasSubstr("loads code"));
}

TEST(KafkaSettings, ThatMayBeSecretAreKnownByTheirNames) {
  for (const char* name :
       {"sasl.password", "sasl.pasword", "SASL.Password", "ssl.key.pem", "sasl.jaas.config",
        "sasl.oauthbearer.config", "sasl.oauthbearer.client.secret", "ssl.key.passphrase"}) {
    EXPECT_TRUE(is_secret_setting(name)) << name;
  }
  for (const char* name :
       {"sasl.username", "sasl.oauthbearer.token.endpoint.url", "ssl.key.location",
        "ssl.certificate.pem", "ssl.ca.pem", "sasl.oauthbearer.client.id"}) {
    EXPECT_FALSE(is_secret_setting(name)) << name;
  }
}

}  // namespace
}  // namespace freshet
