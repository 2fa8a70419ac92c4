#pragma once

#include <string>
#include <vector>

#include "orchestrator/config.h"
#include "stream/open_source.h"
#include "web/log.h"

namespace freshet {

struct ServeOptions {
  std::vector<PipelineConfig> configs;  ///< beside those the workspace has
  std::string workspace;
  std::string listen = "127.0.0.1:8420";  ///< ADDRESS:PORT; port 0 takes a free one
  std::string token_file;                 ///< instead of the workspace's own
  std::vector<InputSpec> inputs;          ///< for the only pipeline, beside HTTP
  double speed = 0;                       ///< records a second of inputs and demo; 0: no limit
  std::string tls_certificate;
  std::string tls_key;
  bool behind_proxy = false;
  std::vector<std::string> allowed_hosts;
  LogFormat log_format = LogFormat::text;
};

/// `freshet serve`: runs the pipelines and serves them until SIGINT or SIGTERM, then finishes what
/// it accepted and stops at a checkpoint. Prints "listening on URL" and the login link on stdout.
/// Gives the exit code.
int serve(const ServeOptions& options);

}  // namespace freshet
