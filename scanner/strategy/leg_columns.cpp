#include "scanner/strategy/leg_columns.hpp"

#include <algorithm>

namespace scanmq::strategy {
namespace {

// Each figure's column and its place in a row.
struct Figure {
    std::vector<double> LegColumns::*column;
    double LegColumns::Row::*value;
};
constexpr Figure kFigures[] = {
    {&LegColumns::strike, &LegColumns::Row::strike},
    {&LegColumns::price, &LegColumns::Row::price},
    {&LegColumns::delta, &LegColumns::Row::delta},
    {&LegColumns::day_theta, &LegColumns::Row::day_theta},
    {&LegColumns::vega, &LegColumns::Row::vega},
    {&LegColumns::abs_vega, &LegColumns::Row::abs_vega},
    {&LegColumns::model, &LegColumns::Row::model},
    {&LegColumns::quoted_spread, &LegColumns::Row::quoted_spread},
    {&LegColumns::liquidity, &LegColumns::Row::liquidity},
    {&LegColumns::below, &LegColumns::Row::below},
    {&LegColumns::mean_below, &LegColumns::Row::mean_below},
    {&LegColumns::expected, &LegColumns::Row::expected},
};

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
    for (const Figure& each : kFigures) (this->*each.column).clear();
    row.clear();
    second_row.clear();
}

void LegColumns::reserve(std::size_t rows) {
    for (const Figure& each : kFigures) (this->*each.column).reserve(rows);
    row.reserve(rows);
}

void LegColumns::append(const Row& leg) {
    for (const Figure& each : kFigures) (this->*each.column).push_back(leg.*each.value);
    row.push_back(leg.row);
}

void LegColumns::resize(std::size_t rows) {
    for (const Figure& each : kFigures) (this->*each.column).resize(rows);
    row.resize(rows);
}

void LegColumns::set(std::size_t i, const Row& leg) noexcept {
    for (const Figure& each : kFigures) (this->*each.column)[i] = leg.*each.value;
    row[i] = leg.row;
}

LegColumns::Row LegColumns::at(std::size_t i) const noexcept {
    Row out;
    for (const Figure& each : kFigures) out.*each.value = (this->*each.column)[i];
    out.row = row[i];
    return out;
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
