// A program that changes files as it is told and dies: what unsynced_test.py runs under libunsynced.so.
//
// usage: test-unsynced-probe DIR STEP...
//   write:FILE:OFFSET:TEXT   through a plain descriptor    through:FILE:OFFSET:TEXT   through O_DSYNC
//   fill:FILE:PAGES:CHAR     whole pages from offset 0     allocate:FILE:BYTES
//   stream:FILE:TEXT         std::ofstream                 truncate:FILE:BYTES
//   folder:NAME  sync:FILE  sync-folder  sync-folder:NAME   rename:FROM:TO   remove:FILE   kill
//   lmdb:COMMITS:sync|nosync the number of each commit that returned is printed; 0 commits: without end
//   lmdb-check               prints how many commits there are; fails when one of them is not whole
#include <fcntl.h>
#include <fmt/format.h>
#include <lmdb.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace {

constexpr int kKeysOfCommit = 8;

void require(bool ok, std::string_view what) {
    if (ok) return;
    fmt::print(stderr, "{} failed\n", what);
    std::exit(1);
}

std::vector<std::string> split(const std::string& step) {
    std::vector<std::string> out{""};
    for (const char c : step) {
        if (c == ':') {
            out.emplace_back();
        } else {
            out.back() += c;
        }
    }
    return out;
}

class Probe {
  public:
    explicit Probe(std::string directory) : directory_(std::move(directory)) {}

    void run(const std::vector<std::string>& step) {
        const std::string& what = step[0];
        if (what == "write") write(descriptor(step[1], 0), step[3], std::stol(step[2]));
        if (what == "through") write(descriptor(step[1], O_DSYNC), step[3], std::stol(step[2]));
        if (what == "fill")
            write(descriptor(step[1], 0), std::string(std::stoul(step[2]) * 4096, step[3][0]), 0);
        if (what == "stream") std::ofstream(path(step[1])) << step[2];
        if (what == "allocate") {
            require(::posix_fallocate(descriptor(step[1], 0), 0, std::stol(step[2])) == 0,
                    "posix_fallocate");
        }
        if (what == "truncate")
            require(::ftruncate(descriptor(step[1], 0), std::stol(step[2])) == 0, "ftruncate");
        if (what == "sync") require(::fdatasync(descriptor(step[1], 0)) == 0, "fdatasync");
        if (what == "folder") std::filesystem::create_directory(path(step[1]));
        if (what == "sync-folder") sync_folder(step.size() > 1 ? path(step[1]) : directory_);
        if (what == "rename") std::filesystem::rename(path(step[1]), path(step[2]));
        if (what == "remove") require(std::filesystem::remove(path(step[1])), "remove");
        if (what == "kill") ::kill(::getpid(), SIGKILL);
        if (what == "lmdb") commit(std::stol(step[1]), step[2] == "sync" ? 0 : MDB_NOSYNC);
        if (what == "lmdb-check") check();
    }

  private:
    [[nodiscard]] std::string path(const std::string& file) const {
        return directory_ + "/" + file;
    }

    int descriptor(const std::string& file, int flags) {
        auto& fd = descriptors_[{file, flags}];
        if (fd == 0) fd = ::open(path(file).c_str(), O_RDWR | O_CREAT | flags, 0644);
        require(fd > 0, "open");
        return fd;
    }

    static void write(int fd, const std::string& text, long offset) {
        require(::pwrite(fd, text.data(), text.size(), offset) == static_cast<ssize_t>(text.size()),
                "pwrite");
    }

    static void sync_folder(const std::string& folder) {
        const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY);
        require(fd > 0 && ::fsync(fd) == 0, "fsync of the folder");
        ::close(fd);
    }

    [[nodiscard]] MDB_env* environment(unsigned flags) const {
        MDB_env* env = nullptr;
        require(::mdb_env_create(&env) == 0 && ::mdb_env_set_mapsize(env, 64 << 20) == 0,
                "mdb_env_create");
        require(::mdb_env_open(env, directory_.c_str(), flags, 0644) == 0, "mdb_env_open");
        return env;
    }

    static std::string key(long commit, int part) {
        return fmt::format("{:03}-{}", commit * 7919 % 1000, part);
    }

    // Commit n overwrites the keys of commit n - 1000, so that pages are used again.
    void commit(long count, unsigned flags) const {
        MDB_env* env = environment(flags);
        for (long n = 1; n <= count || count == 0; ++n) {
            MDB_txn* txn = nullptr;
            MDB_dbi dbi = 0;
            require(::mdb_txn_begin(env, nullptr, 0, &txn) == 0, "mdb_txn_begin");
            require(::mdb_dbi_open(txn, nullptr, 0, &dbi) == 0, "mdb_dbi_open");
            for (int part = 0; part < kKeysOfCommit; ++part)
                put(txn, dbi, key(n, part), fmt::format("{:0200}", n));
            put(txn, dbi, "last", std::to_string(n));
            require(::mdb_txn_commit(txn) == 0, "mdb_txn_commit");
            fmt::print("{}\n", n);
            std::fflush(stdout);
        }
        ::mdb_env_close(env);
    }

    static void put(MDB_txn* txn, MDB_dbi dbi, std::string name, std::string text) {
        MDB_val k{name.size(), name.data()};
        MDB_val v{text.size(), text.data()};
        require(::mdb_put(txn, dbi, &k, &v, 0) == 0, "mdb_put");
    }

    static std::string get(MDB_txn* txn, MDB_dbi dbi, std::string name) {
        MDB_val k{name.size(), name.data()};
        MDB_val v{};
        if (::mdb_get(txn, dbi, &k, &v) != 0) return "";
        return {static_cast<const char*>(v.mv_data), v.mv_size};
    }

    void check() const {
        MDB_env* env = environment(0);
        MDB_txn* txn = nullptr;
        MDB_dbi dbi = 0;
        require(::mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn) == 0, "mdb_txn_begin");
        require(::mdb_dbi_open(txn, nullptr, 0, &dbi) == 0, "mdb_dbi_open");
        const std::string text = get(txn, dbi, "last");
        const long last = text.empty() ? 0 : std::stol(text);
        for (long n = std::max(1L, last - 999); n <= last; ++n) {
            for (int part = 0; part < kKeysOfCommit; ++part) {
                require(get(txn, dbi, key(n, part)) == fmt::format("{:0200}", n),
                        fmt::format("commit {}", n));
            }
        }
        ::mdb_txn_abort(txn);
        ::mdb_env_close(env);
        fmt::print("{}\n", last);
    }

    std::string directory_;
    std::map<std::pair<std::string, int>, int> descriptors_;
};

}  // namespace

int main(int argc, char** argv) {
    require(argc > 1, "usage");
    Probe probe(argv[1]);
    for (int i = 2; i < argc; ++i) probe.run(split(argv[i]));
    return 0;
}
