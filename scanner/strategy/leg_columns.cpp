#include "scanner/strategy/leg_columns.hpp"

#include <algorithm>

namespace scanmq::strategy {
namespace {

LegColumns::Row times(LegColumns::Row row, double ratio) {
    row.price *= ratio;
    row.delta *= ratio;
    row.day_theta *= ratio;
    row.vega *= ratio;
    row.abs_vega *= ratio;
    row.model *= ratio;
    row.quoted_spread *= ratio;
    row.expected *= ratio;
    return row;
}

LegColumns::Row plus(LegColumns::Row sum, const LegColumns::Row& more) {
    sum.price += more.price;
    sum.delta += more.delta;
    sum.day_theta += more.day_theta;
    sum.vega += more.vega;
    sum.abs_vega += more.abs_vega;
    sum.model += more.model;
    sum.quoted_spread += more.quoted_spread;
    sum.expected += more.expected;
    sum.liquidity = std::min(sum.liquidity, more.liquidity);
    return sum;
}

}  // namespace

void LegColumns::clear() noexcept {
    for (auto* column : {&strike, &price, &delta, &day_theta, &vega, &abs_vega, &model,
                         &quoted_spread, &liquidity, &below, &expected}) {
        column->clear();
    }
    row.clear();
    second_row.clear();
}

void LegColumns::reserve(std::size_t rows) {
    for (auto* column : {&strike, &price, &delta, &day_theta, &vega, &abs_vega, &model,
                         &quoted_spread, &liquidity, &below, &expected}) {
        column->reserve(rows);
    }
    row.reserve(rows);
}

void LegColumns::append(const Row& leg) {
    strike.push_back(leg.strike);
    price.push_back(leg.price);
    delta.push_back(leg.delta);
    day_theta.push_back(leg.day_theta);
    vega.push_back(leg.vega);
    abs_vega.push_back(leg.abs_vega);
    model.push_back(leg.model);
    quoted_spread.push_back(leg.quoted_spread);
    liquidity.push_back(leg.liquidity);
    below.push_back(leg.below);
    expected.push_back(leg.expected);
    row.push_back(leg.row);
}

void LegColumns::resize(std::size_t rows) {
    for (auto* column : {&strike, &price, &delta, &day_theta, &vega, &abs_vega, &model,
                         &quoted_spread, &liquidity, &below, &expected}) {
        column->resize(rows);
    }
    row.resize(rows);
}

void LegColumns::set(std::size_t i, const Row& leg) noexcept {
    strike[i] = leg.strike;
    price[i] = leg.price;
    delta[i] = leg.delta;
    day_theta[i] = leg.day_theta;
    vega[i] = leg.vega;
    abs_vega[i] = leg.abs_vega;
    model[i] = leg.model;
    quoted_spread[i] = leg.quoted_spread;
    liquidity[i] = leg.liquidity;
    below[i] = leg.below;
    expected[i] = leg.expected;
    row[i] = leg.row;
}

LegColumns::Row LegColumns::at(std::size_t i) const noexcept {
    return {strike[i], price[i],         delta[i],     day_theta[i], vega[i],     abs_vega[i],
            model[i],  quoted_spread[i], liquidity[i], below[i],     expected[i], row[i]};
}

void combine(const LegColumns& first, double first_ratio, const LegColumns* second,
             double second_ratio, LegColumns& out) {
    out.clear();
    out.reserve(first.size());
    std::size_t j = 0;
    for (std::size_t i = 0; i < first.size(); ++i) {
        const LegColumns::Row one = times(first.at(i), first_ratio);
        if (second == nullptr) {
            out.append(one);
            continue;
        }
        while (j < second->size() && second->strike[j] < one.strike) ++j;
        if (j == second->size() || second->strike[j] != one.strike) continue;
        out.append(plus(one, times(second->at(j), second_ratio)));
        out.second_row.push_back(second->row[j]);
    }
}

}  // namespace scanmq::strategy
