#include "web/serve.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <memory>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include "orchestrator/run.h"
#include "orchestrator/version.h"
#include "stream/error.h"
#include "web/api_schemas.h"
#include "web/api_support.h"
#include "web/metrics.h"
#include "web/page.h"
#include "web/server.h"
#include "web/token_store.h"

namespace freshet {

namespace {

constexpr std::chrono::milliseconds kTurn{100};

std::pair<std::string, int> parse_listen(const std::string& text) {
  const auto colon = text.rfind(':');
  int port = -1;
  if (colon != std::string::npos) {
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data() + colon + 1, end, port);
    if (error != std::errc() || at != end) port = -1;
  }
  if (port < 0 || port > 65535 || colon == 0) {
    throw Error(ErrorKind::invalid,
                fmt::format("--listen {}: expected ADDRESS:PORT, as 127.0.0.1:8420", text));
  }
  std::string address = text.substr(0, colon);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
  }
  return {address, port};
}

// FRESHET_TOKEN, else --token-file, else the workspace's own.
std::string operator_token(const ServeOptions& options, TokenStore& store) {
  std::string token;
  std::string from = "FRESHET_TOKEN";
  if (const char* value = std::getenv("FRESHET_TOKEN")) {
    token = value;
  } else if (!options.token_file.empty()) {
    from = options.token_file;
    std::ifstream in(options.token_file);
    if (!std::getline(in, token)) {
      throw Error(ErrorKind::invalid, options.token_file + ": cannot be read, or is empty");
    }
  } else {
    return *store.first(true);
  }
  if (token.size() < 16 || token.size() > 512) {
    throw Error(ErrorKind::invalid, from + ": a token has 16 to 512 characters");
  }
  return token;
}

std::vector<ServedConfig> served_configs(const ServeOptions& options) {
  std::vector<ServedConfig> configs;
  for (const PipelineConfig& config : options.configs) {
    const bool twice = std::any_of(configs.begin(), configs.end(), [&](const ServedConfig& other) {
      return other.name == config.pipeline;
    });
    if (twice) {
      throw Error(ErrorKind::invalid,
                  fmt::format("two config files are of pipeline \"{}\"", config.pipeline));
    }
    configs.push_back({config.pipeline, config, {{}, options.speed}});
  }
  if (options.inputs.empty()) return configs;
  if (configs.size() != 1) {
    throw Error(ErrorKind::invalid, "--input feeds one pipeline: give exactly one config file");
  }
  configs.front().feed.inputs = options.inputs;
  return configs;
}

void add_health_routes(RouteTable& routes, const Service& service) {
  const auto add = [&](const char* path, const char* summary, Route::Handler handler) {
    routes.add({.method = "GET",
                .pattern = path,
                .role = Role::none,
                .handler = std::move(handler),
                .summary = summary,
                .response_schema = "Health"});
  };
  add("/livez", "Whether the process answers", [](const Request&) {
    return json_response({{"status", "ok"}});
  });
  add("/readyz", "Whether every pipeline takes events", [&service](const Request&) {
    const auto& all = service.pipelines();
    if (std::all_of(all.begin(), all.end(), [](const auto& p) { return p->takes_events(); })) {
      return json_response({{"status", "ok"}});
    }
    const bool failed =
        std::any_of(all.begin(), all.end(), [](const auto& p) { return p->failure().has_value(); });
    return json_response({{"status", failed ? "failed" : "starting"}}, 503);
  });
}

// The document tells of itself, but is made once all other routes are there.
void add_openapi_route(RouteTable& routes, std::string& document) {
  routes.add({.method = "GET",
              .pattern = "/openapi.json",
              .role = Role::view,
              .handler =
                  [&document](const Request&) {
                    Response response;
                    response.content_type = "application/json";
                    response.body = document;
                    return response;
                  },
              .summary = "This API, as OpenAPI 3.1",
              .response_schema = "Any"});
  document = routes.openapi_json("Freshet", program_version(), api_schemas());
}

void load_tokens(TokenStore& store, const std::string& operator_token, Tokens& tokens) {
  std::vector<Tokens::Token> all = store.list();
  std::erase_if(all, [](const Tokens::Token& token) { return token.name == "first"; });
  all.insert(all.begin(), {"first", Role::operate, Tokens::hash_of(operator_token)});
  tokens.replace(std::move(all));
}

// Learning must not hold up requests: the pipelines' threads inherit from the one that starts them
// a lower priority, and long slices. When a thread wakes up, the kernel (from 6.12 on) lets it go
// before one with a longer slice; otherwise it may wait milliseconds for that one's slice to end.
void yield_to_requests() {
  constexpr int kNice = 10;
  constexpr std::uint64_t kSliceNanoseconds = 100'000'000;  // the longest there is
  // As sched_setattr(2) describes it; the C library has it from version 2.41 on only.
  struct {
    std::uint32_t size = 48;
    std::uint32_t policy = SCHED_BATCH;
    std::uint64_t flags = 0;
    std::int32_t nice = kNice;
    std::uint32_t priority = 0;
    std::uint64_t runtime = kSliceNanoseconds;
    std::uint64_t deadline = 0;
    std::uint64_t period = 0;
  } attributes;
  if (::syscall(SYS_sched_setattr, 0, &attributes, 0) != 0) {
    ::setpriority(PRIO_PROCESS, 0, kNice);
  }
}

std::unique_ptr<Service> start_service(const ServeOptions& options, const ServerLog& log) {
  std::unique_ptr<Service> service;
  std::exception_ptr error;
  std::thread([&] {
    yield_to_requests();
    try {
      service = std::make_unique<Service>(options.workspace, served_configs(options),
                                          [&log](const std::string& text) { log.warn(text); });
    } catch (...) {
      error = std::current_exception();
    }
  }).join();
  if (error) std::rethrow_exception(error);
  return service;
}

void wait_for_stop(const Service& service, TokenStore& store, const std::string& token,
                   Tokens& tokens, const ServerLog& log) {
  while (!stop_requested) {
    std::this_thread::sleep_for(kTurn);
    if (const auto warning = service.disk().news()) log.warn(*warning);
    if (!store.changed()) continue;
    try {
      load_tokens(store, token, tokens);
    } catch (const std::exception& error) {
      log.warn(fmt::format("tokens stay as they were: {}", error.what()));
    }
  }
}

}  // namespace

int serve(const ServeOptions& options) {
  const auto [address, port] = parse_listen(options.listen);
  const ServerLog log(options.log_format);
  const std::unique_ptr<Service> started = start_service(options, log);
  Service& service = *started;
  TokenStore store(options.workspace);
  const std::string token = operator_token(options, store);
  Tokens tokens;
  store.changed();
  load_tokens(store, token, tokens);
  const bool tls = !options.tls_certificate.empty();
  Access access(
      tokens,
      {.allowed_hosts = options.allowed_hosts, .tls = tls, .behind_proxy = options.behind_proxy});
  RouteTable routes;
  add_state_routes(routes, service);
  add_registry_routes(routes, service);
  add_command_routes(routes, service);
  add_event_routes(routes, service);
  add_health_routes(routes, service);
  add_login_route(routes, access);
  add_page_routes(routes);
  ServiceMetrics metrics(service);
  add_metrics_route(routes, metrics);
  std::string openapi;
  add_openapi_route(routes, openapi);

  Server::Options server_options;
  server_options.address = address;
  server_options.port = port;
  server_options.tls_certificate_file = options.tls_certificate;
  server_options.tls_key_file = options.tls_key;
  server_options.behind_proxy = options.behind_proxy;
  server_options.observe = [&metrics](const Route* route, int status, double seconds) {
    metrics.request(route, status, seconds);
  };
  Server server(server_options, routes, access,
                [&log](const std::string& line) { log.warn(line); });
  server.start();
  const bool v6 = address.find(':') != std::string::npos;
  const std::string url = fmt::format("{}://{}{}{}:{}", tls ? "https" : "http", v6 ? "[" : "",
                                      address, v6 ? "]" : "", server.port());
  service.workspace().announce(url);
  // A token that was given is a secret of who gave it: it stays out of journals.
  const bool given = std::getenv("FRESHET_TOKEN") != nullptr || !options.token_file.empty();
  fmt::print("listening on {}\nopen {}/login?token={}\n", url, url, given ? "…" : token);
  std::fflush(stdout);
  wait_for_stop(service, store, token, tokens, log);
  log.info("stopping: finishing what was accepted");
  service.changes().close();
  server.stop();
  service.end();
  const bool failed =
      std::any_of(service.pipelines().begin(), service.pipelines().end(),
                  [](const auto& pipeline) { return pipeline->failure().has_value(); });
  return failed ? 1 : 0;
}

}  // namespace freshet
