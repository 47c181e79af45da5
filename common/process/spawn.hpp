#pragma once
// spawn(): starts a program with its standard streams in our hands, and leaves nothing behind.
//
// Role:     fork and exec for whoever runs other programs: the worker's process scanner, the bench.
// Threads:  any; between fork and exec nothing is done that another thread could have locked.
// Owns:     nothing. The caller owns the process (it must be reaped) and the descriptors.
// Promises: the child inherits the three standard streams and no other descriptor, and starts with
//           default signals, none blocked. Ours are closed on exec. When the thread that called spawn()
//           ends, the kernel sends the child death_signal.

#include <sys/types.h>

#include <csignal>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

namespace scanmq::process {

struct SpawnOptions {
    std::string program{};  // a path
    std::vector<std::string> arguments{};
    bool own_group = false;        // the child leads a process group of its own
    bool capture_errors = false;   // standard error comes to us; else it stays ours
    std::uint64_t memory_max = 0;  // RLIMIT_AS, in bytes; 0: as ours
    int death_signal = SIGTERM;
};

struct Spawned {
    pid_t pid = -1;
    int in = -1;      // we write; a socket, so that MSG_NOSIGNAL can be used
    int out = -1;     // we read
    int errors = -1;  // we read; -1 unless captured
};

// Returns when the child runs the program. Error: a sentence, when it cannot.
[[nodiscard]] Result<Spawned, std::string> spawn(const SpawnOptions& options);

// A descriptor that becomes readable when the process ends. Error: a sentence.
[[nodiscard]] Result<int, std::string> open_pidfd(pid_t pid);

// The file that a shell would run for `name`: itself when it holds a '/', else found in PATH. Error:
// a sentence.
[[nodiscard]] Result<std::string, std::string> find_program(const std::string& name);

// "python3 'my scanner.py' --fast" as words: blanks part them, '…' and "…" hold them together, a
// backslash takes the next character as it is (but for within '…'). Nothing else is special. Error: a
// sentence.
[[nodiscard]] Result<std::vector<std::string>, std::string> split_command(std::string_view text);

// What waitpid() said, for people: "exited with status 1", "was killed by signal 9 (Killed)".
[[nodiscard]] std::string describe_status(int status);

}  // namespace scanmq::process
