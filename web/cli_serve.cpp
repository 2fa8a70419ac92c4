#include "web/cli_serve.h"

#include <fmt/format.h>

#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "orchestrator/command_support.h"
#include "orchestrator/demo_config.h"
#include "orchestrator/run.h"
#include "orchestrator/terminal.h"
#include "orchestrator/workspace.h"
#include "stream/error.h"
#include "web/serve.h"
#include "web/token_store.h"

namespace freshet {

using nlohmann::json;

namespace {

struct ServeArguments {
  ServeOptions options;
  std::vector<std::string> configs;
  std::vector<std::string> inputs;
  bool follow = false;
  std::string log_format = "text";
};

void add_listening(CLI::App& command, ServeArguments& a) {
  command.add_option("--listen", a.options.listen, "ADDRESS:PORT; port 0 takes a free one")
      ->capture_default_str();
  command.add_option("--token-file", a.options.token_file,
                     "A file with the operator's token (default: FRESHET_TOKEN, or W/token, which "
                     "is made at the first start)");
  command.add_option("--log-format", a.log_format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
}

int run_serve(ServeArguments& a) {
  for (const std::string& path : a.configs) a.options.configs.push_back(read_config(path));
  for (const std::string& name : a.inputs) {
    InputSpec input;
    input.name = name;
    input.follow = a.follow;
    a.options.inputs.push_back(input);
  }
  a.options.log_format = a.log_format == "json" ? LogFormat::json : LogFormat::text;
  return serve(a.options);
}

void add_serve(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand(
      "serve", "Runs pipelines as a service: events in and predictions out by HTTP, and the page");
  const auto a = std::make_shared<ServeArguments>();
  command->add_option("config", a->configs,
                      "Config files (JSON); the workspace's other pipelines run as well");
  command->add_option("-w,--workspace", a->options.workspace, "The workspace's folder")->required();
  add_listening(*command, *a);
  command->add_option("-i,--input", a->inputs, "Files that feed the one pipeline, beside HTTP");
  command->add_flag("--follow", a->follow, "Go on as the files grow");
  command->add_option("--speed", a->options.speed, "Records a second of the files (or the demo)")
      ->check(check_rate);
  auto* certificate = command->add_option("--tls-certificate", a->options.tls_certificate,
                                          "A certificate (PEM): serve HTTPS");
  auto* key = command->add_option("--tls-key", a->options.tls_key, "Its key (PEM)");
  certificate->needs(key);
  key->needs(certificate);
  command->add_flag("--behind-proxy", a->options.behind_proxy,
                    "A proxy in front speaks TLS and is the only one that reaches this address");
  command->add_option("--allow-host", a->options.allowed_hosts,
                      "A name under which clients may call this server: NAME or NAME:PORT");
  command->callback([=, &chosen] { chosen = [=] { return run_serve(*a); }; });
}

void add_demo(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand(
      "demo", "A drifting card-fraud stream through the whole loop, live in the browser");
  const auto a = std::make_shared<ServeArguments>();
  const auto run_options = std::make_shared<RunOptions>();
  const auto exit = std::make_shared<bool>(false);
  a->options.workspace = "freshet-demo";
  a->options.speed = 1500;
  command->add_option("-w,--workspace", a->options.workspace, "The workspace's folder")
      ->capture_default_str();
  command->add_flag("--exit", *exit, "No server: as fast as it goes, and a summary at the end");
  command->add_option("--speed", a->options.speed, "Events a second")
      ->check(check_rate)
      ->capture_default_str();
  add_listening(*command, *a);
  command->add_flag("--json", run_options->json, "With --exit: the summary as JSON on stdout");
  command->callback([=, &chosen] {
    chosen = [=] {
      say("A simulated card-fraud stream: two abrupt changes of the fraudsters' ways and a "
          "gradual one,\nlabels hours to days late. Workspace: {}\n\n",
          a->options.workspace);
      run_options->workspace = a->options.workspace;
      run_options->demo = true;
      if (*exit) return run(*run_options);
      a->options.configs = {parse_config(demo_config(), "demo config")};
      return run_serve(*a);
    };
  });
}

struct TokenArguments {
  std::string workspace;
  std::string name;
  std::string role = "view";
  bool json = false;
};

int add_token(const TokenArguments& a) {
  const std::string token = TokenStore(a.workspace).add(a.name, *role_named(a.role));
  if (a.json) {
    fmt::print("{}\n", json{{"name", a.name}, {"role", a.role}, {"token", token}}.dump());
  } else {
    say("token \"{}\" may {}; it is shown this once:\n", a.name, a.role);
    fmt::print("{}\n", token);
  }
  return kDone;
}

int list_tokens(const TokenArguments& a) {
  json list = json::array();
  for (const Tokens::Token& token : TokenStore(a.workspace).list()) {
    list.push_back({{"name", token.name}, {"role", role_name(token.role)}});
    if (!a.json) fmt::print("{:<24} {}\n", token.name, role_name(token.role));
  }
  if (a.json) fmt::print("{}\n", list.dump(2));
  return kDone;
}

int revoke_token(const TokenArguments& a) {
  TokenStore(a.workspace).revoke(a.name);
  if (a.json) fmt::print("{}\n", json{{"revoked", a.name}}.dump());
  return kDone;
}

void add_token_commands(CLI::App& app, Command& chosen) {
  auto* token = app.add_subcommand("token", "Who may look at a service, or operate it");
  token->require_subcommand(1);
  const auto add = [&](const char* name, const char* about, int (*run)(const TokenArguments&)) {
    auto* sub = token->add_subcommand(name, about);
    const auto a = std::make_shared<TokenArguments>();
    sub->add_option("-w,--workspace", a->workspace, "The workspace's folder")
        ->required()
        ->check(CLI::ExistingDirectory);
    sub->add_flag("--json", a->json, "As JSON");
    sub->callback([=, &chosen] { chosen = [=] { return run(*a); }; });
    return std::pair{sub, a};
  };
  const auto [add_sub, add_args] =
      add("add", "Makes a token; a running server takes it at once", add_token);
  add_sub->add_option("name", add_args->name, "What to call it")->required();
  add_sub->add_option("--role", add_args->role, "view or operate")
      ->check(CLI::IsMember({"view", "operate"}))
      ->capture_default_str();
  add("list", "Names and roles", list_tokens);
  const auto [revoke_sub, revoke_args] = add("revoke", "Takes a token back, at once", revoke_token);
  revoke_sub->add_option("name", revoke_args->name, "Its name")->required();
}

}  // namespace

void add_serve_commands(CLI::App& app, Command& chosen) {
  add_serve(app, chosen);
  add_demo(app, chosen);
  add_token_commands(app, chosen);
}

}  // namespace freshet
