// scanmq: the command line for producers, subscribers and operators (docs/CLI.md).

#include "client/cli/command.hpp"
#include "common/base/scheduling.hpp"

int main(int argc, char** argv) {
    scanmq::run_promptly();  // bulk loads give way again
    return static_cast<int>(scanmq::cli::run(argc, argv));
}
