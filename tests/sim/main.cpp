// scanmq-sim: runs simulated clusters, one for each seed; prints what failed and how to replay it.

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>

#include "broker/core/planted_bug.hpp"
#include "tests/sim/cluster.hpp"

namespace {

using namespace scanmq;
using namespace scanmq::sim;

volatile std::sig_atomic_t running_seed = 0;

// An assertion of a core, or worse: tell the seed before the process goes.
void on_abort(int) {
    std::printf("seed %ld ABORTED\nreplay: scanmq-sim --seed %ld --trace\n",
                static_cast<long>(running_seed), static_cast<long>(running_seed));
    std::fflush(stdout);
    std::_Exit(3);
}

bool run(const Options& options, bool verbose, std::map<std::string, std::uint64_t>& reached) {
    running_seed = static_cast<std::sig_atomic_t>(options.seed);
    try {
        const Summary s = Cluster(options).run();
        for (const auto& [name, value] : s.reached) reached[name] += value;
        if (verbose) {
            std::printf(
                "seed %llu passed: %llu jobs acknowledged, %llu entries seen, %llu frames, %llu "
                "events, %llu recoveries, healed in %.1f s, digest %016llx\n",
                static_cast<unsigned long long>(options.seed),
                static_cast<unsigned long long>(s.counts.acknowledged),
                static_cast<unsigned long long>(s.counts.entries),
                static_cast<unsigned long long>(s.frames),
                static_cast<unsigned long long>(s.events),
                static_cast<unsigned long long>(s.counts.recoveries),
                std::chrono::duration<double>(s.healed_in).count(),
                static_cast<unsigned long long>(s.digest));
        }
        return true;
    } catch (const CheckFailed& failure) {
        std::printf(
            "seed %llu FAILED %s\n  options: %s\n  replay: scanmq-sim --seed %llu --trace\n",
            static_cast<unsigned long long>(options.seed), failure.what(),
            describe(options).c_str(), static_cast<unsigned long long>(options.seed));
        std::fflush(stdout);
        return false;
    }
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Simulates scanmq clusters, deterministic for a seed, with faults of all kinds.");
    std::uint64_t seed = 0;
    std::string seeds;
    bool trace = false;
    bool verbose = false;
    bool coverage = false;
    std::uint32_t failures_max = 10;
    app.add_option("--seed", seed, "one seed");
    app.add_option("--seeds", seeds, "a range of them, A..B");
    app.add_flag("--trace", trace, "print every event");
    app.add_flag("--verbose", verbose, "a line for each seed");
    app.add_flag("--coverage", coverage, "in the end, the sums of the brokers' counters");
    app.add_option("--failures-max", failures_max, "stop after so many");
#ifdef SCANMQ_CANARY
    using broker::PlantedBug;
    const std::map<std::string, PlantedBug> bugs{
        {"forgets-ids", PlantedBug::forgets_ids},
        {"leaks-room", PlantedBug::leaks_room},
        {"acknowledges-early", PlantedBug::acknowledges_early},
        {"publishes-early", PlantedBug::publishes_early},
        {"strands-followers", PlantedBug::strands_followers},
        {"runs-followers", PlantedBug::runs_followers},
        {"follows-early", PlantedBug::follows_early},
        {"mixes-versions", PlantedBug::mixes_versions},
        {"serves-too-old", PlantedBug::serves_too_old},
        {"mixes-generations", PlantedBug::mixes_generations},
        {"forgets-standing", PlantedBug::forgets_standing},
        {"drops-pinned", PlantedBug::drops_pinned},
        {"drops-unread", PlantedBug::drops_unread}};
    app.add_option("--planted-bug", broker::planted_bug, "the bug that is in")
        ->transform(CLI::CheckedTransformer(bugs));
#endif
    // Every number of the mixture: what is given here holds for each seed. Durations in ms.
    Options names;
    std::map<std::string, double> given;
    for (const Knob& knob : knobs(names)) {
        app.add_option_function<double>(
            "--" + knob.name, [&given, name = knob.name](double value) { given[name] = value; },
            knob.kind == Knob::Kind::duration ? "ms" : "");
    }
    CLI11_PARSE(app, argc, argv);

    std::uint64_t first = seed;
    std::uint64_t last = seed;
    if (!seeds.empty()) {
        const std::size_t dots = seeds.find("..");
        if (dots == std::string::npos) {
            std::cerr << "--seeds is A..B\n";
            return 2;
        }
        first = std::stoull(seeds.substr(0, dots));
        last = std::stoull(seeds.substr(dots + 2));
    }
    std::signal(SIGABRT, on_abort);
    std::signal(SIGSEGV, on_abort);
    std::map<std::string, std::uint64_t> reached;
    std::uint64_t passed = 0;
    std::uint64_t failed = 0;
    for (std::uint64_t s = first; s <= last; ++s) {
        Options options = draw(s);
        options.trace = trace;
        for (const Knob& knob : knobs(options)) {
            const auto found = given.find(knob.name);
            if (found != given.end()) set(knob, found->second);
        }
        if (run(options, verbose || first == last, reached)) {
            ++passed;
        } else if (++failed >= failures_max) {
            break;
        }
    }
    for (const auto& [name, value] : reached) {
        if (!coverage) break;
        std::printf("  %-32s %llu\n", name.c_str(), static_cast<unsigned long long>(value));
    }
    std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(passed),
                static_cast<unsigned long long>(failed));
    return failed == 0 ? 0 : 1;
}
