#pragma once
// BrokerNode: the broker's shell around the real core, codec, log and body store, as broker/server.
//
// Order:     of a turn: what is durable by now leaves; a batch is received, decoded, its bodies stored;
//            the core handles it; records are appended; frames leave, or wait until what they rely on
//            is durable; bodies are released.
// Inspector: a session of its own, without a network, that asks the queues' rows now and then.

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/core/broker_core.hpp"
#include "broker/store/body_store.hpp"
#include "common/protocol/codec.hpp"
#include "tests/sim/cache_tier.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/oracle.hpp"
#include "tests/sim/snapshots.hpp"
#include "tests/sim/store.hpp"

namespace scanmq::sim {

class BrokerNode final : public Node {
  public:
    BrokerNode(World& world, Network& network, Oracle& oracle, const Options& options,
               Snapshots& snapshots, std::vector<std::string> queues);
    ~BrokerNode() override;

    void start();
    // Ends the process, and starts another after a while.
    void crash(Duration down);
    [[nodiscard]] Store& store() noexcept { return *store_; }
    [[nodiscard]] bool running() const noexcept { return process_ != nullptr; }
    // Rows of a QUERY; nullopt: refused. Precondition: running().
    [[nodiscard]] std::optional<std::vector<protocol::Row>> query(const std::string& topic,
                                                                  const std::string& key);
    [[nodiscard]] std::uint64_t counter(std::string_view name) const;
    [[nodiscard]] std::uint64_t bodies() const;
    // The settings that queues are made with.
    [[nodiscard]] protocol::Settings queue_settings() const;
    // Compares rows and bodies with the records. Precondition: running().
    void inspect();
    // Blobs that are held by something.
    [[nodiscard]] std::uint64_t pinned() const;

  protected:
    void turn() override;

  private:
    struct Process;
    struct Waiting {
        std::string frame;
        broker::LogPosition needs{};
    };

    bool receive();
    bool handle_batch();
    void obey();
    void note_keys(broker::LogPosition last);
    void send(broker::Send& out, broker::LogPosition position);
    void post(std::uint32_t to, ByteView frame, broker::LogPosition needs);
    void flush();
    [[nodiscard]] std::uint64_t waiting_bytes() const;
    void log_failed();
    // Of the workers that are there, each once; "-" for those that tell none.
    [[nodiscard]] std::string worker_versions();
    [[nodiscard]] bool put_snapshot(const ContentId& id);
    void inspect_standing();
    void ask(protocol::Message message);
    void serve_cache();
    void stop_process();

    Network& network_;
    Oracle& oracle_;
    const Options& options_;
    std::vector<std::string> queues_;
    std::unique_ptr<Store> store_;
    CacheTier tier_;
    Snapshots& snapshots_;
    std::unique_ptr<Process> process_;
    std::uint64_t starts_ = 0;
    std::uint64_t turns_ = 0;
};

}  // namespace scanmq::sim
