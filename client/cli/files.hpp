#pragma once
// Whole files in and out, with errors that name the file.

#include <string>
#include <string_view>

#include "client/cli/command.hpp"

namespace scanmq::cli {

// "-" reads standard input. Problem: cannot_read_file.
[[nodiscard]] Result<std::string, Problem> read_file(const std::string& path);
// Written beside and renamed, so that a reader never sees half a file. Problem: cannot_write_file.
[[nodiscard]] Result<void, Problem> write_file(const std::string& path, std::string_view bytes);
// Makes the directory and its parents. Problem: cannot_write_file.
[[nodiscard]] Result<void, Problem> make_directory(const std::string& path);

}  // namespace scanmq::cli
