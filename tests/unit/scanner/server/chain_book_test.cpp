#include "scanner/server/chain_book.hpp"

#include <gtest/gtest.h>

#include "scanner/market/sample_market.hpp"

namespace scanmq::scand {
namespace {

// A chain of that symbol at that moment; its id is of both.
ChainBook::Held chain_of(const std::string& symbol, WallMillis as_of) {
    auto chain = std::make_shared<market::Chain>(market::sample_chain({.expiries = 1}, 0));
    chain->symbol = symbol;
    chain->as_of = as_of;
    return std::make_shared<BookedChain>(content_id(symbol + std::to_string(as_of)),
                                         std::shared_ptr<const market::Chain>(chain));
}

TEST(ChainBook, ASymbolIsItsNewestChain) {
    ChainBook book(1000);
    const auto old = chain_of("A", 1);
    const auto latest = chain_of("A", 3);
    EXPECT_TRUE(book.add(latest));
    EXPECT_TRUE(book.add(old));
    EXPECT_FALSE(book.add(old));
    EXPECT_EQ(book.find("A"), latest);
    EXPECT_EQ(book.find(old->id()), old);
    const auto put = chain_of("A", 4);
    book.put(put, 10);
    EXPECT_EQ(book.find("A"), put);
    EXPECT_EQ(book.find("B"), nullptr);
    EXPECT_EQ(book.find(content_id("none")), nullptr);
    EXPECT_EQ(book.count(), 3U);
    EXPECT_EQ(book.symbols(), 1U);
    EXPECT_EQ(book.misses(), 1U);
}

TEST(ChainBook, PutChainsMakeRoomAddedOnesStay) {
    ChainBook book(100);
    const auto stays = chain_of("S", 1);
    book.add(stays);
    const auto a = chain_of("A", 1);
    const auto b = chain_of("B", 1);
    const auto c = chain_of("S", 2);
    book.put(a, 40);
    book.put(b, 40);
    EXPECT_EQ(book.bytes(), 80U);
    EXPECT_EQ(book.find(a->id()), a);  // now b is the one used longest ago
    book.put(c, 40);
    EXPECT_EQ(book.find(b->id()), nullptr);
    EXPECT_EQ(book.find("B"), nullptr);
    EXPECT_EQ(book.find(a->id()), a);
    EXPECT_EQ(book.find("S"), c);
    EXPECT_EQ(book.bytes(), 80U);
    EXPECT_EQ(book.evictions(), 1U);
    const auto d = chain_of("D", 1);
    book.put(d, 100);  // all of it
    EXPECT_EQ(book.bytes(), 100U);
    EXPECT_EQ(book.find("S"), stays);
    EXPECT_EQ(book.find("A"), nullptr);
}

TEST(ChainBook, PuttingAgainIsAUse) {
    ChainBook book(100);
    const auto a = chain_of("A", 1);
    book.put(a, 50);
    book.put(chain_of("B", 1), 50);
    book.put(a, 50);
    book.put(chain_of("C", 1), 50);
    EXPECT_NE(book.find("A"), nullptr);
    EXPECT_EQ(book.find("B"), nullptr);
    EXPECT_EQ(book.bytes(), 100U);
}

TEST(ChainBook, NamesTheNearestSymbol) {
    ChainBook book(100);
    EXPECT_EQ(book.nearest("SPY"), "");
    book.add(chain_of("SPY", 1));
    book.add(chain_of("QQQ", 1));
    EXPECT_EQ(book.nearest("SPX"), "SPY");
}

TEST(BookedChain, IsPricedOnce) {
    const auto chain = chain_of("A", 1);
    const market::PricedChain& priced = chain->priced();
    EXPECT_EQ(&chain->priced(), &priced);
    EXPECT_EQ(priced.chain.get(), &chain->chain());
}

}  // namespace
}  // namespace scanmq::scand
