#include "client/cli/option_input.hpp"

#include <gtest/gtest.h>

#include "scanner/market/calendar.hpp"

namespace scanmq::cli {
namespace {

constexpr WallMillis kNow = 1'718'200'000'000;  // 2024-06-12 13:46 UTC

// The options that `arguments`, as typed behind `scanmq price` or `iv`, ask for.
Result<std::vector<OptionInput>, Problem> typed(const std::vector<std::string>& arguments,
                                                std::string_view csv = {},
                                                OptionQuestion question = OptionQuestion::value) {
    OptionFlags flags;
    config::Options declared("scanmq price", "");
    add_option_flags(declared, flags, question);
    const auto parsed = declared.parse(arguments, {});
    if (!parsed) return fail(Problem{ExitCode::usage, "usage", parsed.error().sentence});
    return read_options(flags, csv, question, kNow);
}

std::string sentence(const std::vector<std::string>& arguments, std::string_view csv = {},
                     OptionQuestion question = OptionQuestion::value) {
    const auto options = typed(arguments, csv, question);
    return options ? std::string("no error") : options.error().sentence;
}

TEST(OptionInput, FlagsAreOneOptionAStrikeAndRight) {
    const auto options = typed({"--spot", "100", "--strike", "95,105", "--years", "0.5",
                                "--volatility", "0.25", "--rate", "-0.01"});
    ASSERT_TRUE(options) << options.error().sentence;
    ASSERT_EQ(options->size(), 4U);
    EXPECT_EQ((*options)[0].strike, 95.0);
    EXPECT_EQ((*options)[0].right, market::Right::call);
    EXPECT_EQ((*options)[1].right, market::Right::put);
    EXPECT_EQ((*options)[2].strike, 105.0);
    EXPECT_EQ((*options)[3].rate, -0.01);
    EXPECT_FALSE((*options)[0].on_forward);
}

TEST(OptionInput, DatesRunFromAsOfToTheirSettlement) {
    for (const auto& [settlement, minute] :
         {std::pair{"pm", market::kCloseMinute}, std::pair{"am", market::kOpenMinute}}) {
        const auto options =
            typed({"--forward", "100", "--strike", "100", "--date", "2024-06-21", "--settlement",
                   settlement, "--volatility", "0.2", "--as-of", "2024-06-12T20:00Z"});
        ASSERT_TRUE(options) << options.error().sentence;
        const WallMillis moment = market::new_york_moment(20240621, minute);
        EXPECT_NEAR((*options)[0].years,
                    static_cast<double>(moment - 1'718'222'400'000) / (365.0 * 86'400'000.0),
                    1e-12);
        EXPECT_TRUE((*options)[0].on_forward);
    }
}

TEST(OptionInput, DividendsAreThoseBetweenNowAndTheExpiry) {
    const auto options =
        typed({"--spot", "100", "--strike", "100", "--date", "2024-12-20", "--volatility", "0.2",
               "--dividend", "2024-09-10:0.5,2024-01-10:0.4,0.1:0.3,2025-03-10:0.6"});
    ASSERT_TRUE(options) << options.error().sentence;
    const auto& dividends = (*options)[0].dividends;
    ASSERT_EQ(dividends.size(), 2U);
    EXPECT_EQ(dividends[0].years, 0.1);
    EXPECT_EQ(dividends[0].amount, 0.3);
    EXPECT_EQ(dividends[1].amount, 0.5);
    EXPECT_NEAR(dividends[1].years, 90.0 / 365.0, 0.01);
}

TEST(OptionInput, RowsOfCsvReplaceFlags) {
    const auto options =
        typed({"--input", "-", "--spot", "100", "--years", "1", "--volatility", "0.3"},
              "strike,right,volatility,dividends\n"
              "95,put,0.2,0.25:1;0.5:1\n"
              "105,C,,\n");
    ASSERT_TRUE(options) << options.error().sentence;
    ASSERT_EQ(options->size(), 2U);
    EXPECT_EQ((*options)[0].volatility, 0.2);
    EXPECT_EQ((*options)[0].right, market::Right::put);
    EXPECT_EQ((*options)[0].dividends.size(), 2U);
    EXPECT_EQ((*options)[1].volatility, 0.3);
    EXPECT_EQ((*options)[1].right, market::Right::call);
}

TEST(OptionInput, ImpliedVolatilityTakesAPriceAStrike) {
    const auto question = OptionQuestion::implied_volatility;
    const auto options = typed({"--spot", "100", "--strike", "95,105", "--price", "7,2", "--years",
                                "0.5", "--right", "call"},
                               {}, question);
    ASSERT_TRUE(options) << options.error().sentence;
    ASSERT_EQ(options->size(), 2U);
    EXPECT_EQ((*options)[1].price, 2.0);
    EXPECT_NE(sentence({"--spot", "100", "--strike", "95,105", "--price", "7", "--years", "0.5"},
                       {}, question)
                  .find("one price a strike"),
              std::string::npos);
    EXPECT_NE(sentence({"--spot", "100", "--strike", "95", "--price", "7", "--years", "0.5"}, {},
                       question)
                  .find("right is missing"),
              std::string::npos);
}

TEST(OptionInput, MistakesSayWhatToWrite) {
    const std::vector<std::string> good{"--spot",  "100", "--strike",     "100",
                                        "--years", "0.5", "--volatility", "0.2"};
    const auto with = [&](std::vector<std::string> more) {
        auto all = good;
        all.insert(all.end(), more.begin(), more.end());
        return all;
    };
    const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
        {{"--strike", "100"}, "give spot or forward"},
        {{"--spot", "100", "--years", "1", "--volatility", "0.2"}, "strike is missing"},
        {{"--spot", "100", "--strike", "100", "--volatility", "0.2"}, "give years"},
        {{"--spot", "100", "--strike", "100", "--years", "1"}, "volatility is missing"},
        {{"--spot", "100", "--strike", "100", "--years", "1", "--volatility", "25"},
         "0.25 for 25 %"},
        {{"--spot", "-1", "--strike", "100", "--years", "1", "--volatility", "0.2"}, "above 0"},
        {{"--spot", "nan", "--strike", "100", "--years", "1", "--volatility", "0.2"}, "above 0"},
        {with({"--forward", "100"}), "spot and forward"},
        {with({"--date", "2024-12-20"}), "years and date"},
        {with({"--rate", "5"}), "0.05 for 5 %"},
        {with({"--right", "cal"}), "call or put"},
        {with({"--style", "bermudan"}), "european or american"},
        {with({"--dividend", "0.5"}), "2024-05-10:0.50"},
        {with({"--dividend", "0.25:-1"}), "2024-05-10:0.50"},
        {{"--spot", "100", "--strike", "100", "--date", "2024-06-11", "--volatility", "0.2"},
         "before as_of"},
        {{"--spot", "100", "--strike", "100", "--date", "June", "--volatility", "0.2"},
         "2024-06-21"},
        {{"--forward", "100", "--strike", "100", "--years", "1", "--volatility", "0.2", "--yield",
          "0.01"},
         "part of a forward"},
    };
    for (const auto& [arguments, expected] : cases) {
        EXPECT_NE(sentence(arguments).find(expected), std::string::npos)
            << expected << ": " << sentence(arguments);
    }
}

TEST(OptionInput, MistakesInCsvNameTheRow) {
    const std::vector<std::string> flags{"--input", "-", "--spot", "100", "--years", "1"};
    const std::vector<std::pair<std::string, std::string>> cases{
        {"", "no header row"},
        {"strike,volatility\n", "no rows"},
        {"strke,volatility\n100,0.2\n", "did you mean \"strike\""},
        {"strike,volatility\n100,0.2\n100,x\n", "standard input:3: volatility is \"x\""},
        {"strike\n100,0.2\n", "standard input:2"},
    };
    for (const auto& [csv, expected] : cases) {
        EXPECT_NE(sentence(flags, csv).find(expected), std::string::npos)
            << expected << ": " << sentence(flags, csv);
    }
}

}  // namespace
}  // namespace scanmq::cli
