#include "broker/store/file.hpp"

namespace scanmq::broker {

FileResult<std::string> read_small_file(FileSystem& files, const std::string& path,
                                        std::size_t bytes_max) {
    auto file = files.open(path);
    if (!file) return fail(std::move(file).error());
    std::string bytes(bytes_max + 1, '\0');
    auto read = (*file)->pread(0, bytes.data(), bytes.size());
    if (!read) return fail(std::move(read).error());
    if (*read > bytes_max) {
        return fail(FileError{FileError::Kind::other, path + " is longer than it may be"});
    }
    bytes.resize(*read);
    return bytes;
}

FileResult<void> replace_small_file(FileSystem& files, const std::string& path, ByteView bytes) {
    const std::string fresh = path + ".new";
    auto file = files.create(fresh);
    if (!file) return fail(std::move(file).error());
    if (auto written = (*file)->pwrite(0, bytes); !written) return written;
    if (auto synced = (*file)->sync(); !synced) return synced;
    if (auto renamed = files.rename(fresh, path); !renamed) return renamed;
    return files.sync_directory(folder_of(path));
}

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace scanmq::broker
