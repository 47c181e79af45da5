#pragma once
// Journal: what a crash of the machine would take away from one directory, and the taking away.
//
// Idea:      every change goes to the real files at once, so reads, maps and sizes need no care. Before
//            it, what it destroys is noted beside the directory; a sync strikes the notes out. A
//            process that is killed leaves the notes behind, and the next one that opens the journal
//            undoes what they say before it does anything else.
// Model:     seed 0 takes back everything that was not synced. Any other seed keeps, of each page, the
//            writes up to a random one, as a kernel that writes pages back in any order does; the
//            same for a file's size and for the names as a whole. Pages never tear.
//            Data and size are durable with the file's fsync or fdatasync, or when written through
//            O_DSYNC; the existence of what is new with its own fsync or its directory's; a rename
//            or removal only with the directory's.
// Not known: rmdir, hard links, writes through shared maps, sendfile, fwrite and fflush: as if
//            synced at once.
// Threads:   take mutex() around everything but open().
// Files:     DIR.undo/names; for each inode that changed INO.data, a link to it that also keeps the
//            number from being used again, and INO.undo, its notes.

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace scanmq::unsynced {

inline constexpr std::int64_t kPageBytes = 4096;

enum class NoteKind : std::uint32_t {
    change = 1,    // [offset, offset + length) is about to change; the bytes that were there follow
    synced = 2,    // the notes before undo byte `mark` are void
    pages = 3,     // the pages of [offset, offset + length) and the size are durable
    create = 4,    // name of `inode`, file or directory, made in `directory`
    rename = 5,    // name, then the second name; `inode` moved, `replaced` was there before (or 0)
    remove = 6,    // name of `inode` removed
    directory = 7  // the names of `directory` with a sequence below `mark` are durable
};

struct Note {
    NoteKind kind{};
    std::uint32_t payload_bytes{};
    std::int64_t offset{};
    std::int64_t length{};
    std::int64_t old_size{};
    std::uint64_t mark{};
    std::uint64_t sequence{};
    std::uint64_t directory{};
    std::uint64_t inode{};
    std::uint64_t replaced{};
};

class Journal {
  public:
    // Null, with a reason on stderr, when another process has it or it cannot be made.
    static std::unique_ptr<Journal> open(const std::string& directory, std::uint64_t seed);

    struct File {
        int data = -1;
        int undo = -1;
        std::uint64_t dropped = 0;  // bytes of notes that were struck out so far
        std::uint64_t bytes = 0;    // of notes that there are
        bool created = false;       // and the name is not durable yet
    };

    [[nodiscard]] std::mutex& mutex() noexcept { return mutex_; }
    // The file behind fd when it is a regular one in the directory, else null.
    [[nodiscard]] File* file(int fd);
    [[nodiscard]] File* file_at(const std::string& path);
    // The directory behind fd, when it is the journal's or below.
    [[nodiscard]] std::optional<std::uint64_t> directory(int fd) const;
    // Absolute and free of links but for its last part; nullopt when it is elsewhere.
    [[nodiscard]] std::optional<std::string> path_in(int base, const char* path) const;
    // Whether fd can be ours at all; needs no mutex.
    [[nodiscard]] bool candidate(const struct stat& status) const noexcept {
        return status.st_dev == device_ && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
    }

    // Before bytes change or are cut off.
    void changing(File& file, std::int64_t offset, std::int64_t length);
    // After a write through O_DSYNC.
    void wrote_through(File& file, std::int64_t offset, std::int64_t length);
    // Before and after a sync.
    [[nodiscard]] std::uint64_t mark(const File& file) const { return file.dropped + file.bytes; }
    void synced(File& file, std::uint64_t mark);

    void created(int fd);
    void made_directory(const std::string& path);
    void renaming(const std::string& from, const std::string& to);
    void removing(const std::string& path);
    [[nodiscard]] std::uint64_t names_mark() const { return sequence_; }
    void synced_directory(std::uint64_t directory, std::uint64_t mark);
    void synced_everything();

  private:
    struct Name {
        std::uint64_t sequence{};
        std::uint64_t directory{};
        std::uint64_t inode{};
        bool create{};
    };

    Journal(std::string directory, int lock, dev_t device);
    File* track(const std::string& link_from, const struct stat& status);
    void append(File& file, const Note& note, const void* payload);
    void append_name(Note note, const std::string& payload);
    void drop_names();

    std::mutex mutex_;
    std::string directory_;
    std::string undo_;  // the folder
    dev_t device_;
    int lock_;
    int names_ = -1;
    std::uint64_t sequence_ = 1;
    std::vector<Name> outstanding_;
    std::unordered_map<std::uint64_t, File> files_;  // by inode; references stay valid
};

// What open() does first: undoes what the notes in `undo_folder` say and removes it. Can be stopped at
// any point and begun again. Returns a sentence with what was undone, empty when nothing was.
std::string roll_back(const std::string& undo_folder, std::uint64_t seed);

}  // namespace scanmq::unsynced
