#include "orchestrator/cli.h"

int main(int argc, char** argv) { return freshet::run_command_line(argc, argv); }
