#pragma once
// TemporaryFolder: a folder of the real file system, removed with all that is in it.

#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/base/assert.hpp"

namespace scanmq::tests {

class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "scanmq-XXXXXX").string();
        SCANMQ_ASSERT(mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

  private:
    std::string path_;
};

}  // namespace scanmq::tests
