#pragma once
// OperatorNode: somebody who deletes queues and makes them anew, and changes their room.

#include <map>
#include <string>
#include <vector>

#include "tests/sim/client_node.hpp"
#include "tests/sim/fleet.hpp"

namespace scanmq::sim {

class OperatorNode final : public ClientNode {
  public:
    OperatorNode(World& world, Network& network, Oracle& oracle, const Options& options,
                 Fleet& fleet, std::vector<std::string> queues, protocol::Settings settings);

    // Deletes a queue, by force or not, and makes it again a little later.
    void delete_one();
    void alter_one();
    void limit_flow();
    // Sets a queue's scanner version, or lets it follow its workers.
    void version_one();
    // Pauses, drains or purges one; the first two are taken back a little later.
    void control_one();
    void retry_dead();
    void cancel(const std::string& queue, const Id128& id);
    // Every queue has to be there again.
    void restore();
    [[nodiscard]] bool idle() const;
    // Deletes all of them, without force: nothing lives in them any more.
    void delete_all();
    [[nodiscard]] std::uint64_t deleted() const noexcept { return deleted_; }

  protected:
    void on_request(client::RequestDone& done) override;

  private:
    void request(const std::string& queue, protocol::Message message);
    void create(const std::string& queue);
    void set_version(const std::string& queue, const std::string& version);

    Fleet& fleet_;
    std::vector<std::string> queues_;
    protocol::Settings settings_;
    struct Asked {
        std::string queue;
        protocol::Kind kind{};
        bool last{};  // of delete_all()
        std::string version{};
    };
    std::map<std::uint64_t, Asked> asked_;
    std::map<std::string, bool> missing_;
    std::map<std::string, int> version_requests_;  // under way
    bool last_ = false;
    bool restoring_ = false;
    std::uint64_t deleted_ = 0;
};

}  // namespace scanmq::sim
