#include "broker/store/data_directory.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

namespace scanmq::broker {
namespace {

using Kind = DataDirectoryError::Kind;

constexpr std::string_view kVersionText = "scanmq store ";
constexpr std::string_view kEpochText = "scanmq epoch ";
constexpr std::size_t kSmallFileMax = 256;
constexpr std::array<const char*, 3> kFolders = {"log", "state", "blobs"};
// What a creation that was cut short may have left.
constexpr std::array<std::string_view, 8> kOfCreation = {
    "LOCK", "EPOCH", "EPOCH.new", "VERSION.new", "log", "state", "blobs", "lost+found"};

Failure<DataDirectoryError> refuse(Kind kind, std::string sentence) {
    return fail(DataDirectoryError{kind, std::move(sentence)});
}

Failure<DataDirectoryError> from(const FileError& error) {
    const Kind kind = error.kind == FileError::Kind::full ? Kind::full : Kind::io;
    return refuse(kind, "the data directory cannot be used: " + error.sentence);
}

std::string numbered(std::string_view text, std::uint64_t number) {
    return std::string(text) + std::to_string(number) + "\n";
}

// The number of a file of one line, "<text><number>".
std::optional<std::uint64_t> number_in(std::string_view bytes, std::string_view text) {
    if (!bytes.starts_with(text) || !bytes.ends_with('\n')) return std::nullopt;
    bytes.remove_prefix(text.size());
    bytes.remove_suffix(1);
    std::uint64_t number = 0;
    const auto [stop, code] = std::from_chars(bytes.data(), bytes.data() + bytes.size(), number);
    if (code != std::errc() || stop != bytes.data() + bytes.size()) return std::nullopt;
    return number;
}

}  // namespace

DataDirectoryResult<DataDirectory> DataDirectory::open(FileSystem& files,
                                                       DataDirectoryOptions options) {
    DataDirectory out(files, std::move(options));
    if (auto made = files.make_directory(out.path()); !made) return from(made.error());
    if (auto synced = files.sync_directory(folder_of(out.path())); !synced)
        return from(synced.error());
    auto lock = files.lock(out.at("LOCK"));
    if (!lock) {
        if (lock.error().kind != FileError::Kind::held) return from(lock.error());
        return refuse(Kind::held,
                      "another broker uses the data directory: " + lock.error().sentence +
                          "; stop it, or start this one with another --data");
    }
    out.lock_ = std::move(*lock);
    if (auto prepared = out.prepare(); !prepared) return fail(std::move(prepared).error());
    return out;
}

DataDirectoryResult<void> DataDirectory::prepare() {
    auto version = read_small_file(*files_, at("VERSION"), kSmallFileMax);
    if (version) {
        if (auto checked = check_version(*version); !checked) return checked;
        if (auto epoch = read_epoch(); !epoch) return fail(std::move(epoch).error());
        auto names = files_->list(path());
        if (!names) return from(names.error());
        for (const char* folder : kFolders) {
            if (!std::binary_search(names->begin(), names->end(), folder)) {
                return refuse(Kind::damaged, at(folder) +
                                                 " is missing; restore the data "
                                                 "directory from a backup");
            }
        }
    } else if (version.error().kind == FileError::Kind::missing) {
        if (auto created = create(); !created) return created;
    } else if (version.error().kind == FileError::Kind::other) {
        return refuse(Kind::damaged, version.error().sentence);
    } else {
        return from(version.error());
    }
    return find_reserve();
}

DataDirectoryResult<void> DataDirectory::create() {
    auto names = files_->list(path());
    if (!names) return from(names.error());
    for (const std::string& name : *names) {
        if (std::find(kOfCreation.begin(), kOfCreation.end(), name) == kOfCreation.end()) {
            return refuse(Kind::foreign, path() + " holds " + name +
                                             " and no VERSION, so it is no data directory; "
                                             "choose an empty folder with --data");
        }
    }
    for (const char* folder : kFolders) {
        if (std::find(names->begin(), names->end(), folder) != names->end()) {
            auto inside = files_->list(at(folder));
            if (!inside) return from(inside.error());
            if (!inside->empty()) {
                return refuse(Kind::damaged, at("VERSION") + " is missing beside a " + folder +
                                                 " that is not empty; restore the data directory "
                                                 "from a backup");
            }
        }
        if (auto made = files_->make_directory(at(folder)); !made) return from(made.error());
    }
    // VERSION comes last and says that all is there.
    for (const auto& [name, bytes] :
         {std::pair{"EPOCH", numbered(kEpochText, 0)},
          std::pair{"VERSION", numbered(kVersionText, kStoreVersion)}}) {
        if (auto written = replace_small_file(*files_, at(name), bytes); !written)
            return from(written.error());
    }
    return {};
}

DataDirectoryResult<void> DataDirectory::check_version(const std::string& text) const {
    const auto version = number_in(text, kVersionText);
    if (!version || *version == 0) {
        return refuse(Kind::damaged, at("VERSION") + " does not say \"" +
                                         std::string(kVersionText) + std::to_string(kStoreVersion) +
                                         "\" or alike; restore the data directory from a backup");
    }
    if (*version > kStoreVersion) {
        return refuse(Kind::newer, path() +
                                       " was written by a newer scanmq-broker (store version " +
                                       std::to_string(*version) + "; this one reads up to " +
                                       std::to_string(kStoreVersion) + "); start that version");
    }
    return {};
}

DataDirectoryResult<std::uint64_t> DataDirectory::read_epoch() {
    auto text = read_small_file(*files_, at("EPOCH"), kSmallFileMax);
    if (!text && text.error().kind != FileError::Kind::missing) return from(text.error());
    const auto epoch = text ? number_in(*text, kEpochText) : std::nullopt;
    if (!epoch) {
        return refuse(Kind::damaged, at("EPOCH") + (text ? " makes no sense" : " is missing") +
                                         "; restore the data directory from a backup");
    }
    return *epoch;
}

DataDirectoryResult<std::uint64_t> DataDirectory::next_epoch(std::uint64_t above) {
    auto last = read_epoch();
    if (!last) return last;
    const std::uint64_t next = std::max(*last, above) + 1;
    auto written = replace_small_file(*files_, at("EPOCH"), numbered(kEpochText, next));
    if (!written) return from(written.error());
    return next;
}

DataDirectoryResult<void> DataDirectory::find_reserve() {
    auto file = files_->open(at("reserve"));
    if (file) {
        auto size = (*file)->size();
        if (!size) return from(size.error());
        reserve_held_ = *size == options_.reserve_bytes;
        if (reserve_held_) return {};
    } else if (file.error().kind != FileError::Kind::missing) {
        return from(file.error());
    }
    auto restored = restore_reserve();
    if (!restored && restored.error().kind == Kind::full) return {};
    return restored;
}

DataDirectoryResult<void> DataDirectory::free_reserve() {
    if (!reserve_held_) return {};
    if (auto removed = files_->remove(at("reserve")); !removed) return from(removed.error());
    reserve_held_ = false;
    if (auto synced = files_->sync_directory(path()); !synced) return from(synced.error());
    return {};
}

DataDirectoryResult<void> DataDirectory::restore_reserve() {
    if (reserve_held_) return {};
    if (options_.reserve_bytes == 0) return {};
    // It is asked for while room is short: a try that fails must not take the rest for a moment.
    auto free = files_->free_bytes(path());
    if (!free) return from(free.error());
    if (*free < options_.reserve_bytes) {
        return refuse(Kind::full, "there is no room for " + at("reserve") + ": " +
                                      std::to_string(*free) + " of " +
                                      std::to_string(options_.reserve_bytes) + " bytes are free");
    }
    // Whole under this name or not there.
    const std::string making = at("reserve.new");
    const auto make = [&]() -> FileResult<void> {
        auto file = files_->create(making);
        if (!file) return fail(std::move(file).error());
        if (auto done = (*file)->preallocate(options_.reserve_bytes); !done) return done;
        if (auto done = (*file)->sync(); !done) return done;
        if (auto done = files_->rename(making, at("reserve")); !done) return done;
        return files_->sync_directory(path());
    };
    if (auto made = make(); !made) {
        (void)files_->remove(making);  // half made
        return from(made.error());
    }
    reserve_held_ = true;
    return {};
}

}  // namespace scanmq::broker
