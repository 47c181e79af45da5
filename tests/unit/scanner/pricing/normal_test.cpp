#include "scanner/pricing/normal.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "scanner/pricing/mills.hpp"

namespace scanmq::pricing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Point {
    double at;
    double value;
};

// References of this file were computed in 60-digit arithmetic and rounded to 20 digits.
TEST(Normal, CumulativeIsAccurateRelativelyInBothTails) {
    const Point points[] = {{-37.5, 4.6053530095819548438e-308},
                            {-30.0, 4.9067139271481870595e-198},
                            {-20.0, 2.7536241186062336951e-89},
                            {-10.25, 5.9171769073656178503e-25},
                            {-8.0, 6.2209605742717841235e-16},
                            {-5.0, 2.8665157187919391167e-7},
                            {-3.1, 0.00096760321321835660196},
                            {-2.0, 0.0227501319481792072},
                            {-1.0, 0.15865525393145705141},
                            {-0.5, 0.30853753872598689636},
                            {-0.1, 0.46017216272297101633},
                            {-1e-8, 0.49999999601057719599},
                            {0.0, 0.5},
                            {0.25, 0.59870632568292372424},
                            {1.0, 0.84134474606854294859},
                            {2.5, 0.99379033467422386483},
                            {6.0, 0.99999999901341235496},
                            {8.2, 0.99999999999999987981}};
    for (const Point& point : points) {
        EXPECT_NEAR(normal_cdf(point.at) / point.value, 1.0, 1e-15) << point.at;
    }
}

TEST(Normal, CumulativeReachesItsEnds) {
    EXPECT_NEAR(normal_cdf(-38.0) / 2.8854283600687843084e-316, 1.0, 1e-7);  // subnormal
    EXPECT_EQ(normal_cdf(-100.0), 0.0);
    EXPECT_EQ(normal_cdf(-kInfinity), 0.0);
    EXPECT_EQ(normal_cdf(100.0), 1.0);
    EXPECT_EQ(normal_cdf(kInfinity), 1.0);
    EXPECT_TRUE(std::isnan(normal_cdf(kNaN)));
}

TEST(Normal, CumulativeAgreesWithErfcAndIsMonotone) {
    double before = 0.0;
    for (double x = -8.0; x <= 8.0; x += 0.001) {
        const double value = normal_cdf(x);
        EXPECT_NEAR(value / (0.5 * std::erfc(-x * std::sqrt(0.5))), 1.0, 2e-14) << x;
        EXPECT_GT(value, before * (1.0 - 1e-15)) << x;
        before = value;
    }
}

TEST(Normal, DensityIsTheSlopeOfTheCumulative) {
    const double h = 1e-4;
    for (double x = -6.0; x <= 0.0; x += 0.37) {
        const double slope = (normal_cdf(x + h) - normal_cdf(x - h)) / (2.0 * h);
        EXPECT_NEAR(normal_pdf(x) / slope, 1.0, 1e-7) << x;
        EXPECT_EQ(normal_pdf(x), normal_pdf(-x));
    }
    EXPECT_NEAR(normal_pdf(0.0), 0.39894228040143267794, 1e-16);
    EXPECT_NEAR(normal_pdf(30.0) / 1.4736461348785475e-196, 1.0, 1e-14);
    EXPECT_EQ(normal_pdf(kInfinity), 0.0);
    EXPECT_TRUE(std::isnan(normal_pdf(kNaN)));
}

TEST(Normal, InverseIsAccurateInEachOfItsRanges) {
    const Point points[] = {
        {1e-300, -37.047096299361199237},  {1e-100, -21.273453560965324294},
        {1e-20, -9.2623400897984075796},   {1e-10, -6.3613409024040561991},
        {1e-5, -4.2648907939228246102},    {0.001, -3.0902323061678135354},
        {0.02425, -1.9729610513118848376}, {0.07, -1.4757910281791706856},
        {0.0749, -1.4402382675279636631},  {0.0751, -1.4388253927525399824},
        {0.3, -0.52440051270804081597},    {0.4999999, -2.5066282747031065135e-7},
        {0.6, 0.25334710313579974132},     {0.975, 1.9599639845400538556},
        {0.999999, 4.7534243088170877657}};
    for (const Point& point : points) {
        EXPECT_NEAR(normal_inverse_cdf(point.at) / point.value, 1.0, 1e-15) << point.at;
    }
    EXPECT_EQ(normal_inverse_cdf(0.5), 0.0);
}

TEST(Normal, InverseUndoesTheCumulative) {
    for (double x = -37.0; x <= 0.0; x += 0.0625) {
        // An error of one rounding in N(x) moves x by that over its relative slope n/N >= |x|.
        EXPECT_NEAR(normal_inverse_cdf(normal_cdf(x)), x, 3e-15 * std::fmax(1.0, -x)) << x;
    }
}

TEST(Normal, InverseOutsideOfTheOpenUnitInterval) {
    EXPECT_EQ(normal_inverse_cdf(0.0), -kInfinity);
    EXPECT_EQ(normal_inverse_cdf(1.0), kInfinity);
    EXPECT_TRUE(std::isnan(normal_inverse_cdf(-1e-300)));
    EXPECT_TRUE(std::isnan(normal_inverse_cdf(1.0000001)));
    EXPECT_TRUE(std::isnan(normal_inverse_cdf(kNaN)));
}

TEST(MillsRatio, EqualsReferencesOverItsRange) {
    const Point points[] = {{0.0, 1.2533141373155002512},    {0.001, 1.2523147636393921732},
                            {0.5, 0.87636445645369234673},   {1.0, 0.65567954241879847154},
                            {3.0, 0.30459029871010329573},   {9.5, 0.10413358157959825131},
                            {30.0, 0.033296419072497213382}, {64.0, 0.015621188093297309613}};
    for (const Point& point : points) {
        EXPECT_NEAR(detail::mills_ratio(point.at) / point.value, 1.0, 7e-16) << point.at;
    }
    // Beyond its range the value only has to be finite.
    EXPECT_EQ(detail::mills_ratio(kInfinity), detail::mills_ratio(64.0));
}

TEST(MillsRatio, SeriesMeetsTheDifferenceWhereItTakesOver) {
    // Both are good to about a rounding of R here, absolutely.
    for (double a = 0.1; a < 2.4; a += 0.03) {
        const double t = 0.1;
        const detail::MillsPair pair = detail::mills_pair(a, t);
        EXPECT_NEAR(detail::mills_difference_series(a, t), pair.low - pair.high, 6e-16) << a;
    }
}

}  // namespace
}  // namespace scanmq::pricing
