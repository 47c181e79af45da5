// scanmq watch: a queue's stream, entry by entry; durable with --name.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "client/cli/command.hpp"
#include "client/cli/interrupt.hpp"
#include "client/cli/session.hpp"
#include "client/cli/table.hpp"
#include "client/cli/time_text.hpp"
#include "client/cpp/subscriber.hpp"
#include "common/config/shared.hpp"
#include "common/config/values.hpp"

namespace scanmq::cli {
namespace {

using Json = nlohmann::ordered_json;

struct WatchFlags {
    BrokerOptions broker;
    std::string queue;
    std::string pattern = ">";
    std::string from = "latest";
    std::string since;
    std::string durable_name;
    bool no_ack = false;
    std::uint64_t count = 0;
    Duration idle{0};
    bool body = false;
};

void declare(config::Options& declared, WatchFlags& flags, bool& json) {
    declared.positional("queue", flags.queue, true, "The queue whose stream is read");
    declared.text("pattern", flags.pattern,
                  "Subjects to show: * is one token, a last > one or more");
    declared.text("from", flags.from, "Latest, earliest, or an offset");
    declared.text(
        "since", flags.since,
        "Start with what was appended then or later: 2024-05-01T09:30:00Z, or so long ago: "
        "10m, 24h");
    declared.flag("no-ack", flags.no_ack,
                  "With --name, leave the subscription's cursor where it is");
    declared.number("count", flags.count, {}, "entries", "Stop after so many; 0: never");
    declared.duration("idle", flags.idle, {}, "Stop when nothing came for so long; 0: never");
    declared.flag("body", flags.body, "Print each entry's body, too");
    add_broker_options(declared, flags.broker);
    config::add_json(declared, json);
}

class Watch {
  public:
    Watch(client::Client& client, const WatchFlags& flags, bool json)
        : client_(client), flags_(flags), json_(json) {}

    Outcome run(client::SubscriberOptions options) {
        client::Subscriber subscriber(client_, std::move(options));
        if (const auto active = subscriber.wait_active(flags_.broker.timeout); !active) {
            return fail(problem_of(active.error(), "cannot watch " + flags_.queue));
        }
        if (subscriber.info().status == protocol::SubscriptionStatus::lapsed) {
            fmt::print(stderr,
                       "scanmq watch: subscription {} had lapsed and starts anew: entries may have "
                       "been missed\n",
                       printable(flags_.durable_name));
        }
        const Interrupt interrupt(&client_);
        Time heard = now();
        while (!interrupt.requested() && !enough()) {
            auto received = subscriber.receive(std::chrono::milliseconds(200));
            if (!received)
                return fail(
                    problem_of(received.error(), "the stream of " + flags_.queue + " ended"));
            if (!*received) {
                if (flags_.idle > Duration{0} && now() - heard >= flags_.idle) break;
                continue;
            }
            heard = now();
            const client::EntryBatch& batch = (*received)->batch();
            if (batch.gap) print_gap(*batch.gap);
            std::uint64_t done = batch.position.next_offset;
            for (const protocol::Entry& entry : batch.entries) {
                if (enough()) {
                    done = entry.offset;
                    break;
                }
                ++shown_;
                json_ ? print_json(entry) : print_text(entry);
            }
            if (std::fflush(stdout) != 0) return ExitCode::failed;  // the reader went away
            if (flags_.durable_name.empty() || flags_.no_ack) continue;
            // Once it is printed, and no more than was printed.
            if (const auto acked = subscriber.ack(done); !acked) {
                return fail(problem_of(acked.error(), "cannot acknowledge"));
            }
        }
        return ExitCode::ok;
    }

  private:
    static Time now() { return std::chrono::steady_clock::now(); }
    [[nodiscard]] bool enough() const { return flags_.count > 0 && shown_ >= flags_.count; }

    void print_gap(const protocol::Gap& gap) const {
        if (json_) {
            fmt::print("{}\n", Json{{"gap", {{"from", gap.from}, {"to", gap.to}}}}.dump());
        } else {
            fmt::print("-- offsets {} to {} are gone: the stream keeps only its newest entries\n",
                       gap.from, gap.to - 1);
        }
    }

    [[nodiscard]] std::string body_of(const protocol::Entry& entry) {
        auto bytes = client_.fetch_body(entry.body);
        return bytes ? std::move(*bytes) : fmt::format("(not fetched: {})", bytes.error().sentence);
    }

    [[nodiscard]] static std::uint64_t size_of(const protocol::Body& body) {
        return body.is_blob() ? body.blob_size : body.bytes.size();
    }

    void print_text(const protocol::Entry& entry) {
        const bool group = entry.kind == protocol::EntryKind::group;
        fmt::print("{:>10}  {}  {:<10}  {}  {} bytes", entry.offset, entry.id.hex(),
                   group ? "group" : protocol::to_string(entry.outcome),
                   entry.subject.empty() ? "-" : printable(entry.subject), size_of(entry.body));
        if (entry.code != protocol::ErrorCode::none) {
            fmt::print("  {}: {}", protocol::to_string(entry.code), printable(entry.sentence));
        }
        fmt::print("\n");
        if (flags_.body && !group) fmt::print("{}\n", body_of(entry));
    }

    void print_json(const protocol::Entry& entry) {
        const bool group = entry.kind == protocol::EntryKind::group;
        Json out{{"offset", entry.offset},
                 {"kind", group ? "group" : "job"},
                 {"id", entry.id.hex()},
                 {"subject", entry.subject},
                 {"outcome", protocol::to_string(entry.outcome)},
                 {"bytes", size_of(entry.body)}};
        if (!entry.group.is_zero()) out["group"] = entry.group.hex();
        if (entry.code != protocol::ErrorCode::none) {
            out["code"] = protocol::to_string(entry.code);
            out["sentence"] = entry.sentence;
        }
        if (flags_.body && !group) out["body"] = body_of(entry);
        fmt::print("{}\n", out.dump(-1, ' ', false, Json::error_handler_t::replace));
    }

    client::Client& client_;
    const WatchFlags& flags_;
    const bool json_;
    std::uint64_t shown_ = 0;
};

}  // namespace

Outcome watch(Invocation& invocation) {
    WatchFlags flags;
    config::Options declared(invocation.program, invocation.summary);
    declare(declared, flags, invocation.json);
    if (auto over = parse(declared, invocation)) return *std::move(over);
    // A name that comes from the environment or a file names every command of this user.
    if (on_command_line(invocation, "name")) flags.durable_name = flags.broker.name;
    if (flags.no_ack && flags.durable_name.empty()) {
        return fail(usage_problem("--no-ack is for a durable subscription: give it a --name"));
    }
    client::SubscriberOptions options;
    options.queue = flags.queue;
    options.pattern = flags.pattern;
    options.durable_name = flags.durable_name;
    options.auto_ack = false;
    if (!flags.since.empty()) {
        if (declared.given("from")) {
            return fail(usage_problem("give --from or --since, not both"));
        }
        const auto since = parse_moment(flags.since, SystemClock().wall_millis());
        if (!since) return fail(usage_problem("--since: " + since.error()));
        options.from = protocol::StartFrom::time;
        options.offset = static_cast<std::uint64_t>(std::max<std::int64_t>(*since, 0)) / 1'000'000;
    } else if (flags.from == "earliest") {
        options.from = protocol::StartFrom::earliest;
    } else if (flags.from != "latest") {
        const auto offset = config::parse_number(flags.from);
        if (!offset) {
            return fail(usage_problem(fmt::format(
                "--from is \"{}\", it must be latest, earliest or an offset", flags.from)));
        }
        options.from = protocol::StartFrom::offset;
        options.offset = *offset;
    }
    auto client = connect(flags.broker);
    if (!client) return fail(client.error());
    Outcome outcome = Watch(**client, flags, invocation.json).run(std::move(options));
    // So that the last acknowledgement is the broker's when the command ends.
    if (!flags.durable_name.empty()) (void)(*client)->query("broker", {}, std::chrono::seconds(1));
    return outcome;
}

}  // namespace scanmq::cli
