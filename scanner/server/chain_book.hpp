#pragma once
// ChainBook: the chains that can be scanned, by snapshot id and by symbol.
//
// Role:      chains read at the start stay; those that were put make room for each other.
// Threads:   the loop. BookedChain::priced() from any thread.
// Ownership: shared_ptr, because a scan keeps its chains however the book decides meanwhile.
// Limits:    bytes_max of chains that were put: the one used longest ago goes first. A symbol is the
//            newest chain of it, by the quotes' moment, of those that are held.

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/id.hpp"
#include "scanner/market/priced_chain.hpp"

namespace scanmq::scand {

class BookedChain {
  public:
    BookedChain(ContentId id, std::shared_ptr<const market::Chain> chain)
        : id_(id), chain_(std::move(chain)) {}
    BookedChain(ContentId id, std::shared_ptr<const market::PricedChain> priced)
        : id_(id), chain_(priced->chain), priced_(std::move(priced)) {}

    [[nodiscard]] const ContentId& id() const noexcept { return id_; }
    [[nodiscard]] const market::Chain& chain() const noexcept { return *chain_; }
    // Priced at its own moment; on the first call, where it was not before.
    [[nodiscard]] const market::PricedChain& priced();

  private:
    const ContentId id_;
    const std::shared_ptr<const market::Chain> chain_;
    std::mutex mutex_;
    std::shared_ptr<const market::PricedChain> priced_;
};

class ChainBook {
  public:
    using Held = std::shared_ptr<BookedChain>;

    explicit ChainBook(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

    // Stays for good. False: it is here already.
    bool add(const Held& chain);
    // Until room is needed. `bytes`: what it takes, at most bytes_max.
    void put(const Held& chain, std::uint64_t bytes);

    // Null when it is not here. Both count as a use.
    [[nodiscard]] Held find(const ContentId& id);
    [[nodiscard]] Held find(std::string_view symbol);
    // The symbol that is most like this one; empty when there are none.
    [[nodiscard]] std::string nearest(std::string_view symbol) const;

    [[nodiscard]] std::uint64_t bytes_max() const noexcept { return bytes_max_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::size_t count() const noexcept { return chains_.size(); }
    [[nodiscard]] std::size_t symbols() const noexcept { return by_symbol_.size(); }
    [[nodiscard]] std::uint64_t hits() const noexcept { return hits_; }
    [[nodiscard]] std::uint64_t misses() const noexcept { return misses_; }
    [[nodiscard]] std::uint64_t evictions() const noexcept { return evictions_; }

  private:
    struct Entry {
        Held chain;
        std::uint64_t bytes{};                    // 0: stays
        std::list<ContentId>::iterator position;  // in order_, where it does not stay
    };
    void use(Entry& entry);
    void index(const Held& chain);
    void unindex(const Held& chain);
    void trim();

    const std::uint64_t bytes_max_;
    std::unordered_map<ContentId, Entry> chains_;
    std::list<ContentId> order_;                                       // the latest used first
    std::map<std::string, std::vector<Held>, std::less<>> by_symbol_;  // the newest first
    std::uint64_t bytes_ = 0;
    std::uint64_t hits_ = 0;
    std::uint64_t misses_ = 0;
    std::uint64_t evictions_ = 0;
};

}  // namespace scanmq::scand
