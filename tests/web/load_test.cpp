// Slow clients, floods, event streams and stopping, over real sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "stream/error.h"
#include "tests/web/served.h"

namespace freshet {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

#ifdef __SANITIZE_THREAD__
constexpr auto kSoon = 10s;  // its checks make all ten times slower
#else
constexpr auto kSoon = 1s;
#endif

void add_get(RouteTable& routes, const std::string& pattern, Route::Handler handler) {
  Route route;
  route.method = "GET";
  route.pattern = pattern;
  route.role = Role::none;
  route.handler = std::move(handler);
  routes.add(std::move(route));
}

TEST(Load, SlowClientsHoldUpNobody) {
  const Served served;
  std::vector<RawClient> slow;
  for (int i = 0; i < 400; ++i) {
    slow.push_back(served.client());
    ASSERT_TRUE(slow.back().send(i % 2 == 0 ? "GET /li" : "P"));
  }
  for (int i = 0; i < 20; ++i) {
    const auto begin = Clock::now();
    EXPECT_EQ(status_of(served.get("/livez")), 200);
    EXPECT_LT(Clock::now() - begin, kSoon);
  }
}

TEST(Load, TheDeadlineIsForTheWholeRequest) {
  const Served served([](Server::Options& options) { options.limits.reading = 600ms; });
  const RawClient dripping = served.client();
  const RawClient silent = served.client();
  const auto begin = Clock::now();
  const std::string bytes = "GET /livez HTTP/1.1\r\nX-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
  for (const char c : bytes) {
    if (!dripping.send({&c, 1}) || Clock::now() - begin > 900ms) break;
    std::this_thread::sleep_for(50ms);
  }
  EXPECT_EQ(status_of(dripping.receive()), 408);
  EXPECT_EQ(silent.receive(), "");
  EXPECT_LT(Clock::now() - begin, 5s);
}

// Ten thousand connections that begin a request and never end it, from this process where it may
// have so many files.
TEST(Load, AFloodOfConnectionsKeepsOutNobodyAndLeavesTheServerWell) {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit most = before;
  most.rlim_cur = most.rlim_max;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &most), 0);
  {
    const std::size_t room = std::min<rlim_t>(most.rlim_cur, 20'000) - 200;
    const std::size_t count = std::min<std::size_t>(10'000, room * 2 / 3);
    const std::size_t limit = count / 5;
    const Served served([limit](Server::Options& options) {
      options.limits.connections = limit;
      options.limits.reading = 60s;
    });
    std::vector<RawClient> flood;
    for (std::size_t i = 0; i < count; ++i) {
      flood.push_back(served.client());
      ASSERT_TRUE(flood.back().is_connected());
      flood.back().send("G");
      if (i % 500 != 499) continue;
      const auto begin = Clock::now();
      EXPECT_EQ(status_of(served.get("/livez")), 200) << i;
      EXPECT_LT(Clock::now() - begin, kSoon) << i;
    }
    const std::string sent_away = flood.front().receive();
    EXPECT_EQ(status_of(sent_away), 503);
    EXPECT_THAT(sent_away, HasSubstr("Retry-After: 1"));
    EXPECT_EQ(flood.back().receive({}, 50ms), "") << "the newest may still go on";
    flood.clear();
    EXPECT_EQ(status_of(served.get("/livez")), 200);
  }
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST(Load, DescriptorsAreLeftWhenFewAre) {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit few = before;
  few.rlim_cur = 256;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  {
    const Served served;
    std::vector<RawClient> clients;
    std::string answer;
    for (int i = 0; i < 120 && answer.empty(); ++i) {
      clients.push_back(served.client());
      answer = clients.back().receive({}, 30ms);
    }
    EXPECT_EQ(status_of(answer), 503);
    EXPECT_GT(clients.size(), 50U);
  }
  few.rlim_cur = 100;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  EXPECT_THROW(Served(), Error);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST(Load, BodiesTogetherHaveALimit) {
  const Served served([](Server::Options& options) { options.limits.body_bytes = 1'500'000; });
  const std::string head =
      "POST /echo HTTP/1.1\r\nHost: " + served.host() + "\r\nContent-Length: 1000000\r\n\r\n";
  const RawClient first = served.client();
  first.send(head + "x");
  std::this_thread::sleep_for(100ms);
  const RawClient second = served.client();
  second.send(head + "x");
  EXPECT_EQ(status_of(second.receive()), 503);
  first.send(std::string(999'999, 'x'));
  EXPECT_EQ(status_of(first.receive()), 200);
}

TEST(Load, AClientThatDoesNotReadIsCutOff) {
  std::atomic<bool> is_done{false};
  const Served served([](Server::Options& options) { options.writing = 300ms; },
                      [&](RouteTable& routes) {
                        add_get(routes, "/endless", [&](const Request&) {
                          Response response;
                          response.content_type = "text/event-stream";
                          response.stream = [&](const Response::Write& write) {
                            if (write(std::string(1024 * 1024, 'x'))) return true;
                            is_done = true;
                            return false;
                          };
                          return response;
                        });
                      });
  const RawClient client = served.client();
  client.send("GET /endless HTTP/1.1\r\nHost: " + served.host() + "\r\n\r\n");
  for (int i = 0; i < 250 && !is_done; ++i) std::this_thread::sleep_for(20ms);
  EXPECT_TRUE(is_done);
}

TEST(Load, ManyHandlersRunAtOnce) {
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  const Served served({}, [&](RouteTable& routes) {
    add_get(routes, "/waits", [&](const Request&) {
      const int now = ++running;
      for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
      }
      std::this_thread::sleep_for(500ms);
      --running;
      return Response{};
    });
  });
  std::vector<RawClient> clients;
  for (int i = 0; i < 300; ++i) {
    clients.push_back(served.client());
    clients.back().send("GET /waits HTTP/1.1\r\nHost: " + served.host() + "\r\n\r\n");
  }
  for (const RawClient& client : clients) EXPECT_EQ(status_of(client.receive()), 200);
  EXPECT_GT(most, 100);
  EXPECT_LE(most, 256);
}

class EventStreams : public ::testing::Test {
 protected:
  static void add_changes(RouteTable& routes) {
    add_get(routes, "/changes", [](const Request&) {
      Response response;
      response.content_type = "text/event-stream";
      response.stream = [](const Response::Write& write) {
        std::this_thread::sleep_for(20ms);
        return write("id: 1\ndata: {}\n\n");
      };
      return response;
    });
  }
  RawClient open() const {
    RawClient client = served.client();
    client.send("GET /changes HTTP/1.1\r\nHost: " + served.host() + "\r\n\r\n");
    return client;
  }

  Served served{{}, add_changes};
};

TEST_F(EventStreams, AreCappedAndTheirPlacesComeFree) {
  std::vector<RawClient> listeners;
  for (int i = 0; i < 32; ++i) {
    listeners.push_back(open());
    const std::string begin = listeners.back().receive("data: {}\n\ni");
    ASSERT_EQ(status_of(begin), 200);
    ASSERT_THAT(begin, HasSubstr("Content-Type: text/event-stream"));
  }
  const std::string refusal = open().receive();
  EXPECT_EQ(status_of(refusal), 503);
  EXPECT_THAT(refusal, HasSubstr("Retry-After: "));
  EXPECT_EQ(status_of(served.get("/livez")), 200);
  listeners.clear();
  int status = 0;
  for (int i = 0; i < 100 && status != 200; ++i) {
    std::this_thread::sleep_for(20ms);
    status = status_of(open().receive("data", 1s));
  }
  EXPECT_EQ(status, 200);
}

TEST_F(EventStreams, EndWhenTheServerStops) {
  const RawClient client = open();
  client.receive("data");
  const auto begin = Clock::now();
  served.server->stop();
  EXPECT_LT(Clock::now() - begin, 3s);
  client.receive();
}

TEST(Stop, FinishesWhatWasAccepted) {
  std::promise<void> entered;
  Served served({}, [&](RouteTable& routes) {
    add_get(routes, "/slow", [&](const Request&) {
      entered.set_value();
      std::this_thread::sleep_for(300ms);
      Response response;
      response.content_type = "text/plain";
      response.body = "done";
      return response;
    });
  });
  const int port = served.port();
  const RawClient working = served.client();
  working.send("GET /slow HTTP/1.1\r\nHost: " + served.host() + "\r\n\r\n");
  const RawClient arriving = served.client();
  arriving.send("POST /echo HTTP/1.1\r\nHost: " + served.host() +
                "\r\nContent-Length: 5\r\n\r\nhe");
  const RawClient silent = served.client();
  entered.get_future().wait();
  std::this_thread::sleep_for(50ms);
  std::thread stopping([&] { served.server->stop(); });
  std::this_thread::sleep_for(50ms);
  arriving.send("llo");
  EXPECT_TRUE(working.receive().ends_with("done"));
  EXPECT_TRUE(arriving.receive().ends_with("hello"));
  stopping.join();
  EXPECT_EQ(silent.receive(), "");
  EXPECT_FALSE(RawClient(port).is_connected());
}

TEST(Stop, CanComeAtOnce) {
  for (int i = 0; i < 20; ++i) {
    const Served served;
    const int port = served.port();
    const auto begin = Clock::now();
    served.server->stop();
    EXPECT_LT(Clock::now() - begin, 3s);
    EXPECT_FALSE(RawClient(port).is_connected());
  }
}

TEST(Start, RefusesAnOpenAddressWithoutTls) {
  for (const char* address : {"0.0.0.0", "::", "10.1.2.3"}) {
    try {
      const Served served([&](Server::Options& options) { options.address = address; });
      FAIL() << address;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid);
      EXPECT_THAT(error.what(), HasSubstr("--behind-proxy"));
    }
  }
  EXPECT_THROW(Served([](Server::Options& options) { options.address = "example.com"; }), Error);
  const Served behind_proxy([](Server::Options& options) {
    options.address = "0.0.0.0";
    options.behind_proxy = true;
  });
  EXPECT_EQ(status_of(behind_proxy.get("/livez")), 200);
}

TEST(Start, RefusesAPortThatIsTaken) {
  const Served first;
  try {
    const Served second([&](Server::Options& options) { options.port = first.port(); });
    FAIL() << "two servers share a port";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_THAT(error.what(), HasSubstr("is another server there?"));
  }
}

}  // namespace
}  // namespace freshet
