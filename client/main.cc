// vlmctl: the command line.
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "client/cli.h"

int main(int argc, char** argv) {
  // gRPC's own log would mix with messages for people.
  setenv("GRPC_VERBOSITY", "NONE", 0);
  vlm::client::Cli cli;
  return cli.Run({argv + 1, argv + argc}, {std::cout, std::cerr, STDOUT_FILENO, STDERR_FILENO});
}
