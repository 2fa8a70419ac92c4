#include "orchestrator/cli.h"
#include "web/cli_serve.h"
#include "web/client.h"

int main(int argc, char** argv) {
  return freshet::run_command_line(argc, argv, {freshet::add_serve_commands},
                                   freshet::find_http_owner);
}
