// scanmq: the command line for producers, subscribers and operators (docs/CLI.md).

#include "client/cli/command.hpp"

int main(int argc, char** argv) { return static_cast<int>(scanmq::cli::run(argc, argv)); }
