// scanmq watch: a queue's stream, entry by entry.

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "client/cli/command.hpp"
#include "client/cli/interrupt.hpp"
#include "client/cli/session.hpp"
#include "client/cli/table.hpp"
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
    std::uint64_t count = 0;
    Duration idle{0};
    bool body = false;
};

void declare(config::Options& declared, WatchFlags& flags, bool& json) {
    declared.positional("queue", flags.queue, true, "The queue whose stream is read");
    declared.text("pattern", flags.pattern,
                  "Subjects to show: * is one token, a last > one or more");
    declared.text("from", flags.from, "Latest, earliest, or an offset");
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
            for (const protocol::Entry& entry : batch.entries) {
                if (enough()) break;
                ++shown_;
                json_ ? print_json(entry) : print_text(entry);
            }
            if (std::fflush(stdout) != 0) return ExitCode::failed;  // the reader went away
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
    client::SubscriberOptions options;
    options.queue = flags.queue;
    options.pattern = flags.pattern;
    if (flags.from == "earliest") {
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
    return Watch(**client, flags, invocation.json).run(std::move(options));
}

}  // namespace scanmq::cli
