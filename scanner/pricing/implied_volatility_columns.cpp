// Implied volatilities of many quotes: block by block through the kernel, the rows it does not take
// by the scalar function.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "common/base/assert.hpp"
#include "scanner/pricing/implied_kernel.hpp"
#include "scanner/pricing/implied_volatility.hpp"

namespace scanmq::pricing {
namespace {

using detail::ImpliedBlock;
using detail::kImpliedRows;
using market::Right;

// A block whose every row is a good quote, so that those that fill up a vector do no harm.
void reset(ImpliedBlock& block) noexcept {
    std::fill_n(block.price, kImpliedRows, 0.1);
    std::fill_n(block.forward, kImpliedRows, 1.0);
    std::fill_n(block.strike, kImpliedRows, 1.0);
    std::fill_n(block.discount, kImpliedRows, 1.0);
    std::fill_n(block.sign, kImpliedRows, 1.0);
}

void set_signs(ImpliedBlock& block, const Right* right, std::size_t size) noexcept {
    for (std::size_t i = 0; i < size; ++i) block.sign[i] = right[i] == Right::call ? 1.0 : -1.0;
}

}  // namespace

void implied_volatility(const IvExpiry& common, std::span<const double> price,
                        std::span<const double> strike, std::span<const Right> right,
                        std::span<double> volatility, std::span<IvStatus> status) noexcept {
    const std::size_t rows = price.size();
    SCANMQ_ASSERT(strike.size() == rows && right.size() == rows && volatility.size() == rows &&
                  status.size() == rows);
    ImpliedBlock block;
    reset(block);
    std::fill_n(block.forward, kImpliedRows, common.forward);
    std::fill_n(block.discount, kImpliedRows, common.discount);
    const bool usable =
        common.years > 0.0 && common.years < std::numeric_limits<double>::infinity();
    const double over_root = 1.0 / std::sqrt(common.years);
    for (std::size_t begin = 0; begin < rows; begin += kImpliedRows) {
        const std::size_t size = std::min(kImpliedRows, rows - begin);
        std::copy_n(price.data() + begin, size, block.price);
        std::copy_n(strike.data() + begin, size, block.strike);
        set_signs(block, right.data() + begin, size);
        std::uint64_t rest = detail::imply_block(block, size);
        if (!usable) rest = size < 64 ? (std::uint64_t{1} << size) - 1 : ~std::uint64_t{0};
        for (std::size_t i = 0; i < size; ++i) {
            volatility[begin + i] = block.deviation[i] * over_root;
            status[begin + i] = IvStatus::ok;
        }
        for (; rest != 0; rest &= rest - 1) {
            const std::size_t i = begin + static_cast<std::size_t>(std::countr_zero(rest));
            const IvResult one = implied_volatility(price[i], common.forward, strike[i],
                                                    common.years, common.discount, right[i]);
            volatility[i] = one.volatility;
            status[i] = one.status;
        }
    }
}

void implied_volatility(const IvColumns& in, std::span<double> volatility,
                        std::span<IvStatus> status) noexcept {
    const std::size_t rows = in.price.size();
    SCANMQ_ASSERT(in.forward.size() == rows && in.strike.size() == rows &&
                  in.years.size() == rows && in.discount.size() == rows &&
                  in.right.size() == rows && volatility.size() == rows && status.size() == rows);
    ImpliedBlock block;
    reset(block);
    for (std::size_t begin = 0; begin < rows; begin += kImpliedRows) {
        const std::size_t size = std::min(kImpliedRows, rows - begin);
        std::copy_n(in.price.data() + begin, size, block.price);
        std::copy_n(in.forward.data() + begin, size, block.forward);
        std::copy_n(in.strike.data() + begin, size, block.strike);
        std::copy_n(in.discount.data() + begin, size, block.discount);
        set_signs(block, in.right.data() + begin, size);
        std::uint64_t rest = detail::imply_block(block, size);
        for (std::size_t i = 0; i < size; ++i) {
            const double years = in.years[begin + i];
            volatility[begin + i] = block.deviation[i] / std::sqrt(years);
            status[begin + i] = IvStatus::ok;
            const bool usable = years > 0.0 && years < std::numeric_limits<double>::infinity();
            rest |= std::uint64_t{!usable} << i;
        }
        for (; rest != 0; rest &= rest - 1) {
            const std::size_t i = begin + static_cast<std::size_t>(std::countr_zero(rest));
            const IvResult one = implied_volatility(in.price[i], in.forward[i], in.strike[i],
                                                    in.years[i], in.discount[i], in.right[i]);
            volatility[i] = one.volatility;
            status[i] = one.status;
        }
    }
}

}  // namespace scanmq::pricing
