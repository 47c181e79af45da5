#pragma once
// Where the vendors' real files are, for tests and benchmarks that need them.
//
// Folder:    what SCANMQ_TEST_DATA names, else the data folder that may lie beside the source tree.
// Without:   a test skips itself with SCANMQ_NEEDS_VENDOR_FILE, which says what to do.

#include <cstdlib>
#include <filesystem>
#include <string>

namespace scanmq::tests {

// The path of that file; empty when it is not there.
[[nodiscard]] inline std::string vendor_file(const std::string& name) {
    const char* folder = std::getenv("SCANMQ_TEST_DATA");
    const std::filesystem::path base =
        folder != nullptr ? folder : SCANMQ_SOURCE_DIR "/../shared/data/chains";
    const auto path = base / name;
    return std::filesystem::exists(path) ? path.string() : std::string{};
}

}  // namespace scanmq::tests

// Declares `path`, a string, or skips the test.
#define SCANMQ_NEEDS_VENDOR_FILE(path, name)                     \
    const std::string path = ::scanmq::tests::vendor_file(name); \
    if (path.empty())                                            \
    GTEST_SKIP() << "real quotes are not here: put " << (name)   \
                 << " into a folder and name it in SCANMQ_TEST_DATA"
