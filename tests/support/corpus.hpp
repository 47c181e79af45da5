#pragma once
// The corpus of a fuzz target, for the tests that replay it.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace scanmq::testing {

struct CorpusFile {
    std::string name;
    std::string bytes;
};

// The files of tests/fuzz/corpus/`target`, by name.
inline std::vector<CorpusFile> corpus_of(std::string_view target) {
    std::vector<CorpusFile> files;
    const std::string folder =
        std::string(SCANMQ_SOURCE_DIR) + "/tests/fuzz/corpus/" + std::string(target);
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
        std::ifstream in(file.path(), std::ios::binary);
        files.push_back({file.path().filename().string(),
                         {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()}});
    }
    std::sort(files.begin(), files.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    return files;
}

}  // namespace scanmq::testing
