#include "scanner/server/chain_book.hpp"

#include <algorithm>

#include "common/base/nearest.hpp"

namespace scanmq::scand {

const market::PricedChain& BookedChain::priced() {
    const std::scoped_lock lock(mutex_);
    if (!priced_) {
        priced_ = std::make_shared<const market::PricedChain>(market::price_chain(chain_));
    }
    return *priced_;  // never replaced
}

bool ChainBook::add(const Held& chain) {
    const auto [at, fresh] = chains_.emplace(chain->id(), Entry{chain, 0, order_.end()});
    if (fresh) index(chain);
    return fresh;
}

void ChainBook::put(const Held& chain, std::uint64_t bytes) {
    const auto [at, fresh] = chains_.emplace(chain->id(), Entry{chain, bytes, order_.end()});
    if (!fresh) return use(at->second);
    order_.push_front(chain->id());
    at->second.position = order_.begin();
    bytes_ += bytes;
    index(chain);
    trim();
}

ChainBook::Held ChainBook::find(const ContentId& id) {
    const auto at = chains_.find(id);
    if (at == chains_.end()) {
        ++misses_;
        return nullptr;
    }
    ++hits_;
    use(at->second);
    return at->second.chain;
}

ChainBook::Held ChainBook::find(std::string_view symbol) {
    const auto at = by_symbol_.find(symbol);
    if (at == by_symbol_.end()) return nullptr;
    return find(at->second.front()->id());
}

std::string ChainBook::nearest(std::string_view symbol) const {
    std::vector<std::string_view> names;
    names.reserve(by_symbol_.size());
    for (const auto& [name, chains] : by_symbol_) names.push_back(name);
    return std::string(nearest_name(symbol, names));
}

void ChainBook::use(Entry& entry) {
    if (entry.bytes > 0) order_.splice(order_.begin(), order_, entry.position);
}

void ChainBook::index(const Held& chain) {
    std::vector<Held>& chains = by_symbol_[chain->chain().symbol];
    const auto at = std::ranges::find_if(
        chains, [&](const Held& other) { return other->chain().as_of <= chain->chain().as_of; });
    chains.insert(at, chain);
}

void ChainBook::unindex(const Held& chain) {
    const auto at = by_symbol_.find(chain->chain().symbol);
    std::erase(at->second, chain);
    if (at->second.empty()) by_symbol_.erase(at);
}

void ChainBook::trim() {
    while (bytes_ > bytes_max_ && order_.size() > 1) {
        const auto at = chains_.find(order_.back());
        order_.pop_back();
        bytes_ -= at->second.bytes;
        unindex(at->second.chain);
        chains_.erase(at);
        ++evictions_;
    }
}

}  // namespace scanmq::scand
