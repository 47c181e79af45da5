#pragma once
// ModelStateStore: a StateStore in maps, for tests and the simulator: what a crash leaves of it is
// what was committed, and calls can be made to fail.
//
// Threads:   as StateStore.
// Faults:    fail_at(n, kind): the nth call of a transaction from now on (1: the next) fails, and
//            the transaction's changes with it. crash(): the open transaction is gone.

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "broker/store/state_store.hpp"
#include "common/base/assert.hpp"

namespace scanmq::broker {

class ModelStateStore final : public StateStore {
  public:
    using Rows = std::map<std::string, std::string, std::less<>>;
    // Tables are shared with snapshots, each of which may outlive the next commit.
    using Image = std::array<std::shared_ptr<Rows>, kTables>;
    using Done = Result<void, StateError>;

    void fail_at(std::uint64_t call, StateError::Kind kind) {
        calls_left_ = call;
        kind_ = kind;
    }
    void no_faults() { calls_left_ = 0; }
    // Of transactions, so far.
    [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }
    void crash() {
        no_faults();
        abort();
    }
    // As committed.
    [[nodiscard]] const Rows& rows(Table table) const { return *image_[index(table)]; }
    // Puts a row in, or (nullopt) takes one out, without a transaction: damage.
    void overwrite(Table table, std::string key, std::optional<std::string> value) {
        const std::lock_guard lock(mutex_);
        Rows& rows = own(index(table));
        if (value) {
            rows[std::move(key)] = std::move(*value);
        } else {
            rows.erase(key);
        }
        committed();
    }

    Done begin() override {
        SCANMQ_ASSERT(!open_);
        if (auto bad = fault()) return fail(std::move(*bad));
        open_ = true;
        return {};
    }
    Done put(Table table, ByteView key, ByteView value) override {
        SCANMQ_ASSERT(open_ && !key.empty() && key.size() <= kStateKeyBytesMax);
        if (auto bad = fault()) return fail(std::move(*bad));
        changes_[index(table)][std::string(key)] = std::string(value);
        return {};
    }
    Done put_append(Table table, ByteView key, ByteView value) override {
        return put(table, key, value);
    }
    Result<bool, StateError> erase(Table table, ByteView key) override {
        SCANMQ_ASSERT(open_);
        if (auto bad = fault()) return fail(std::move(*bad));
        const bool there = find(table, key) != nullptr;
        changes_[index(table)][std::string(key)] = std::nullopt;
        return there;
    }
    Result<std::size_t, StateError> erase_range(Table table, ByteView from, ByteView to,
                                                std::size_t budget) override {
        SCANMQ_ASSERT(open_);
        if (auto bad = fault()) return fail(std::move(*bad));
        std::map<std::string, bool> keys;
        const Rows& rows = *image_[index(table)];
        for (auto it = rows.lower_bound(from); it != rows.end() && it->first < to; ++it) {
            keys[it->first] = true;
        }
        const Changes& changes = changes_[index(table)];
        for (auto it = changes.lower_bound(from); it != changes.end() && it->first < to; ++it) {
            keys[it->first] = it->second.has_value();
        }
        std::size_t erased = 0;
        for (const auto& [key, there] : keys) {
            if (!there) continue;
            if (erased == budget) break;
            changes_[index(table)][key] = std::nullopt;
            ++erased;
        }
        return erased;
    }
    Result<std::optional<ByteView>, StateError> get(Table table, ByteView key) override {
        SCANMQ_ASSERT(open_);
        if (auto bad = fault()) return fail(std::move(*bad));
        const std::string* const value = find(table, key);
        if (value == nullptr) return std::optional<ByteView>();
        return std::optional<ByteView>(*value);
    }
    Done commit() override {
        SCANMQ_ASSERT(open_);
        if (auto bad = fault()) return fail(std::move(*bad));
        const std::lock_guard lock(mutex_);
        for (std::size_t i = 0; i < kTables; ++i) {
            if (changes_[i].empty()) continue;
            Rows& rows = own(i);
            for (auto& [key, value] : changes_[i]) {
                if (value) {
                    rows[key] = std::move(*value);
                } else {
                    rows.erase(key);
                }
            }
        }
        abort();
        committed();
        return {};
    }
    void abort() override {
        open_ = false;
        for (Changes& changes : changes_) changes.clear();
    }
    Result<std::unique_ptr<StateSnapshot>, StateError> snapshot() override {
        const std::lock_guard lock(mutex_);
        return std::unique_ptr<StateSnapshot>(std::make_unique<Snapshot>(image_));
    }

  private:
    using Changes = std::map<std::string, std::optional<std::string>, std::less<>>;

    class Snapshot final : public StateSnapshot {
      public:
        explicit Snapshot(const Image& image) : image_(image) {}
        Result<std::optional<ByteView>, StateError> get(Table table, ByteView key) override {
            const Rows& rows = *image_[index(table)];
            const auto it = rows.find(key);
            if (it == rows.end()) return std::optional<ByteView>();
            return std::optional<ByteView>(it->second);
        }
        Row floor(Table table, ByteView key) override {
            const Rows& rows = *image_[index(table)];
            const auto it = rows.upper_bound(key);
            if (it == rows.begin()) return std::optional<StateRow>();
            return row(std::prev(it));
        }
        Row ceiling(Table table, ByteView key) override {
            const Rows& rows = *image_[index(table)];
            const auto it = rows.lower_bound(key);
            if (it == rows.end()) return std::optional<StateRow>();
            return row(it);
        }
        Done scan(Table table, ByteView from, const Visit& visit) override {
            const Rows& rows = *image_[index(table)];
            for (auto it = rows.lower_bound(from); it != rows.end(); ++it) {
                if (!visit(it->first, it->second)) break;
            }
            return {};
        }

      private:
        static Row row(Rows::const_iterator it) {
            return std::optional<StateRow>({it->first, it->second});
        }
        const Image image_;
    };

    static std::size_t index(Table table) { return static_cast<std::size_t>(table); }
    std::optional<StateError> fault() {
        ++calls_;
        if (calls_left_ == 0 || --calls_left_ > 0) return std::nullopt;
        return StateError{kind_, "a fault of the model"};
    }
    [[nodiscard]] const std::string* find(Table table, ByteView key) const {
        const Changes& changes = changes_[index(table)];
        if (const auto it = changes.find(key); it != changes.end()) {
            return it->second ? &*it->second : nullptr;
        }
        const Rows& rows = *image_[index(table)];
        const auto it = rows.find(key);
        return it == rows.end() ? nullptr : &it->second;
    }
    // A snapshot keeps the table it was made of.
    Rows& own(std::size_t table) {
        std::shared_ptr<Rows>& rows = image_[table];
        if (rows.use_count() > 1) rows = std::make_shared<Rows>(*rows);
        return *rows;
    }
    static Image empty() {
        Image out;
        for (auto& rows : out) rows = std::make_shared<Rows>();
        return out;
    }

    std::mutex mutex_;
    Image image_ = empty();
    bool open_ = false;
    std::array<Changes, kTables> changes_;
    std::uint64_t calls_ = 0;
    std::uint64_t calls_left_ = 0;
    StateError::Kind kind_{};
};

}  // namespace scanmq::broker
